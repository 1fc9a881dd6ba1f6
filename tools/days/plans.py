"""The days: sky, house, battery, who comes to charge, and what the power manager is set to."""

import functools

import numpy

from tools.twin import load_profile
from tools.twin.clouds import Clouds

HOUR_S = 3600
YEAR = 2025
POWER_MANAGER = {
    "phase_switching_mode": 0,
    "excess_charging_enable": True,
    "default_mode": 2,
    "meter_slot_grid_power": 0,
    "meter_slot_battery_power": 255,
    "battery_mode": 0,
    "battery_target_soc": 0,
    "battery_inverted": False,
    "battery_deadzone": 100,
    "target_power_from_grid": 0,
    "guaranteed_power": 1380,
    "cloud_filter_mode": 2,
    "hysteresis_s": 210,
    "phase_wait_s": 15,
}
_BATTERY = {"capacity_wh": 10000, "max_w": 5000, "soc": 10, "lag_ms": 2000}
SWITCHABLE, FIXED = 0, 1  # wallboxes


class Stay:
    """A car at a wallbox. lines: that it can use; ramp_s: from nothing to its full current;
    start_s, end_s: plugged in, of the day; need_wh: until it is full.
    """

    def __init__(self, box, lines, start_h, end_h, need_wh, ramp_s=4, max_ma=16000):
        self.box = box
        self.lines = lines
        self.start_s = int(start_h * HOUR_S)
        self.end_s = int(end_h * HOUR_S)
        self.need_wh = need_wh
        self.ramp_s = ramp_s
        self.max_ma = max_ma


class Plan:
    """A day. day: 0 is January 1; clouds: keys of tools.twin.clouds.Clouds, or None;
    battery: keys of tools.twin.battery.DEFAULTS, or None; settings: other than POWER_MANAGER.
    """

    def __init__(self, name, title, day, kwp, stays, clouds=None, battery=None, **settings):
        self.name = name
        self.title = title
        self.day = day
        self.kwp = kwp
        self.stays = stays
        self.clouds = clouds
        self.battery = battery
        self.settings = dict(POWER_MANAGER, **settings)
        if battery:
            self.settings["meter_slot_battery_power"] = 2


def _three(need_wh=45000, **more):
    return [Stay(SWITCHABLE, 3, 7, 20, need_wh, **more)]


PLANS = (
    Plan(
        "sunny",
        "a clear day in June, two cars",
        160,
        12,
        [Stay(SWITCHABLE, 3, 7, 20, 40000), Stay(FIXED, 2, 9, 18, 16000, ramp_s=2)],
    ),
    Plan(
        "cloudy",
        "a day in May with many clouds, one car",
        135,
        10,
        _three(),
        {"cover_pct": 45},
    ),
    Plan(
        "winter",
        "a day in February, a car of one phase",
        45,
        8,
        [Stay(SWITCHABLE, 1, 8, 17, 15000, ramp_s=5)],
        {"cover_pct": 20},
    ),
    Plan(
        "battery_first",
        "a day in May, the battery goes first",
        135,
        10,
        _three(),
        {"cover_pct": 15},
        _BATTERY,
        battery_mode=1,
    ),
    Plan(
        "cars_first",
        "the same day, the cars go first",
        135,
        10,
        _three(),
        {"cover_pct": 15},
        _BATTERY,
        battery_mode=0,
    ),
    Plan(
        "min_pv",
        "the cloudy day with Min+PV",
        135,
        10,
        _three(),
        {"cover_pct": 45},
        default_mode=3,
    ),
    Plan(
        "switching",
        "slow clouds around the limit of three phases",
        100,
        7,
        _three(ramp_s=2),
        {"cover_pct": 50, "speed_m_s": 1, "least_pct": 45},
    ),
)


def named(name):
    """The plan of a name."""
    return [plan for plan in PLANS if plan.name == name][0]


class _Clear(load_profile.House):
    def _clouds(self, day):
        return 1.0


@functools.lru_cache(maxsize=4)
def _house(seed):
    return load_profile.House(seed, YEAR, flow_heater_w=0, pv_kwp=0)


@functools.lru_cache(maxsize=8)
def _clear_w(kwp, day):
    return _Clear(1, YEAR, heat_pump_kwh=0, flow_heater_w=0, pv_kwp=kwp).pv_w(day)


def powers(plan, seed):
    """(house, sun): W in each second of the day, float arrays; both positive."""
    house_w = _house(seed).day_w(plan.day).sum(axis=1)
    sun_w = _clear_w(plan.kwp, plan.day)
    if plan.clouds:
        clouds = Clouds(seed, **plan.clouds)
        through = [clouds.factor(at_s) for at_s in range(load_profile.DAY_S)]
        sun_w = numpy.minimum(sun_w * through, 900.0 * plan.kwp)
    return house_w, sun_w
