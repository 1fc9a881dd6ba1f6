"""Runs benchmark scripts on the 32-bit VM against the compiled trees."""

import json
import subprocess
from pathlib import Path

from tools import build
from tools.fetch_micropython import find

HERE = Path(__file__).resolve().parent
CHIP = HERE.parent / "chip"


def run(script, *arguments, heap="400k"):
    """The JSON object that a script of this folder prints last."""
    done = subprocess.run(
        [find(), "-X", "heapsize=" + heap, str(HERE / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise SystemExit("bench: %s failed:\n%s%s" % (script, done.stdout, done.stderr))
    return json.loads(done.stdout.strip().splitlines()[-1])


def modules(tree):
    """Import names of every module in the built tree, libraries first."""
    found = []
    for folder in (tree / "lib", tree):
        for path in sorted(folder.rglob("*.mpy")):
            place = path.relative_to(folder)
            if place.parts[0] != "lib" and place.stem != "__init__":
                found.append(".".join(place.with_suffix("").parts))
    return found


def heap_by_module():
    """{module: (bytes from files, bytes from an image)}."""
    tree = build.build_files()
    names = [name for name in modules(tree) if name != "microdot.microdot"]
    files = run("bench_heap.py", tree, CHIP, *names)
    image = run("bench_heap.py", build.build_rom(), CHIP, *names)
    return {name: (files[name], image[name]) for name in names}
