"""/cnf set_params, get_devices, set_device, del_device, override_device, set_cplan, get_cplan."""

import json
import time

import pytest
from fakes.door import Door

SETTINGS = {
    "site": {"title": "House", "max_total_current": 35000},
    "meters": [
        {"id": "M1", "name": "Grid", "template": "http_input", "role": "grid"},
        {"id": "M2", "template": "http_input", "role": "generation"},
    ],
    "evses": [
        {"id": "E1", "name": "Garage", "template": "http_input", "meter": "M2"},
        {"id": "E2", "name": "Carport", "template": "http_input"},
    ],
}


@pytest.fixture(scope="module", params=["cpython", "micropython"])
def door(request):
    runtime = request.param
    if runtime == "micropython":
        runtime = request.getfixturevalue("micropython")
    door = Door(runtime, settings=SETTINGS)
    yield door
    output = door.close()
    assert "Traceback" not in output, output


def cnf(door, command, body=None, **arguments):
    """(status, answer) of a command, by POST where there is a body."""
    query = "".join("&%s=%s" % (name, arguments[name]) for name in arguments)
    more = () if body is None else ("-d", body if isinstance(body, str) else json.dumps(body))
    return door.curl("/cnf?cmd=" + command + query, *more)[:2]


def settings(door):
    return door.curl("/api/settings")[1]


def writes(door):
    return door.curl("/cnf?cmd=get_cm_vars")[1]["flash_writes"]


def restarts(door):
    return door.curl("/api/log")[1]["log"].count("restart")


def listed(door, dev_id):
    status, devices = cnf(door, "get_devices")
    assert status == 200 and isinstance(devices, list)
    return next((device for device in devices if device["dev_id"] == dev_id), None)


def test_parameters_become_settings(door):
    params = {
        "title": "Haus",
        "desc": "Carport",
        "max_total_current": "exists(AVAIL) ? 55000 * AVAIL / 100 : 50000",
        "reserve_current": 2000,
        "max_total_evse_current": 32000,
        "lb_enabled": False,
        "disable_policy": -1,
        "min_pause_time": 60,
        "surplus_expr": "1000 + 500",
    }
    assert cnf(door, "set_params", params) == (200, "ok")
    site = settings(door)["site"]
    assert site["title"] == "Haus" and site["load_management"] is False
    assert site["max_total_current"] == params["max_total_current"]
    assert site["reserve_current_ma"] == 2000 and site["max_total_evse_current"] == 32000
    assert site["disable_policy"] == -1 and site["min_pause_s"] == 60
    assert site["surplus"] == "1000 + 500"
    shown = cnf(door, "get_params")[1]
    assert {name: shown[name] for name in params} == params
    read = door.curl("/cnf?cmd=get_dev_info")[1]
    assert read["params"]["max_total_current"] == 50000 and read["loadmgr_disabled"] is True
    # What was answered may be sent back, and writes nothing.
    count = writes(door)
    assert cnf(door, "set_params", shown) == (200, "ok")
    assert cnf(door, "set_params", {"title": "Haus"}) == (200, "ok")
    assert writes(door) == count
    none = {"max_total_evse_current": 0, "surplus_expr": "", "lb_enabled": True}
    assert cnf(door, "set_params", none) == (200, "ok")
    site = settings(door)["site"]
    assert site["max_total_evse_current"] is None and site["surplus"] is None
    assert writes(door) == count + 1


def test_a_limit_that_cannot_be_computed_is_not_none(door):
    """For clients a 0 is "no limit"; a formula that fails is the fail-safe current."""
    for name, wanted in (("max_total_current", 6000), ("max_total_power", 4140)):
        assert cnf(door, "set_params", {name: "1 / 0"})[0] == 200
        for _ in range(20):
            params = door.curl("/cnf?cmd=get_dev_info")[1]["params"]
            if params[name] == wanted:
                break
            time.sleep(0.1)
        assert params[name] == wanted, params
    assert cnf(door, "set_params", {"max_total_current": 35000, "max_total_power": 0})[0] == 200


def test_the_share_is_volatile(door):
    count = writes(door)
    assert cnf(door, "set_params", {"max_total_cur_prc": 40}) == (200, "ok")
    assert cnf(door, "get_params")[1]["max_total_cur_prc"] == 40
    assert cnf(door, "set_params", {"overdraft_cur": 0}) == (200, "ok")
    assert cnf(door, "get_params")[1]["overdraft_cur"] == 0
    assert writes(door) == count
    door.kill()
    door.start()
    assert cnf(door, "get_params")[1]["max_total_cur_prc"] == 100


def test_bad_parameters_change_nothing(door):
    before = settings(door), cnf(door, "get_params")[1]["max_total_cur_prc"], writes(door)
    for body, words in (
        ({"title": "New", "feed_in_tariff": 8}, "feed_in_tariff"),
        ({"title": "New", "price_model": 1}, "price_model"),
        ({"title": "New", "max_total_current": -1}, "max_total_current"),
        ({"title": "New", "max_total_current": "1 +"}, "column"),
        ({"title": "New", "max_total_current": True}, "max_total_current"),
        ({"title": "New", "reserve_current": "x"}, "reserve_current"),
        ({"title": "New", "lb_enabled": 1}, "true or false"),
        ({"title": "New", "disable_policy": 2}, "0, 1, -1"),
        ({"title": "New", "max_total_cur_prc": 101}, "0 to 100"),
        ({"title": "New", "max_total_cur_prc": "50"}, "0 to 100"),
        ({"max_total_cur_prc": 10, "title": 5}, "title"),
        ({"title": "x" * 33}, "32"),
        ({"title": "New", "devices": [{"dev_id": "E1", "charging_rules": []}]}, "devices"),
        ({}, "parameters"),
        ([], "parameters"),
        ("5", "parameters"),
        ('{"title": "a", "title": "b"}', "twice"),
    ):
        status, answer = cnf(door, "set_params", body)
        assert status == 400 and words in answer["error"], (body, answer)
    assert cnf(door, "set_params", title="New")[0] == 400  # not by GET
    after = settings(door), cnf(door, "get_params")[1]["max_total_cur_prc"], writes(door)
    assert after == before


def test_what_can_change_live_needs_no_restart(door):
    count = restarts(door)
    device = {"dev_id": "E1", "name": "Left", "prio": 3, "min_charging_cur": 8000}
    device.update(max_charging_cur=14000, phase_rotation=120, device_enabled=1)
    assert cnf(door, "set_device", {"devices": [device]}) == (
        200,
        {"dev_ids": ["E1"], "restart": False},
    )
    assert restarts(door) == count
    info = door.curl("/cnf?cmd=get_dev_info")[1]["devices"][0]
    assert info["name"] == "Left" and info["prio"] == 3
    assert (info["min_charging_cur"], info["max_charging_cur"]) == (8000, 14000)
    box = settings(door)["evses"][0]
    assert box["phase_rotation"] == 120 and box["meter"] == "M2"  # what was not told stays
    # A formula limits beside the number.
    limit = {"dev_id": "E1", "max_charging_cur": "M1.power_w > 9000 ? 6000 : 16000"}
    assert cnf(door, "set_device", {"devices": [limit]})[0] == 200
    box = settings(door)["evses"][0]
    assert box["current_limit"] == limit["max_charging_cur"] and box["max_current_ma"] == 14000
    assert listed(door, "E1")["max_charging_cur"] == limit["max_charging_cur"]
    assert cnf(door, "set_device", {"devices": [{"dev_id": "E1", "max_charging_cur": 16000}]})
    assert settings(door)["evses"][0]["current_limit"] is None


def test_what_get_devices_told_may_come_back(door):
    before = settings(door)
    count = writes(door), restarts(door)
    devices = cnf(door, "get_devices")[1]
    assert [device["dev_id"] for device in devices] == ["E1", "E2", "M1", "M2"]
    # As the Home Assistant fork looks for rules.
    assert (devices[0].get("crule_set") or {}).get("rule_set") is None
    for device in devices:
        assert cnf(door, "set_device", {"devices": [device]})[0] == 200
    assert cnf(door, "set_device", {"devices": devices})[1]["restart"] is False
    assert settings(door) == before and (writes(door), restarts(door)) == count


def test_devices_come_and_go_with_a_restart(door):
    count = restarts(door)
    new = {"dev_type": "evse_keba_c_x", "name": "New", "address": "10.0.0.7:502", "id": 255}
    assert cnf(door, "set_device", {"devices": [new]}) == (
        200,
        {"dev_ids": ["E3"], "restart": True},
    )
    assert restarts(door) == count + 1
    box = settings(door)["evses"][2]
    assert box["template"] == "keba_p30" and box["host"] == "10.0.0.7" and box["unit"] == 255
    meters = [
        {"dev_id": "M7", "dev_type": "meter_sdm72dm", "address": "rs485_1", "id": 3, "role": 1},
        {"dev_type": "meter_s0", "address": "input2", "pulses_per_kwh": 800, "used_phases": 2},
        {"dev_type": "meter_virtual_consumed_power"},
        {"dev_type": "meter_expression", "formulas": {"power_w": "M2.power_w * 2"}, "role": 2},
    ]
    status, answer = cnf(door, "set_device", {"devices": meters})
    assert status == 200 and answer["dev_ids"] == ["M7", "M3", "M4", "M5"], answer
    made = {meter["id"]: meter for meter in settings(door)["meters"]}
    assert made["M7"]["template"] == "sdm72" and made["M7"]["bus"] == "rs485_1"
    assert made["M7"]["role"] == "consumption" and made["M7"]["unit"] == 3
    assert made["M3"]["input"] == 2 and made["M3"]["phases"] == [2]
    assert made["M4"]["measure"] == "consumed" and made["M4"]["role"] == "display"
    types = {device["dev_id"]: device["dev_type"] for device in cnf(door, "get_devices")[1]}
    assert types["M4"] == "meter_virtual_consumed_power" and types["E3"] == "evse_keba_c_x"
    # Until the restart the new ones are there, silent.
    info = {d["dev_id"]: d for d in door.curl("/cnf?cmd=get_dev_info")[1]["devices"]}
    assert info["E3"]["state"] == 6 and info["M3"]["com_err"] is True
    for dev_id in ("M7", "M3", "M4", "M5", "E3"):
        assert cnf(door, "del_device", dev_id=dev_id)[1]["dev_ids"] == [dev_id]
    assert listed(door, "E3") is None
    assert len(settings(door)["meters"]) == 2


BAD_DEVICES = (
    ({}, "devices"),
    ([], "devices"),
    ({"devices": []}, "devices"),
    ({"devices": {}}, "devices"),
    ({"devices": [5]}, "devices"),
    ({"devices": [{"dev_id": "E1"}], "x": 1}, "devices"),
    ({"devices": [{}]}, "dev_id"),
    ({"devices": [{"name": "x"}]}, "dev_id"),
    ({"devices": [{"dev_type": "ocpp"}]}, "dev_type"),
    ({"devices": [{"dev_type": 5}]}, "dev_type"),
    ({"devices": [{"dev_id": 5}]}, "dev_id"),
    ({"devices": [{"dev_id": "E"}]}, "id"),
    ({"devices": [{"dev_id": "Exyz", "dev_type": "evse_ajax"}]}, "id"),
    ({"devices": [{"dev_id": "E9"}]}, "template"),
    ({"devices": [{"dev_id": "E1", "dev_type": "meter_ajax"}]}, "meter_ajax"),
    ({"devices": [{"dev_id": "E1", "dev_type": "evse_nonsense", "address": "a:1"}]}, "nonsense"),
    ({"devices": [{"dev_id": "E1", "prio": 0}]}, "priority"),
    ({"devices": [{"dev_id": "E1", "prio": "high"}]}, "priority"),
    ({"devices": [{"dev_id": "E1", "min_charging_cur": 20000}]}, "min_current_ma"),
    ({"devices": [{"dev_id": "E1", "max_charging_cur": "16000 +"}]}, "column"),
    ({"devices": [{"dev_id": "E1", "max_charging_cur": [1]}]}, "max_current_ma"),
    ({"devices": [{"dev_id": "E1", "used_phases": 2}]}, "0, 1, 3, 7"),
    ({"devices": [{"dev_id": "E1", "used_phases": 7.5}]}, "used_phases"),
    ({"devices": [{"dev_id": "E1", "device_enabled": 2}]}, "0, 1"),
    ({"devices": [{"dev_id": "E1", "address": 5}]}, "address"),
    ({"devices": [{"dev_id": "E1", "address": "host:port"}]}, "address"),
    ({"devices": [{"dev_id": "E1", "address": "COM1,9600,8,N,1"}]}, "evses[0]"),
    ({"devices": [{"dev_id": "E1", "group": 5}]}, "G5"),
    ({"devices": [{"dev_id": "E1", "attach": "M9"}]}, "M9"),
    ({"devices": [{"dev_id": "E1", "crule_set": {"rule_set": {"": []}}}]}, "crule_set"),
    ({"devices": [{"dev_id": "E1", "users": []}]}, "users"),
    ({"devices": [{"dev_id": "M1", "role": 7}]}, "role"),
    ({"devices": [{"dev_id": "M1", "role": 3.5}]}, "role"),
    ({"devices": [{"dev_id": "M2", "role": 3}]}, "grid"),
    ({"devices": [{"dev_id": "M1", "used_phases": 0}]}, "used_phases"),
    ({"devices": [{"dev_id": "M1", "invert": 2}]}, "invert"),
    ({"devices": [{"dev_id": "E1", "invert": True}]}, "invert"),
    ({"devices": [{"dev_id": "M1", "prio": 1}]}, "prio"),
    ({"devices": [{"dev_id": "E1", "name": "good"}, {"dev_id": "E2", "prio": 99}]}, "priority"),
    ({"devices": [{"dev_type": "evse_ajax"}] * 16}, "16"),
)


def test_bad_devices_are_named_and_change_nothing(door):
    before = settings(door), writes(door), restarts(door)
    for body, words in BAD_DEVICES:
        status, answer = cnf(door, "set_device", body)
        assert status == 400 and words in answer["error"], (body, answer)
        assert len(answer["error"]) < 250
    for dev_id in ("E9", "", "nonsense" * 20):
        status, answer = cnf(door, "del_device", dev_id=dev_id)
        assert status == 400 and "no device" in answer["error"]
    assert cnf(door, "del_device")[0] == 400
    status, answer = cnf(door, "del_device", dev_id="M2")  # E1 uses it
    assert status == 400 and "M2" in answer["error"]
    assert (settings(door), writes(door), restarts(door)) == before


def push_car(door, state=2):
    """Pushes values of a site with much room; the answer for the box E2."""
    cnf(door, "set_ajax_meter", {"current": [1000, 1000, 1000]}, dev_id="M1")
    return cnf(door, "set_ajax_evse", {"state": state, "current": [0, 0, 0]}, dev_id="E2")[1]


def wait_for(door, dev_id, wanted, state=2, within_s=20):
    """The entry of a device as soon as wanted(entry), with a car at E2 meanwhile."""
    for _ in range(2 * within_s):
        push_car(door, state)
        entry = next(
            device
            for device in door.curl("/cnf?cmd=get_dev_info")[1]["devices"]
            if device["dev_id"] == dev_id
        )
        if wanted(entry):
            return entry
        time.sleep(0.5)
    raise AssertionError(entry)


def test_a_wallbox_with_a_meter_of_its_own(door):
    cnf(door, "set_ajax_evse", {"state": 2, "current": [1, 1, 1]}, dev_id="E1")
    cnf(door, "set_ajax_meter", {"current": [5000, 0, 0], "import_wh": 7000}, dev_id="M2")
    entry = wait_for(door, "E1", lambda entry: entry["total_energy"] == 7000)
    assert entry["attach"] == "M2" and entry["power_w"] == 1150 and entry["current_l1"] == 5000
    cnf(door, "set_ajax_evse", {"state": 1}, dev_id="E1")
    cnf(door, "set_ajax_meter", {"current": [0]}, dev_id="M2")


def test_by_hand_until_the_car_leaves(door):
    cnf(door, "set_params", {"max_total_current": 40000})
    wait_for(door, "E2", lambda entry: entry["last_set_charging_cur"] > 8000)
    # Home Assistant sends the current with a fraction.
    assert cnf(door, "override_device", dev_id="E2", mamps="8000.0") == (200, "ok")
    entry = wait_for(door, "E2", lambda entry: entry["last_set_charging_cur"] == 8000)
    assert entry["ov_cur"] == 8000 and entry["overrides"] == 0 and not entry["paused"]
    assert cnf(door, "override_device", dev_id="e2", flags="CE") == (200, "ok")
    entry = wait_for(door, "E2", lambda entry: entry["last_set_charging_cur"] == 0)
    assert entry["overrides"] == 3 and entry["pause_reason"] == 3 and entry["paused"] is True
    assert entry["charging_enabled"] is False and entry["ov_cur"] == 8000
    assert cnf(door, "override_device", dev_id="E2", flags="c", mamps=3000)[0] == 200
    entry = wait_for(door, "E2", lambda entry: entry["overrides"] == 2)
    assert entry["pause_reason"] == 3  # less than the box can do
    entry = wait_for(door, "E2", lambda entry: entry["overrides"] == 0, state=1)
    assert "ov_cur" not in entry and entry["charging_enabled"] is True


def test_bad_overrides(door):
    for arguments, words in (
        ({"dev_id": "E2"}, "flags or mamps"),
        ({"dev_id": "E9", "flags": "C"}, "E1, E2"),
        ({"dev_id": "M1", "flags": "C"}, "M1"),
        ({"flags": "C"}, "E1, E2"),
        ({"dev_id": "E2", "flags": "X"}, "X"),
        ({"dev_id": "E2", "mamps": "-1"}, "mamps"),
        ({"dev_id": "E2", "mamps": "80001"}, "80000"),
        ({"dev_id": "E2", "mamps": "8000.5"}, "mamps"),
        ({"dev_id": "E2", "mamps": "1e4"}, "mamps"),
        ({"dev_id": "E2", "mamps": ""}, "mamps"),
        ({"dev_id": "E2", "mamps": "9" * 50}, "mamps"),
        ({"dev_id": "E2", "flags": "C", "mamps": "x"}, "mamps"),
    ):
        status, answer = cnf(door, "override_device", **arguments)
        assert status == 400 and words in answer["error"], (arguments, answer)
    entry = next(d for d in door.curl("/cnf?cmd=get_dev_info")[1]["devices"] if d["number"] == 2)
    assert entry.get("overrides", 0) == 0 and "ov_cur" not in entry


def test_charging_plans(door):
    count = writes(door)
    plan = [{"dc": False, "st": 0, "dr": 1440, "lm": 16000}]
    assert cnf(door, "set_cplan", {"cplan": plan}, dev_id="E1") == (200, "ok")
    assert cnf(door, "get_cplan", dev_id="E1") == (200, {"cplan": plan})
    assert writes(door) > count
    assert cnf(door, "get_cplan", dev_id="E2") == (200, {"cplan": []})
    whole = [{"dc": False, "st": 1020, "dr": 120, "lm": 20000}]
    count = writes(door)
    for dev_id in ("$G", "%24g"):
        assert cnf(door, "set_cplan", {"cplan": whole}, dev_id=dev_id, tmp=1) == (200, "ok")
    assert cnf(door, "get_cplan", dev_id="$G") == (200, {"cplan": whole})
    for body, arguments in (
        ({"cplan": 5}, {"dev_id": "E1"}),
        ({"cplan": [{"st": 0, "dr": 60, "lm": -1}]}, {"dev_id": "E1"}),
        ({"cplan": [{"st": 1440, "dr": 60, "lm": 6000}]}, {"dev_id": "E1"}),
        ({"cplan": []}, {"dev_id": "E9"}),
        ({"cplan": []}, {"dev_id": "M1"}),
        ({"cplan": []}, {"dev_id": "E1", "tmp": "yes"}),
        ({"cplan": [], "x": 1}, {"dev_id": "E1"}),
        ({}, {"dev_id": "E1"}),
        ([], {"dev_id": "E1"}),
    ):
        status, answer = cnf(door, "set_cplan", body, **arguments)
        assert status == 400 and answer["error"], (body, answer)
    assert cnf(door, "set_cplan", dev_id="E1")[0] == 400
    assert cnf(door, "get_cplan", dev_id="E1") == (200, {"cplan": plan})
    assert writes(door) == count
    assert cnf(door, "set_cplan", {"cplan": []}, dev_id="E1") == (200, "ok")
    assert cnf(door, "get_cplan", dev_id="E1") == (200, {"cplan": []})


def test_another_site_may_change_nothing(door):
    before = settings(door)
    origin = ("-H", "Origin: http://evil.example")
    paths = ("del_device&dev_id=E2", "override_device&dev_id=E1&flags=C", "set_params")
    for path in paths + ("set_device", "set_cplan&dev_id=E1"):
        more = () if "&dev_id" in path and "cplan" not in path else ("-d", "{}")
        assert door.curl("/cnf?cmd=" + path, *more, *origin)[0] == 403, path
    assert settings(door) == before


def test_commands_that_do_not_exist(door):
    for command in ("reset_device", "enter_rfid", "get_users", "modbus", "set_user", "soft_meter"):
        status, answer = cnf(door, command, dev_id="E1")
        assert status == 400
        for known in ("set_cm_vars", "get_dev_info", "set_ajax_evse", "get_cplan"):
            assert known in answer["error"]
