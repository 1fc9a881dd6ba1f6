"""Calculated meters on a chip with floats of 24 bits: energies are right after a month.

Every float that goes into a formula is rounded to single precision, and so is every result.
"""

import operator
import random
import struct

import pytest

from chargecontrol.expression_meter import ExpressionMeter

DAY_S = 86400
_SINGLE = struct.Struct("f")


class Float32(float):
    """A float that is rounded to 24 bits, and whose arithmetic is, too."""

    def __new__(cls, value):
        return super().__new__(cls, _SINGLE.unpack(_SINGLE.pack(value))[0])


def rounded(function, turned=False):
    def calculate(self, other=None):
        if other is None:
            return Float32(function(float(self)))
        other = float(Float32(other))  # also what the formula has as a constant
        return Float32(function(other, float(self)) if turned else function(float(self), other))

    return calculate


for name in ("add", "sub", "mul", "truediv", "pow"):
    setattr(Float32, "__%s__" % name, rounded(getattr(operator, name)))
    setattr(Float32, "__r%s__" % name, rounded(getattr(operator, name), True))
for name in ("pos", "neg", "abs"):
    setattr(Float32, "__%s__" % name, rounded(getattr(operator, name)))


class Ms(int):
    """A time in ms, of which the meter makes a float in s."""

    def __sub__(self, other):
        return Ms(int(self) - int(other))

    def __truediv__(self, other):
        return Float32(int(self) / other)


def run(formula, power, steps_ms, kept=None, start_wh=0):
    """The meter after all steps; power(s): what M1 says then."""
    meter = ExpressionMeter("m5", {"import_wh": formula}, kept)
    meter.values["import_wh"] = start_wh
    now_ms = 0
    load_w = power(0)

    def lookup(name, field):
        assert (name, field) == ("m1", "power_w")
        return load_w

    meter.update(Ms(0), lookup, ())
    for step_ms in steps_ms:
        now_ms += step_ms
        load_w = power(now_ms // 1000)
        meter.update(Ms(now_ms), lookup, ())
    assert not meter.errors
    return meter


def uneven(total_s, least_ms, most_ms, seed=1):
    rest_ms = total_s * 1000
    dice = random.Random(seed)
    while rest_ms:
        step_ms = min(rest_ms, dice.randint(least_ms, most_ms))
        rest_ms -= step_ms
        yield step_ms


def test_floats_are_single():
    x = Float32(16777216)
    assert x + 1 == x and 1 + x == x and type(-x) is Float32 and type(2 / x) is Float32
    assert Float32(0.1) != 0.1 and type(Ms(1500) / 1000) is Float32
    assert (Ms(7) - Ms(2)) / 1000 == Float32(0.005)


FORMULAS = (
    "import_wh + M1.power_w * dt / 3600",
    "M5.import_wh + dt * (M1.power_w / 3600)",
    "M1.power_w > 0 ? import_wh + M1.power_w * dt / 3600 : import_wh",
    "import_wh - M1.power_w * dt / -3600",
)


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_month_in_uneven_steps(formula):
    meter = run(formula, lambda s: Float32(100.0), uneven(30 * DAY_S, 5000, 15000))
    assert meter.values["import_wh"] == pytest.approx(72000, abs=2)


def test_a_day_in_steps_of_a_second_on_top_of_much():
    many = {"import_wh": 98765432 << 30}
    steps = uneven(DAY_S, 900, 1100)
    meter = run(FORMULAS[0], lambda s: 100, steps, many)
    assert meter.values["import_wh"] - 98765432 == pytest.approx(2400, abs=1)
    assert set(meter.kept()) == {"import_wh"}


def test_a_small_load_is_not_lost():
    meter = run(FORMULAS[0], lambda s: 1, [250] * (4 * DAY_S))
    assert meter.values["import_wh"] == 24


def test_a_load_that_changes_and_feeds_in():
    powers = [3000, -1500, 17, 0, 11000, -9]
    meter = run(FORMULAS[0], lambda s: powers[s // 600 % 6], [1000] * DAY_S)
    exact = sum(powers[s // 600 % 6] for s in range(1, DAY_S + 1)) / 3600
    assert meter.values["import_wh"] == pytest.approx(exact, rel=1e-4)


def test_as_a_plain_float_it_would_be_lost():
    """What all this is for: the same as a sum in one float."""
    formula = "(import_wh + M1.power_w * dt / 3600) * 1"
    day = run(formula, lambda s: 100, [1000] * DAY_S, start_wh=16000000)
    assert day.values["import_wh"] == 16000000


def test_smoothing_converges():
    formulas = {"power_w": "(power_w * (20 - dt) + M1.power_w * dt) / 20"}
    for power_w in (100, 7, -4321, 22000, 1000000):
        meter = ExpressionMeter("m5", formulas, None)
        now_ms = 0
        for step_ms in uneven(900, 900, 1100):
            now_ms += step_ms
            meter.update(Ms(now_ms), lambda name, field: power_w, ())  # noqa: B023
        assert meter.values["power_w"] == pytest.approx(power_w, abs=0.5, rel=1e-6)
        assert round(meter.values["power_w"]) == pytest.approx(power_w, rel=1e-6)
