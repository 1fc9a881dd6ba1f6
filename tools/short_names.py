"""Gives a module's private names short ones before it is compiled for the board.

Every name that a program uses is kept in MicroPython's table of names for ever; the table doubles
when it is full (9 kB at 1260 names). Private names (one leading underscore) are used in their own
file only (ruff SLF001 and a test see to that), so all files can share `_a`, `_b`, ... Arguments
are in the table, too; those that no call names become `a`, `b`, ... Lines stay
where they were. docs/decisions/heap.md has the figures.

    python tools/short_names.py firmware/controller/net.py     prints what is called what
"""

import ast
import functools
import io
import re
import sys
import tokenize
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_ON_BOARD = "lib firmware host_tests/fakes host_tests/portable tools/bench tools/chip".split()
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_PRIVATE = re.compile(r"_[A-Za-z][A-Za-z0-9_]*$")
_CONST = re.compile(r"(_\w+) = const\(")  # the compiler leaves no name of them


@functools.cache
def keywords():
    """Names of arguments that some call gives by name, of what runs against the compiled tree."""
    found = set()
    for folder in _ON_BOARD:
        for path in sorted((_ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.keyword) and node.arg:
                    found.add(node.arg)
    return frozenset(found)


def _bound(node):
    """Names that a node binds or mentions other than by ast.Name."""
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        return node.names
    if isinstance(node, ast.alias):
        return (node.asname or node.name).split(".")
    name = getattr(node, "name", None)  # of functions, classes, and what except catches
    return [name] if name else []


def _letters(taken):
    for number in range(1000):
        letters = _short(number)[1:]
        if letters not in taken and letters not in ("as", "if", "in", "is", "or"):
            yield letters


def _argument_places(source, named):
    """[(row, first byte, name, new name)] of the arguments that no call names, and their uses."""
    places = []

    def look(node, taken):
        if isinstance(node, _FUNCTIONS):
            taken = taken | rename(node, taken)
        for child in ast.iter_child_nodes(node):
            look(child, taken)

    def rename(function, taken):
        body = function.body if isinstance(function.body, list) else [function.body]
        inside = [node for part in body for node in ast.walk(part)]
        spec = function.args
        own = spec.posonlyargs + spec.args
        outside = [node for node in ast.walk(function) if node not in inside and node not in own]
        fixed = {name for node in inside + outside for name in _bound(node)}
        fixed |= {node.id for node in outside if isinstance(node, ast.Name)}
        used = {node.id for node in inside if isinstance(node, ast.Name)}
        wanted = [
            arg
            for arg in own
            if arg.arg not in fixed | named | {"self"} and not arg.arg.startswith("_")
        ]
        letters = _letters(taken | fixed | used | {arg.arg for arg in own})
        new = {arg.arg: next(letters) for arg in wanted}
        for node in wanted + inside:
            name = node.arg if node in wanted else getattr(node, "id", None)
            if name in new and isinstance(node, (ast.arg, ast.Name)):
                places.append((node.lineno, node.col_offset, name, new[name]))
        return set(new.values())

    look(ast.parse(source), set())
    return places


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
    as_is = {match.group(1) for match in map(_CONST.match, source.splitlines()) if match}
    names = []
    importing = False
    for token in _tokens(source):
        if token.type == tokenize.NEWLINE:
            importing = False
        elif token.type == tokenize.NAME:
            importing = importing or token.string in ("import", "from")
            if _PRIVATE.match(token.string):
                if importing:
                    as_is.add(token.string)
                elif token.string not in names:
                    names.append(token.string)
    return {name: _short(i) for i, name in enumerate(n for n in names if n not in as_is)}


def shorten(source, named=None):
    """The source with its private names and arguments replaced. named: as of keywords()."""
    names = short_names(source)
    places = _argument_places(source, keywords() if named is None else named)
    lines = [line.encode() for line in source.splitlines(keepends=True)]
    for token in _tokens(source):
        if token.type == tokenize.NAME and token.string in names:
            row, start = token.start
            start = len(token.line[:start].encode())
            places.append((row, start, token.string, names[token.string]))
    for row, start, name, new in sorted(set(places), reverse=True):
        line = lines[row - 1]
        lines[row - 1] = line[:start] + new.encode() + line[start + len(name.encode()) :]
    return b"".join(lines).decode()


def main():
    for path in sys.argv[1:]:
        for name, short in short_names(Path(path).read_text()).items():
            print("%s %-6s %s" % (path, short, name))


if __name__ == "__main__":
    main()
