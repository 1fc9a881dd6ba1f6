"""The test peer of tools/deploy.py: fakes/raw_repl_board.py as a process, and its flash."""

import contextlib
import json
import subprocess
import time
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "fakes" / "raw_repl_board.py"
POWER_CUT = 9
MAIN = b"""
import time
try:
    import formula, controller.cycle
    print("version", formula.VERSION, controller.cycle.VERSION)
except (ImportError, AttributeError) as error:
    print("broken", error)
print("ready")
while True:
    time.sleep_ms(20)
"""


class Peer:
    """A board whose flash is an image file; `start` it with faults, as often as wanted."""

    def __init__(self, micropython, folder):
        self._micropython = micropython
        self._folder = folder
        self.image = folder / "flash.img"

    def _command(self, **options):
        file = self._folder / "options.json"
        file.write_text(json.dumps(dict(options, image=str(self.image))))
        return [self._micropython, "-X", "heapsize=2m", str(SCRIPT), str(file)]

    @contextlib.contextmanager
    def start(self, **faults):
        """Gives the port as an mpremote device string while the board runs."""
        port_file = self._folder / "port"
        port_file.unlink(missing_ok=True)
        process = subprocess.Popen(
            self._command(port_file=str(port_file), **faults),
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            while not (port_file.exists() and port_file.read_text().endswith("\n")):
                assert process.poll() is None, process.stdout.read()
                time.sleep(0.01)
            yield "socket://127.0.0.1:" + port_file.read_text().strip()
        finally:
            process.kill()
            print(process.communicate()[0].decode(errors="replace"))

    def files(self):
        """{path: content} of the flash of a board that is off; folders end in "/" (None)."""
        found = json.loads(self._off(dump=True))
        return {
            path: None if text is None else bytes.fromhex(text) for path, text in found.items()
        }

    def _off(self, **options):
        done = subprocess.run(
            self._command(**options), cwd=self._folder, capture_output=True, text=True
        )
        assert done.returncode in (0, POWER_CUT), done.stdout + done.stderr
        return done.stdout if done.returncode == 0 else None

    def boot(self, dies_at_write=None):
        """Runs boot.py only; False if the power went at that write to the flash."""
        script = "with open('boot.py') as file: exec(file.read(), {})"
        return self._off(script=script, dies_at_write=dies_at_write) is not None

    def put(self, files):
        """Lays files in the flash of a board that is off, as an owner might have."""
        script = (
            "import os\n"
            "for path, content in %r:\n"
            "    parts = path.split('/')[:-1]\n"
            "    for n in range(len(parts)):\n"
            "        try:\n"
            "            os.mkdir('/'.join(parts[:n + 1]))\n"
            "        except OSError:\n"
            "            pass\n"
            "    with open(path, 'wb') as file:\n"
            "        file.write(content)\n" % (sorted(files.items()),)
        )
        self._off(script=script)
