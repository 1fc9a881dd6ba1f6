"""Meters that count the other way round; batteries by template."""

import struct

from controller import data
from controller.inverted import Inverted, turn
from modbus.template import Template


def test_what_is_turned():
    values = {"power_w": 5, "current_l1_ma": 20, "power_l1_w": 3, "current_l2_ma": 7, "soc": 50}
    turn(values)
    expected = {"power_w": -5, "current_l1_ma": -20, "power_l1_w": -3, "current_l2_ma": -7}
    expected["soc"] = 50
    assert values == expected
    values = {"power_w": None, "import_wh": 9, "reactive_power_var": 4, "power_l1_w": 0}
    turn(values)
    assert values == {
        "power_w": None,
        "export_wh": 9,
        "reactive_power_var": -4,
        "power_l1_w": 0,
    }
    # A current without a sign gets that of its turned power.
    values = {"power_l3_w": -700, "current_l3_ma": 3000}
    turn(values)
    assert values == {"power_l3_w": 700, "current_l3_ma": 3000}


def test_an_inverted_template_keeps_what_depends_on_other_blocks():
    inverted = Inverted(Template(data.load_json("templates/sdm72.json")))
    values = {}
    powers = struct.pack(">3f", 500, -600, 0)
    currents = struct.pack(">3f", 2.5, 3, 0)
    for _ in range(3):
        inverted.decode(0, powers, 0, values)
        inverted.decode(1, currents, 0, values)
        assert [values["power_l%d_w" % n] for n in (1, 2, 3)] == [-500, 600, 0]
        assert [values["current_l%d_ma" % n] for n in (1, 2, 3)] == [-2500, 3000, 0]
        inverted.decode(3, struct.pack(">2f", 7, 8), 0, values)
        assert (values["import_wh"], values["export_wh"], values["power_w"]) == (8000, 7000, 100)


def test_batteries_and_inverters_by_template():
    values = {}
    battery = Template(data.load_json("templates/victron_gx_battery.json"))
    battery.decode(0, struct.pack(">hH", -1234, 56), 0, values)
    assert values == {"power_w": -1234, "soc": 56} and battery.blocks == ((3, 842, 2, 1000),)
    grid = Template(data.load_json("templates/victron_gx_grid.json"))
    grid.decode(0, struct.pack(">3h", -100, 50, 300), 0, values)
    assert values["power_w"] == 250 and values["power_l1_w"] == -100
    solax = Template(data.load_json("templates/solax_hybrid_battery.json"))
    solax.decode(0, struct.pack(">7h", 900, 0, 0, 0, 0, 0, 44), 0, values)
    assert (values["power_w"], values["soc"]) == (900, 44)
    assert solax.blocks == ((4, 22, 7, 1000),)
