"""The documents tell the truth: links lead somewhere, settings are accepted, commands exist."""

import json
import re
import xml.dom.minidom
from pathlib import Path

import pytest

from controller import data
from controller.refusal import Refusal
from controller.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [
    path for path in ROOT.iterdir() if path.is_dir() and path.name not in ("build", "typings")
]
PAGES = sorted(ROOT.glob("*.md")) + sorted(
    path for folder in FOLDERS if folder.name[0] != "." for path in folder.rglob("*.md")
)
# The boards' pages name files of other projects as their sources.
OURS = [path for path in PAGES if path.parent.parent.name != "boards"]
IMAGE_BYTES = 200_000
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
# A path of the tree in a code span; <name> and * stand for any name.
TREE_PATH = re.compile(r"(lib|firmware|boards|host_tests|tools|docs|\.ci)/[\w./<>*-]*")
# What the examples may use: more than any one board has.
BOARD = {
    "inputs": [{"id": number} for number in range(1, 9)],
    "rs485": [{"id": "rs485_1"}, {"id": "rs485_2"}],
}


def name(path):
    return str(path.relative_to(ROOT))


def page(path):
    return (ROOT / path).read_text(encoding="utf-8")


def prose(text):
    return FENCE.sub("", text)


def slugs(text):
    """The anchors of a page's headings, as Git hosts make them."""
    headings = re.findall(r"^#+ +(.+?) *$", prose(text), re.MULTILINE)
    words = [re.sub(r"[^\w\- ]", "", LINK.sub("", each).lower()) for each in headings]
    return {each.replace(" ", "-") for each in words}


def bad_links(path, text):
    """Relative links of a page that lead nowhere."""
    bad = []
    for link in LINK.findall(CODE.sub("", prose(text))):
        target, _, anchor = link.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        place = (path.parent / target).resolve() if target else path
        if not place.exists() or ROOT not in place.parents:
            bad.append(link)
        elif anchor and anchor not in slugs(place.read_text(encoding="utf-8")):
            bad.append(link)
    return bad


def codes(text):
    """Code spans and the lines of code blocks that are no data."""
    found = CODE.findall(prose(text))
    for kind, block in FENCE.findall(text):
        if kind not in ("json", "formula", "python"):
            found += block.splitlines()
    return found


def make_targets(text):
    return {
        word for code in codes(text) for word in re.findall(r"(?<![\w-])make ([a-z]\w*)", code)
    }


def missing_paths(text):
    """Paths of the tree named in code spans that are not there."""
    missing = []
    for span in CODE.findall(prose(text)):
        if not TREE_PATH.fullmatch(span) or "..." in span:
            continue
        pattern = re.sub(r"<[^>]*>", "*", span).rstrip("/")
        if not any(ROOT.glob(pattern)):
            missing.append(span)
    return missing


def fresh_settings():
    class NoFlash:
        def load(self, name):
            return None, None

        def save(self, name, document):
            return True

    return Settings(NoFlash(), data.load_json, BOARD)


def settings_examples(text):
    """JSON objects of a page that are settings: their keys are sections, or meant to be."""
    sections = set(fresh_settings().doc)
    for kind, block in FENCE.findall(text):
        candidates = re.findall(r"-d '(\{.*?\})'.*?/api/settings(?!/)", block, re.DOTALL)
        if kind == "json":
            candidates.append(block)
        for candidate in candidates:
            document = json.loads(candidate)
            if isinstance(document, dict) and sections & set(document):
                yield document


def settings_files_sent(text):
    """Names of the files that a page's curl lines send to /api/settings."""
    return set(re.findall(r"-d @(\S+) \S*/api/settings(?!/)", text))


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_somewhere(path):
    assert not bad_links(path, path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_make_targets_exist(path):
    known = set(re.findall(r"^([a-z]+):", page("Makefile"), re.MULTILINE))
    assert make_targets(path.read_text(encoding="utf-8")) <= known


@pytest.mark.parametrize("path", OURS, ids=name)
def test_files_named_exist(path):
    assert not missing_paths(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", ["docs/commissioning.md", "docs/settings.md"])
def test_settings_examples_are_accepted(path):
    examples = list(settings_examples(page(path)))
    assert examples
    for document in examples:
        fresh_settings().apply(document)


def test_commissioning_shows_every_file_that_it_sends():
    text = page("docs/commissioning.md")
    sent = settings_files_sent(text)
    assert sent
    assert len(list(settings_examples(text))) == len(sent)
    for each in sent:
        assert "`%s`" % each in text


def test_commissioning_explains_every_reason():
    explained = set(re.findall(r"`([a-z_]+)`", page("docs/commissioning.md")))
    reasons = set(json.loads(page("firmware/texts/reasons.json")))
    assert not reasons - explained


def test_architecture_tells_of_every_module():
    told = page("docs/architecture.md")
    modules = [
        *ROOT.glob("lib/*/*.py"),
        *ROOT.glob("firmware/*.py"),
        *ROOT.glob("firmware/*/*.py"),
    ]
    names = {path.name for path in modules} - {"__init__.py"}
    assert not {name for name in names if name not in told}


def test_every_document_is_in_its_index():
    for folder in ("docs", "docs/decisions"):
        index = page(folder + "/README.md")
        linked = {link.partition("#")[0] for link in LINK.findall(index)}
        there = {path.name for path in (ROOT / folder).glob("*.md")} - {"README.md"}
        assert not there - linked


def test_readme_shows_every_board():
    boards = {path.parent.name for path in (ROOT / "boards").glob("*/board.json")}
    linked = set(LINK.findall(page("README.md")))
    assert {"boards/%s/README.md" % board for board in boards} <= linked


def test_readme_shows_the_ready_line_of_the_simulation():
    shown = re.search(r"^ready (\{.*?\})$", page("README.md"), re.DOTALL | re.MULTILINE)
    keys = re.search(r"ready = \{(.*?)\n        \}", page("tools/sim.py"), re.DOTALL)
    wanted = re.findall(r'^ +"(\w+)":', keys.group(1), re.MULTILINE)
    assert list(json.loads(shown.group(1))) == wanted


def test_drawings_are_well_formed_and_pictures_small():
    for path in (ROOT / "docs").rglob("*.svg"):
        xml.dom.minidom.parse(str(path))
    for path in (ROOT / "docs").rglob("*.png"):
        assert path.stat().st_size < IMAGE_BYTES, path.name


def test_a_bad_link_is_found():
    readme = ROOT / "README.md"
    assert bad_links(readme, "[x](docs/nowhere.md)") == ["docs/nowhere.md"]
    assert bad_links(readme, "[x](docs/boards.md#no-such)") == ["docs/boards.md#no-such"]
    assert bad_links(readme, "[x](../outside)") == ["../outside"]
    assert bad_links(readme, "[x](docs/boards.md#s0-meters) [y](https://example.org/)") == []


def test_bad_commands_and_paths_are_found():
    text = "make sure of it, `make coffee`\n```\nmake tea PORT=1\n```"
    assert make_targets(text) == {"coffee", "tea"}
    text = "`lib/nothing.py` `boards/<name>/board.json` `/cnf`"
    assert missing_paths(text) == ["lib/nothing.py"]


def test_a_bad_example_is_found():
    (document,) = settings_examples('```json\n{"site": {"voltage_v": "230"}}\n```')
    with pytest.raises(Refusal):
        fresh_settings().apply(document)
    shell = '```\ncurl -d \'{"sites": 1, "http": {}}\' http://x/api/settings\n```'
    (document,) = settings_examples(shell)
    with pytest.raises(Refusal):
        fresh_settings().apply(document)
