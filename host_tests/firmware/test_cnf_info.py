"""/cnf get_dev_info and get_params, read as programs read them that know the cFos manager.

The readers below do what those programs do with the answer (Home Assistant integration and a fork
of it, py-powerbrain, TeslaLogger, a home automation reader): they index without asking, and
calculate with what they find.
"""

import json
import time

import pytest
from fakes.door import Door

SETTINGS = {
    "site": {
        "title": "House",
        "desc": "Carport",
        "max_total_current": "10000 + 25000",
        "reserve_current_ma": 1000,
    },
    "meters": [
        {"id": "M1", "name": "Grid", "template": "http_input", "role": "grid"},
        {"id": "M2", "template": "http_input", "role": "storage_home", "phases": [1]},
        {"id": "M3", "name": "Off", "template": "http_input", "role": "display", "enabled": False},
    ],
    "evses": [{"id": "E1", "name": "Garage", "template": "http_input"}],
}
INFO = "/cnf?cmd=get_dev_info"
STATES = {1: "Standby", 2: "Car", 3: "Charging", 4: "Vent", 5: "Error", 6: "Off"}


@pytest.fixture(scope="module", params=["cpython", "micropython"])
def door(request):
    runtime = request.param
    if runtime == "micropython":
        runtime = request.getfixturevalue("micropython")
    door = Door(runtime, settings=SETTINGS)
    yield door
    output = door.close()
    assert "Traceback" not in output, output


def push(door, command, dev_id, **values):
    answer = door.curl(
        "/cnf?cmd=set_ajax_%s&dev_id=%s" % (command, dev_id), "-d", json.dumps(values)
    )
    assert answer[0] == 200, answer
    return answer[1]


def info(door):
    status, body, _ = door.curl(INFO)
    assert status == 200
    return body


def after_a_cycle(door, wanted, within_s=5):
    """The answer as soon as wanted(answer): the cycle runs once a second."""
    for _ in range(10 * within_s):
        body = info(door)
        if wanted(body):
            break
        time.sleep(0.1)
    return body


def devices(door):
    return {device["dev_id"]: device for device in info(door)["devices"]}


def home_assistant(body):
    """{(dev_id, sensor): value} as the integration makes them; raises where it would."""
    params = body["params"]
    major, minor = params["version"].split(".")[:2]
    power = "power_w" if float(major + "." + minor) >= 1.2 else None
    assert params["title"] and params["vsn"]["serialno"].isalnum()
    sensors = {}
    for device in body["devices"]:
        if not device["device_enabled"]:
            continue
        assert device["name"] and isinstance(device["model"], str)
        found = {}
        for line in "123":
            found["current_l" + line] = device["current_l" + line] * 0.001
        if device["is_evse"]:
            found["power"] = device[power or "cur_charging_power"]
            found["energy"] = device["total_energy"] * 0.001
            found["state"] = STATES[device["state"]]
            found["least"] = device["min_charging_cur"] / 1000
            found["most"] = device["max_charging_cur"] / 1000
            found["limit"] = device.get("ov_cur", found["most"] * 1000) / 1000
            found["enabled"] = not device.get("overrides", 0) & 1
            found["rules"] = not device.get("overrides", 0) & 2
            found["session"] = device["ta_en"] * 0.001
            found["set"] = device["last_set_charging_cur"] * 0.001
            found["pause"] = ("None", "Limit", "Rules", "Manual", "Phase", "Error")[
                device["pause_reason"]
            ]
            found["pause_s"] = device["pause_time"] + 0
            found["cp"] = device["evse"]["cp_state"]
        else:
            found["unit"] = "VA" if device["is_va"] else "W"
            found["power"] = device[power or "power"]
            found["import"] = device["import"] * 0.001
            found["export"] = device["export"] * 0.001
            for line in "123":
                found["voltage_l" + line] = device["voltage_l" + line] + 0
        for name in found:
            sensors[device["dev_id"], name] = found[name]
    return sensors


def tesla_logger(body):
    """(grid import in kWh, energy of the car in kWh, is charging, version)."""
    (grid,) = [device for device in body["devices"] if device.get("role") == 3]
    (box,) = [device for device in body["devices"] if device["is_evse"] is True]
    charging = box["evse"]["charging"]
    assert isinstance(charging, bool)
    return (
        float(str(grid["import"])) / 1000,
        float(str(box["total_energy"])) / 1000,
        charging,
        body["params"]["version"],
    )


def test_before_any_value_all_keys_are_there(door):
    body = info(door)
    sensors = home_assistant(body)
    assert sensors["E1", "state"] == "Off" and sensors["E1", "set"] == -0.001
    assert ("M3", "power") not in sensors
    assert tesla_logger(body) == (0, 0, False, "0.1.0")
    assert body["loadmgr_disabled"] is False

    def no_null(value):
        assert value is not None
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                no_null(item)

    no_null(body)


def test_home_assistant_and_teslalogger(door):
    push(
        door,
        "meter",
        "M1",
        power_w=5000,
        import_wh=123456789,
        export_wh=1500,
        voltage=[231, 232, 233],
        current=[7000, 8000, 6500],
    )
    push(door, "meter", "M2", power_w=-2300, soc=55, model="Battery")
    push(door, "evse", "E1", state=1, total_energy=1000)
    push(door, "evse", "E1", state=2)
    currents = [6000, 6100, 6200]
    push(door, "evse", "E1", state=3, current=currents, total_energy=2500, power_w=4200)
    body = after_a_cycle(door, lambda body: tesla_logger(body)[1] == 2.5)
    sensors = home_assistant(body)
    assert sensors["M1", "import"] == pytest.approx(123456.789)
    assert sensors["M1", "export"] == pytest.approx(1.5)
    assert sensors["M1", "power"] == 5000 and sensors["M1", "unit"] == "W"
    assert [sensors["M1", "voltage_l" + line] for line in "123"] == [231, 232, 233]
    assert [sensors["M1", "current_l" + line] for line in "123"] == pytest.approx([7, 8, 6.5])
    assert sensors["M2", "power"] == -2300 and sensors["M2", "current_l1"] == pytest.approx(-10)
    assert sensors["E1", "state"] == "Charging" and sensors["E1", "power"] == 4200
    assert sensors["E1", "energy"] == 2.5 and sensors["E1", "session"] == pytest.approx(1.5)
    assert sensors["E1", "least"] == 6 and sensors["E1", "most"] == 16
    assert sensors["E1", "limit"] == 16 and sensors["E1", "enabled"] and sensors["E1", "rules"]
    assert sensors["E1", "pause"] == "None" and sensors["E1", "pause_s"] == 300
    assert sensors["E1", "cp"] == "Charging" and sensors["E1", "set"] >= 6
    kwh, car_kwh, charging, version = tesla_logger(body)
    assert (kwh, car_kwh, charging, version) == (123456.789, 2.5, True, "0.1.0")


def test_what_a_device_is(door):
    push(door, "meter", "M2", power_w=-2300, soc=55, model="Battery")
    found = devices(door)
    assert [found[id]["role"] for id in ("M1", "M2", "M3")] == [3, 5, 0]
    assert [found[id]["used_phases"] for id in ("E1", "M1", "M2")] == [0, 7, 1]
    assert [found[id]["device_enabled"] for id in ("E1", "M1", "M3")] == [1, 1, 0]
    assert found["M2"]["model"] == "Battery" and found["M2"]["soc"] == 55
    assert found["M2"]["name"] == "M2"  # names tell devices apart in Home Assistant
    assert found["M3"]["com_err"] is True and found["M2"]["com_err"] is False
    assert found["E1"]["dev_type"] == "evse_ajax" and found["M1"]["dev_type"] == "meter_ajax"


def test_parameters(door):
    params = info(door)["params"]
    assert params["max_total_current"] == 35000  # the result of the formula, for readers
    assert params["reserve_current"] == 1000 and params["max_total_evse_current"] == 0
    assert params["lb_enabled"] is True and params["disable_policy"] == 0
    for name in ("grid_pwr", "cons_pwr", "surplus_power", "cons_evse_power", "avail_evse_power"):
        assert isinstance(params[name], int), name
    # py-powerbrain: without max_total_evse_power or a name for each type it stops.
    status, params, _ = door.curl("/cnf?cmd=get_params")
    assert status == 200 and params["max_total_evse_power"] == 0 and params["version"] == "0.1.0"
    assert params["max_total_current"] == "10000 + 25000"  # the formula, for who changes it
    types = {device["dev_type"] for device in info(door)["devices"]}
    assert {params["dev_meta"][name] for name in types} == {"HTTP input"}
    german = door.curl("/cnf?cmd=get_params&lang=de")[1]["dev_meta"]
    assert german["evse_ajax"] == "HTTP-Eingang"


def test_powers_come_from_the_counters(door):
    push(door, "meter", "M1", power_w=4600)
    door.curl(INFO)  # who asks first has the counters made; the next cycle fills them
    body = after_a_cycle(door, lambda body: body["params"]["grid_pwr"] == 4600)
    assert body["params"]["grid_pwr"] == 4600


def test_password(door):
    """Closed unless the owner opens it; the integration tests its password at an own address."""
    assert door.curl("/ui/en/sim.htm")[0] == 200  # who has logged in once is never delayed
    status, _, headers = door.curl(INFO, password="wrong")
    assert status in (401, 429)
    request = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
    assert door.raw(request % INFO.encode())[0] == 401
    assert door.raw(request % b"/ui/en/sim.htm")[0] == 401
    assert door.curl("/ui/en/sim.htm")[:2] == (200, "ok")
    opened = json.dumps({"http": {"open_dev_info": True}})
    assert door.curl("/api/settings", "-d", opened)[0] == 200
    status, body, _ = door.raw(request % INFO.encode())
    assert status == 200 and body["params"]["title"] == "House"
    # Nothing else is open, and nothing is read of whom nobody knows.
    closed = (
        b"GET /cnf?cmd=get_params HTTP/1.1\r\n\r\n",
        b"GET /cnf?cmd=get_devices HTTP/1.1\r\n\r\n",
        b"GET /cnf?cmd=set_ajax_meter&dev_id=M1&power_w=1 HTTP/1.1\r\n\r\n",
        b"POST /cnf?cmd=get_dev_info HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        b"GET /cnf?cmd=get_dev_info HTTP/1.1\r\nContent-Length: 4000\r\n\r\n",
    )
    for text in closed:
        assert door.raw(text)[0] == 401, text
    door.curl("/api/settings", "-d", json.dumps({"http": {"open_dev_info": False}}))
    assert door.raw(request % INFO.encode())[0] == 401
