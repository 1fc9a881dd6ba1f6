"""Every refusal has its sentence in both languages, and no sentence is left over."""

import ast
import json
import string
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).resolve().parent.parent.parent / "firmware"
ERRORS = {
    "HttpError": "http",
    "refusal": "http",
    "LoginError": "http",
    "PasswordError": "http",
    "JsonError": "http",
    "SettingsError": "settings_errors",
    "StoreError": "settings_errors",
    "VariableError": "variables",
    "NestingError": "variables",
    "CertificateError": "certificates",
}
CODE_AT = {"HttpError": 1, "refusal": 1, "SettingsError": 1}


def codes():
    """{area: codes} that are raised anywhere in the firmware."""
    found = {"http": set(), "settings_errors": set(), "variables": set(), "certificates": set()}
    for path in sorted(FIRMWARE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", None))
                place = CODE_AT.get(name, 0)
                if name in ERRORS and len(node.args) > place:
                    found[ERRORS[name]].update(_texts(node.args[place]))
    return found


def _texts(node):
    """The texts that an expression may be, or that it begins with ("must_" + kind)."""
    if isinstance(node, ast.IfExp):
        return _texts(node.body) | _texts(node.orelse)
    if isinstance(node, ast.BinOp):
        return _texts(node.left)
    return {node.value} if isinstance(node, ast.Constant) else set()


@pytest.mark.parametrize("area", ["http", "settings_errors", "variables"])
def test_texts_and_codes_match(area):
    texts = json.loads((FIRMWARE / "texts" / (area + ".json")).read_text())
    raised = codes()[area]
    composed = {code for code in texts if any(code.startswith(r) for r in raised if r[-1] == "_")}
    assert {code for code in raised if code[-1] != "_"} <= set(texts)
    assert set(texts) <= raised | composed
    for sentences in texts.values():
        english, german = sentences
        assert english != german
        fields = [
            sorted(part[1] for part in string.Formatter().parse(text) if part[1])
            for text in sentences
        ]
        assert fields[0] == fields[1]


def test_each_setting_has_its_text():
    texts = json.loads((FIRMWARE / "texts" / "settings.json").read_text())
    names = set()
    for path in (FIRMWARE / "controller" / "schema").glob("*.json"):
        schema = json.loads(path.read_text())
        assert schema["section"] == path.stem
        if path.stem != "login":
            names.update("%s.%s" % (path.stem, field["name"]) for field in schema["fields"])
    assert names == set(texts)
