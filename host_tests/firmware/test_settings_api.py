"""/api over HTTP: settings, schema, password, log, restart."""

import json

import pytest
from fakes.door import Door


@pytest.fixture(scope="module", params=["cpython", "micropython"])
def door(request):
    runtime = request.param
    if runtime == "micropython":
        runtime = request.getfixturevalue("micropython")
    door = Door(runtime)
    yield door
    door.close()


def post(door, path, body):
    return door.curl(path, "-d", json.dumps(body))[:2]


def test_settings_are_set_and_survive(door):
    patch = {"site": {"max_total_power": "PB.input1 ? 9660 : 25000"}}
    assert post(door, "/api/settings", patch) == (200, {"changed": ["site"], "restart": False})
    assert post(door, "/api/settings", patch) == (200, {"changed": [], "restart": False})
    box = {"id": "E1", "template": "keba_p30", "host": "10.0.0.5", "unit": 255}
    patch = {"evses": [box], "network": {"password": "geheim123"}}
    assert post(door, "/api/settings", patch) == (
        200,
        {"changed": ["evses", "network"], "restart": True},
    )
    door.kill()
    door.start()
    status, doc, _ = door.curl("/api/settings")
    assert status == 200 and doc["site"]["max_total_power"] == "PB.input1 ? 9660 : 25000"
    assert doc["evses"][0]["host"] == "10.0.0.5" and doc["evses"][0]["max_current_ma"] == 16000
    assert (
        "geheim" not in json.dumps(doc) and "login" not in doc and "password" not in doc["network"]
    )
    assert post(door, "/api/settings", doc) == (200, {"changed": [], "restart": False})


def test_a_fault_is_named_and_nothing_taken(door):
    before = door.everything()
    patch = {"clock": {"ntp_host": "x"}, "site": {"voltage_v": 5}}
    status, body = post(door, "/api/settings", patch)
    assert status == 400 and body["field"] == "site.voltage_v" and "100 to 300 V" in body["error"]
    status, body = post(door, "/api/settings?lang=de", patch)
    assert status == 400 and "ganze Zahl von 100 bis 300 V" in body["error"]
    status, body = post(door, "/api/settings", {"login": {"hash": "00"}})
    assert status == 400 and "/api/login/password" in body["error"]
    for body in (
        "",
        "[]",
        "{",
        '{"site": {"voltage_v": 220, "voltage_v": 230}}',
        '{"site": 1e400}',
    ):
        assert door.curl("/api/settings", "-X", "POST", "-d", body)[0] == 400, body
    assert door.everything() == before


def test_settings_larger_than_a_variables_body(door):
    boxes = [
        {
            "id": "E%d" % i,
            "template": "keba_p30",
            "host": "10.0.0.%d" % i,
            "name": "x" * 32,
            "phases": 3,
            "phase_rotation": 120,
            "min_current_ma": 6000,
            "max_current_ma": 32000,
            "failsafe_current_ma": 6000,
            "priority": 2,
            "port": 502,
            "unit": 255,
        }
        for i in range(1, 17)
    ]
    assert len(json.dumps({"evses": boxes}, indent=4)) > 5000
    body = json.dumps({"evses": boxes}, indent=4)
    assert door.curl("/api/settings", "-d", body)[:2] == (
        200,
        {"changed": ["evses"], "restart": True},
    )
    assert len(door.curl("/api/settings")[1]["evses"]) == 16


def test_schema_tells_all_that_settings_hold(door):
    settings = door.curl("/api/settings")[1]
    for lang, word in (("en", "House connection"), ("de", "Hausanschluss")):
        status, body, _ = door.curl("/api/settings/schema?lang=" + lang)
        assert status == 200
        sections = {section["section"]: section for section in body["sections"]}
        assert set(sections) == set(settings)
        fields = {field["name"]: field for field in sections["site"]["fields"]}
        assert set(fields) == set(settings["site"])
        assert fields["max_total_current"]["text"].startswith(word)
        assert fields["max_total_current"]["unit"] == "mA"
        assert {field["name"] for field in sections["evses"]["fields"]} >= {"id", "priority"}


def test_state_log_restart(door):
    assert door.curl("/api/state?lang=de")[1]["lang"] == "de"
    assert door.curl("/api/restart", "-X", "POST")[:2] == (202, "ok")
    assert door.curl("/api/log")[1]["log"][-1] == "restart"


def test_change_of_password(door):
    old = door.password
    for body, words in (
        ({"old": old}, "old"),
        ({"old": old, "new": "short"}, "8 to 64"),
        ({"old": "wrong", "new": "long enough"}, "old password"),
    ):
        status, answered = post(door, "/api/login/password", body)
        assert status == 400 and words in answered["error"], answered
    status = 429
    while status == 429:
        status, answered = post(
            door, "/api/login/password", {"old": old, "new": "neues Passwort ä"}
        )
    assert (status, answered) == (200, "ok")
    assert door.curl("/api/state", password=old)[0] == 401
    door.password = "neues Passwort ä"
    door.kill()
    door.start()
    assert not any("password" in line for line in door.said)
    assert door.curl("/api/state")[0] == 200
    kept = json.loads(open(door.folder + "/settings.json").read().split("\n", 1)[1])
    assert "Passwort" not in json.dumps(kept)
