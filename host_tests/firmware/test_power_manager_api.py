"""/power_manager over HTTP: what a WARP's clients send is taken, what is wrong is named."""

import ast
import gc
import json
import re
import string
import sys
from pathlib import Path

import pytest
from fakes.power_door import Door

from chargecontrol import charge_modes
from controller import power_room
from controller.refusal import Refusal

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "power-manager.md").read_text()
CONFIG = {
    "enabled": True,
    "phase_switching_mode": 1,
    "excess_charging_enable": True,
    "default_mode": 0,
    "meter_slot_grid_power": 3,
    "target_power_from_grid": 0,
    "guaranteed_power": 1380,
    "cloud_filter_mode": 2,
}
LOAD = {
    "enabled": True,
    "meter_slot_grid_currents": 0,
    "current_limit": 25000,
    "largest_consumer_current": 16000,
    "safety_margin_pct": 5,
}


@pytest.fixture
def door():
    door = Door()
    yield door
    door.close()


def test_a_config_as_published_is_taken_and_holds_at_once(door):
    assert door.get("config")["enabled"] is False
    assert door.write("config", CONFIG) == []
    assert {name: door.get("config")[name] for name in CONFIG} == CONFIG
    assert door.controller.power.configured[0]["meter_slot_grid_power"] == 3
    # Again: nothing to write. By each method, and where the WARP takes it, too.
    assert door.write("config", CONFIG) == [] and door.controller.store.saves == 1
    for path, method in (("config", "PUT"), ("config_update", "POST"), ("config_update", "PUT")):
        guaranteed_w = door.get("config/guaranteed_power") + 10
        body = dict(CONFIG, guaranteed_power=guaranteed_w, battery_mode=1)
        assert door.write(path, body, "-X", method) == []
        assert door.get("config/guaranteed_power") == guaranteed_w
    # What may be absent keeps its value, as does what is null; what was answered may be sent.
    assert door.write("config", dict(CONFIG, guaranteed_power=None, enabled=None)) == []
    config = door.get("config")
    assert config["battery_mode"] == 1 and config["guaranteed_power"] == guaranteed_w
    assert config["hysteresis_s"] == 210 and config["meter_slot_battery_power"] == 255
    assert door.write("config", config) == []


def test_dynamic_load(door):
    assert door.write("dynamic_load_config", LOAD) == []
    assert door.get("dynamic_load_config") == dict(LOAD, fallback_current_ma=0)
    assert door.get("config/enabled") is True
    assert door.controller.power.configured[1]["current_limit"] == 25000
    body = dict(LOAD, current_limit=15000, fallback_current_ma=6000)
    lines = door.write("dynamic_load_config", body)
    assert len(lines) == 2 and "16000" in lines[0] and "15000" in lines[1]
    assert door.get("dynamic_load_config/fallback_current_ma") == 0
    # What is switched off need not be complete.
    assert door.write("dynamic_load_config", dict(body, enabled=False)) == []
    lines = door.write("dynamic_load_config", {"enabled": True})
    assert len(lines) == 4 and all("is needed" in line for line in lines)


def test_each_fault_has_its_line_and_nothing_is_taken(door):
    before = door.get("config")
    body = dict(CONFIG, default_mode=4, excess_charging_enable=1, guaranteed_power=22081, colour=5)
    body.update(enabled="yes", cloud_filter_mode=2.0, battery_inverted=None, other=None)
    del body["target_power_from_grid"]
    lines = door.write("config", body)
    for name, words in (
        ("default_mode", "0 to 3"),
        ("excess_charging_enable", "true or false"),
        ("guaranteed_power", "0 to 22080 W"),
        ("colour", "not a setting"),
        ("enabled", "true or false"),
        ("cloud_filter_mode", "whole number"),
        ("other", "not a setting"),
        ("target_power_from_grid", "is needed"),
    ):
        found = [line for line in lines if line.startswith("power_manager.%s " % name)]
        assert len(found) == 1 and words in found[0], (name, lines)
    assert len(lines) == 8
    for body in ([], "true", "5", '"x"', "null", "{", '{"a": 1, "a": 2}'):
        assert len(door.write("config", body)) == 1
    assert "must be an object" in door.write("config", "7")[0]
    many = door.write("config", {"k%d" % i: 1 for i in range(200)})
    assert len(many) == 21 and many[-1].endswith("188 more")
    assert door.get("config") == before
    assert not door.controller.store.saves and door.controller.power is None
    lines = door.write("config", "{}", "-H", "Accept-Language: de-DE,de")
    assert len(lines) == 8 and all(line.endswith(" fehlt") for line in lines)
    assert door.write("config?lang=de", "7") == ["power_manager muss ein Objekt sein"]


def test_what_does_not_go_together(door):
    """As the WARP has it, and by /api/settings as well."""
    external = dict(CONFIG, phase_switching_mode=3, meter_slot_battery_power=3)
    lines = door.write("config", external)
    assert len(lines) == 2
    assert "phase_switching_mode" in lines[0] and "meter_slot_battery_power" in lines[1]
    settings = door.controller.settings
    with pytest.raises(Refusal) as error:
        settings.apply({"power_manager": dict(external, enabled=1)})
    assert error.value.code == "unknown"
    del external["enabled"]
    with pytest.raises(Refusal) as error:
        settings.apply({"power_manager": external})
    assert error.value.code == "external_and_excess"
    assert error.value.field == "power_manager.phase_switching_mode"
    assert door.write("config", dict(CONFIG, excess_charging_enable=False, default_mode=2))
    with pytest.raises(Refusal) as error:
        settings.apply({"power_manager": {"default_mode": 3}})
    assert "3 needs excess_charging_enable" in str(error.value)
    with pytest.raises(Refusal):
        settings.apply({"dynamic_load": {"enabled": True}})
    # Slot 0 is the grid meter, whatever its number.
    meters = [
        {"id": "M1", "template": "http_input", "role": "storage_home"},
        {"id": "M7", "template": "http_input", "role": "grid"},
    ]
    settings.apply({"meters": meters})
    same = dict(CONFIG, meter_slot_grid_power=0, meter_slot_battery_power=7)
    assert len(door.write("config", same)) == 1
    assert door.write("config", dict(same, meter_slot_battery_power=1)) == []
    # No meter at all is no fault of this kind.
    none = dict(CONFIG, meter_slot_grid_power=255, meter_slot_battery_power=255)
    assert door.write("config", none) == []
    assert door.write("config", dict(external, enabled=False, excess_charging_enable=False)) == []


def test_what_would_not_fit_into_the_ram_is_refused_before_it_is_saved(door, monkeypatch):
    for module in ("power_manager", "surplus", "dynamic_load"):
        monkeypatch.delitem(sys.modules, "chargecontrol." + module, raising=False)
    monkeypatch.setattr(gc, "mem_free", lambda: 8000, raising=False)
    for path, body in (("config", CONFIG), ("dynamic_load_config", LOAD)):
        (line,) = door.write(path, body)
        assert "not enough memory" in line
    with pytest.raises(Refusal) as error:
        door.controller.settings.apply({"dynamic_load": {"enabled": True, "current_limit": 35000}})
    assert error.value.code == "no_room"
    assert not door.controller.store.saves and door.controller.power is None
    # What needs no room is taken, and what is there already stays.
    assert door.write("config", dict(CONFIG, excess_charging_enable=False)) == []
    monkeypatch.setattr(gc, "mem_free", lambda: 14000, raising=False)
    for module in power_room.modules(True, False):
        if module != "chargecontrol.surplus":
            monkeypatch.setitem(sys.modules, module, sys)
    assert door.write("config", CONFIG) == []


def test_modes(door):
    assert door.get("charge_mode") == {"mode": 0}
    assert door.get("charge_modes") == {"E1": 0, "E2": 0}
    assert door.controller.power is None  # to look makes nothing
    for body in (2, {"mode": 3}):
        (line,) = door.write("charge_mode", body)
        assert line.startswith("charge_mode.mode ") and "needs excess_charging_enable" in line
    assert door.write("config", CONFIG) == []
    for path, body, mode in (
        ("charge_mode", "2", 2),
        ("charge_mode_update", {"mode": 3}, 3),
        ("charge_mode", {"mode": None}, 3),
        ("charge_mode_update", " 1\n", 1),
    ):
        assert door.write(path, body) == []
        assert door.get("charge_mode") == {"mode": mode} and door.get("charge_mode/mode") == mode
    assert door.controller.wakes
    for body in (5, -1, "true", '"2"', "2.0", [2], {"mode": 9}, {}, "null", {"mode": 1, "x": 2}):
        assert len(door.write("charge_mode", body)) == 1, body
    assert len(door.write("charge_mode", {"mood": 1})) == 2
    assert door.write("charge_modes", {"E1": 2}) == []
    assert door.get("charge_modes") == {"E1": 2, "E2": 1}
    lines = door.write("charge_modes", {"E1": 0, "E2": 7, "E9": 1})
    assert len(lines) == 2 and "there are: E1, E2" in " ".join(lines)
    assert door.write("charge_modes", "3") and door.get("charge_modes/E1") == 2
    assert door.write("charge_modes", {"E1": None, "E2": 0}) == []
    assert door.controller.power.modes == {"E1": 4, "E2": 0}


def test_external_control(door):
    assert door.get("state") == {"config_error_flags": 0, "external_control": 1}
    (line,) = door.write("external_control", 1)
    assert "external control is off" in line and door.controller.power is None
    config = dict(CONFIG, phase_switching_mode=3, excess_charging_enable=False)
    assert door.write("config", config) == []
    for body in (3, {"phases_wanted": 1}, {"phases_wanted": None}, {"phases_wanted": 0}):
        assert door.write("external_control", body) == []
    assert door.get("external_control") == {"phases_wanted": 0}
    for body in (2, "true", '"1"', "1.0", {"phases": 1}, -1):
        assert door.write("external_control", body)
    for state, words in ((2, "no wallbox"), (3, "being switched")):
        door.controller.power.external_control = state
        (line,) = door.write("external_control_update", 3)
        assert words in line and door.get("state/external_control") == state
    assert door.write("external_control", 0) == []  # that is what it switches to
    assert door.get("external_control/phases_wanted") == 0


def test_state_tells_what_comes(door, monkeypatch):
    monkeypatch.setattr(charge_modes, "least_w", lambda power, point, now_ms: 1380)
    monkeypatch.setattr(charge_modes, "thresholds", lambda power, point: (4150, 4140))
    config = dict(CONFIG, phase_switching_mode=0, excess_charging_enable=False)
    assert door.write("config", dict(config, excess_charging_enable=True)) == []
    assert door.write("charge_modes", {"E1": 2}) == []
    assert door.get("state") == {"config_error_flags": 4, "external_control": 0}
    assert door.get("state/external_control") == 0
    shown = door.get("low_level_state")
    for name in shown:
        assert "`%s`" % name in PAGE, name
    assert shown["power_at_meter"] == -400 and shown["power_available"] == 2000
    # It charges: the highest of the window counts.
    assert shown["power_available_filtered"] == 2600 and shown["power_at_meter_filtered"] == -1000
    assert shown["overall_min_power"] == 1380
    assert shown["threshold_3to1"] == 4140 and shown["threshold_1to3"] == 4150
    assert shown["charge_manager_available_current"] == 19000
    assert shown["charge_manager_allocated_current"] == 18000
    assert shown["max_current_limited"] == 34000
    assert shown["on_state_change_blocked"] and shown["on_state_change_delay"] == 4500
    assert shown["phase_state_change_blocked"] and shown["phase_state_change_delay"] == 60000
    assert shown["uptime_past_hysteresis"] is False and shown["is_3phase"] is False
    assert shown["evses"]["E1"]["mode"] == 2 and shown["evses"]["E1"]["starts"] == 2
    assert shown["evses"]["E1"]["waits"][0] == {
        "code": "pv_filter",
        "arguments": [2],
        "until_s": 5,
    }
    assert door.get("low_level_state/evses/E1/waits/1/until_s") == 60
    assert shown["switching_state"] == 0 and shown["wants_3phase"] is False
    switch = door.controller.power.points[0].switch
    switch.stage, switch.wanted = 2, 3
    shown = door.get("low_level_state")
    assert shown["switching_state"] == 4 and shown["wants_3phase"] is True
    published = set(re.findall(r'^"(\w+)": (?:-?[\d.]+|\w+),?$', _low_level_example(), re.M))
    assert len(published) == 22 and published <= set(shown)


def _low_level_example():
    return PAGE[PAGE.index("```json") :].split("```")[1]


def test_addresses_and_methods(door):
    for path in ("", "nothing", "config/", "config//enabled", "state_update", "config/nothing"):
        assert door.curl(path)[0] == 404, path
    for path in ("low_level_state/evses/E9", "config/enabled/more", "config_update/enabled"):
        assert door.curl(path)[0] == 404, path
    for path, method in (("state", "POST"), ("config_update", "GET"), ("config", "DELETE")):
        assert door.curl(path, "-X", method)[0] == 405, path
    assert door.curl("config", user=None)[0] == 401
    assert door.curl("charge_mode", "-d", "1", user=None)[0] == 401
    assert door.curl("charge_mode", "-d", "1", "-H", "Origin: http://evil.example")[0] == 403
    assert door.curl("config", "-d", "[%s]" % ("1," * 3000 + "1"))[0] == 413
    status, body, kind = door.curl("charge_mode", "-d", "1")
    assert (status, body) == (200, "") and kind.startswith("text/plain")


def test_texts_and_codes_match():
    texts = json.loads((ROOT / "firmware/texts/power_manager.json").read_text())
    raised = {"external_control_unavailable", "external_control_switching"}  # lib/ says which
    for path in ("controller/power_check.py", "doors/power_manager_api.py"):
        for node in ast.walk(ast.parse((ROOT / "firmware" / path).read_text())):
            if isinstance(node, ast.Call):
                if getattr(node.func, "id", getattr(node.func, "attr", "")) == "PowerError":
                    raised |= {getattr(node.args[1], "value", None)} - {None}
    raised = {code for code in raised if isinstance(code, str)}
    assert raised == set(texts)
    for english, german in texts.values():
        fields = [[p[1] for p in string.Formatter().parse(t) if p[1]] for t in (english, german)]
        assert english != german and fields[0] == fields[1]
