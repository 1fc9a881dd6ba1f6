"""Scenarios, configurations and changes: what is wrong is refused whole, with a sentence."""

import copy
import json
from pathlib import Path

import pytest

from tools.twin import Twin, TwinError
from tools.twin.config import DEFAULTS, complete
from tools.twin.scenario import SCENARIOS, check_scenario, load_scenario

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "name": "x",
    "text": {"en": "E.", "de": "D."},
    "steps": [{"at_s": 1, "set": {"contacts": {"1": True}}}],
}


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.json")), ids=lambda p: p.stem)
def test_each_scenario_loads_and_fits(path):
    assert load_scenario(path.stem)["name"] == path.stem
    Twin(scenario=path.stem)


def test_the_wanted_scenarios_are_there():
    names = {path.stem for path in SCENARIOS.glob("*.json")}
    assert {"default", "ripple", "meter_lost", "bounce", "dinner"} <= names
    ripple = load_scenario("ripple")["steps"]
    assert [(s["at_s"], s["set"]) for s in ripple] == [
        (20, {"contacts": {"1": True}}),
        (40, {"contacts": {"1": False}}),
    ]


@pytest.mark.parametrize(
    "key, bad, named",
    [
        ("name", "Not A Word", "name"),
        ("text", {"en": "only"}, "text.de"),
        ("config", {"hose_w": [1, 2, 3]}, "hose_w"),
        ("steps", {"at_s": 1}, "steps"),
        ("steps", [{"at_s": "soon", "set": {}}], "steps[0].at_s"),
        ("steps", [{"at_s": 5, "set": {}}, {"at_s": 4, "set": {}}], "order of time"),
        ("steps", [{"at_s": 5, "set": {"contacts": {"9": True}}}], "steps[0].set: contacts"),
        ("steps", [{"at_s": 5, "set": {"faults": {"M1": "tired"}}}], "faults.M1"),
        ("stesp", [], "stesp"),
    ],
)
def test_a_wrong_scenario_is_named(key, bad, named):
    with pytest.raises(TwinError) as error:
        check_scenario(dict(GOOD, **{key: bad}))
    assert named in str(error.value)


def test_scenario_from_a_file(tmp_path):
    good = tmp_path / "mine.json"
    good.write_text(json.dumps(GOOD))
    assert load_scenario(good)["name"] == "x"
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(TwinError, match=r"bad\.json cannot be read"):
        load_scenario(tmp_path / "bad.json")
    with pytest.raises(TwinError, match="ripple"):
        load_scenario("nowhere")


@pytest.mark.parametrize(
    "change, named",
    [
        ({"buses": {"rs485_1": {"baudrate": "fast"}}}, "buses.rs485_1.baudrate"),
        ({"buses": {"rs485_1": {"parity": "X"}}}, "buses.rs485_1.parity"),
        ({"meters": [dict(DEFAULTS["meters"][0], unit=2)]}, "unit"),
        ({"meters": [dict(DEFAULTS["meters"][0], bus="rs485_9")]}, "bus"),
        ({"meters": [dict(DEFAULTS["meters"][0], measures="moon")]}, "measures"),
        ({"wallboxes": [dict(DEFAULTS["wallboxes"][0], phase_rotation=90)]}, "phase_rotation"),
        ({"wallboxes": [dict(DEFAULTS["wallboxes"][0], id="E1 ")]}, "id"),
        ({"cars": {"E1": {"soc": 101}}}, "cars.E1.soc"),
        ({"cars": {"E7": {}}}, "E7"),
        ({"house_w": [1, 2]}, "house_w"),
        ({"s0": [{"input": 7, "pulses_per_kwh": 1000, "measures": "house"}]}, "s0[0].input"),
        (
            {"s0": [{"input": 2, "pulses_per_kwh": 1000, "measures": "house", "pulse_ms": 5}]},
            "s0[0].pulse_ms",
        ),
        ({"board": {"inputs": [{"id": 1}]}}, "board.inputs[0].pin"),
    ],
)
def test_a_wrong_configuration_is_named(change, named):
    with pytest.raises(TwinError) as error:
        complete(change)
    assert named in str(error.value)


def test_layers_are_laid_over_and_the_defaults_stay():
    before = copy.deepcopy(DEFAULTS)
    config = complete({"house_w": [1, 2, 3]}, {"cars": {"E1": {"soc": 7}}})
    assert config["house_w"] == [1, 2, 3]
    assert config["cars"]["E1"] == dict(DEFAULTS["cars"]["E1"], soc=7)
    only = complete({"wallboxes": [dict(DEFAULTS["wallboxes"][0], id="E5")]})
    assert list(only["cars"]) == ["E5"]
    assert DEFAULTS == before


def test_a_scenario_that_does_not_fit_the_installation_is_refused():
    board = {"inputs": [{"id": 3, "pin": 3, "active_low": False}]}
    with pytest.raises(TwinError, match="step 1 of scenario ripple does not fit"):
        Twin(scenario="ripple", board=board)
    assert Twin(board=board, config={"contacts": [3]}).state()["contacts"] == {"3": False}


@pytest.mark.parametrize(
    "change, named",
    [
        ({"contacts": {"1": True}, "house_w": [1, 2, -3]}, "house_w[2]"),
        ({"contacts": {"1": 1}}, "contacts.1"),
        ({"contacts": {"1": True}, "contact": {}}, "contact"),
        ({"contacts": {"1": True}, "cars": {"E1": {"plugged": "yes"}}}, "cars.E1.plugged"),
        ({"contacts": {"1": True}, "cars": {"E1": {"phases": 4}}}, "cars.E1.phases"),
        ({"contacts": {"1": True}, "faults": {"E1": "wrong_sign"}}, "faults.E1"),
        ({"contacts": {"1": True}, "faults": {"E1": ["silent"]}}, "faults.E1"),
        ({"contacts": {"1": True}, "pv_w": 1.5}, "pv_w"),
        ({"contacts": {"1": True}, "appliances": {"sauna": True}}, "sauna"),
        ([], "the change"),
    ],
)
def test_a_wrong_change_changes_nothing(change, named):
    twin = Twin()
    before = dict(twin.state(), t_ms=0, bus=0)
    with pytest.raises(TwinError) as error:
        twin.set(change)
    assert named in str(error.value)
    assert dict(twin.state(), t_ms=0, bus=0) == before


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("boards/*/board.json")), ids=lambda p: p.parent.name
)
def test_every_board_of_the_project_can_be_wired_to_the_twin(path):
    twin = Twin(board=json.loads(path.read_text()))
    assert twin.state()["contacts"] == {"1": False, "2": False}
    lines = twin.inputs.lines()
    twin.set({"contacts": {"1": True}})
    assert twin.inputs.lines() != lines


def test_the_twin_is_an_independent_peer():
    for path in SCENARIOS.parent.glob("*.py"):
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                assert words[1].split(".")[0] not in ("modbus", "controller", "chargecontrol")
