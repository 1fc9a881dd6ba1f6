"""docs/rules.md: every example is taken by the firmware, every table is complete."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from chargecontrol import rule_reader
from chargecontrol.rules import Rules
from controller import plan_store, rule_store

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "lib/chargecontrol/rule_templates/schema.json").read_text())
JSON = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.M | re.S)]
SENT = [json.loads(body) for body in re.findall(r"-d '(\{.*?\})' ", PAGE)]


def read(document):
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    return rule_reader.Reader(rule_store.template).read(document)


def test_there_are_examples():
    assert len(JSON) >= 8 and len(SENT) >= 4


@pytest.mark.parametrize("document", JSON + SENT, ids=lambda document: "-".join(document))
def test_every_example_is_taken(document):
    if "cplan" in document:
        plan_store.check(document["cplan"])
    elif "template" in document:
        assert sorted(document) == ["id", "template"] and rule_store.template(document["template"])
    else:
        uses = document.get(
            "use", {"E1": {"box": {"set": entry["id"]}} for entry in document.get("sets", ())}
        )
        read({"sets": document.get("sets", []), "use": uses})


def rows(heading):
    """First cells in `code` of the rows of the table below a heading."""
    part = PAGE.split("\n" + heading + "\n")[1].split("\n## ")[0].split("\n### ")[0]
    return [re.findall(r"`(\w+)`", line) for line in part.splitlines() if line.startswith("| ")][
        1:
    ]


def types(name):
    found = {}
    for option in SCHEMA["$defs"][name]["oneOf"]:
        kind = option["properties"]["type"]
        for each in kind.get("enum", [kind.get("const")]):
            found[each] = set(option["properties"]) - {"type"}
    return found


@pytest.mark.parametrize(
    "name, heading", [("condition", "### Conditions"), ("action", "### Actions")]
)
def test_tables_have_every_type_with_its_fields(name, heading):
    known = types(name)
    told = {row[0]: set(row[1:]) for row in rows(heading)}
    assert set(told) == set(known)
    for kind, fields in known.items():
        assert fields <= told[kind], kind


def test_actions_have_the_numbers_of_cfos():
    told = dict(
        (kind, int(number))
        for number, kind in re.findall(r"^\| (\d+) \| `(\w+)`", PAGE, re.MULTILINE)
    )
    assert told == {
        "set": 0,
        "and": 1,
        "or": 2,
        "set_variable": 3,
        "goto": 5,
        "trigger": 7,
        "retrigger": 8,
        "deliver_surplus": 10,
        "deliver_solar": 11,
        "deliver_grid": 12,
        "deliver_feed_in": 13,
        "parameter": 22,
    }


def test_shipped_sets_are_told_with_their_parameters():
    told = {row[0]: set(row[1:]) for row in rows("## The shortest way: a shipped set")}
    assert set(told) == set(rule_store.TEMPLATES.split())
    for id in told:
        for parameter in rule_store.template(id)["parameters"]:
            assert parameter["id"] in told[id], id


class Box:
    id = "E1"
    min_ma = 6000
    lines = 7

    def house_phase(self, line):
        return line


class Evening:
    def __init__(self):
        self.lookups = [self.lookup] * 3
        self.known = ({}, {}, {})
        self.scope = None
        self.values = {}
        self.time = (0, 1)

    def lookup(self, name, field):
        return self.values[name + "." + field]

    def now(self):
        return self.time

    def write(self, place, field, value):
        self.values[place + "." + field] = value


def wish(id, surplus_ma=0, time=(600, 1), **known):
    """What the rules of an example want."""
    (entry,) = [entry for text in JSON for entry in text.get("sets", ()) if entry["id"] == id]
    sets, uses = read({"sets": [entry], "use": {"E1": {"box": {"set": id}}}})
    world = Evening()
    world.time = time
    world.values = {name.replace("__", "."): value for name, value in known.items()}
    rules = Rules(Box(), sets, *uses["E1"][0], world)
    result = rules.wish(0, surplus_ma, 1000 / 690)
    assert rules.reason[0] != "rule_failed", rules.reason
    return result


def test_the_examples_do_what_is_said_of_them():
    assert wish("sun_and_night", time=(120, 1)) == 16000
    assert wish("sun_and_night", 7000) == 7000 and wish("sun_and_night", 6000) == 0
    assert wish("below_price", cm___price=0.19, cm__avail=60) == 16000
    assert wish("below_price", cm___price=0.21, cm__avail=60) == 0
    assert wish("battery_first", 7000, cm___storage_home_soc=80) == 7000
    assert wish("battery_first", 7000, cm___storage_home_soc=79) == 0
    assert wish("key", pb__input2=1) == 8000 and wish("key", pb__input2=0) == 0
    assert wish("key", time=(600, 6), pb__input2=1) == 16000
    assert wish("flat", m3__current=20000) == 9000
    assert wish("evening", time=(1300, 1), cm__leave=7, cm___num_charging=2) == 16000
    assert wish("evening", time=(300, 1), cm__leave=7, cm___num_charging=3) == 12000
    assert wish("evening", time=(600, 1), cm__leave=7, cm___num_charging=2) == 0
    known = {"gm__produced.current": 11000, "e1__max_current": 16000}
    assert wish("bell", **known) == 16000
