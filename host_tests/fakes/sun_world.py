"""A site with sun, boxes that switch phases and a power manager, second by second.

Runs on both interpreters.
"""

from fakes.site_world import World

from chargecontrol.power_manager import PowerManager

PV_SETTINGS = {
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
    "cloud_filter_mode": 1,
    "hysteresis_s": 210,
    "phase_wait_s": 15,
}
LOAD_SETTINGS = {
    "enabled": False,
    "meter_slot_grid_currents": 0,
    "current_limit": 0,
    "largest_consumer_current": 32000,
    "safety_margin_pct": 0,
    "fallback_current_ma": 0,
}
_SWITCH_S = 3


class SunWorld(World):
    """sun_w: what the sun leaves after the house; the house draws nothing else.

    Ids in `switchable` have boxes that switch phases and confirm after 3 s, unless in `stuck`.
    """

    def __init__(self, evses, sun_w=0, switchable=(), load=None, site=None, **settings):
        super().__init__(evses, **(site or {}))
        self.house_ma = [0, 0, 0]
        self.sun_w = sun_w
        self.stuck = []
        self.grid_dead = False
        self.currents = None
        self._grid = None
        for evse in evses:
            evse.switchable = evse.id in switchable
            evse.box_phases = 3 if evse.switchable else None
        self._ordered_s = {}
        self._wired = {evse.id: evse.lines for evse in evses}
        merged = dict(PV_SETTINGS)
        merged.update(settings)
        loads = dict(LOAD_SETTINGS)
        loads.update(load or {})
        self.pm = PowerManager(self.site, merged, loads)
        self.grid_w = 0
        self.switched_ms = {evse.id: [] for evse in evses}
        self.turned_ms = {evse.id: [] for evse in evses}  # setpoint 0 <-> more, not by phases
        self._switching = [False] * len(evses)

    def run(self, seconds=1):
        for _ in range(seconds):
            self._sun_second()
        return [evse.setpoint_ma for evse in self.evses]

    def _sun_second(self):
        for evse in self.evses:
            car = self.cars[evse.id]
            if evse.switchable:
                self._switch(evse)
            if car:
                if not hasattr(car, "real_lines"):
                    car.real_lines = car.lines
                one = evse.switchable and evse.box_phases == 1
                car.lines = car.real_lines & (1 if one else self._wired[evse.id])
        self._tick()
        drawn_ma = sum(self.load(self.evses, self.house_ma))
        self.grid_w = drawn_ma * 230 // 1000 - self.sun_w
        if not self.grid_dead:
            self._grid = (self.grid_w, self.now_ms)
        before = [evse.setpoint_ma for evse in self.evses]
        self.pm.update(self.now_ms, self._grid, None, self.currents)
        self.site.decide(self.now_ms, True, (self.lookup,) * 3)
        for i in range(len(self.evses)):
            evse = self.evses[i]
            switch = self.pm.points[i].switch
            busy = switch and switch.stage
            if busy:
                self._switching[i] = True
            elif evse.setpoint_ma or evse.hold:
                if (before[i] == 0) != (evse.setpoint_ma == 0) and not self._switching[i]:
                    self.turned_ms[evse.id].append(self.now_ms)
                self._switching[i] = False
            if evse.silent_since_ms is None:
                evse.sent_ma = evse.setpoint_ma

    def _switch(self, evse):
        ordered = evse.ordered_phases
        if ordered is None or ordered == evse.box_phases or evse.id in self.stuck:
            self._ordered_s[evse.id] = 0
            return
        self._ordered_s[evse.id] = self._ordered_s.get(evse.id, 0) + 1
        if self._ordered_s[evse.id] >= _SWITCH_S:
            car = self.cars[evse.id]
            assert not car or car.drawn_ma < 1000, "switched under load"
            evse.box_phases = ordered
            self.switched_ms[evse.id].append(self.now_ms)

    def holds(self):
        return [evse.hold[0] if evse.hold else None for evse in self.evses]
