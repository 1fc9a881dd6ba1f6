"""Seldom used modules leave the RAM and come back, and what they made lives on."""

import gc
import sys

import formula
from controller.unload import unload


def lookup(name, field):
    return 5


def test_a_formula_outlives_its_parser_and_another_can_be_parsed():
    expression = formula.parse("max(a, 3) * 2")
    assert "formula.parser" in sys.modules
    unload()
    assert "formula.parser" not in sys.modules
    assert expression.value(lookup) == 10
    assert formula.parse("a + 1").value(lookup) == 6
    unload()
    unload()


def test_templates_outlive_their_checker():
    from controller import data
    from modbus.template import Template

    template = Template(data.load_json("templates/sdm630.json"))
    assert "modbus.checker" in sys.modules
    unload()
    assert "modbus.checker" not in sys.modules
    assert template.blocks
    assert Template(data.load_json("templates/keba_p30.json")).kind == "evse"


def test_the_heap_gets_it_back():
    if sys.implementation.name != "micropython":
        return
    formula.parse("1 + 1")
    gc.collect()
    loaded = gc.mem_alloc()
    unload()
    gc.collect()
    assert loaded - gc.mem_alloc() > 2000
