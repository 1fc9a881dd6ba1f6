"""tools/check_boards.py: each rule fires on its mutation, and the shipped boards are fine."""

import copy
import json
import re
import subprocess
import sys
import xml.dom.minidom
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import check_boards  # noqa: E402
import draw_wiring  # noqa: E402

BOARDS = {
    path.parent.name: json.loads(path.read_text())
    for path in sorted((ROOT / "boards").glob("*/board.json"))
}
DEVKIT, ETH, S3, A6 = "esp32-devkit", "wt32-eth01", "waveshare-s3-8di-8ro", "kincony-kc868-a6"
DELETE = object()
E, W = "error", "warning"


def changed(board, path, value):
    """A copy of a shipped board with one place changed; the path is written as in a finding."""
    doc = copy.deepcopy(BOARDS[board])
    *parents, last = [int(part) if part.isdigit() else part for part in re.findall(r"\w+", path)]
    place = doc
    for part in parents:
        place = place[part]
    if value is DELETE:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return doc


def relay(number, **line):
    return {"id": number, "active_low": False, **line}


# board, place changed, new value; then what must be found: severity, rule, field, words of it
MUTATIONS = [
    (DEVKIT, "chip", "esp8266", E, "schema", "chip", '"esp32s3"'),
    (DEVKIT, "wlan", "yes", E, "schema", "wlan", "allowed: boolean"),
    (DEVKIT, "rs485[0].tx", DELETE, E, "schema", "rs485[0]", '"tx" is missing'),
    (DEVKIT, "inputs[0].pinn", 3, E, "schema", "inputs[0]", 'unknown key "pinn"; allowed: "id"'),
    (DEVKIT, "inputs[0].pin", 200, E, "schema", "inputs[0].pin", "allowed: 0 to 48"),
    (DEVKIT, "inputs[0].pin", True, E, "schema", "inputs[0].pin", "allowed: integer"),
    (DEVKIT, "inputs[0].pull", "none", E, "schema", "inputs[0].pull", '"down"'),
    (DEVKIT, "name", "A B", E, "schema", "name", "allowed"),
    (DEVKIT, "source", [], E, "schema", "source", "minItems"),
    (ETH, "ethernet.kind", "enc28j60", E, "schema", "ethernet.kind", '"w5500"'),
    (ETH, "ethernet.mdc", DELETE, E, "schema", "ethernet", '"mdc" is missing'),
    (ETH, "ethernet.cs", 4, E, "schema", "ethernet", 'unknown key "cs"'),
    (S3, "ethernet.spi", 3, E, "schema", "ethernet.spi", "allowed: 1, 2"),
    (A6, "relays[0].bit", 8, E, "schema", "relays[0].bit", "allowed: 0 to 7"),
    (A6, "expanders[0].kind", "mcp23017", E, "schema", "expanders[0].kind", '"tca9554"'),
    (DEVKIT, "checked.IO2", "x", E, "schema", "checked", 'unknown key "IO2"'),
    (DEVKIT, "name", "my-board", E, "folder", "name", '"esp32-devkit"'),
    (DEVKIT, "inputs[0].pin", 24, E, "exists", "inputs[0].pin", "GPIO24 does not exist"),
    (S3, "inputs[0].pin", 22, E, "exists", "inputs[0].pin", "does not exist on the esp32s3"),
    (DEVKIT, "relays[0].pin", 6, E, "flash", "relays[0].pin", "flash"),
    (S3, "button.pin", 30, E, "flash", "button.pin", "flash"),
    (S3, "inputs[7].pin", 35, E, "psram", "inputs[7].pin", "PSRAM"),
    (DEVKIT, "inputs[0].pin", 3, E, "console", "inputs[0].pin", "console"),
    (S3, "inputs[0].pin", 20, E, "console", "inputs[0].pin", "USB"),
    (S3, "inputs[0].pin", 43, E, "console", "inputs[0].pin", "console"),
    (DEVKIT, "relays[0].pin", 32, E, "twice", "relays[0].pin", "inputs[0].pin"),
    (ETH, "inputs[0].pin", 25, E, "twice", "ethernet (RXD0 of RMII)", "inputs[0].pin"),
    (A6, "inputs[6].pin", 15, E, "twice", "expanders[0].scl", "inputs[6].pin"),
    (DEVKIT, "rs485[0].de", 19, E, "twice", "rs485[0].de", "rs485[0].tx"),
    (S3, "ethernet.int", 17, E, "twice", "ethernet.int", "rs485[0].tx"),
    (DEVKIT, "relays[0].pin", 34, E, "input_only", "relays[0].pin", "can only be an input"),
    (DEVKIT, "rs485[0].tx", 35, E, "input_only", "rs485[0].tx", "can only be an input"),
    (DEVKIT, "leds[0].pin", 36, E, "input_only", "leds[0].pin", "can only be an input"),
    (A6, "expanders[1].sda", 39, E, "input_only", "expanders[1].sda", "can only be an input"),
    (ETH, "ethernet.mdc", 34, E, "input_only", "ethernet.mdc", "can only be an input"),
    (DEVKIT, "inputs[0].pin", 34, E, "pull_input_only", "inputs[0].pull", "no pull resistors"),
    (DEVKIT, "inputs[0].pin", 12, E, "pull_gpio12", "inputs[0].pull", "starting"),
    (A6, "inputs[0].pull", "up", E, "pull_expander", "inputs[0].pull", "leave it out"),
    (DEVKIT, "inputs[0].pull", None, W, "floating", "inputs[0].pull", "floats"),
    (DEVKIT, "inputs[0].active_low", False, W, "pull_polarity", "inputs[0].pull", "broken"),
    (DEVKIT, "inputs[0].pull", "down", W, "pull_polarity", "inputs[0].pull", "broken wire"),
    (ETH, "inputs[3].pin", 36, W, "glitch", "inputs[3].pull", "80 ns"),
    (DEVKIT, "relays[0].pin", 15, W, "strapping", "relays[0].pin", "GPIO15 is read"),
    (S3, "inputs[0].pin", 45, W, "strapping", "inputs[0].pin", "GPIO45 is read"),
    (DEVKIT, "checked.GPIO0", DELETE, W, "strapping", "button.pin", "GPIO0"),
    (DEVKIT, "checked.GPIO23", "free", E, "checked", "checked.GPIO23", "nothing uses"),
    (DEVKIT, "inputs[1].id", 3, E, "ids", "inputs", "1, 2, 3"),
    (DEVKIT, "inputs[0].id", 2, E, "ids", "inputs", "1, 2, 3"),
    (A6, "relays[5].id", 7, E, "ids", "relays", "in this order"),
    (
        DEVKIT,
        "leds[1]",
        {"id": "status", "pin": 22, "active_low": False},
        E,
        "ids",
        "leds[1].id",
        "twice",
    ),
    (
        DEVKIT,
        "rs485[1]",
        {"id": "rs485_1", "uart": 2, "tx": 22, "rx": 23, "de": None},
        E,
        "ids",
        "rs485[1].id",
        "twice",
    ),
    (DEVKIT, "rs485[0].uart", 0, E, "uart", "rs485[0].uart", "console; allowed: 1, 2"),
    (
        DEVKIT,
        "rs485[1]",
        {"id": "rs485_2", "uart": 1, "tx": 22, "rx": 23, "de": None},
        E,
        "uart",
        "rs485[1].uart",
        "already used",
    ),
    (DEVKIT, "rs485[0].de", None, E, "de", "rs485[0].de_active_high", "leave it out"),
    (DEVKIT, "rs485", [], W, "no_bus", "rs485", "Modbus TCP"),
    (DEVKIT, "inputs[0].pin", DELETE, E, "line", "inputs[0]", 'either "pin"'),
    (A6, "inputs[0].pin", 13, E, "line", "inputs[0]", 'either "pin"'),
    (A6, "inputs[0].bit", DELETE, E, "line", "inputs[0]", 'either "pin"'),
    (A6, "inputs[0].expander", 5, E, "expander", "inputs[0]", "allowed: 0 to 1"),
    (DEVKIT, "relays[2]", relay(3, expander=0, bit=0), E, "expander", "relays[2]", "none"),
    (A6, "inputs[0].expander", 1, E, "role", "inputs[0]", '"outputs"; allowed here: "inputs"'),
    (A6, "relays[0].expander", 0, E, "role", "relays[0]", 'allowed here: "outputs"'),
    (A6, "relays[1].bit", 0, E, "bit", "relays[1]", "already relays[0]"),
    (S3, "relays[7].bit", 0, E, "bit", "relays[7]", "each bit once"),
    (A6, "expanders[0].address", 64, E, "address", "expanders[0].address", "32 to 39"),
    (A6, "expanders[1].address", 34, E, "address", "expanders[1].address", "each address once"),
    (A6, "expanders[1].sda", 21, E, "i2c", "expanders[1]", "SDA 4 and SCL 15"),
    (S3, "relays", [], W, "unused", "expanders[0]", "nothing uses"),
    (DEVKIT, "wlan", False, E, "network", "ethernet", "no network"),
    (ETH, "ethernet.ref_clk", 17, E, "ref_clk", "ethernet.ref_clk", "allowed: GPIO 0"),
    (ETH, "ethernet.ref_clk_mode", "out", W, "clock_wlan", "ethernet.ref_clk_mode", "Wi-Fi"),
    (S3, "ethernet", BOARDS[ETH]["ethernet"], E, "rmii", "ethernet.kind", 'allowed: "w5500"'),
    (S3, "psram", False, E, "image", "micropython", "ESP32_GENERIC_S3"),
    (DEVKIT, "micropython", "ESP32_GENERIC_S3", E, "image", "micropython", '"ESP32_GENERIC"'),
    (DEVKIT, "psram", True, E, "image", "micropython", "SPIRAM"),
]
RULES = set(re.findall(r'_(?:error|warning)\(\s*"(\w+)"', Path(check_boards.__file__).read_text()))


@pytest.mark.parametrize("name", BOARDS)
def test_shipped_board_has_no_finding(name):
    assert check_boards.check_file(ROOT / "boards" / name / "board.json") == []


def test_boards_that_must_be_there():
    assert {DEVKIT, ETH, S3, A6} <= set(BOARDS)
    assert sum("expander" in part for part in BOARDS[S3]["relays"]) == 8
    assert len(BOARDS[S3]["inputs"]) == 8 and BOARDS[S3]["psram"]
    for name in BOARDS:
        assert (ROOT / "boards" / name / "README.md").is_file(), name


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: "%s %s %s" % (m[0], m[1], m[4]))
def test_rule_fires(mutation):
    board, path, value, severity, rule, field, words = mutation
    findings = check_boards.check(changed(board, path, value), BOARDS[board]["name"])
    found = [f for f in findings if (f.severity, f.rule, f.field) == (severity, rule, field)]
    assert found, findings
    assert words in found[0].text
    if severity == "error":
        wrong = re.search("allowed|usual|missing|length", found[0].text)
        assert wrong, found[0].text


def test_every_rule_has_a_mutation():
    assert RULES - {"file"} == {mutation[4] for mutation in MUTATIONS}


@pytest.mark.parametrize("key", ["GPIO5", "GPIO12"])
def test_checked_silences_only_its_own_pin(key):
    findings = check_boards.check(changed(ETH, "checked.%s" % key, DELETE), ETH)
    assert [f.rule for f in findings] == ["strapping"]
    assert key in findings[0].text


def test_checked_never_silences_an_error():
    doc = changed(DEVKIT, "inputs[0].pin", 34)
    doc["checked"]["GPIO34"] = "trust me"
    assert "pull_input_only" in {f.rule for f in check_boards.check(doc)}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(BOARDS)), st.data())
def test_two_uses_of_a_pin_are_always_found(name, data):
    doc = copy.deepcopy(BOARDS[name])
    fields = [use for use in check_boards.uses(doc) if "RMII" not in use.field]
    one, other = data.draw(st.lists(st.sampled_from(fields), min_size=2, max_size=2, unique=True))
    if one.pin == other.pin:  # the shared lines of an I2C bus
        return
    doc = changed(name, one.field, other.pin)
    assert {"twice", "i2c"} & {f.rule for f in check_boards.check(doc)}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(BOARDS)), st.data(), _JSON)
def test_anything_in_any_place_gives_findings_and_never_a_crash(name, data, value):
    doc = copy.deepcopy(BOARDS[name])
    place = doc
    while True:
        keys = range(len(place)) if isinstance(place, list) else sorted(place)
        key = data.draw(st.sampled_from(list(keys)))
        inner = place[key]
        if not isinstance(inner, (dict, list)) or not inner or data.draw(st.booleans()):
            break
        place = inner
    place[key] = value
    for finding in check_boards.check(doc):
        assert finding.severity in ("error", "warning") and finding.text and finding.field


@pytest.mark.parametrize(
    "text, words",
    [
        ("{", "is not JSON"),
        ('{"name": "a", "name": "b"}', '"name" is there twice'),
        ("[" * 20000, "is not JSON"),
        ("[]", "allowed: object"),
    ],
)
def test_broken_file_is_one_sentence(tmp_path, text, words, capsys):
    path = tmp_path / "board.json"
    path.write_text(text)
    assert check_boards.main([str(path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 and words in lines[0]


def test_command_line(tmp_path):
    tool = str(ROOT / "tools" / "check_boards.py")
    done = subprocess.run([sys.executable, tool], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count(": fine") == len(BOARDS)
    folder = tmp_path / DEVKIT
    folder.mkdir()
    path = folder / "board.json"
    path.write_text(json.dumps(changed(DEVKIT, "inputs[0].pin", 34)))
    done = subprocess.run([sys.executable, tool, str(path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "json: error: inputs[0].pull: GPIO34 has no pull resistors; allowed: " in done.stdout
    done = subprocess.run(
        [sys.executable, tool, str(tmp_path / "no.json")], capture_output=True, text=True
    )
    assert done.returncode == 1 and "cannot be read" in done.stdout


@pytest.mark.parametrize("name", BOARDS)
def test_drawing_is_up_to_date(name):
    """After a change of board.json: python tools/draw_wiring.py"""
    drawn = draw_wiring.draw(name)
    assert (ROOT / "boards" / name / "wiring.svg").read_text() == drawn
    xml.dom.minidom.parseString(drawn)
    for use in check_boards.uses(BOARDS[name]):
        if use.field.startswith(("inputs", "rs485")):
            assert "GPIO%d<" % use.pin in drawn or "GPIO%d " % use.pin in drawn, use
