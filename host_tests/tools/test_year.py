"""Days of the simulated year: what `make year` promises, and that it counts rightly."""

import numpy
import pytest

from tools.year import cars, clairvoyant, figures, world
from tools.year.__main__ import run_day

HOUR_S = 3600
LIMIT_MA = 35000
UNBALANCE_MA = 20000


def house(base_ma=(1500, 1000, 800)):
    return numpy.tile(numpy.array(base_ma, numpy.int32), (world.DAY_S, 1))


def dinner():
    """Kettle, hob, oven and an 18 kW flow heater come and go while three cars charge."""
    house_ma = house()
    for minute in range(0, 120, 3):
        at_s = 6 * HOUR_S + 60 * minute
        house_ma[at_s : at_s + 90, 1] += 8700  # hob
        house_ma[at_s + 20 : at_s + 60, 2] += 7800
    for minute in range(0, 120, 10):
        at_s = 6 * HOUR_S + 60 * minute + 37
        house_ma[at_s : at_s + 150, 0] += 9600  # kettle
        house_ma[at_s + 60 : at_s + 70 + 4 * minute] += 26100  # flow heater: 10 s to 8 min
    house_ma[8 * HOUR_S : 9 * HOUR_S, 1] += 10900  # oven
    return house_ma


def three():
    return [
        cars.Stay(0, 3, 5.5 * HOUR_S, 12 * HOUR_S, 30000),
        cars.Stay(1, 1, 5.6 * HOUR_S, 12 * HOUR_S, 18000),
        cars.Stay(2, 2, 6.2 * HOUR_S, 9.5 * HOUR_S, 15000),
    ]


def judged(house_ma, stays, **changes):
    done = world.World(LIMIT_MA, **changes).day(house_ma, stays)
    most_wh = clairvoyant.day_wh(house_ma, stays, LIMIT_MA, UNBALANCE_MA, done.delivered_wh())
    return done, figures.of_day(0, done, most_wh, house_ma[:600])


def test_dinner_with_three_cars_blows_no_fuse():
    done, day = judged(dinner(), three())
    assert day["house_over_s"][1] > 60, "the house alone is above the fuse at times"
    assert day["trips"] == [0, 0, 0]
    assert 0 < max(day["longest_s"]) <= figures.MOST_OVER_S
    assert sum(day["wh"]) >= figures.LEAST_SHARE * sum(day["most_wh"])


@pytest.mark.parametrize("day", [1, 137])
def test_hard_days_of_the_year(day):
    """The flow heater at dinner; passing clouds while a car gets what the sun gives."""
    _, found = run_day(1, 2025, day, LIMIT_MA)
    whole = figures.of_year([found])
    assert figures.missed(whole) == []
    assert found["charging_s"] > 1000


def test_without_load_management_fuses_open_and_it_is_told(monkeypatch):
    monkeypatch.setattr(world.Site, "decide", offer_all)
    _, day = judged(dinner(), three())
    told = figures.missed(figures.of_year([day]))
    assert any("tripped" in goal for goal in told) and any("lasted" in goal for goal in told)


def offer_all(site, now_ms, ready, lookups):
    for evse in site.evses:
        evse.setpoint_ma = evse.config_max_ma


def offer_little(site, now_ms, ready, lookups):
    for evse in site.evses:
        evse.setpoint_ma = 6000


def test_too_little_energy_is_told(monkeypatch):
    monkeypatch.setattr(world.Site, "decide", offer_little)
    _, day = judged(house(), three())
    assert ["clairvoyant" in goal for goal in figures.missed(figures.of_year([day]))] == [True]


def test_what_is_left_out_changes_nothing():
    """Also with an overdraft before: the site remembers that for minutes."""
    house_ma = house()
    house_ma[HOUR_S : HOUR_S + 120, 0] += 36000
    stays = [
        cars.Stay(0, 3, HOUR_S + 360, 1.5 * HOUR_S, 4000),
        cars.Stay(1, 1, 1.2 * HOUR_S, 2.2 * HOUR_S, 1000),
        cars.Stay(2, 2, 4 * HOUR_S, 5 * HOUR_S, 3000),
    ]
    part = world.World(LIMIT_MA).day(house_ma, stays)
    whole = world.World(LIMIT_MA).day(house_ma, stays, skip=False)
    assert part.decided_s < whole.decided_s / 4 and whole.decided_s == world.DAY_S
    assert (part.cars_ma == whole.cars_ma).all()
    assert part.delivered_wh() == whole.delivered_wh()


def test_the_clairvoyant_knows_the_rows():
    """One 3-phase car alone for an hour; then what the fuse leaves; then the unbalance."""
    one = [cars.Stay(0, 3, HOUR_S, 2 * HOUR_S, 50000)]
    assert clairvoyant.most_wh(house(), one, LIMIT_MA, UNBALANCE_MA) == pytest.approx([11040])
    assert clairvoyant.most_wh(house((29000, 0, 0)), one, LIMIT_MA, None) == pytest.approx([4140])
    van = [cars.Stay(1, 1, HOUR_S, 2 * HOUR_S, 50000)]
    assert clairvoyant.most_wh(house(), van, LIMIT_MA, None) == pytest.approx([7360])
    assert clairvoyant.most_wh(house(), van, LIMIT_MA, UNBALANCE_MA) == pytest.approx([4600])
    van[0].need_wh = 1000
    assert clairvoyant.most_wh(house(), van, LIMIT_MA, UNBALANCE_MA) == pytest.approx([1000])


def test_longest_stretch():
    assert figures.longest(numpy.array([0, 1, 1, 0, 1, 1, 1], bool)) == 3
    assert figures.longest(numpy.zeros(5, bool)) == 0


def test_the_same_seed_makes_the_same_stays():
    first, again, other = [
        [(stay.evse, stay.start_s, stay.end_s, stay.need_wh) for stay in cars.stays(seed, 2025, 9)]
        for seed in (1, 1, 2)
    ]
    assert first == again != other
    for day in range(60):
        here = cars.stays(1, 2025, day)
        assert all(0 < stay.start_s < stay.end_s < world.DAY_S for stay in here)
        for stay in here:
            same = [other for other in here if other.evse == stay.evse and other is not stay]
            assert all(o.end_s < stay.start_s or o.start_s > stay.end_s for o in same)
