"""Calculated meters among the devices of a controller: expression and virtual."""

from fakes.named_site import Controller

from controller.calculated import CalculatedMeter
from formula import parse


def added(controller, id, kept=None, measure=None, role="display", **formulas):
    config = {
        "id": id,
        "template": "virtual" if measure else "expression",
        "role": role,
        "measure": measure,
        "formulas": formulas,
        "capacity_wh": None,
    }
    meter = CalculatedMeter(config, kept)
    meter.connect(controller)
    controller.devices[id] = meter
    return meter


def passed(controller, meters, seconds=1):
    """The time passes, and a cycle samples them in this order."""
    controller.clock.ms += seconds * 1000
    for meter in meters:
        meter.sample(controller.clock.ms)
    controller.feed()


def test_readings_are_integers_under_the_names_of_readings():
    controller = Controller()
    meter = added(
        controller,
        "M7",
        power_w="M1.power_w / 3 + M2.power_w",
        current_l1="M1.current / 2",
        voltage_l1="M1.voltage_l1",
        reactive_power="-M1.reactive_power",
        import_wh="M1.import_wh * 2",
        soc=50,
    )
    assert meter.com_error and meter.read_ms is None
    passed(controller, [meter])
    assert meter.readings == {
        "power_w": -1567,
        "current_l1_ma": 4500,
        "current_l2_ma": 4000,
        "current_l3_ma": 1000,
        "voltage_l1_v": 230,
        "reactive_power_var": 120,
        "import_wh": 10000,
        "soc": 50,
    }
    for number in meter.readings.values():
        assert isinstance(number, int)
    assert not meter.com_error and meter.problem is None and meter.kept() == {}
    # As old as the oldest reading that it is made of.
    assert meter.read_ms == controller.devices["M1"].read_ms
    got = [parse("M7.current").value(lookup) for lookup in controller.names.lookups]
    assert got == [4500, 4000, 1000]


def test_a_silent_source_is_said_and_others_go_on():
    controller = Controller()
    meter = added(controller, "M7", power_w="7 + M1.power_w", import_wh="import_wh + 100")
    passed(controller, [meter])
    controller.devices["M1"].com_error = True
    passed(controller, [meter])
    assert meter.problem == "power_w, column 5: The name m1.power_w is not known."
    assert meter.readings == {"power_w": None, "import_wh": 200} and not meter.com_error
    assert controller.names.lookup("m7", "power_w") is None
    text = meter.problem
    passed(controller, [meter])
    assert meter.problem is text  # put into words once
    controller.devices["M1"].com_error = False
    passed(controller, [meter])
    assert meter.problem is None and meter.readings == {"power_w": 4307, "import_wh": 400}
    # None can be computed: it is silent.
    meter = added(controller, "M8", power_w="M9.power_w", soc="1 / 0")
    passed(controller, [meter])
    assert meter.com_error and meter.error_since_ms == controller.clock.ms
    passed(controller, [meter])
    assert meter.error_since_ms == controller.clock.ms - 1000
    assert meter.problem == "power_w, column 1: The name m9.power_w is not known."


def test_meters_read_one_another_in_the_order_of_the_settings():
    controller = Controller()
    second = added(controller, "M8", power_w="M7.power_w + 1")
    first = added(controller, "M7", power_w="M1.power_w")
    passed(controller, [first, second])
    assert second.readings["power_w"] == 4301
    controller.devices["M1"].readings["power_w"] = 10
    passed(controller, [second, first])  # the other way round it is last time's
    assert second.readings["power_w"] == 4301
    passed(controller, [second, first])
    assert second.readings["power_w"] == 11


def test_a_loop_gives_the_values_of_last_time():
    controller = Controller()
    meters = [
        added(controller, "M7", power_w="exists(M8.power_w) ? M8.power_w + 1 : 0"),
        added(controller, "M8", power_w="M7.power_w + 10"),
    ]
    for wanted in (10, 21, 32):
        passed(controller, meters)
        assert meters[1].readings["power_w"] == wanted


def test_energy_survives_a_restart():
    controller = Controller()
    formulas = {"import_wh": "import_wh + M1.power_w * dt / 3600"}
    meter = added(controller, "M7", **formulas)
    for _ in range(61):
        passed(controller, [meter], 60)
    assert meter.readings["import_wh"] == 4300
    again = added(controller, "M7", meter.kept(), **formulas)
    passed(controller, [again])
    assert again.readings["import_wh"] == 4300
    # What an S0 meter of this id had kept is no sum.
    assert added(controller, "M7", 12345, **formulas).kept() == {"import_wh": 0}


def test_a_sum_on_top_of_much():
    """An hour in steps of a second here, a month on CPython: lib/test_single_floats.py."""
    controller = Controller()
    controller.devices["M1"].readings["power_w"] = 100
    meter = added(
        controller,
        "M7",
        {"import_wh": 40000000 << 30},
        **{"import_wh": "import_wh + M1.power_w * dt / 3600"},
    )
    for _ in range(3602):
        controller.clock.ms += 1000
        meter.sample(controller.clock.ms)
    assert meter.readings["import_wh"] == 40000100


def test_virtual_meters():
    controller = Controller()
    grid = added(controller, "M7", measure="grid_demand", role="grid")
    left = added(controller, "M8", measure="remaining_evse")
    passed(controller, [grid, left])
    assert grid.readings["import_wh"] is None  # counted from now on
    passed(controller, [grid, left])
    assert grid.readings == {
        "power_w": 4300,
        "current_l1_ma": 9000,
        "current_l2_ma": 8000,
        "current_l3_ma": 2000,
        "import_wh": 5000,
        "export_wh": 300,
    }
    assert left.readings["current_l3_ma"] == 20000 and grid.kept() is None
    assert parse("M7.power_w - GM.grid_demand.power_w").value(controller.names.lookup) == 0
    controller.devices["M1"].com_error = True
    passed(controller, [grid, left])  # the counters are those of the last cycle
    passed(controller, [grid, left])
    assert grid.com_error and grid.problem == "grid_demand is not known now"
    assert not left.com_error


def test_virtual_averages():
    controller = Controller()
    meter = added(controller, "M7", measure="grid_demand_avg")
    passed(controller, [meter])
    assert meter.readings["power_w"] == 4300
    controller.devices["M1"].readings["power_w"] = 0
    passed(controller, [meter])
    for _ in range(60):
        passed(controller, [meter])
    assert 1550 < meter.readings["power_w"] < 1650
    assert meter.readings["import_wh"] == 5000
