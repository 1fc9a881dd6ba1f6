"""Every name of the cFos formula documentation (reference/seeds/formulas.txt) has its meaning."""

from fakes.named_site import Controller

from controller.clock import Clock
from formula import FormulaError, parse

# A test controller is prepared as fakes/named_site.py says.
NAMES = """
M1.current_l1 9000|M1.current_l2 8000|M1.current_l3 2000|M1.power_w 4300|M1.import_wh 5000
M1.export_wh 300|M1.id 7|M1.voltage_l1 230|M1.reactive_power -120|M1.dt 0.5
M1.com_err 0|M1.com_err2 0
M3.soc 40|M2.power_w -3000
E1.offered 12000|E1.id 7|E1.txn_duration 600|E1.charging_dur 500
E1.txn_energy 1500|E1.import_wh 21500
E1.power_w 4600|E1.min_current 6000|E1.max_current 16000|E1.state 3|E1.cphases 2|E1.pphases 3
E1.surplus_pcur 434|E1.surplus_wanted 0|E1.com_err 0|E1.com_err2 0|E1.plugin_energy 1500
E1.plugin_start 1799999400|E1.switch_phases -1|E1.departure 0|E1.req_energy 0|E1.dt 0.5
E1.lb_cur 0|E1.lb_cur_l1 0|E1.lb_cur_l2 0|E1.lb_cur_l3 0
E2.state 1|E2.cphases 0|E2.txn_duration 0|E2.txn_energy 0|E2.plugin_start 0|E2.offered 0
date.weekday 6|date.dayminute 700|PB.input1 1|PB.input2 0
CM._num_charging 1|CM._num_charging1 1|CM._max_total_current 34000|CM._max_total_evse_current 25000
CM._surplus 300|CM._org_surplus 300|CM._storage_home_max_capacity 10000
CM._storage_home_capacity 4000
CM._storage_home_soc 40|CM._storage_all_soc 55|CM._max_total_current_prc 100|CM._dt 0.0
CM._flag1 0|CM._flag32 0
GM.grid_demand.power_w 4300|GM.consumed.power_w 2700|GM.produced.power_w 3000
GM.consumed_evse.power_w 4600|GM.available_evse.power_w 13800|GM.surplus.power_w 300
GM.storage_home.power_w 0|GM.storage_all.power_w 0|GM.error.power_w 0
GM.org_surplus.power_w 300|GM.remaining_evse.power_w 9200
GM.grid_demand.current_l1 9000|GM.grid_demand.current_l2 8000|GM.grid_demand.current_l3 2000
GM.grid_demand.import_wh 5000|GM.grid_demand.export_wh 300|GM.consumed_evse.import_wh 21600
GM.prod_pwr.current_l1 4348|GM.cons_pwr.power_w 2700|GM.produced.import_wh 0
"""

# Not there: nobody has budgets, no box or meter here has inputs, nobody has set a price.
ABSENT = """
E1.budget E1.budget_amount E1.budget_used M1.input1 E1.input1 M1.soc V1.soc V1.range M9.power_w
CM._price CM._price_level CM._set_price CM._flag0 CM._flag33 CM._nothing CM.var1 M1.anything
CM._storage_all_max_capacity CM._storage_all_capacity GM.nothing.power_w GM.surplus
GM.surplus.x PB.input9
M1.state M1.budget CM._storage_x_soc date.nothing GM.surplus.current M1.current
"""


DATES = (
    "year 2026|month 10|day 21|weekday 6|yearday 324|hour 5|minute 59|second 30|daysecond 21570|"
    "dayminute 359|dst 0|timestamp 1795237170"
)


def value(controller, text):
    return parse(text).value(controller.names.lookup)


def test_every_name():
    controller = Controller()
    for name in ("grid_demand", "consumed_evse", "produced"):
        value(controller, "exists(GM.%s.import_wh)" % name)  # counted from then on
    controller.feed()
    for item in NAMES.strip().replace("\n", "|").split("|"):
        name, wanted = item.split(" ")
        got = value(controller, name)
        assert got == float(wanted), (name, got)
        assert value(controller, name.upper()) == got
        assert value(controller, "exists(%s)" % name) == 1, name


def test_every_name_of_the_date():
    clock = Clock("CET-1CEST,M3.5.0,M10.5.0/3")
    clock.set_utc(1795237170)
    controller = Controller()
    controller.clock = clock
    for item in DATES.split("|"):
        name, wanted = item.split(" ")
        assert value(controller, "date." + name) == int(wanted), name


def test_what_is_not_there():
    controller = Controller()
    for name in ABSENT.split():
        assert value(controller, "exists(%s)" % name) == 0, name
        try:
            value(controller, name)
        except FormulaError as error:
            assert error.code in ("unknown_name", "no_value"), name
        else:
            raise AssertionError(name)


def test_current_is_that_of_the_phase_at_hand():
    controller = Controller()
    for text, wanted in (
        ("M1.current", [9000, 8000, 2000]),
        ("GM.grid_demand.current", [9000, 8000, 2000]),
        ("gm.PROD_PWR.current", [4348, 4348, 4348]),
        ("16000 - M1.current", [7000, 8000, 14000]),
    ):
        got = [parse(text).value(lookup) for lookup in controller.names.lookups]
        assert got == wanted, text
    try:
        controller.names.lookups[0]("e1", "min_current_x")
    except KeyError:
        pass
    assert controller.names.lookups[0]("e1", "max_current") == 16000


def test_lines_of_a_box_that_is_wired_in_turn():
    controller = Controller()
    box = controller.devices["E1"]
    box.readings.update({"current_l1_ma": 10, "current_l2_ma": 20, "current_l3_ma": 30})
    controller.evses["E1"].phase_rotation = 120  # its L1 is the house's L2
    got = [parse("E1.current").value(lookup) for lookup in controller.names.lookups]
    assert got == [30, 10, 20]
    assert value(controller, "E1.current_l1") == 10


def test_the_meter_of_a_box_replaces_its_readings():
    controller = Controller()
    controller.devices["E1"].config["meter"] = "M2"
    assert value(controller, "E1.power_w") == -3000 and value(controller, "E1.offered") == 12000
    controller.devices["M2"].com_error = True
    assert value(controller, "E1.power_w") == 4600


def test_a_device_that_is_silent():
    controller = Controller()
    device = controller.devices["E1"]
    device.com_error = True
    device.error_since_ms = controller.clock.ms - 11000
    for name, wanted in (("state", 6), ("com_err", 1), ("com_err2", 0), ("offered", 12000)):
        assert value(controller, "E1." + name) == wanted, name
    device.error_since_ms -= 2000
    assert value(controller, "E1.com_err2") == 1
    assert value(controller, "exists(E1.power_w)") == 0


def test_surplus_wanted_is_what_the_rules_say():
    class Wishes:
        def by_surplus(self, id):
            return id == "E1"

    controller = Controller()
    controller.wishes = Wishes()
    assert value(controller, "E1.surplus_wanted") == 1
    assert value(controller, "E2.surplus_wanted") == 0


def test_without_a_trusted_clock_the_time_of_plugging_in_is_unknown():
    controller = Controller()
    controller.clock.trusted = False
    assert value(controller, "exists(E1.plugin_start)") == 0
    assert value(controller, "E1.txn_duration") == 600


def test_parameters_of_rules_are_names():
    seen = []

    def lookup(name, field):
        seen.append((name, field))
        return 5

    assert parse("param(7) + PARAM( 12 )").value(lookup) == 10
    assert seen == [("param", "7"), ("param", "12")]
    assert parse("exists(param(7))").names == (("param", "7"),)
    for text, code in (("param(x)", "bad_param"), ("param(1.5)", "bad_param"), ("param()", None)):
        try:
            parse(text)
        except FormulaError as error:
            assert code in (None, error.code)
        else:
            raise AssertionError(text)
