"""/api/rules over HTTP: set, read, refuse; shipped sets; what is set holds and survives."""

import json
import re
import string
import time
from pathlib import Path

import jsonschema
import pytest
from fakes.door import Door

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "meters": [{"id": "M1", "template": "http_input", "role": "grid"}],
    "evses": [
        {"id": "E1", "template": "http_input"},
        {"id": "E2", "template": "http_input"},
    ],
}
ALWAYS = {"type": "always"}
RULES = {
    "sets": [
        {
            "id": "mine",
            "parameters": [{"id": "most", "default": 6500}],
            "rules": [
                {"id": 4, "condition": ALWAYS, "action": {"type": "set", "value": "param.most"}}
            ],
        }
    ],
    "use": {"E1": {"box": {"set": "mine"}}},
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


def post(door, path, body):
    return door.curl(path, "-d", body if isinstance(body, str) else json.dumps(body))[:2]


def get(door, path):
    status, body, _ = door.curl(path)
    assert status == 200, body
    return body


def reaches(door, expected_ma):
    """E1 is told this current after a while; its car draws it, the roof gives 6.5 A a phase."""
    current_ma = 0
    for _ in range(60):
        grid_ma = current_ma - 6500
        body = {"current": [grid_ma] * 3, "voltage": [230] * 3, "power_w": grid_ma * 69 // 100}
        assert post(door, "/cnf?cmd=set_ajax_meter&dev_id=M1", body)[0] == 200
        body = {"state": 3, "max_charging_current": 16000, "current": [current_ma] * 3}
        status, answer = post(door, "/cnf?cmd=set_ajax_evse&dev_id=E1", body)
        assert status == 200, answer
        current_ma = answer["charging_current"]
        if current_ma == expected_ma:
            return True
        time.sleep(0.4)
    raise AssertionError(answer)


def test_rules_hold_at_once_and_survive(door):
    assert get(door, "/api/rules") == {"sets": [], "use": {}}
    assert post(door, "/api/rules", RULES) == (200, {"changed": True})
    assert post(door, "/api/rules", RULES) == (200, {"changed": False})
    assert get(door, "/api/rules") == RULES
    assert reaches(door, 6500)
    use = {"E1": {"box": {"set": "mine", "parameters": {"most": 6100}}}}
    assert post(door, "/api/rules", {"use": use}) == (200, {"changed": True})
    assert get(door, "/api/rules")["sets"] == RULES["sets"]
    assert reaches(door, 6100)
    door.kill()
    door.start()
    assert get(door, "/api/rules")["use"] == use


def test_shipped_sets_find_the_names_that_they_ask_for(door):
    """Real names, and a real surplus."""
    for box, expected_ma in (
        ({"set": "surplus"}, 6500),
        ({"set": "surplus", "parameters": {"start": 6600}}, 0),
        ({"set": "surplus_at_least", "parameters": {"least": 6900}}, 6900),
        ({"set": "energy_limit", "parameters": {"kwh": 0}}, 0),
        ({"set": "cheap"}, 0),
    ):
        assert post(door, "/api/rules", {"use": {"E1": {"box": box}}})[0] == 200
        assert reaches(door, expected_ma), box
    assert post(door, "/api/rules", {"use": {"E1": {"box": {"set": "relay_cheap"}}}})[0] == 200
    time.sleep(1.5)
    assert door.variables()["relay1"]["val"] == 0
    assert post(door, "/api/rules", RULES)[0] == 200


def test_a_fault_is_named_and_nothing_taken(door):
    assert post(door, "/api/rules", RULES)[0] == 200
    before = get(door, "/api/rules")
    bad = json.loads(json.dumps(RULES))
    bad["sets"][0]["rules"][0]["condition"] = {"type": "surplus", "value": "1 +"}
    for body, field, english, german in (
        (bad, "sets[0].rules[0].condition.value", "column 4", "Spalte 4"),
        ({"use": {"E3": {"box": {"set": "mine"}}}}, "use.E3", "does not exist", "nicht gibt"),
        ({"sets": []}, "use.E1.box.set", "not the id", "nicht die Kennung"),
        ({"rules": []}, "rules.rules", "not known", "nicht bekannt"),
        ([], "rules", "an object", "ein Objekt"),
    ):
        for lang, words in (("en", english), ("de", german)):
            status, answer = post(door, "/api/rules?lang=" + lang, body)
            assert status == 400 and answer["field"] == field, answer
            assert words in answer["error"] and answer["error"].startswith(field)
    for body in ("", "{", '{"sets": [], "sets": []}', '{"sets": [1e400]}'):
        assert door.curl("/api/rules", "-X", "POST", "-d", body)[0] == 400, body
    assert door.curl("/api/rules", "-X", "DELETE")[0] == 405
    assert get(door, "/api/rules") == before


def test_shipped_sets(door):
    schema = get(door, "/api/rules/schema")
    for lang in ("en", "de"):
        shipped = get(door, "/api/rules/templates?lang=" + lang)["templates"]
        assert len(shipped) == 8
        jsonschema.Draft202012Validator(schema).validate({"sets": shipped})
    assert "PV-Überschuss" in [entry["name"] for entry in shipped]
    copy = {"template": "surplus", "id": "roof"}
    assert post(door, "/api/rules/templates", copy) == (200, {"changed": True})
    assert get(door, "/api/rules")["sets"][-1]["id"] == "roof"
    status, answer = post(door, "/api/rules/templates", copy)
    assert status == 400 and answer["code"] == "twice"
    status, answer = post(door, "/api/rules/templates", {"template": "nope", "id": "x"})
    assert status == 400 and answer["field"] == "template"
    assert post(door, "/api/rules", {"use": {"E2": {"box": {"set": "surplus"}}}})[0] == 200


def test_a_large_document(door):
    """24 rules as an owner may write them; the schema takes it, too."""
    rules = [
        {
            "id": number,
            "comment": "rule %d of a long list, with a remark of some length" % number,
            "active": True,
            "weekdays": ["mon", "tue", "wed", "thu", "fri"],
            "pv": False,
            "not": False,
            "condition": {"type": "price", "value": 5 + number},
            "undercut_s": 300,
            "action": {"type": "set", "value": "min(16000, 6000 + M1.power_w / %d)" % number},
            "end": False,
        }
        for number in range(1, 25)
    ]
    body = {"sets": [{"id": "long", "rules": rules}], "use": {"E1": {"box": {"set": "long"}}}}
    assert post(door, "/api/rules", body) == (200, {"changed": True})
    assert get(door, "/api/rules") == body
    assert post(door, "/api/rules", {"use": {}, "sets": []}) == (200, {"changed": True})


def test_every_refusal_has_its_sentence():
    """And no sentence is left over; those of plans lie here, too."""
    texts = json.loads((ROOT / "firmware/texts/rules.json").read_text())
    sources = "".join(
        (ROOT / path).read_text()
        for path in (
            "lib/chargecontrol/rule_reader.py",
            "firmware/controller/rule_store.py",
            "firmware/controller/plan_store.py",
        )
    )
    for code, (english, german) in texts.items():
        assert '"%s"' % code in sources, code
        assert english != german
        for text in (english, german):
            assert {part[1] for part in string.Formatter().parse(text) if part[1]} <= set("01")
    for code in "must_object must_int no_storage not_there template_shape".split():
        assert code in texts
    raised = re.findall(
        r'(?:RuleError|PlanError)\(\s*[^"\n]*(?:"[^"]*"[^",\n]*)?,\s*"(\w+)"', sources
    )
    assert len(raised) > 20 and set(raised) <= set(texts), set(raised) - set(texts)
