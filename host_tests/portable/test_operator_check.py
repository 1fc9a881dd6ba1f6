"""Contact sets, channels and commands that make no sense: each is refused with a sentence."""

from controller import data, operator_check, operator_command
from controller.refusal import Refusal
from controller.settings import Settings

BOARD = {"inputs": [{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4}], "rs485": [{"id": "rs485_1"}]}
S0 = {"id": "M1", "template": "s0", "role": "display", "input": 4, "pulses_per_kwh": 1000}
MODBUS = {"id": "M2", "template": "sdm630", "role": "grid", "bus": "rs485_1", "unit": 1}
BINARY = {
    "id": "C1",
    "form": "binary",
    "inputs": ["PB.input1", "M2.input1"],
    "levels": ["100 %", "60 %", "30 %", "0 %"],
}


class Store:
    def load(self, name):
        return None, None

    def save(self, name, document):
        return True


def settings():
    made = Settings(Store(), data.load_json, BOARD)
    made.apply({"meters": [S0, MODBUS]})
    return made


def contact_set(**changes):
    item = dict(BINARY)
    item.update(changes)
    return {"contact_sets": [item]}


def channel(**changes):
    item = {"channel": "http", "failsafe": "6000 mA"}
    item.update(changes)
    return {"channels": [item]}


ONE = dict(form="one", inputs=["PB.input1"])
TABLE = dict(form="table", inputs=["PB.input1", "PB.input2"])
HOT = dict(form="one_hot", inputs=["PB.input1", "PB.input2", "PB.input3"])
DIM = ["none", "dim"]

FAULTS = [
    (contact_set(levels=["none", "60 %", "0 %"]), "contact_sets[0].levels", "4"),
    (contact_set(inputs=["PB.input1"]), "contact_sets[0].inputs", "binary"),
    (contact_set(form="one"), "contact_sets[0].inputs", "one"),
    (contact_set(levels=["none", "0 %", "0 %"], **ONE), "contact_sets[0].levels", "inactive"),
    (contact_set(levels=["none", "0 %", "0 %"], **HOT), "contact_sets[0].levels", "none active"),
    (contact_set(patterns=["11"], **TABLE), "contact_sets[0].levels", "1 pattern"),
    (contact_set(patterns=["11", "10", "01", "0"], **TABLE), "contact_sets[0].patterns[3]", "x"),
    (contact_set(patterns=["11", "10", "0x", "11"], **TABLE), "contact_sets[0].patterns[3]", "11"),
    (contact_set(patterns=["11", "10", "0x", "21"], **TABLE), "contact_sets[0].patterns", "10x"),
    (contact_set(patterns=["11"]), "contact_sets[0].patterns", "table"),
    (contact_set(inputs=["PB.input1", "PB.input1"]), "contact_sets[0].inputs[1]", "twice"),
    (contact_set(inputs=["PB.input1", "PB.input4"]), "contact_sets[0].inputs[1]", "S0"),
    (contact_set(inputs=["PB.input1", "M3.input1"]), "contact_sets[0].inputs[1]", "M3"),
    (contact_set(inputs=["PB.input1", "input2"]), "contact_sets[0].inputs", "PB.input1"),
    (contact_set(levels=["none", "130 %", "0 %", "0 %"]), "contact_sets[0].levels[1]", "130 %"),
    (contact_set(levels=["none", "60 mW", "0 %", "0 %"]), "contact_sets[0].levels", "60 %"),
    (contact_set(levels=["none", "60 %", "0 mA", "0 %"]), "contact_sets[0].levels", "%, mA"),
    (contact_set(levels=["none"] * 4), "contact_sets[0].levels", "nothing"),
    (contact_set(levels=DIM, **ONE), "contact_sets[0].levels[1]", "dimming.enabled"),
    (contact_set(id="X1"), "contact_sets[0].id", "C1"),
    (channel(failsafe="dim"), "channels[0].failsafe", "dimming.enabled"),
    (channel(failsafe="none"), "channels[0].failsafe", "dim"),
    (channel(failsafe="160 %"), "channels[0].failsafe", "160 %"),
    (channel(channel="sunspec"), "channels[0].channel", "sunspec_server.enabled"),
    (channel(channel="mqtt"), "channels[0].channel", "sunspec, http"),
    (channel(duration_s=60), "channels[0].duration_s", "7200"),
    (channel(timeout_s=-1), "channels[0].timeout_s", "0"),
]


def test_each_fault_names_its_field_and_changes_nothing():
    made = settings()
    before = str(made.doc)
    for patch, field, part in FAULTS:
        try:
            made.apply(patch)
            raise AssertionError("taken: %s" % (patch,))
        except Refusal as error:
            assert error.field.startswith(field), (patch, error.field)
            for lang in ("en", "de"):
                text = error.text(lang)
                assert text.startswith(field) and "{" not in text and len(text) < 250
            assert part in error.text(), error.text()
    assert str(made.doc) == before


def test_what_makes_sense_is_taken():
    made = settings()
    made.apply(contact_set())
    made.apply(contact_set(levels=["none", "0 mA"], **ONE))
    made.apply(contact_set(levels=["0 %", "100 %", "60 %", "30 %"], **HOT))
    patterns = ["1x", "01", "00"]
    made.apply(contact_set(levels=["0 %", "60 %", "none"], patterns=patterns, **TABLE))
    assert made.doc["contact_sets"][0]["patterns"] == patterns
    made.apply(channel())
    made.apply(channel(timeout_s=0, failsafe="dim"))  # never silent, so it never fails safe
    made.apply({"contact_sets": [], "channels": []})


def test_inputs_that_the_board_has_not():
    made = settings()
    doc = dict(made.doc)
    doc["contact_sets"] = [dict(BINARY, inputs=["PB.input1", "PB.input9"], patterns=[])]
    (error,) = operator_check.faults(doc, [1, 2, 3, 4])
    assert error.field == "contact_sets[0].inputs[1]" and "1, 2, 3, 4" in error.text()


def test_commands_are_read_or_refused():
    doc = settings().doc
    names = ("level", "seconds")

    def command(body, null=True):
        return operator_command.command(doc, body, names, 600, null)

    assert command({"level": "60 %"}) == (("percent", 60), None)
    assert command({"level": "none", "seconds": 5}) == (("none", None), 5)
    assert command({"level": None}, False) == (None, None)
    for body, field in (
        (None, "body"),
        ([], "body"),
        ({}, "level"),
        ({"level": 60}, "level"),
        ({"level": "60"}, "level"),
        ({"level": "dim"}, "level"),
        ({"level": "60 %", "seconds": 0}, "seconds"),
        ({"level": "60 %", "seconds": 601}, "seconds"),
        ({"level": "60 %", "seconds": 1.5}, "seconds"),
        ({"level": "60 %", "seconds": True}, "seconds"),
        ({"level": "60 %", "seconds": "9"}, "seconds"),
        ({"level": "60 %", "second": 9}, "second"),
    ):
        try:
            command(body)
            raise AssertionError(body)
        except Refusal as error:
            assert error.field == field, (body, error.field)
            assert error.text("de").startswith(field + " ") and "{" not in error.text()
    try:
        command({"level": "60 %"}, False)
        raise AssertionError
    except Refusal as error:
        assert error.field == "seconds"
