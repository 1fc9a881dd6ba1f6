"""Calculated meters: formulas for fields, sums that lose nothing, averages."""

from chargecontrol.expression_meter import Average, ExpressionMeter
from formula import FormulaError, parse


class Outside:
    """What other names mean: lookup for no phase, lookups for each."""

    def __init__(self, **values):
        self.values = values
        self.lookups = [self._of(phase) for phase in (1, 2, 3)]

    def _of(self, phase):
        def lookup(name, field):
            return self.lookup(name, field + "_l%d" % phase if field == "current" else field)

        return lookup

    def lookup(self, name, field):
        return self.values[(name + "_" if name else "") + field]


def update(meter, outside, now_ms):
    meter.update(now_ms, outside.lookup, outside.lookups)
    return meter.values


def meter_of(kept=None, **formulas):
    return ExpressionMeter("m5", formulas, kept)


def test_the_first_formula_of_a_current_serves_all_phases():
    outside = Outside(m1_current_l1=10, m1_current_l2=20, m1_current_l3=30)
    meter = meter_of(current_l1="2 * M1.current")
    assert update(meter, outside, 0) == {"current_l1": 20, "current_l2": 40, "current_l3": 60}
    meter = meter_of(current_l1="M1.current", current_l2="M1.current + 1", current_l3=0)
    assert update(meter, outside, 0) == {"current_l1": 10, "current_l2": 21, "current_l3": 0}
    assert meter.names == {("m1", "current")}


def test_own_names_and_dt():
    outside = Outside(m1_power_w=300, avail=7)
    meter = meter_of(power_w="M1.power_w + avail", soc="power_w + M5.power_w", x="dt")
    assert update(meter, outside, 1000) == {"power_w": 307, "soc": 614, "x": 0}
    assert update(meter, outside, 3500)["x"] == 2.5
    # Alphabetical order: soc is later than power_w, energies come last.
    meter = meter_of(export_wh="soc", soc="power_w", power_w="import_wh", import_wh="7")
    update(meter, outside, 0)
    assert meter.values == {"power_w": 0, "soc": 0, "export_wh": 0, "import_wh": 7}
    update(meter, outside, 0)
    assert meter.values == {"power_w": 7, "soc": 7, "export_wh": 7, "import_wh": 7}


def test_smoothing_converges_to_the_true_value():
    outside = Outside(m1_power_w=1000, m1_current_l1=3, m1_current_l2=-4000, m1_current_l3=7001)
    meter = meter_of(
        power_w="(power_w * (20 - dt) + M1.power_w * dt) / 20",
        current_l1="(current * (20 - dt) + M1.current * dt) / 20",
    )
    update(meter, outside, 0)
    update(meter, outside, 1000)
    assert meter.values["power_w"] == 50
    for second in range(2, 400):
        update(meter, outside, 1000 * second)
    rounded = [round(meter.values[n]) for n in ("power_w", "current_l2", "current_l3")]
    assert rounded == [1000, -4000, 7001]


def test_what_only_adds_is_recognised():
    own = [("", "import_wh"), ("m5", "import_wh")]
    for text, wanted in (
        ("import_wh + M1.power_w * dt / 3600", True),
        ("M1.power_w * dt / 3600 + M5.import_wh", True),
        ("import_wh + a - b", True),
        ("import_wh", True),
        ("dt > 5 ? import_wh : import_wh + a", True),
        ("a ? 0 : import_wh + b", True),
        ("a ? import_wh + b : b ? import_wh : 0", True),
        ("(a ? import_wh : 0) + b", True),
        ("a - import_wh", False),
        ("import_wh + import_wh", False),
        ("import_wh > 5 ? 0 : import_wh + 1", False),
        ("a ? import_wh * 2 : import_wh", False),
        ("a ? import_wh : 2 * import_wh", False),
        ("a ? b : 2 * import_wh", False),
        ("import_wh * 1 + a", False),
        ("max(import_wh, a)", False),
        ("M1.import_wh + a", False),
        ("5", False),
    ):
        assert parse(text).adds_to(own) is wanted, text


def test_a_sum_is_exact_and_kept():
    outside = Outside(m1_power_w=1, m1_import_wh=3, on=1, reset=0)
    meter = meter_of(
        import_wh="import_wh + M1.power_w * dt / 3600",
        export_wh="reset ? 0 : on ? export_wh + 1 : export_wh",
    )
    for second in range(3600):
        update(meter, outside, 1000 * second)
        if second == 1799:
            assert meter.values == {"import_wh": 0, "export_wh": 1800}
    assert meter.values == {"import_wh": 1, "export_wh": 3600}
    update(meter, outside, 3600000)
    outside.values["on"] = 0
    update(meter, outside, 3601000)
    assert meter.values["export_wh"] == 3601
    again = meter_of(
        meter.kept(),
        import_wh="import_wh + M1.power_w * dt / 3600",
        export_wh="reset ? 0 : on ? export_wh + 1 : export_wh",
    )
    assert again.values == {"import_wh": 1, "export_wh": 3601}
    update(again, outside, 0)
    outside.values["reset"] = 1
    outside.values["m1_power_w"] = -7200
    update(again, outside, 1000)
    assert again.values == {"import_wh": -1, "export_wh": 0}


def test_a_formula_that_fails_spoils_no_other():
    outside = Outside(m1_power_w=100, big=1 << 50)
    meter = meter_of(
        power_w="(power_w + M1.power_w) / 2",
        import_wh="import_wh + M1.power_w * dt",
        soc="5",
        x="big",
    )
    update(meter, outside, 0)
    update(meter, outside, 1000)
    assert list(meter.errors) == ["x"] and meter.errors["x"].code == "too_large"
    assert meter.values["power_w"] == 75 and meter.values["import_wh"] == 100
    del outside.values["m1_power_w"]
    update(meter, outside, 2000)
    assert sorted(meter.errors) == ["import_wh", "power_w", "x"] and meter.values["soc"] == 5
    assert meter.errors["power_w"].column == 12
    outside.values["m1_power_w"] = 100
    update(meter, outside, 3000)
    assert sorted(meter.errors) == ["x"]
    assert meter.values["power_w"] == 87.5 and meter.values["import_wh"] == 200


def test_a_formula_with_a_fault_is_refused():
    try:
        meter_of(power_w="1 +")
    except FormulaError as error:
        assert error.column == 4
    else:
        raise AssertionError


def test_average():
    average = Average()
    assert average.update(0, {"power_w": 1000, "x": None}) == {"power_w": 1000, "x": None}
    for second in range(1, 61):
        got = average.update(1000 * second, {"power_w": 0, "x": 5})
    assert 360 < got["power_w"] < 380 and got["x"] == 5
    for second in range(61, 1200):
        got = average.update(1000 * second, {"power_w": -77, "x": None})
    assert got == {"power_w": -77, "x": None}
