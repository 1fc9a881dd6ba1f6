"""Makes build/frozen/_data.py, the data files as one module for an image of one's own.

    python tools/frozen.py

firmware/manifest.py freezes it; controller/data.py reads it where there is no data/ folder.
"""

import sys
from pathlib import Path

import build

TARGET = build.BUILD / "frozen" / "_data.py"


def source(folder):
    """The module's text: FILES = {name relative to the data folder: content}."""
    folder = Path(folder)
    lines = ['"""Made by tools/frozen.py."""', "", "FILES = {"]
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            lines.append("    %r: %r," % (name, path.read_bytes()))
    return "\n".join(lines + ["}", ""])


def main():
    text = source(build.build_files() / "data")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text)
    print("%s: %d bytes" % (TARGET.relative_to(build.ROOT), len(text)))


if __name__ == "__main__":
    sys.exit(main())
