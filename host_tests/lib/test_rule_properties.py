"""Random documents of rules: reader and JSON schema agree; programs end; results are in range."""

import copy
import json
import sys
from pathlib import Path

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from chargecontrol.rule_reader import Reader, RuleError
from chargecontrol.rules import Rules
from controller import rule_store

sys.path.append(str(Path(__file__).resolve().parents[1] / "portable"))
import test_wishes  # noqa: E402

FOLDER = Path(rule_store.__file__).parents[2] / "lib" / "chargecontrol" / "rule_templates"
SCHEMA = json.loads((FOLDER / "schema.json").read_text())
jsonschema.Draft202012Validator.check_schema(SCHEMA)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

values = st.one_of(
    st.integers(-40000, 40000),
    st.floats(-40000, 40000),
    st.sampled_from(
        ["M1.current", "lb_cur", "1 / CM.x", "_rule_val + 1000", "param.p * 2", "param(7)", "nope"]
    ),
)
devices = st.sampled_from(["M1", "E2", "M16"])
variables = st.sampled_from(["CM.x", "E1.y", "M1._z"])
internal = st.sampled_from(["CM.x", "_undercut", "_rule_id", "_rule_min"])


def kinds(spec):
    """One object of those described: {type: {field: strategy}}; a field with ? may be absent."""
    made = []
    for kind, fields in spec.items():
        needed = {name: value for name, value in fields.items() if name[-1] != "?"}
        others = {name[:-1]: value for name, value in fields.items() if name[-1] == "?"}
        made.append(st.fixed_dictionaries({"type": st.just(kind), **needed}, optional=others))
    return st.one_of(made)


conditions = kinds(
    {
        "always": {},
        "time": {
            "start": st.sampled_from(["00:00", "22:30", "19:59"]),
            "duration_min": st.integers(1, 1440),
        },
        "time_range": {"from": values, "to": values},
        "surplus": {"value": values},
        "price": {"value": values},
        "price_level": {"value": st.one_of(values, st.just("very_cheap"))},
        "soc": {"value": values, "device?": devices},
        "charging": {"value": values},
        "grid_draw": {"value": values},
        "feed_in": {"value": values},
        "solar": {"value": values},
        "input": {"device": st.sampled_from(["PB", "M1", "E1"]), "input": st.integers(1, 32)},
        "formula": {"value": values},
    }
)
actions = kinds(
    {
        "set": {"value": values},
        "and": {},
        "or": {},
        "set_variable": {"variable": internal, "value": values},
        "goto": {"rule": st.one_of(values, st.integers(0, 5))},
        "trigger": {"variable": variables, "seconds": values},
        "retrigger": {"variable": variables, "seconds": values},
        "deliver_surplus": {"factor?": values},
        "deliver_solar": {"factor?": values},
        "deliver_grid": {"factor?": values},
        "deliver_feed_in": {"factor?": values},
        "parameter": {"parameter": st.sampled_from(["p", "7"]), "value": values},
        "rule_set": {"set": st.sampled_from(["a", "b", "cheap"])},
    }
)
days = st.lists(st.sampled_from("mon tue wed thu fri sat sun".split()), max_size=7)
rules = st.fixed_dictionaries(
    {"condition": conditions, "action": actions},
    optional={
        "id": st.integers(0, 5),
        "comment": st.text(max_size=20),
        "active": st.booleans(),
        "weekdays": days,
        "pv": st.booleans(),
        "not": st.booleans(),
        "undercut_s": st.integers(0, 600),
    },
)


def document(sets):
    parameters = [{"id": "p", "default": 6000}, {"id": 7, "default": "M1.current"}]
    named = [
        {"id": id, "parameters": parameters, "rules": each}
        for id, each in zip(("a", "b"), sets, strict=True)
    ]
    return {"sets": named, "use": {"E1": {"box": {"set": "a"}, "user": {"set": "b"}}}}


documents = st.tuples(st.lists(rules, max_size=12), st.lists(rules, max_size=12)).map(document)


class Box:
    id = "E1"
    min_ma = 6000
    lines = 7

    def house_phase(self, line):
        return line


class World:
    def __init__(self, values):
        self.lookups = [self.lookup] * 3
        self.known = ({}, {}, {})
        self.scope = None
        self.values = values
        self.time = (600, 1)

    def lookup(self, name, field):
        return self.values[field]

    def now(self):
        return self.time

    def write(self, place, field, value):
        if place != "cm":
            raise KeyError(field)
        self.values[field] = value


def read(text):
    return Reader(rule_store.template).read(text)


known_values = st.dictionaries(
    st.sampled_from("current x power_w surplus.current _price _price_level soc input1".split()),
    st.one_of(st.none(), st.integers(-100000, 100000), st.floats(-1e6, 1e6)),
)


@settings(max_examples=1000, deadline=None)
@given(documents, known_values, st.none() | st.tuples(st.integers(0, 1439), st.integers(0, 6)))
def test_programs_end_with_a_current_in_range(text, known, time):
    VALIDATOR.validate(text)
    sets, uses = read(text)
    world = World(known)
    for use in uses["E1"]:
        rules = Rules(Box(), sets, *use, world)
        for now_ms in (0, 1000, 400000):
            world.time = time
            wish_ma = rules.wish(now_ms, known.get("x"), 1.4)
            assert isinstance(wish_ma, int) and 0 <= wish_ma <= 1000000
            code, arguments = rules.reason
            assert code in ("rule", "rule_failed", "rule_none", "clock_not_set")
            assert len(arguments) == {"rule": 2, "rule_failed": 4, "rule_none": 1}.get(code, 0)
            if code in ("rule_none", "clock_not_set"):
                assert wish_ma in (0, Box.min_ma)


@settings(max_examples=300, deadline=None)
@given(documents, known_values)
def test_the_smaller_of_box_and_user_wins(text, known):
    sets, uses = read(text)
    world = World(dict(known))
    box, user = [Rules(Box(), sets, *use, world) for use in uses["E1"]]
    expected_ma = box.wish(1000, None, 1000 / 690)
    for names in world.known:  # a write makes the rest look anew
        names.clear()
    expected_ma = min(expected_ma, user.wish(1000, None, 1000 / 690))
    controller = test_wishes.Controller(test_wishes.Evse("E1"))
    values = dict(known)
    controller.names.lookups = [lambda name, field: values[field]] * 3

    def write(name, value):
        place, _, field = name.partition(".")
        if place != "cm":
            raise KeyError(field)
        values[field] = value

    controller.set = write
    rule_store.change(controller, text)
    assert controller.reason()[0] == expected_ma
    assert controller.site.evses[0].wish_reason[:2] in (box.reason, user.reason)


def places(value, path=()):
    yield path
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


junk = st.sampled_from([None, True, -1, 2**40, 1.5, "", "x y", "A", [], {}, [[]], {"type": "x"}])


@settings(max_examples=1500, deadline=None)
@given(documents, st.data())
def test_what_the_schema_refuses_the_reader_refuses(text, data):
    """What the reader refuses beyond it is a matter of formulas and of names that do not exist."""
    text = copy.deepcopy(text)
    path = data.draw(st.sampled_from([path for path in places(text) if path]))
    part = text
    for key in path[:-1]:
        part = part[key]
    what = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if what == "replace":
        part[path[-1]] = data.draw(junk)
    elif what == "remove":
        del part[path[-1]]
    elif isinstance(part, dict):
        part["other"] = data.draw(junk)
    else:
        part.append(data.draw(junk))
    try:
        read(text)
    except RuleError as error:
        refused = error.code
    else:
        refused = None
    if refused is None:
        VALIDATOR.validate(text)
    elif VALIDATOR.is_valid(text):
        assert refused in ("formula", "no_parameter", "no_set", "twice", "link_ends", "unknown")
        if refused == "unknown":  # a parameter of a use
            assert "parameters" in path or what == "add" or path[-1] in ("id", "set")


def test_templates_fit_the_schema():
    for id in rule_store.TEMPLATES.split():
        for lang in ("en", "de"):
            VALIDATOR.validate({"sets": [rule_store.template(id, lang)]})
            read({"sets": [rule_store.template(id, lang)], "use": {"E1": {"box": {"set": id}}}})
    files = {path.stem for path in FOLDER.glob("*.json")}
    assert files == set(rule_store.TEMPLATES.split()) | {"schema"}
