"""Documents of rules: what is refused and how its place is named; what of them is kept."""

from chargecontrol.rule_reader import Reader, RuleError

ALWAYS = {"type": "always"}


def shipped(id):
    if id != "shipped":
        return None
    return {"id": id, "parameters": [{"id": "p", "default": 1}], "rules": [rule(value="param.p")]}


def rule(condition=ALWAYS, value=1, **more):
    result = {"condition": condition, "action": {"type": "set", "value": value}}
    result.update(more)
    return result


def rules_set(*rules, **more):
    result = {"id": "a", "rules": list(rules)}
    result.update(more)
    return result


def read(*sets, **use):
    return Reader(shipped).read({"sets": list(sets), "use": use})


def refused(document):
    """(field, code) of the error."""
    try:
        Reader(shipped).read(document)
    except RuleError as error:
        return error.field, error.code
    raise AssertionError("taken: %r" % document)


def bad_rule(text):
    return refused({"sets": [rules_set(rule(), text)]})


def test_only_what_is_used_is_kept():
    sets, uses = read(rules_set(rule()), rules_set(rule(), id="b"), E1={"box": {"set": "b"}})
    assert list(sets) == ["b"] and uses == {"E1": (("b", {}, False), None)}
    switch = {"condition": ALWAYS, "action": {"type": "rule_set", "set": "shipped"}}
    sets, uses = read(rules_set(switch), E2={"user": {"set": "a"}, "box": None})
    assert sorted(sets) == ["a", "shipped"] and uses["E2"][0] is None
    assert uses["E2"][1] == ("a", {}, True)  # the other set may ask for a phase
    assert read(E1={}) == ({}, {})
    assert Reader(shipped).read({}) == ({}, {})


def test_rules_are_small_tuples():
    sets, _ = read(
        rules_set(
            rule(id=7, weekdays=["sun", "sat"], end=True),
            rule(active=False),
            rule({"type": "time", "start": "23:30", "duration_min": 60}, 2, undercut_s=5),
            rule(pv=True, **{"not": True}),
        ),
        E1={"box": {"set": "a"}},
    )
    normal, pv, parameters = sets["a"]
    assert normal == (
        (7, 1, 256 + 64 + 1, None, None, None, 0, 0, 1, None),
        (0, 3, 127, 1410, 1470, None, 5000, 0, 2, None),
    )
    assert pv == ((0, 4, 127 + 128, None, None, None, 0, 0, 1, None),) and parameters == {}


def test_parameters_of_a_use():
    use = {"set": "shipped", "parameters": {"p": "M1.current"}}
    _, uses = read(E1={"box": use})
    assert uses["E1"][0][2]  # by phase
    use["parameters"] = {"q": 1}
    assert refused({"use": {"E1": {"box": use}}}) == ("use.E1.box.parameters.q", "unknown")
    use["parameters"] = {"p": "param.p"}
    assert refused({"use": {"E1": {"box": use}}})[1] == "no_parameter"
    use["parameters"] = {"p": None}
    assert refused({"use": {"E1": {"box": use}}}) == ("use.E1.box.parameters.p", "must_value")


def test_bad_documents():
    for document, field, code in (
        (5, "rules", "must_object"),
        ({"x": 1}, "rules.x", "unknown"),
        ({"sets": 5}, "sets", "must_list"),
        ({"sets": [5]}, "sets[0]", "must_object"),
        ({"sets": [{"id": "a"}]}, "sets[0].rules", "absent"),
        ({"sets": [rules_set(id="A")]}, "sets[0].id", "must_name"),
        ({"sets": [rules_set(id=5)]}, "sets[0].id", "must_name"),
        ({"sets": [rules_set(id="a" * 25)]}, "sets[0].id", "must_name"),
        ({"sets": [rules_set(), rules_set()]}, "sets[1].id", "twice"),
        ({"sets": [rules_set(id="s%d" % i) for i in range(9)]}, "sets", "too_many"),
        ({"sets": [rules_set(name="x" * 65)]}, "sets[0].name", "must_text"),
        ({"sets": [rules_set(*[rule()] * 25)]}, "sets[0].rules", "too_many"),
        (
            {"sets": [rules_set(parameters=[{"id": "p"}])]},
            "sets[0].parameters[0].default",
            "absent",
        ),
        (
            {"sets": [rules_set(rule(value="param.q"))]},
            "sets[0].rules[0].action.value",
            "no_parameter",
        ),
        ({"use": 5}, "use", "must_object"),
        ({"use": {"M1": {}}}, "use.M1", "no_evse"),
        ({"use": {"E1": 5}}, "use.E1", "must_object"),
        ({"use": {"E1": {"x": {}}}}, "use.E1.x", "unknown"),
        ({"use": {"E1": {"box": {}}}}, "use.E1.box.set", "absent"),
        ({"use": {"E1": {"box": {"set": "a"}}}}, "use.E1.box.set", "no_set"),
        ({"use": {"E1": {"box": {"set": "shipped", "x": 1}}}}, "use.E1.box.x", "unknown"),
    ):
        assert refused(document) == (field, code), document
    many = [rules_set(*[rule()] * 22, id="s%d" % i) for i in range(3)]
    assert refused({"sets": many}) == ("sets[2].rules[20]", "too_many_rules")
    twice = [{"id": "p", "default": 1}, {"id": "p", "default": 1}]
    assert refused({"sets": [rules_set(parameters=twice)]})[1] == "twice"
    long = [rules_set(*[rule(value="1" + " " * 450)] * 7)]
    assert refused({"sets": long}) == ("sets[0].rules[6].action.value", "too_long")


def test_bad_rules():
    place = "sets[0].rules[1]"
    for text, field, code in (
        (5, "", "must_object"),
        ({"condition": ALWAYS}, ".action", "absent"),
        (rule(x=1), ".x", "unknown"),
        (rule(id=-1), ".id", "must_int"),
        (rule(id=True), ".id", "must_int"),
        (rule(active=1), ".active", "must_bool"),
        (rule(pv="yes"), ".pv", "must_bool"),
        (rule(**{"not": 0}), ".not", "must_bool"),
        (rule(end=None), ".end", "must_bool"),
        (rule(comment=5), ".comment", "must_text"),
        (rule(weekdays="mon"), ".weekdays", "must_list"),
        (rule(weekdays=["monday"]), ".weekdays[0]", "must_choice"),
        (rule(undercut_s=1.5), ".undercut_s", "must_int"),
        (rule(5), ".condition", "must_object"),
        (rule({}), ".condition.type", "absent"),
        (rule({"type": []}), ".condition.type", "must_choice"),
        (rule({"type": "eco", "value": 1}), ".condition.type", "eco"),
        (rule({"type": "always", "value": 1}), ".condition.value", "unknown"),
        (rule({"type": "time", "start": "8:00"}), ".condition.duration_min", "absent"),
        (
            rule({"type": "time", "start": "8:00", "duration_min": 1}),
            ".condition.start",
            "must_clock",
        ),
        (
            rule({"type": "time", "start": "24:00", "duration_min": 1}),
            ".condition.start",
            "must_clock",
        ),
        (
            rule({"type": "time", "start": "20:00", "duration_min": 0}),
            ".condition.duration_min",
            "must_int",
        ),
        (rule({"type": "time_range", "from": 0, "to": "1 +"}), ".condition.to", "formula"),
        (rule({"type": "surplus", "value": None}), ".condition.value", "must_value"),
        (rule({"type": "surplus", "value": True}), ".condition.value", "must_value"),
        (rule({"type": "surplus", "value": 1e10}), ".condition.value", "must_value"),
        (rule({"type": "surplus", "value": "1) + (2"}), ".condition.value", "formula"),
        (rule({"type": "soc", "value": 1, "device": "PB"}), ".condition.device", "must_device"),
        (rule({"type": "input", "device": "PB"}), ".condition.input", "absent"),
        (rule({"type": "input", "device": "PB", "input": 0}), ".condition.input", "must_int"),
        (rule({"type": "input", "device": 5, "input": 1}), ".condition.device", "must_device"),
        (rule(value={}), ".action.value", "must_value"),
        (rule(value="a" * 600), ".action.value", "formula"),
        (rule(action={"type": "and", "value": 1}), ".action.value", "unknown"),
        (rule(action={"type": "or"}, end=True), ".end", "link_ends"),
        (rule(action={"type": "goto"}), ".action.rule", "absent"),
        (rule(action={"type": "rule_set", "set": "nope"}), ".action.set", "no_set"),
        (
            rule(action={"type": "parameter", "parameter": "p", "value": 1}),
            ".action.parameter",
            "no_parameter",
        ),
        (
            rule(action={"type": "parameter", "parameter": [], "value": 1}),
            ".action.parameter",
            "must_name",
        ),
        (rule(action={"type": "trigger", "variable": "CM.x"}), ".action.seconds", "absent"),
    ):
        assert bad_rule(text) == (place + field, code), text
    for name in (
        "x",
        "CM.",
        "CM.a b",
        "PB.input1",
        "_rule_val",
        "CM.1",
        5,
        None,
        "CM." + "x" * 40,
    ):
        for kind, value in (("set_variable", "value"), ("trigger", "seconds")):
            text = rule(action={"type": kind, "variable": name, value: 1})
            assert bad_rule(text) == (place + ".action.variable", "variable"), name
    text = rule(action={"type": "trigger", "variable": "_undercut", "seconds": 1})
    assert bad_rule(text)[1] == "variable"


def test_columns_are_those_of_the_formula():
    for text in (rule(value="1 + x +"), rule({"type": "surplus", "value": "1 + x +"})):
        try:
            read(rules_set(text))
        except RuleError as error:
            assert error.code == "formula" and error.arguments[0] == 8, error.arguments
        else:
            raise AssertionError(text)
