"""What is not configured is not imported: it must cost no RAM."""

import json
import shutil
import subprocess

from tools import build
from tools.simulation import ROOT

_SCRIPT = """
import sys
sys.path[:] = [%(chip)r]
import rom
rom.mount(%(image)r, "/chip")
sys.path[:] = ["", "lib", "/chip", ".frozen"]
import asyncio
from controller.app import Controller

async def main():
    controller = Controller()
    controller.start()
    print("modules", " ".join(sys.modules))
    raise SystemExit

asyncio.run(main())
"""
_TCP_BOX = {"id": "E1", "template": "keba_p30", "host": "127.0.0.1", "port": 1, "unit": 255}


def modules(micropython, folder, board, **settings):
    """Names of the modules in RAM after the start with these settings."""
    shutil.copytree(build.build_files(), folder, dirs_exist_ok=True)
    shutil.copy(ROOT / "boards" / board / "board.json", folder)
    (folder / "settings.json").write_text(json.dumps(settings))
    script = folder / "script.py"
    chip = ROOT / "tools" / "chip"
    script.write_text(_SCRIPT % {"chip": str(chip), "image": str(build.build_chip())})
    done = subprocess.run(
        [micropython, "-X", "heapsize=200k", str(script)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    for line in done.stdout.splitlines():
        if line.startswith("modules "):
            return set(line.split()[1:])
    raise AssertionError(done.stdout + done.stderr)


def test_nothing_configured(micropython, tmp_path):
    found = modules(micropython, tmp_path, "esp32-devkit")
    absent = ("controller.s0", "controller.expander", "controller.ethernet", "modbus.server")
    assert found.isdisjoint(absent)
    # Needed for the start only.
    assert found.isdisjoint(("controller.startup", "controller.board", "modbus.checker"))
    # Doors are opened by main.py; the controller knows none.
    assert not [name for name in found if name.startswith("doors")]


def test_what_is_configured_is_there(micropython, tmp_path):
    meter = {"id": "M1", "template": "s0", "role": "consumption", "input": 1}
    found = modules(micropython, tmp_path, "kincony-kc868-a6", meters=[meter], evses=[_TCP_BOX])
    assert {"controller.s0", "controller.expander"} <= found
