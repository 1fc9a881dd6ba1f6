"""Three wallboxes and who comes to charge: the same for the same seed.

A day of the simulated year goes from noon to noon: at noon every car is out. Times are seconds
since noon, whole minutes; energies are what flows through the wallbox, Wh.
"""

import datetime

import numpy

VOLTAGE_V = 230
HOUR_S = 3600
MAMPS_OF_WH = 3600000 / VOLTAGE_V  # mA * s of all lines together in a Wh
START_S = 2  # a car takes so long to close its contactor
UP_S, DOWN_S = 4, 2  # from nothing to its full current, and back
_BELOW_OFFER_MA = 100
_MIN_MA = 6000
_TAPER_WH = 1500  # of the last part of a charge the battery takes less and less

_NOT_GIVEN = {"priority": 1, "min_current_ma": _MIN_MA, "failsafe_current_ma": 6000, "phases": 3}
EVSES = (  # settings of the wallboxes
    {"id": "E1", "max_current_ma": 16000, "phase_rotation": 0},
    {"id": "E2", "max_current_ma": 32000, "phase_rotation": 120},
    {"id": "E3", "max_current_ma": 16000, "phase_rotation": 240},
)
CARS = ("E1: 3-phase car, 16 A", "E2: 1-phase van, 32 A", "E3: guests, 2 or 3 phases")


def configs():
    """The entries of settings["evses"]."""
    return [dict(_NOT_GIVEN, **config) for config in EVSES]


class Stay:
    """A car at a wallbox. evse: 0 to 2; lines: of the box that it uses; start_s, end_s: plugged
    in; need_wh: until it is full; max_ma: of the car, per line.
    """

    def __init__(self, evse, lines, start_s, end_s, need_wh):
        self.evse = evse
        self.lines = lines
        self.start_s = int(start_s) // 60 * 60
        self.end_s = int(end_s) // 60 * 60
        self.need_wh = int(need_wh)
        self.max_ma = EVSES[evse]["max_current_ma"]

    def phases(self):
        """House phases (0..2) of its lines."""
        turn = EVSES[self.evse]["phase_rotation"] // 120
        return [(line + turn) % 3 for line in range(self.lines)]


def stays(seed, year, day):
    """[Stay] from noon of a day (0 is January 1) to the next noon, in order of arrival."""
    chance = numpy.random.default_rng([seed, year, day, 77])
    date = datetime.date(year, 1, 1) + datetime.timedelta(days=day)
    weekend = date.weekday() >= 5
    free_tomorrow = date.weekday() in (4, 5)
    found = []

    def stay(evse, lines, start_h, end_h, need_kwh):
        start_h, end_h = min(max(start_h, 0.5), 21), min(max(end_h, start_h + 0.5), 23.5)
        found.append(Stay(evse, lines, start_h * HOUR_S, end_h * HOUR_S, 1000 * min(need_kwh, 60)))

    for evse, lines, home_h, mean_kwh in ((0, 3, 5.5, 17), (1, 1, 4.3, 13)):
        out_h = chance.normal(22 if free_tomorrow else 19.3, 0.5)
        need_kwh = chance.gamma(3, mean_kwh / 3) + 1
        if weekend:
            home_h = chance.uniform(1, 9)
        elif chance.random() < 0.06:
            need_kwh *= 2.5  # from a long journey
        if chance.random() < (0.25 if weekend else 0.1):
            continue
        home_h = chance.normal(home_h, 0.6)
        if chance.random() < 0.15:  # out again in the evening
            away_h = home_h + chance.uniform(1, 3)
            stay(evse, lines, home_h, away_h, need_kwh)
            home_h = away_h + chance.uniform(1, 3)
            need_kwh = chance.gamma(3, 2) + 1
        stay(evse, lines, home_h, out_h, need_kwh)
    if chance.random() < (0.7 if weekend else 0.45):
        home_h = chance.uniform(1, 6) if weekend else chance.normal(6.5, 0.8)
        over_night = chance.random() < 0.3
        end_h = chance.normal(21, 0.7) if over_night else home_h + chance.uniform(1.5, 4.5)
        stay(2, int(chance.integers(2, 4)), home_h, end_h, chance.uniform(5, 35))
    return sorted(found, key=lambda stay: (stay.start_s, stay.evse))


class Car:
    """The car of a stay. drawn_ma: on each of its lines; full: for good until it leaves."""

    def __init__(self, stay):
        self.stay = stay
        self.phases = stay.phases()
        self.drawn_ma = 0
        self.full = False
        self._open = stay.need_wh * MAMPS_OF_WH / stay.lines  # mA * s per line
        self._taper = _TAPER_WH * MAMPS_OF_WH / stay.lines
        self._wait_s = START_S
        self._up_ma = stay.max_ma // UP_S
        self._down_ma = stay.max_ma // DOWN_S

    def step(self, offered_ma):
        """One second at an offered current."""
        drawn_ma = self.drawn_ma
        if self.full or offered_ma < _MIN_MA:
            self._wait_s = START_S
            if drawn_ma:
                self.drawn_ma = max(0, drawn_ma - self._down_ma)
            return
        if self._wait_s:
            self._wait_s -= 1
            return
        target_ma = min(offered_ma - _BELOW_OFFER_MA, self.stay.max_ma)
        if self._open < self._taper:
            usable_ma = int(self.stay.max_ma * self._open / self._taper)
            target_ma = min(target_ma, max(usable_ma, _MIN_MA))
        if target_ma > drawn_ma:
            drawn_ma = min(drawn_ma + self._up_ma, target_ma)
        elif target_ma < drawn_ma:
            drawn_ma = max(drawn_ma - self._down_ma, target_ma)
        self.drawn_ma = drawn_ma
        self._open -= drawn_ma
        if self._open <= 0:
            self.full = True
