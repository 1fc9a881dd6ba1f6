"""Short private names change nothing but the names, and only where it is safe."""

import ast
import re
from pathlib import Path

import pytest

import build
import short_names

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*(ROOT / "lib").rglob("*.py"), *(ROOT / "firmware").rglob("*.py")])
PRIVATE = re.compile(r"_[A-Za-z]\w*$")


def test_example():
    source = "class _A:\n    def _why(self, _x):\n        return self._why  # _why\nMAX = 1\n"
    assert short_names.shorten(source) == (
        "class _a:\n    def _b(self, _c):\n        return self._b  # _why\nMAX = 1\n"
    )


def test_constants_that_leave_no_name_take_no_short_one():
    source = "_MOST = const(3)\n_NAMES = ()\n_MOST + len(_NAMES)\n"
    assert short_names.shorten(source) == "_MOST = const(3)\n_a = ()\n_MOST + len(_a)\n"


def test_arguments_that_no_call_names_are_short():
    source = (
        "limit = 1\n"
        "def share(site, room_ma, limit=limit, *rest):\n"
        "    site.room_ma = room_ma + limit\n"
        "    def more(evse, a):\n"
        "        return [evse for evse in site.evses if a + room_ma]\n"
        "    return lambda evse: more(evse, limit)\n"
    )
    assert short_names.shorten(source, {"site"}) == (
        "limit = 1\n"
        "def share(site, b, limit=limit, *rest):\n"
        "    site.room_ma = b + limit\n"
        "    def more(c, d):\n"
        "        return [c for c in site.evses if d + b]\n"
        "    return lambda a: more(a, limit)\n"
    )


def test_imported_and_special_names_stay():
    source = "from _data import FILES\n_data = 1\n_ = 2\n__all__ = ()\n"
    assert short_names.shorten(source) == source


def test_many_names_stay_different():
    names = ["_n%d" % i for i in range(1000)]
    short = short_names.short_names("\n".join(names) + "\n")
    assert len(set(short.values())) == 1000


def private_names(tree):
    """(names that the file makes, names that it uses on anything)."""
    made, used = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            made.add(node.name)
        elif isinstance(node, ast.arg):
            made.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            made.add(node.id)
        elif isinstance(node, ast.Attribute):
            (made if isinstance(node.ctx, ast.Store) else used).add(node.attr)
    return made, {name for name in used if PRIVATE.match(name)}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_private_name_comes_from_another_file(path):
    made, used = private_names(ast.parse(path.read_text()))
    assert used <= made


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_private_name_hides_in_a_text(path):
    """getattr(x, "_name") or an f-string would miss its name."""
    names = short_names.short_names(path.read_text())
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.JoinedStr)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert node.value not in names


def test_a_file_is_named_as_its_module():
    """Its name is in the board's table of names anyway; that of the file would be one more."""
    tree = build.build_files()
    compiled = sorted(tree.rglob("*.mpy"))
    assert len(compiled) > 80
    for path in compiled:
        place = path.relative_to(tree).with_suffix("")
        module = ".".join(part for part in place.parts if part not in ("lib", "__init__"))
        data = path.read_bytes()
        assert module.encode() + b"\0" in data and b".py\0" not in data, module
