"""Runs the plain test functions of one file on the 32-bit MicroPython, against the compiled tree.

python tools/portable.py host_tests/portable/test_x.py
"""

import ast
import subprocess
import sys
import tempfile
from pathlib import Path

import build
from fetch_micropython import find

ROOT = Path(__file__).resolve().parent.parent
FAKES = ROOT / "host_tests"  # tests import fakes.NAME from here
HEAP = "256k"
TIMEOUT_S = 240

# Each test reports one line; a traceback goes before it. MicroPython keeps no order of names, so
# the order of the file is passed in.
_RUNNER = """
import sys
sys.path[:] = %(path)r
import io
try:
    import %(module)s as tests
except Exception as error:
    sys.print_exception(error)
    sys.exit(1)
for name in %(names)r:
    try:
        getattr(tests, name)()
        print("\\n@@", name, "ok")
    except BaseException as error:
        text = io.StringIO()
        sys.print_exception(error, text)
        print(text.getvalue())
        print("\\n@@", name, "failed")
"""


def test_names(path):
    """Names of the test functions of a file, in its order."""
    tree = ast.parse(Path(path).read_text())
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def run(command, path):
    """{test name: "ok" or what it printed}; the key "" holds the whole output."""
    path = Path(path)
    tree = build.build_files()
    with tempfile.TemporaryDirectory() as folder:
        # Not optimised: the compiler would leave the asserts out.
        build.compile_file(path, Path(folder) / (path.stem + ".mpy"), optimise="-O0")
        chip = ROOT / "tools" / "chip"
        script = _RUNNER % {
            "path": ["", folder, str(tree / "lib"), str(tree), str(chip), str(FAKES), ".frozen"],
            "module": path.stem,
            "names": test_names(path),
        }
        runner = Path(folder) / "runner.py"
        runner.write_text(script)
        (Path(folder) / "data").symlink_to(tree / "data")
        done = subprocess.run(
            [command, "-X", "heapsize=" + HEAP, str(runner)],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
        )
    return _outcomes(done.stdout, done.stdout + done.stderr)


def _outcomes(stdout, everything):
    outcomes = {"": everything}
    text = []
    for line in stdout.splitlines():
        if line.startswith("@@ "):
            _, name, verdict = line.split(" ")
            outcomes[name] = "ok" if verdict == "ok" else "\n".join(text)
            text = []
        elif line:
            text.append(line)
    return outcomes


def main():
    outcomes = run(find(), sys.argv[1])
    failed = 0
    for name in test_names(sys.argv[1]):
        outcome = outcomes.get(name, "no result: the VM ended early\n" + outcomes[""])
        print(name, outcome)
        failed += outcome != "ok"
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
