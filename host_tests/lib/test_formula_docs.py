"""docs/formulas.md tells the truth, and every error has its sentence in two languages."""

import ast
import json
import re
from pathlib import Path

import pytest
from fakes.named_site import Controller

from chargecontrol.balance import COUNTERS, FIELDS
from controller.calculated import CalculatedMeter
from formula import FormulaError, parse
from formula.sentences import SENTENCES

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = (ROOT / "docs" / "formulas.md").read_text()
METERS = (ROOT / "docs" / "calculated-meters.md").read_text()
LINE = re.compile(
    r"(?P<formula>.+?) +-> "
    r"(error (?P<column>\d+): (?P<error>.+)|(?P<value>\S+)( +with (?P<with>.+))?)"
)
EXAMPLES = [
    line
    for block in re.findall(r"```formula\n(.*?)```", DOCUMENT + METERS, re.DOTALL)
    for line in block.splitlines()
]


def test_there_are_examples():
    assert len(EXAMPLES) > 40
    assert DOCUMENT.count("```") == 2 * DOCUMENT.count("```formula")
    assert METERS.count("```") == 2 * (METERS.count("```formula") + METERS.count("```json"))
    assert len(SETTINGS) > 1


@pytest.mark.parametrize("line", EXAMPLES)
def test_example(line):
    example = LINE.fullmatch(line)
    assert example, line
    values = dict(
        part.strip().lower().split(" = ") for part in (example["with"] or "").split(",") if part
    )

    def lookup(name, field):
        return int(values[name + "." + field if name else field])

    try:
        value = parse(example["formula"]).value(lookup)
    except FormulaError as error:
        assert (str(error.column), str(error)) == (example["column"], example["error"])
    else:
        assert example["value"] and repr(value) == example["value"]


def test_names_in_the_prose_are_those_of_the_firmware():
    """What the tables of names say is what the firmware answers to."""
    controller = Controller()
    controller.variables.set_many([("_set_price", 1), ("_set_price_level", -4)])
    for storage in ("M3", "M4"):
        controller.devices[storage].config["capacity_wh"] = 1000
    for name in re.findall(r"`(CM\._\w+)`", DOCUMENT):
        assert parse("exists(%s)" % name).value(controller.names.lookup), name
    for counter in [*COUNTERS, "prod_pwr", "cons_pwr"]:
        assert "`%s`" % counter in DOCUMENT, counter
        for field in FIELDS:
            controller.names.lookup("gm", counter + "." + field)
    members = DOCUMENT.split("### Members of a wallbox")[1].split("###")[0]
    for row in re.findall(r"^\| (`.*?) \|", members, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", row):
            assert parse("exists(E1.%s)" % name).value(controller.names.lookup), name


SETTINGS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", METERS, re.DOTALL)]


@pytest.mark.parametrize("config", SETTINGS, ids=lambda config: config["id"])
def test_meters_of_the_document(config):
    fields = json.loads((ROOT / "firmware/controller/schema/meters.json").read_text())["fields"]
    assert set(config) <= {field["name"] for field in fields}
    controller = Controller()
    meter = CalculatedMeter({"measure": None, "formulas": {}, **config}, None)
    meter.connect(controller)
    meter.sample(controller.clock.now_ms())
    assert not meter.problem and meter.readings["power_w"] is not None


def test_every_measure_is_described():
    fields = json.loads((ROOT / "firmware/controller/schema/meters.json").read_text())["fields"]
    measures = [field["values"] for field in fields if field["name"] == "measure"][0]
    for measure in measures:
        assert "`%s`" % measure in METERS, measure
        assert measure.replace("_avg", "") in COUNTERS


def test_every_function_and_sign_is_described():
    prose = re.sub("```.*?```", "", DOCUMENT, flags=re.DOTALL).replace("\\|", "|")
    described = set(re.findall(r"`([^`]+)`", prose))
    signs = "== != < <= > >= + - * / % ^ & | && || !".split()
    assert described.issuperset(signs), set(signs) - described
    for name in ("min", "max", "clamp", "round", "abs", "sqrt", "exists", "param"):
        assert any(each.startswith(name + "(") for each in described), name


def codes_in_the_source():
    """Literals given to FormulaError, and those that reach it through a variable."""
    codes = set()
    for path in (ROOT / "lib" / "formula").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "FormulaError":
                codes.update(
                    each.value
                    for each in ast.walk(node.args[0])
                    if isinstance(each, ast.Constant) and each.value != "?" and each.value != -1
                )
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "code":
                codes.add(node.value.value)
    return {code for code in codes if isinstance(code, str)}


def test_every_error_has_its_sentence():
    assert codes_in_the_source() == set(SENTENCES)


def test_sentences_of_the_firmware():
    texts = json.loads((ROOT / "firmware" / "texts" / "formula.json").read_text())
    assert set(texts) == set(SENTENCES)
    for code, (english, german) in texts.items():
        assert english == SENTENCES[code]
        assert german != english
        assert re.findall(r"\{\d\}", german) == re.findall(r"\{\d\}", english), code
