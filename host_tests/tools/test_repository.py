"""What holds for all tracked files: nothing of one machine, sizes, texts in both languages."""

import ast
import json
import re
import string
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXTS = sorted((ROOT / "firmware" / "texts").glob("*.json"))
DECIDERS = sorted((ROOT / "lib" / "chargecontrol").glob("*.py"))
LINES = 400
# Registries' and mirrors' hosts, and places that only one machine has (brackets: not found here).
FOREIGN = (
    r"\bpy[p]i\.org|python[h]osted\.org|npm[j]s\.(?:org|com)|(?:deb|ftp)\.debia[n]\.org|ubunt[u]\.com"
    r"|proxy\.golan[g]|--(?:extra-)?index-ur[l]|--find-link[s]"
    r"|(?<![\w.$}>])/(?:work|tmp|home|root|Users|opt|mnt)/"
)


def tracked(*patterns):
    """The tracked files that are there, as paths from the root."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a Git checkout")
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [name for name in done.stdout.split("\0") if (ROOT / name).is_file()]
    assert names
    return names


def foreign(text, root=ROOT):
    """[(line number, what)] in a text that belongs to one machine or names a registry's host."""
    pattern = FOREIGN
    if len(root.parts) > 2:  # "/data" alone may as well be a folder on the board
        pattern += "|" + re.escape(str(root))
    return [
        (number, match.group())
        for number, line in enumerate(text.splitlines(), 1)
        for match in re.finditer(pattern, line, re.IGNORECASE)
    ]


def test_no_file_names_a_registry_or_a_path_of_this_machine():
    found = {}
    for name in tracked():
        content = (ROOT / name).read_bytes()
        if b"\0" not in content:
            found[name] = foreign(content.decode("utf-8"))
    assert {name: places for name, places in found.items() if places} == {}


@pytest.mark.parametrize(
    "parts",
    [
        ("https://py", "pi.org/simple"),
        ("see /ho", "me/someone/x"),
        ("pip install --index", "-url x"),
        ("cd /srv/jobs/", "checkout && make"),
    ],
)
def test_what_belongs_to_one_machine_is_found(parts):
    assert foreign("".join(parts), Path("/srv/jobs/checkout"))


def test_sources_of_the_board_stay_short():
    lengths = {
        name: len((ROOT / name).read_bytes().splitlines())
        for name in tracked("lib/*.py", "firmware/*.py")
    }
    assert {name: length for name, length in lengths.items() if length > LINES} == {}


def fields(sentence):
    """The sorted placeholders of a sentence; ValueError for a brace that is none."""
    return sorted(part[1] for part in string.Formatter().parse(sentence) if part[1] is not None)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_each_code_has_a_sentence_in_both_languages(path):
    for code, sentences in json.loads(path.read_text(encoding="utf-8")).items():
        assert len(sentences) == 2, code
        assert all(isinstance(text, str) and text.strip() for text in sentences), code
        english, german = (fields(text) for text in sentences)
        assert set(english) == set(german), code
        assert all(field.isdecimal() for field in english), code


class Codes(ast.NodeVisitor):
    """Gathers the reasons' codes: what reaches a name or a parameter called `code`.

    Followed are assignments, calls of the package's functions with such a parameter, and what a
    function returns whose result is assigned to such a name.
    """

    def __init__(self, trees):
        self.found = set()
        self.functions = {
            node.name: node
            for tree in trees
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef)
        }
        for tree in trees:
            self.visit(tree)

    def take(self, value, place=None):
        """Adds the codes that `value`, or its element at `place`, may be."""
        if isinstance(value, ast.IfExp):
            self.take(value.body, place)
            self.take(value.orelse, place)
        elif isinstance(value, ast.Tuple) and place is not None:
            self.take(value.elts[place])
        elif isinstance(value, ast.Constant) and value.value is not None:
            self.found.add(value.value)
        elif isinstance(value, ast.Call):
            for node in ast.walk(self.functions[self.called(value)]):
                if isinstance(node, ast.Return):
                    self.take(node.value, place)

    @staticmethod
    def called(call):
        return call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id

    def visit_Assign(self, node):
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id == "code":
                self.take(node.value)
            elif isinstance(target, ast.Tuple):
                names = [getattr(each, "id", None) for each in target.elts]
                if "code" in names:
                    self.take(node.value, names.index("code"))
        self.generic_visit(node)

    def visit_Call(self, node):
        function = self.functions.get(getattr(node.func, "attr", getattr(node.func, "id", None)))
        if function:
            names = [each.arg for each in function.args.args if each.arg != "self"]
            at = names.index("code") if "code" in names else len(node.args)
            if at < len(node.args):  # else it comes with *
                self.take(node.args[at])
        self.generic_visit(node)


def codes(*sources):
    return Codes([ast.parse(source) for source in sources]).found


def test_every_reason_has_its_text_and_every_text_its_reason():
    """test_site_reasons.py has them said; here none is missing and none is forgotten."""
    reasons = json.loads((ROOT / "firmware" / "texts" / "reasons.json").read_text("utf-8"))
    sources = [path.read_text(encoding="utf-8") for path in DECIDERS]
    assert codes(*sources) <= set(reasons)
    sources += [path.read_text("utf-8") for path in (ROOT / "firmware/controller").glob("*.py")]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    said = {node.value for node in nodes if isinstance(node, ast.Constant)}
    assert not set(reasons) - said


def test_codes_are_found_wherever_they_come_from():
    source = """
def say(code, value):
    code = "assigned" if value else "otherwise"
def why(a):
    if a:
        return "returned", ()
    return ("last" if a == "compared" else "least"), ("argument",)
def use(self):
    say("passed", "value")
    code, arguments = self.why(1)
"""
    wanted = {"assigned", "otherwise", "returned", "last", "least", "passed"}
    assert codes(source) == wanted
