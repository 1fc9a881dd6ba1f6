"""Templates that are wrong: each gets a sentence that names the field and what is allowed."""

from modbus.template import Template, TemplateError

_VALUE = "blocks[0].values[0]."
_WRITE = {"fc": 6, "address": 1, "value": 1}
_CHECKED = dict(_WRITE, check={"fc": 3, "address": 2})


def block(data):
    return {"kind": "meter", "blocks": [data]}


def value(**more):
    """A meter template with one value, a power of one register, changed by `more`."""
    item = {"reading": "power_w", "address": 100, "unit": "W"}
    item.update(more)
    rest = {"fc": 3, "address": 100, "count": 20, "every_ms": 1000, "type": "u16"}
    rest["values"] = [item]
    return block(rest)


def state(**more):
    return value(reading="state", **more)


def meter(**more):
    data = value()
    data.update(more)
    return data


def evse(limit=None, **more):
    data = meter(kind="evse", **more)
    if "limit" not in more:
        data["limit"] = {"fc": 6, "address": 300, "unit": "A", "step_ma": 1000}
        data["limit"].update({"min_ma": 6000, "max_ma": 32000})
        data["limit"].update(limit or {})
    return data


# (template, field that the sentence names, words of the sentence)
_WRONG = (
    ([], "template", "object"),
    ("text", "template", "object"),
    ({}, "kind", "meter, evse"),
    (meter(kind="pump"), "kind", "meter, evse"),
    (meter(colour="red"), "colour", "allowed: name kind"),
    (meter(port=0), "port", "from 1 to 65535"),
    (meter(port=True), "port", "integer"),
    (meter(unit_id=256), "unit_id", "255"),
    (meter(quiet_ms=1.5), "quiet_ms", "integer"),
    (meter(serial=9600), "serial", "object"),
    (meter(serial={"baudrate": 9600, "parity": "X", "stop": 1}), "serial.parity", "N, E, O"),
    (meter(serial={"baudrate": 1, "parity": "N", "stop": 1}), "serial.baudrate", "300"),
    (meter(serial={"baudrate": 9600, "parity": "N"}), "serial.stop", "1, 2"),
    (meter(blocks=[]), "blocks", "empty"),
    (meter(blocks={}), "blocks", "list"),
    (meter(blocks=[5]), "blocks[0]", "object"),
    (meter(max_registers=10), "blocks[0].count", "from 1 to 10"),
    (meter(max_registers=126), "max_registers", "125"),
    (block({"fc": 1, "address": 0, "count": 1, "every_ms": 1000}), "blocks[0].fc", "3, 4"),
    (block({"fc": 3, "address": 65535, "count": 2}), "blocks[0].address", "65534"),
    (block({"fc": 3, "address": 0, "count": 2, "every_ms": 5}), "blocks[0].every_ms", "100"),
    (block({"fc": 3, "address": 0, "count": 2}), "blocks[0].every_ms", "integer"),
    (value(reading=None), _VALUE + "reading", "power_l1_w"),
    (value(reading="powerw"), _VALUE + "reading", "power_w"),
    (value(address=99), _VALUE + "address", "from 100 to 119"),
    (value(address=119, type="u32"), _VALUE + "address", "from 100 to 118"),
    (value(type="u8"), _VALUE + "type", "u16"),
    (value(type="char"), _VALUE + "type", "f32"),
    (value(order="be"), _VALUE + "order", "hl, lh"),
    (value(unit="A"), _VALUE + "unit", "VA, W"),
    (value(unit=7), _VALUE + "unit", "VA, W"),
    (value(unit=""), _VALUE + "unit", "VA, W"),
    (value(reading="current_l1_ma"), _VALUE + "unit", ": A"),
    (value(scale="1"), _VALUE + "scale", "-9 to 9"),
    (value(factor=[1]), _VALUE + "factor", "denominator"),
    (value(factor=[1, 0]), _VALUE + "factor", "from 1"),
    (value(factor=0.5), _VALUE + "factor", "list"),
    (value(sign=0), _VALUE + "sign", "1, -1"),
    (value(mask=1, type="f32"), _VALUE + "mask", "integers"),
    (value(mask=0), _VALUE + "mask", "from 1"),
    (value(mask=1, shift=32), _VALUE + "shift", "31"),
    (value(nan=5), _VALUE + "nan", "list"),
    (value(sign_of="p"), _VALUE + "sign_of", "power_w"),
    (value(sum_of="power_w"), _VALUE + "sum_of", "list"),
    (value(sum_of=["p"]), _VALUE + "sum_of", "power_w"),
    (value(and_if=1), _VALUE + "and_if", "object"),
    (value(and_if={"reading": "x", "in": [1]}), _VALUE + "and_if.reading", "cable"),
    (value(and_if={"reading": "cable", "in": 1}), _VALUE + "and_if.in", "list"),
    (state(map={"1": "X"}), _VALUE + "map.1", "A, B"),
    (state(map=[1]), _VALUE + "map", "object"),
    (state(sign_of="power_w"), _VALUE + "sign_of", "state"),
    (state(type="str"), _VALUE + "words", "20"),
    (evse({"fc": 3}), "limit.fc", "6, 16"),
    (evse({"type": "u32"}), "limit.type", "function code 6"),
    (evse({"unit": "W"}), "limit.unit", ": A"),
    (evse({"unit": "A", "phases": 3}), "limit.unit", "W"),
    (evse({"unit": "W", "phases": 4}), "limit.phases", "3"),
    (evse({"min_ma": 6.0}), "limit.min_ma", "integer"),
    (evse({"max_ma": 5000}), "limit.max_ma", "from 6000"),
    (evse({"step_ma": 700}), "limit.step_ma", "6000"),
    (evse({"step_ma": 0}), "limit.step_ma", "from 1"),
    (evse({"duty": 1}), "limit.duty", "allowed: fc"),
    (evse({"refresh_ms": -1}), "limit.refresh_ms", "from 0"),
    (evse({"enable": {"fc": 6, "address": 1, "on": 1}}), "limit.enable.off", "integer"),
    (evse({"enable": {"fc": 6, "address": 1, "on": 70000, "off": 0}}), "limit.enable.on", "fit"),
    (evse({"enable": {"fc": 4, "address": 1, "on": 1, "off": 0}}), "limit.enable.fc", "5, 6, 16"),
    (evse(init=[{"fc": 6, "address": 1}]), "init[0].value", "integer"),
    (evse(init=[{"fc": 6, "address": 1, "value": "failsafe"}]), "init[0].value", "integer"),
    (evse(init=[{"fc": 6, "address": 1, "value": "failsafe_ma"}]), "init[0].unit", "A"),
    (evse(init=[{"fc": 6, "address": 1, "value": -1}]), "init[0].value", "fit"),
    (evse(init=[{"fc": 6, "address": 1, "value": 1, "check": True}]), "init[0].check", "object"),
    (evse(init=[dict(_WRITE, check={"fc": 6, "address": 1})]), "init[0].check.fc", "3, 4"),
    (evse(phase_switch=[]), "phase_switch", "object"),
    (evse(phase_switch={"2": _WRITE}), "phase_switch.2", "1 3 able"),
    (evse(phase_switch={"1": _WRITE}), "phase_switch.3", "object"),
    (evse(phase_switch={"1": _WRITE, "3": {}}), "phase_switch.3.fc", "5, 6, 16"),
    (evse(phase_switch={"1": _CHECKED, "3": _WRITE}), "phase_switch.3.check", "switch.1.check"),
    (evse(phase_switch={"1": _WRITE, "3": _WRITE, "able": 3}), "phase_switch.able", "object"),
    (
        evse(phase_switch={"1": _WRITE, "3": _WRITE, "able": {"fc": 3, "address": 1}}),
        "phase_switch.able.value",
        "integer",
    ),
    (evse(watchdog={"writes": []}), "watchdog.every_ms", "integer"),
    (evse(watchdog={"every_ms": 1000, "writes": [{}]}), "watchdog.writes[0].fc", "5, 6, 16"),
    (evse(failsafe_after_ms="30"), "failsafe_after_ms", "integer"),
    (meter(kind="evse", limit=None), "limit", "object"),
)


def test_wrong_templates_get_a_sentence_that_names_the_field():
    for data, field, word in _WRONG:
        try:
            Template(data)
        except TemplateError as error:
            sentence = str(error)
            assert error.field == field, (field, sentence)
            assert sentence.startswith(field + " ") and word in sentence, (field, sentence)
            assert error.code.startswith("template_") and error.arguments[0] == field
        else:
            raise AssertionError("accepted: " + field)


def test_the_templates_around_the_faults_are_right():
    Template(value())
    Template(state(map={"1": "A"}))
    Template(evse())
