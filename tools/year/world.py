"""One day of the simulated year, second by second, with the decisions of lib/chargecontrol.

What happens in a second, as on a board that polls once a second: the cars go on at what their box
has offered so far; the boxes take the last setpoint; the meter is read, and the boxes, some half a
second before it; the site decides.

Left out is only time in which no decision can matter: nobody is plugged in, or all are full and
have left before the next comes. Before each arrival the site watches the house for a while, longer
than anything that it remembers of it.
"""

import sys
from pathlib import Path

import numpy

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / name) for name in ("lib", "tools/cpython")]

from chargecontrol.evse import Evse  # noqa: E402
from chargecontrol.site import Site  # noqa: E402

from . import cars  # noqa: E402

DAY_S = 86400
WATCH_S = 900
_AFTER_S = 10  # a car that has left is gone for the boxes too
_STEP_MA = 100
_READ_BEFORE_MS = (0, 500, 300)  # how long before the meter each box is read
SETTINGS = {
    "max_total_power": None,
    "failsafe_current_ma": 6000,
    "reserve_current_ma": 0,
    "voltage_v": cars.VOLTAGE_V,
    "meter_loss_current_ma": 6000,
    "max_unbalance_ma": 20000,
    "min_pause_s": 300,
    "rotation_s": 900,
}


_NOTHING = (0, 0, 0)
_LOOKUPS = (None,) * 3  # no limit is a formula


def _present(coming, present, at_s):
    """[Car or None] of the wallboxes when some come or go."""
    there = [None] * 3
    for stay in coming:
        if stay.start_s <= at_s < stay.end_s:
            car = present[stay.evse]
            there[stay.evse] = car if car and car.stay is stay else cars.Car(stay)
    return there


def _between(then_ma, now_ma, early_ms):
    """What a box reads so long before now, if it drew then_ma a second before."""
    if not early_ms or then_ma == now_ma:
        return now_ma
    return tuple([now - (now - then) * early_ms // 1000 for then, now in zip(then_ma, now_ma)])


class World:
    """The site with its three wallboxes. limit_ma: of the house connection, per phase.

    changes: other settings of the site.
    """

    def __init__(self, limit_ma=35000, **changes):
        self.limit_ma = limit_ma
        self.now_ms = 0
        self.evses = [Evse(config, _STEP_MA) for config in cars.configs()]
        for evse in self.evses:
            evse.silent_since_ms = None
            evse.sent_ma = 0
        settings = dict(SETTINGS, max_total_current=limit_ma, **changes)
        self.site = Site(settings, self.evses, "M1")
        self._drawn = [0, 0, 0]  # of each box since ever, mA * s of all lines

    def day(self, house_ma, stays, skip=True):
        """From noon to noon. house_ma: (86400, 3) mA; stays: of this day.

        Returns the Day. skip: leave out what can't matter.
        """
        done = Day(self.limit_ma, house_ma, stays)
        first_ms = self.now_ms
        at_s = 0
        while at_s < DAY_S:
            if skip:
                coming = [stay.start_s for stay in stays if stay.start_s > at_s]
                if not coming:
                    break
                at_s = max(at_s, min(coming) - WATCH_S)
            self.now_ms = first_ms + 1000 * at_s
            at_s = self._run(done, at_s, skip)
        self.now_ms = first_ms + 1000 * DAY_S
        return done

    def _run(self, done, start_s, skip):
        """From a second on until nobody can charge any more; the second after."""
        site, evses = self.site, self.evses
        feeder = site.house
        coming = [stay for stay in done.stays if stay.start_s >= start_s]
        changes = {stay.start_s for stay in coming} | {stay.end_s for stay in coming}
        present = [None] * 3
        seen = [_NOTHING] * 3  # what each box drew a second ago
        offered = [0] * 3
        now_ms = self.now_ms
        quiet_s = 0
        at_s = start_s
        for grid_ma in done.house_ma[start_s:].tolist():
            if at_s in changes:
                present = _present(coming, present, at_s)
            now_ms += 1000
            used = [0, 0, 0]
            for n in range(3):
                evse, car = evses[n], present[n]
                ma = 0
                if car:
                    car.step(offered[n])
                    ma = car.drawn_ma
                offered[n] = evse.sent_ma = evse.setpoint_ma
                measured_ma = _NOTHING
                if ma:
                    lines = car.stay.lines
                    measured_ma = (ma, ma if lines > 1 else 0, ma if lines > 2 else 0)
                    for phase in car.phases:
                        grid_ma[phase] += ma
                        used[phase] += ma
                    done.drawn[car.stay] += ma * lines
                    self._drawn[n] += ma * lines
                    evse.energy_wh = int(self._drawn[n] / cars.MAMPS_OF_WH)
                evse.state = "C" if ma else "B" if car else "A"
                early_ms = _READ_BEFORE_MS[n]
                evse.read_ms = now_ms - early_ms
                evse.measured_ma = _between(seen[n], measured_ma, early_ms)
                seen[n] = measured_ma
            feeder.reading_ma = grid_ma
            feeder.read_ms = now_ms
            site.decide(now_ms, True, _LOOKUPS)
            quiet_s += 1
            if any(used):
                done.rows.append((at_s, used))
                quiet_s = 0
            at_s += 1
            if skip and quiet_s >= _AFTER_S and at_s > start_s + WATCH_S:
                if self._over(present, coming, at_s):
                    break
        done.decided_s += at_s - start_s
        return at_s

    @staticmethod
    def _over(present, coming, at_s):
        """Whether nobody can charge, and nobody comes before all have left and been forgotten."""
        end_s = at_s
        for car in present:
            if car:
                if not car.full:
                    return False
                end_s = max(end_s, car.stay.end_s)
        return not [stay for stay in coming if at_s <= stay.start_s <= end_s + WATCH_S]


class Day:
    """What happened: house_ma and cars_ma (86400, 3), decided_s, drawn {stay: mA * s}.

    rows: (second, mA of the cars on the house's phases) where they draw anything.
    """

    def __init__(self, limit_ma, house_ma, stays):
        self.limit_ma = limit_ma
        self.house_ma = house_ma
        self.stays = stays
        self.rows = []
        self.decided_s = 0
        self.drawn = {stay: 0 for stay in stays}

    @property
    def cars_ma(self):
        currents = numpy.zeros((DAY_S, 3), numpy.int32)
        if self.rows:
            currents[[at_s for at_s, _ in self.rows]] = [used for _, used in self.rows]
        return currents

    def delivered_wh(self):
        """Of each stay."""
        return [self.drawn[stay] / cars.MAMPS_OF_WH for stay in self.stays]
