"""Days with the sun: what `make days` promises, on parts of days, and that it counts rightly."""

import numpy
import pytest

from tools.days import figures, plans, world


def figures_of(name, seed, first_h=8, last_h=13.5):
    return figures.of_day(world.run(plans.named(name), seed, first_h, last_h))


def steady(name, sun_w, hours=1.0, **settings):
    """A plan's cars, at noon, with a steady sun and a house of 400 W."""
    plan = plans.named(name)
    changed = plans.Plan(name, "", plan.day, plan.kwp, plan.stays, None, plan.battery)
    changed.settings.update(plan.settings, **settings)
    powers = numpy.full(world.DAY_S, 400.0), numpy.full(world.DAY_S, float(sun_w))
    return world.run(changed, 1, 12, 12 + hours, powers)


def test_many_clouds():
    """Little of it comes from the grid, no box flips more often than its lock-outs allow."""
    found = figures_of("cloudy", 1, 7, 18)
    assert found["car_wh"][0] > 8000
    assert figures.missed([found]) == []


def test_battery_first_and_cars_first():
    both = [figures_of(name, 1) for name in ("battery_first", "cars_first")]
    assert figures.missed(both) == []
    first, cars = both
    assert first["battery_noon_wh"] > 8000 > 1000 > cars["battery_noon_wh"]
    assert cars["car_noon_wh"] > 14000


@pytest.mark.parametrize("target_w", [0, 500, -500])
def test_a_steady_sun_is_used_to_within_a_step(target_w):
    day = steady("sunny", 9000, target_power_from_grid=target_w)
    found = figures.of_day(day)
    assert found["calm_s"] > 1800
    assert found["calm_error_w"][1] <= figures.ERROR_W
    settled = day.grid_w[-1200:]
    assert abs(settled.mean() - target_w) <= figures.ERROR_W


def test_one_phase_where_the_sun_is_too_weak_for_three():
    weak = steady("switching", 3000, 0.7)
    assert set(weak.phases[-600:, 0]) == {1}
    assert weak.cars_w[-600:, 0].min() > 2300
    strong = steady("switching", 6500, 0.7)
    assert set(strong.phases[-600:, 0]) == {3}
    assert strong.switchings <= 2


def test_filter_and_lock_outs_work():
    """Without them the same clouds make it switch more often; and the shortest gap is found."""
    hasty = plans.Plan("hasty", "", 135, 10, plans.named("cloudy").stays, {"cover_pct": 45})
    hasty.settings.update(cloud_filter_mode=0, hysteresis_s=10)
    found = figures.of_day(world.run(hasty, 1, 9, 13))
    calm = figures_of("cloudy", 1, 9, 13)
    assert found["switchings"] + found["starts"] > 2 * (calm["switchings"] + calm["starts"])
    assert found["off_s"] < figures.LOCK_OUT_S and figures.missed([found])
