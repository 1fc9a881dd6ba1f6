"""Gives a module's private names short ones before it is compiled for the board.

Every name that a program uses is kept in MicroPython's table of names for ever; the table doubles
when it is full (9 kB at 1260 names). Private names (one leading underscore) are used in their own
file only (ruff SLF001 and a test see to that), so all files can share `_a`, `_b`, ... Lines stay
where they were. docs/decisions/heap.md has the figures.

    python tools/short_names.py firmware/controller/net.py     prints what is called what
"""

import io
import re
import sys
import tokenize
from pathlib import Path

_PRIVATE = re.compile(r"_[a-z][a-z0-9_]*$")


def _short(number):
    letters = ""
    while True:
        letters = chr(ord("a") + number % 26) + letters
        number = number // 26 - 1
        if number < 0:
            return "_" + letters


def _tokens(source):
    return list(tokenize.generate_tokens(io.StringIO(source).readline))


def short_names(source):
    """{private name: short name} of a source, in the order of their first use."""
    imported = set()
    names = []
    importing = False
    for token in _tokens(source):
        if token.type == tokenize.NEWLINE:
            importing = False
        elif token.type == tokenize.NAME:
            importing = importing or token.string in ("import", "from")
            if _PRIVATE.match(token.string):
                if importing:
                    imported.add(token.string)
                elif token.string not in names:
                    names.append(token.string)
    return {name: _short(i) for i, name in enumerate(n for n in names if n not in imported)}


def shorten(source):
    """The source with its private names replaced."""
    names = short_names(source)
    lines = source.splitlines(keepends=True)
    for token in reversed(_tokens(source)):
        if token.type == tokenize.NAME and token.string in names:
            (row, start), (_, end) = token.start, token.end
            line = lines[row - 1]
            lines[row - 1] = line[:start] + names[token.string] + line[end:]
    return "".join(lines)


def main():
    for path in sys.argv[1:]:
        for name, short in short_names(Path(path).read_text()).items():
            print("%s %-6s %s" % (path, short, name))


if __name__ == "__main__":
    main()
