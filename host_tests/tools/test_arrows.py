"""Imports go one way only: doors -> controller -> lib; chargecontrol -> formula."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = {path.parent.name for path in (ROOT / "lib").glob("*/__init__.py")}
PACKAGES = LIBRARIES | {"controller", "doors"}
ALLOWED = {
    "doors": {"controller", *LIBRARIES},
    "controller": {"controller", *LIBRARIES},
    "chargecontrol": {"chargecontrol", "formula"},
}
# lib decides: it knows no clock, no wire, no file, no chip, and does not wait.
ACTING = {"asyncio", "esp32", "io", "machine", "network", "os", "select", "socket", "time", "tls"}


def imports(text, package):
    """Top-level names of the modules that a source of `package` imports."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(package if node.level else node.module.split(".")[0])
    return found


def offences(text, package):
    """What a source of `package` may not import."""
    allowed = ALLOWED.get(package, {package})
    bad = {name for name in imports(text, package) & PACKAGES if name not in allowed}
    if package in LIBRARIES:
        bad |= imports(text, package) & ACTING
    return bad


def sources():
    for base in (ROOT / "lib", ROOT / "firmware"):
        for path in sorted(base.rglob("*.py")):
            package = path.relative_to(base).parts[0]
            if package in PACKAGES:
                yield pytest.param(path, package, id=str(path.relative_to(ROOT)))


@pytest.mark.parametrize("path, package", list(sources()))
def test_import_arrows(path, package):
    assert not offences(path.read_text(), package)


@pytest.mark.parametrize(
    "text, package",
    [
        ("from doors import http", "controller"),
        ("import controller.clock", "modbus"),
        ("from chargecontrol import site", "formula"),
        ("from modbus.rtu import crc16", "chargecontrol"),
        ("def f():\n    from doors.http import HttpDoor", "doors"),
        ("import time", "formula"),
        ("from machine import Pin", "chargecontrol"),
    ],
)
def test_a_wrong_arrow_is_found(text, package):
    assert offences(text, package)
