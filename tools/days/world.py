"""One day, second by second: sun, house, battery, cars; the decisions are lib/chargecontrol's.

What happens in a second: the cars go on at what their boxes have offered; the boxes take the last
orders; the battery follows the grid; meters show what was a moment before; the power manager and
the site decide.
"""

import sys
from pathlib import Path

import numpy

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / name) for name in ("lib", "tools/cpython")]

from chargecontrol.evse import Evse  # noqa: E402
from chargecontrol.power_manager import PowerManager  # noqa: E402
from chargecontrol.site import Site  # noqa: E402
from tools.twin.battery import Battery  # noqa: E402

from . import plans  # noqa: E402

VOLTAGE_V = 230
DAY_S = 86400
GRID_LATE_S, BATTERY_LATE_S = 1, 2  # so old is what a meter shows
_MAMPS_OF_WH = 3600000 / VOLTAGE_V
_MIN_MA, _BELOW_OFFER_MA = 6000, 100
_WAKE_S = 8  # from the offer to the first current
_OFF_S = 1  # a box opens its contactor
_CONFIRM_S = 4  # a box switches its phases
_STEP_MA = 100
_LIMIT_MA = 63000
_DYNAMIC = {
    "enabled": False,
    "meter_slot_grid_currents": 0,
    "current_limit": 0,
    "largest_consumer_current": 32000,
    "safety_margin_pct": 0,
    "fallback_current_ma": 0,
}
_SITE = {
    "max_total_current": _LIMIT_MA,
    "max_total_power": None,
    "failsafe_current_ma": 6000,
    "reserve_current_ma": 0,
    "voltage_v": VOLTAGE_V,
    "meter_loss_current_ma": 6000,
    "max_unbalance_ma": None,
    "min_pause_s": 300,
    "rotation_s": 900,
}
_EVSE = {
    "priority": 1,
    "min_current_ma": _MIN_MA,
    "max_current_ma": 16000,
    "failsafe_current_ma": 6000,
    "phases": 3,
}


class _Box:
    """A wallbox with or without a car."""

    def __init__(self, n, switchable):
        self.evse = Evse(dict(_EVSE, id="E%d" % (n + 1), phase_rotation=120 * n), _STEP_MA)
        self.evse.silent_since_ms = None
        self.evse.sent_ma = 0
        self.evse.switchable = switchable
        self.evse.box_phases = 3 if switchable else None
        self.stay = None
        self.drawn_ma = 0
        self.lines = 0
        self.mamps = 0  # mA * s of all lines since the car came
        self._wait_s = 0
        self._confirm_s = 0
        self._energy = 0

    def plug(self, stay):
        """Another car, or None."""
        self.stay = stay
        self.drawn_ma = self.mamps = 0

    def step(self, now_ms):
        """A second; W that it draws."""
        evse, stay = self.evse, self.stay
        offered_ma = evse.sent_ma or 0
        full = stay is not None and self.mamps >= stay.need_wh * _MAMPS_OF_WH
        if stay is None or full or offered_ma < _MIN_MA:
            self._wait_s = _WAKE_S
            down_ma = stay.max_ma // 2 if stay else 16000
            self.drawn_ma = max(0, self.drawn_ma - down_ma)
        elif self._wait_s:
            self._wait_s -= 1
        else:
            target_ma = min(offered_ma - _BELOW_OFFER_MA, stay.max_ma)
            way_ma = stay.max_ma // stay.ramp_s
            step_ma = max(-2 * way_ma, min(way_ma, target_ma - self.drawn_ma))
            self.drawn_ma += step_ma
        box_lines = evse.box_phases or 3
        if evse.ordered_phases in (None, evse.box_phases) or not evse.switchable:
            self._confirm_s = 0
        else:
            self._confirm_s += 1
            if self.drawn_ma:
                raise RuntimeError("phases are switched under load")
            if self._confirm_s >= _CONFIRM_S:
                evse.box_phases = evse.ordered_phases
        self.lines = min(stay.lines, box_lines) if stay else 0
        evse.sent_ma = evse.setpoint_ma
        lines_ma = self.drawn_ma * self.lines
        self.mamps += lines_ma
        self._energy += lines_ma
        ma = self.drawn_ma
        evse.measured_ma = tuple([ma if line < self.lines else 0 for line in range(3)])
        evse.read_ms = now_ms
        evse.energy_wh = int(self._energy / _MAMPS_OF_WH)
        evse.state = "C" if ma else "B" if stay else "A"
        return lines_ma * VOLTAGE_V / 1000


class Day:
    """What happened, an array over the seconds from first_s on each.

    house_w, sun_w, grid_w, battery_w (charging positive), soc, cars_w (two columns), phases,
    setpoint_ma, on (two columns), steered (a PV car is between its minimum and its maximum),
    switching (phases are being switched).
    """

    def __init__(self, plan, first_s, last_s):
        self.plan = plan
        self.first_s = first_s
        count = last_s - first_s
        for name in ("house_w", "sun_w", "grid_w", "battery_w", "soc"):
            setattr(self, name, numpy.zeros(count))
        for name in ("cars_w", "phases", "setpoint_ma", "on", "pv"):
            setattr(self, name, numpy.zeros((count, 2), numpy.int32))
        self.available_w = numpy.full(count, numpy.nan)
        self.least_w = numpy.full(count, numpy.nan)
        self.most_w = numpy.full(count, numpy.nan)
        self.steered = numpy.zeros(count, bool)
        self.switching = numpy.zeros((count, 2), bool)
        self.switchings = self.starts = 0


def run(plan, seed, first_h=5, last_h=21.5, powers=None):
    """The Day of a plan. powers: (house, sun) in W for each second of the day, else the plan's."""
    house_w, sun_w = powers or plans.powers(plan, seed)
    first_s, last_s = int(first_h * 3600), int(last_h * 3600)
    day = Day(plan, first_s, last_s)
    boxes = [_Box(0, True), _Box(1, False)]
    evses = [box.evse for box in boxes]
    site = Site(_SITE, evses, "M1")
    manager = PowerManager(site, plan.settings, _DYNAMIC)
    battery = Battery(plan.battery) if plan.battery else None
    grid_seen = [0.0] * (GRID_LATE_S + 1)
    battery_seen = [0] * (BATTERY_LATE_S + 1)
    grid_w = 0.0
    now_ms = 0
    for k in range(last_s - first_s):
        at_s = first_s + k
        now_ms += 1000
        for stay in plan.stays:
            box = boxes[stay.box]
            if box.stay is None and stay.start_s <= at_s < stay.end_s:
                box.plug(stay)
            elif box.stay is stay and at_s >= stay.end_s:
                box.plug(None)
        cars_w = [box.step(now_ms) for box in boxes]
        others_w = house_w[at_s] - sun_w[at_s] + sum(cars_w)
        battery_w = 0
        if battery:
            before_w = battery.power_w
            battery_w = battery.step(round(others_w + before_w), 1000)
        grid_w = others_w + battery_w
        grid_seen = grid_seen[1:] + [grid_w]
        battery_seen = battery_seen[1:] + [battery_w]
        read_ma = int(grid_seen[0] * 1000 / (3 * VOLTAGE_V))
        feeder = site.house
        feeder.reading_ma = [read_ma] * 3
        feeder.read_ms = now_ms
        battery_read = (battery_seen[0], battery.soc, now_ms) if battery else None
        manager.update(now_ms, (round(grid_seen[0]), now_ms), battery_read, None)
        site.decide(now_ms, True, (None,) * 3)
        day.house_w[k], day.sun_w[k] = house_w[at_s], sun_w[at_s]
        day.grid_w[k], day.battery_w[k] = grid_w, battery_w
        if battery:
            day.soc[k] = battery.soc
        surplus = manager.surplus
        if surplus.available_w is not None:
            day.available_w[k] = surplus.available_w
            day.least_w[k], day.most_w[k] = surplus.least_w, surplus.most_w
        for n, box in enumerate(boxes):
            evse, point = box.evse, manager.points[n]
            day.cars_w[k, n] = cars_w[n]
            day.phases[k, n] = evse.box_phases or 3
            day.setpoint_ma[k, n] = evse.setpoint_ma
            day.on[k, n] = point.on and box.stay is not None
            day.pv[k, n] = point.mode in (2, 3)
            day.switching[k, n] = bool(point.switch and point.switch.stage)
            if point.mode in (2, 3) and box.stay and box.drawn_ma > _MIN_MA:
                most_ma = min(box.stay.max_ma, evse.config_max_ma) - 2 * _BELOW_OFFER_MA
                if box.drawn_ma < most_ma:
                    day.steered[k] = True
    day.switchings = sum(manager.switchings.values())
    day.starts = sum(manager.starts.values())
    return day
