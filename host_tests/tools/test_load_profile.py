"""A year of a house: sums are right, seconds are a house's, and the same seed gives the same."""

import numpy
import pytest

from tools.twin.load_profile import DAY_S, House

SOME = range(0, 365, 13)


@pytest.fixture(scope="module")
def house():
    return House(seed=1)


def kwh(watts):
    return float(watts.sum()) / 3.6e6


def a_year(make):
    """kWh of a year, from each 13th day."""
    return sum(kwh(make(day)) for day in SOME) * 365 / len(SOME)


@pytest.mark.parametrize("seed", [1, 2])
def test_household_of_a_year(seed):
    plain = House(seed, annual_kwh=4500, heat_pump_kwh=0, flow_heater_w=0, pv_kwp=0)
    assert a_year(plain.day_w) == pytest.approx(4500, rel=0.05)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_roof_gives_what_german_roofs_give(seed):
    roof = House(seed, pv_kwp=1)
    of_days = [kwh(roof.pv_w(day)) for day in range(0, 365, 5)]
    assert 900 <= sum(of_days) * 365 / len(of_days) <= 1050
    months = numpy.array(of_days)
    assert months[30:43].mean() > 3 * numpy.r_[months[:6], months[-6:]].mean()  # summer, winter
    assert roof.pv_w(172).max() <= 900 and roof.pv_w(172)[:10000].max() == 0


@pytest.mark.parametrize("inverter", [True, False])
def test_the_heat_pump_of_a_year(inverter):
    house = House(heat_pump_kwh=4500, inverter=inverter)
    none = House(heat_pump_kwh=0)
    by_day = [kwh(house.day_w(day) - none.day_w(day)) for day in SOME]
    assert sum(by_day) * 365 / len(SOME) == pytest.approx(4500, rel=0.05)
    assert numpy.mean(by_day[:4]) > 4 * numpy.mean(by_day[13:16])  # winter, summer


def test_a_flow_heater_takes_no_more_than_it_has():
    alone = House(flow_heater_w=21000)
    none = House(flow_heater_w=0)
    on_w = alone.day_w(17) - none.day_w(17)
    assert on_w.max() == pytest.approx(7000, rel=0.25) and on_w.max() <= 7001
    # It starts within a second, on all phases alike.
    assert numpy.diff(on_w[:, 0]).max() > 2000
    assert numpy.allclose(on_w[:, 0], on_w[:, 2])


def test_the_seconds_of_a_day(house):
    current_ma = house.day(100)
    assert current_ma.shape == (DAY_S, 3) and current_ma.dtype == numpy.int32
    steps_ma = numpy.diff(current_ma, axis=0).max(axis=0)
    assert steps_ma[0] > 9000  # the kettle, at once
    assert current_ma.min() < 0  # the sun, in April
    assert len({current_ma[:, phase].mean() for phase in range(3)}) == 3


def test_same_seed_same_day_whatever_came_before(house):
    house.day(5)
    assert (house.day(200) == House(seed=1).day(200)).all()
    assert not (house.day(200) == House(seed=2).day(200)).all()
    assert not (house.day(200) == house.day(201)).all()


def test_clouds_come_and_go_in_seconds_not_at_once():
    roof = House(pv_kwp=10)
    steepest = max(numpy.abs(numpy.diff(roof.pv_w(day))).max() for day in range(150, 170))
    assert 150 < steepest < 2500
