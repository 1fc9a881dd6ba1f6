"""/cnf set_ajax_meter and set_ajax_evse: values that others push, in all forms clients use."""

import json
import time

import pytest
from fakes.door import Door

SETTINGS = {
    "site": {"max_total_current": 20000},
    "meters": [
        {"id": "M1", "name": "Grid", "template": "http_input", "role": "grid"},
        {"id": "M2", "template": "http_input", "role": "generation", "phases": [2, 3]},
        {"id": "M3", "template": "http_input", "role": "storage_home"},
    ],
    "evses": [
        {"id": "E1", "name": "Garage", "template": "http_input"},
        {"id": "E2", "template": "http_input", "enabled": False},
    ],
}
METER = "/cnf?cmd=set_ajax_meter&dev_id="
EVSE = "/cnf?cmd=set_ajax_evse&dev_id="


@pytest.fixture(scope="module", params=["cpython", "micropython"])
def door(request):
    runtime = request.param
    if runtime == "micropython":
        runtime = request.getfixturevalue("micropython")
    door = Door(runtime, settings=SETTINGS)
    yield door
    output = door.close()
    assert "Traceback" not in output, output


def post(door, path, body):
    return door.curl(path, "-d", body if isinstance(body, str) else json.dumps(body))[:2]


def device(door, dev_id):
    for found in door.curl("/cnf?cmd=get_dev_info")[1]["devices"]:
        if found["dev_id"] == dev_id:
            return found
    raise AssertionError(dev_id)


def values(found, *names):
    return [found[name] for name in names]


CURRENTS = ("current_l1", "current_l2", "current_l3")
VOLTAGES = ("voltage_l1", "voltage_l2", "voltage_l3")


def test_the_documented_examples(door):
    body = {
        "model": "HTTP input",
        "import_wh": 12345,
        "export_wh": 23456,
        "voltage": [231, 232, 233],
        "current": [10001, 10002, 10003],
        "power_va": 2000,
    }
    assert post(door, METER + "M1", body) == (200, "ok")
    found = device(door, "M1")
    assert values(found, "import", "export", "power_w") == [12345, 23456, 2000]
    assert values(found, *CURRENTS) == [10001, 10002, 10003]
    assert values(found, *VOLTAGES) == [231, 232, 233]
    assert found["model"] == "HTTP input" and found["com_err"] is False
    # The same in the address, as a reader of smart meters sends it: numbers with a fraction.
    query = "M1&model=P1&import_wh=4294967297.00&export_wh=7.90&voltage=229.6,230.2,231.1"
    query += "&current=1230.00,%20460.00,-780.50&power_va=2070.00&is_va=1"
    assert door.curl(METER + query)[:2] == (200, "ok")
    found = device(door, "M1")
    assert values(found, "import", "export", "power_w") == [4294967297, 7, 2070]
    assert values(found, *CURRENTS) == [1230, 460, -780]
    assert found["is_va"] is True and found["model"] == "P1"
    # Home Assistant: floats; home automation: model and power only, also negative.
    assert post(door, METER + "M1", {"power_va": -1500.7, "is_va": False}) == (200, "ok")
    assert device(door, "M1")["power_w"] == -1500
    assert post(door, METER + "m1", {"model": "PV", "power_w": -99}) == (200, "ok")
    assert device(door, "M1")["power_w"] == -99
    # A text for a number, and null for nothing, as some send it.
    assert post(door, METER + "M1", {"power_w": "450", "import_wh": None}) == (200, "ok")
    assert values(device(door, "M1"), "power_w", "import") == [450, 4294967297]


def test_power_and_currents_make_each_other(door):
    post(door, METER + "M2", {"power_w": -4600})
    assert values(device(door, "M2"), *CURRENTS) == [0, -10000, -10000]
    post(door, METER + "M2", {"current": [1000, 2000], "voltage": [240]})
    assert values(device(door, "M2"), *CURRENTS) == [1000, 2000, 0]
    assert device(door, "M2")["power_w"] == 240 + 460
    post(door, METER + "M3", {"soc": 71})
    assert device(door, "M3")["soc"] == 71 and device(door, "M3")["com_err"] is False


def test_a_pushed_grid_meter_limits_a_pushed_wallbox(door):
    """20 A for the house; what the house draws leaves the rest for the car."""

    def answered(state, currents, grid):
        post(door, METER + "M1", {"current": grid})
        status, body = post(door, EVSE + "E1", {"state": state, "current": currents})
        assert status == 200 and body["device_enabled"] is True
        return body

    assert answered(1, [0, 0, 0], [4000, 4000, 4000])["charging_current"] == 0
    body = answered(2, [0, 0, 0], [4000, 4000, 4000])
    assert body["charging_enabled"] is True and body["paused"] is False
    offered = body["charging_current"]
    assert offered >= 6000  # the answer is what follows from the state just pushed

    def until(low, high, house_ma, within_s):
        """Pushes what a car draws that follows, until it is offered so much."""
        nonlocal offered
        began = time.monotonic()
        while not low <= offered <= high:
            assert time.monotonic() < began + within_s, offered
            time.sleep(0.3)
            charging = [offered] * 3
            grid = [house_ma + ma for ma in charging]
            body = answered(3 if offered else 2, charging, grid)
            offered = body["charging_current"]
        return body

    until(15000, 16000, 4000, 30)
    until(6000, 8000, 12000, 5)  # down at once
    assert until(0, 0, 15000, 5)["paused"] is True  # 5 A are less than the least
    assert device(door, "E1")["paused"] is True and device(door, "E1")["pause_reason"] == 1
    answered(1, [0, 0, 0], [4000, 4000, 4000])


def test_limit_of_the_cable(door):
    body = {"state": 2, "max_charging_current": 13000, "total_energy": 5000, "rfid": "04A1B2"}
    assert post(door, EVSE + "E1", body)[0] == 200
    assert device(door, "E1")["max_charging_cur"] == 13000
    post(door, EVSE + "E1", {"max_charging_current": 32000})
    assert device(door, "E1")["max_charging_cur"] == 16000  # the setting holds
    assert door.curl(EVSE + "E1&state=1&current=0,0,0")[1]["charging_current"] == 0


def test_a_wallbox_that_is_switched_off(door):
    body = post(door, EVSE + "E2", {"state": 2})[1]
    assert body == {
        "device_enabled": False,
        "charging_enabled": False,
        "paused": False,
        "charging_current": 0,
    }


BAD = (
    (METER + "M1", {"power_w": "abc"}, "power_w"),
    (METER + "M1", {"power_w": True}, "power_w"),
    (METER + "M1", {"power_w": [1]}, "power_w"),
    (METER + "M1", {"power_w": {"a": 1}}, "power_w"),
    (METER + "M1", {"power_w": 1e30}, "-1000000 to 1000000"),
    (METER + "M1", {"power_w": 500, "import_wh": -1}, "import_wh"),
    (METER + "M1", {"power_w": 500, "current": []}, "L1, L2 and L3"),
    (METER + "M1", {"power_w": 500, "current": [1, 2, 3, 4]}, "current"),
    (METER + "M1", {"power_w": 500, "current": [1, "x", 3]}, "current"),
    (METER + "M1", {"power_w": 500, "current": [1, None, 3]}, "current"),
    (METER + "M1", {"power_w": 500, "current": 5}, "current"),
    (METER + "M1", {"power_w": 500, "voltage": [5000]}, "voltage"),
    (METER + "M1", {"power_w": 500, "soc": 101}, "soc"),
    (METER + "M1", {"power_w": 500, "model": 5}, "model"),
    (METER + "M1", {"power_w": 500, "model": "x" * 65}, "model"),
    (METER + "M1", {"power_w": 500, "is_va": "maybe"}, "is_va"),
    (METER + "M1", {"power_w": 500, "powr": 1}, "powr"),
    (METER + "M1", {}, "values"),
    (METER + "M1", [], "values"),
    (METER + "M1", 5, "values"),
    (METER + "M1", '{"power_w": 500, "power_w": 501}', "twice"),
    (METER + "M1", '{"power_w": NaN}', "JSON"),
    (METER + "M1", "", "values"),
    (METER + "M9", {"power_w": 500}, "M1, M2, M3"),
    (METER + "E1", {"power_w": 500}, "E1"),
    (METER + "", {"power_w": 500}, "M1"),
    (EVSE + "M1", {"state": 1}, "E1"),
    (EVSE + "E1", {"state": 0}, "1 to 5"),
    (EVSE + "E1", {"state": 6}, "1 to 5"),
    (EVSE + "E1", {"state": "C"}, "state"),
    (EVSE + "E1", {"state": 2, "max_charging_current": -1}, "max_charging_current"),
    (EVSE + "E1", {"state": 2, "soc": 50}, "soc"),
)


def test_nonsense_is_named_and_changes_nothing(door):
    post(door, METER + "M1", {"power_w": 123, "current": [1, 2, 3]})
    names = ("power_w", "import", "model", "is_va", *CURRENTS, *VOLTAGES)
    before = values(device(door, "M1"), *names)
    state = device(door, "E1")["state"]
    for path, body, words in BAD:
        status, answered = post(door, path, body)
        assert status == 400 and words in answered["error"], (path, body, answered)
        assert len(answered["error"]) < 250
        if isinstance(body, dict):
            german = post(door, path + "&lang=de", body)[1]["error"]
            assert german != answered["error"]
    for query in ("M1", "M1&power_w=1e3", "M1&power_w=", "M1&power_w=1.2.3", "M1&current=1,2,3,4"):
        assert door.curl(METER + query)[0] == 400, query
    assert values(device(door, "M1"), *names) == before
    assert device(door, "E1")["state"] == state


def test_another_site_may_not_push(door):
    for arguments in (("-d", '{"power_w": 1}'), ()):
        origin = ("-H", "Origin: http://evil.example")
        path = METER + "M1&power_w=1" if not arguments else METER + "M1"
        assert door.curl(path, *arguments, *origin)[0] == 403
