"""A site with cars that ramp, sleep and leave, second by second, for tests of chargecontrol.site.

Runs on both interpreters.
"""

from chargecontrol.evse import Evse
from chargecontrol.site import Site

SETTINGS = {
    "max_total_current": 35000,
    "max_total_power": None,
    "failsafe_current_ma": 6000,
    "reserve_current_ma": 0,
    "voltage_v": 230,
    "meter_loss_current_ma": 6000,
}
_UP_MA = 3000  # a car's ramp in a second
_DOWN_MA = 5000
_BEGINS_S = 3


def box(id="E1", **changes):
    config = {
        "id": id,
        "priority": 1,
        "min_current_ma": 6000,
        "max_current_ma": 16000,
        "failsafe_current_ma": 6000,
        "phases": 3,
        "phase_rotation": 0,
    }
    config.update(changes)
    return Evse(config, 100)


class Car:
    """Draws on `lines` of its box up to wants_ma; 0: asleep, it stays in state B."""

    def __init__(self, wants_ma=32000, lines=7):
        self.wants_ma = wants_ma
        self.lines = lines
        self.drawn_ma = 0
        self.obeys = True
        self._wait_s = 0
        self._offered_ma = 0

    def step(self, offered_ma):
        """One second at the current that its box has offered for a second."""
        offered_ma, self._offered_ma = self._offered_ma, offered_ma
        if not self.obeys:
            return
        target_ma = min(self.wants_ma, offered_ma) if offered_ma >= 6000 else 0
        if not target_ma:
            self._wait_s = _BEGINS_S
        elif self._wait_s:
            self._wait_s -= 1
            return
        self.drawn_ma = max(self.drawn_ma - _DOWN_MA, min(self.drawn_ma + _UP_MA, target_ma), 0)

    def measured(self):
        return [self.drawn_ma if self.lines >> line & 1 else 0 for line in range(3)]


class World:
    """Boxes with cars behind a grid meter M1 that is read each second, and meters of groups.

    cars {id of the EVSE: Car or None}; house_ma; group_ma {id of the group: others' load there}.
    over_s: longest time that the house was above `limit_ma`, so far.
    """

    def __init__(self, evses, grid_id="M1", groups=(), **settings):
        merged = dict(SETTINGS)
        merged.update(settings)
        self.site = Site(merged, evses, grid_id, groups)
        self.evses = evses
        self.cars = {evse.id: Car() for evse in evses}
        self.names = {}
        self.house_ma = [1000, 800, 600]
        self.group_ma = {}
        self.mute = []  # feeders whose meter is silent
        self.now_ms = 0
        limit_ma = merged["max_total_current"]
        self.limit_ma = limit_ma if isinstance(limit_ma, int) else None
        self.over_s = self._over_s = 0
        self.drawn_mas = {evse.id: 0 for evse in evses}  # all lines, mA * s
        for evse in evses:
            evse.silent_since_ms = None

    def lookup(self, name, field):
        return self.names[(name + "." + field) if name else field]

    def load(self, evses, base_ma):
        """mA on the three phases: a base, and what these boxes' cars draw."""
        total_ma = list(base_ma)
        for evse in evses:
            car = self.cars[evse.id]
            drawn = car.measured() if car else (0, 0, 0)
            for line in range(3):
                total_ma[evse.house_phase(line)] += drawn[line]
        return total_ma

    def _tick(self):
        self.now_ms += 1000
        for evse in self.evses:
            car = self.cars[evse.id]
            if car:
                car.step(evse.sent_ma or 0)
            if evse.silent_since_ms is None:
                evse.read_ms = self.now_ms
                evse.measured_ma = car.measured() if car else [0, 0, 0]
                evse.state = ("C" if car.drawn_ma else "B") if car else "A"
            self.drawn_mas[evse.id] += sum(car.measured()) if car else 0
            evse.energy_wh = self.drawn_mas[evse.id] * 23 // 360000  # 230 V
        house_ma = list(self.house_ma)
        for other_ma in self.group_ma.values():
            house_ma = [house_ma[n] + other_ma[n] for n in range(3)]
        for feeder in self.site.feeders:
            if feeder.meter_id and feeder.id not in self.mute:
                base_ma = self.group_ma[feeder.id] if feeder.prefix else house_ma
                feeder.reading_ma = self.load(feeder.evses, base_ma)
                feeder.read_ms = self.now_ms
        grid_ma = self.load(self.evses, house_ma)
        self._over_s = self._over_s + 1 if max(grid_ma) > (self.limit_ma or 1 << 29) else 0
        self.over_s = max(self.over_s, self._over_s)

    def run(self, seconds=1):
        """Setpoints after so many seconds."""
        for _ in range(seconds):
            self._tick()
            self.site.decide(self.now_ms, True, (self.lookup,) * 3)
            for evse in self.evses:
                if evse.silent_since_ms is None:
                    evse.sent_ma = evse.setpoint_ma
        return [evse.setpoint_ma for evse in self.evses]

    def codes(self):
        return [evse.reason.code for evse in self.evses]
