"""Phase switching of one EVSE: how many phases it should have, and the way there.

The way: hold until its car draws nothing and the box has confirmed 0 A, order the phases, wait
until the box has confirmed them, pause, release (reference/warp.md sections 2.5 and 2.6).
"""

from micropython import const

_OFF = const(1)  # modes
_PV = const(2)
_MIN_PV = const(3)
_ONE = const(1)  # phase_switching_mode
_THREE = const(2)
_EXTERNAL = const(3)
_PV_ONE = const(4)
_STOPPING = const(1)  # stages
_ORDERED = const(2)
_PAUSE = const(3)
_DRAWS_MA = const(1000)
_TIMEOUT_MS = const(60000)
_MOST_DOUBLED = const(4)
_STEADY_MS = const(1200000)
_ROOM_MS = const(30000)  # so long phases must lack room, or have it again


class Switch:
    """wanted (phases; meaningful while stage is not 0), stage (0: nothing goes on), changed_ms
    (last phase change or start of charging), switchings (how many succeeded)."""

    def __init__(self, point):
        self.point = point
        self.stage = 0
        self.wanted = 3
        self.switchings = 0
        self.changed_ms = None
        self._target = None
        self._free = False
        self._single = False
        self._had = None  # box_phases a cycle ago
        self._failed_ms = None
        self._failures = 0
        self._since_ms = 0
        self._room_ms = None
        self._up_ms = None  # since when the surplus suffices for three
        self._until_ms = None
        self._drew = False

    def _locked_ms(self, pm):
        """When the lock-out ends, or 0."""
        return 0 if self.changed_ms is None else self.changed_ms + pm.hysteresis_ms

    def _retry_ms(self, pm):
        """When one that failed is tried again, each time later, or 0."""
        if self._failed_ms is None:
            return 0
        return self._failed_ms + (pm.hysteresis_ms << min(self._failures - 1, _MOST_DOUBLED))

    def _auto(self, pm):
        mode = pm.settings["phase_switching_mode"]
        return mode == 0 and not self._single

    def fewest(self, pm, now_ms):
        """Fewest phases that it can have; before it starts, now."""
        point = self.point
        late = not (point.on or point.free) and now_ms < self._locked_ms(pm)
        if late or now_ms < self._retry_ms(pm):
            return point.phases()
        if self._target is None and self._auto(pm):
            return 1
        return min(point.phases(), self._target or 3)

    def prepare(self, pm, now_ms):
        """What the settings and the room ask for, before the surplus is looked at."""
        point = self.point
        evse = point.evse
        setting = pm.settings["phase_switching_mode"]
        self._free = point.free or setting == _EXTERNAL
        if not point.plugged:
            self._single = False
        elif point.drawing and evse.phases == 1 and evse.box_phases == self._had == 3:
            self._single = True  # it was offered three and takes one
        self._had = evse.box_phases
        target = None
        if evse.wanted_phases and setting != _EXTERNAL:
            # Before all that is decided here: reference/cfos.md section 7.2.
            target = evse.wanted_phases
        elif setting == _ONE or (setting == _PV_ONE and point.mode in (_PV, _MIN_PV)):
            target = 1
        elif setting in (_THREE, _PV_ONE):
            target = 3
        elif setting == _EXTERNAL:
            target = pm.phases_wanted or None
        elif evse.box_phases is None:
            target = 3
        elif not self._single and point.mode not in (_OFF, _PV, _MIN_PV) and point.plugged:
            target = self._by_room(pm, evse.box_phases, now_ms)
        self._target = target

    def by_surplus(self, pm, lo_w, hi_w, now_ms, steady=False):
        """Asks for phases by the least and the most of the surplus; steady: for three only when
        the least has sufficed for a long time."""
        from chargecontrol.charge_modes import thresholds

        point = self.point
        evse = point.evse
        if self._target is not None or not self._auto(pm) or self.stage:
            return
        up_w, down_w = thresholds(pm, point)
        if point.mode == _MIN_PV:
            most_w = evse.config_max_ma * pm.volts // 1000
            if pm.settings["guaranteed_power"] > most_w:
                self._target = 3
                return
        if lo_w < up_w:
            self._up_ms = None
        elif self._up_ms is None:
            self._up_ms = now_ms
        if evse.box_phases == 1 and self._up_ms is not None:
            if not steady or now_ms - self._up_ms >= _STEADY_MS:
                self._target = 3
            else:
                point.waits.append(("pv_steady", (up_w,), self._up_ms + _STEADY_MS))
        elif evse.box_phases == 3 and hi_w < down_w:
            self._target = 1
        if self._by_room(pm, evse.box_phases, now_ms) == 1:
            self._target = 1

    def _by_room(self, pm, phases, now_ms):
        """1 where only the first phase has room for the minimum, else 3; only after a while."""
        evse = self.point.evse
        factor = 2 if phases == 3 else 3  # back to three only with half as much again
        target = 3
        for feeder in pm.site.feeders:
            if not feeder.limited or evse not in feeder.evses:
                continue
            room = list(feeder.available_ma)
            for other in feeder.evses:
                if other is not evse and other.setpoint_ma and other.priority >= evse.priority:
                    for line in range(3):
                        if other.lines >> line & 1:
                            room[other.house_phase(line)] -= other.min_ma
            fits = [room[evse.house_phase(line)] * 2 >= evse.min_ma * factor for line in range(3)]
            if not (fits[1] and fits[2]) and (phases == 1 or fits[0]):
                target = 1
        room_w = pm.site.dimming.room_w(evse) if pm.site.dimming else None
        if room_w is not None:
            one_w = evse.min_ma * pm.volts // 1000
            if room_w * 2 < 3 * one_w * factor and (phases == 1 or room_w >= one_w):
                target = 1
        if target == phases:
            self._room_ms = None
            return target
        if self._room_ms is None:
            self._room_ms = now_ms
        soon = self._free or (target == 3 and not self.point.drawing)
        return target if soon or now_ms - self._room_ms >= _ROOM_MS else phases

    def step(self, pm, now_ms, hold):
        """One step on the way; returns the hold, its own or the given one."""
        point = self.point
        evse = point.evse
        stage = self.stage
        released = pm.settings["phase_switching_mode"] != _EXTERNAL or pm.phases_wanted
        if not released:
            hold = ("external_no_release", (), None)
        silent = evse.silent_since_ms is not None
        if not stage:
            target = self._target
            if target is None or target == evse.box_phases or silent:
                return hold
            wait_ms = 0 if self._free else self._locked_ms(pm)
            if now_ms < self._retry_ms(pm):
                point.waits.append(("phase_switch_failed", (target,), self._retry_ms(pm)))
                return hold
            if now_ms < wait_ms:
                point.waits.append(("phase_switch_locked", (target,), wait_ms))
                return hold
            self.wanted = target
            self.stage = stage = _STOPPING
            self._drew = point.drawing
        if stage == _STOPPING:
            if max(evse.measured_ma) >= _DRAWS_MA or (evse.sent_ma and evse.state != "A"):
                return self._held("phase_switch_stopping", None)
            self.stage = stage = _ORDERED
            self._since_ms = now_ms
            evse.ordered_phases = self.wanted
        if stage == _ORDERED:
            if evse.box_phases != self.wanted:
                until_ms = self._since_ms + _TIMEOUT_MS
                if now_ms < until_ms:
                    return self._held("phase_switch_waiting", until_ms)
                self.stage = 0
                self._failed_ms = now_ms
                self._failures += 1
                evse.ordered_phases = evse.box_phases
                if point.mode == _PV and self.wanted == 1:
                    point.turn(False, now_ms)  # for three there is too little
                return self._held("phase_switch_failed", self._retry_ms(pm))
            self.stage = stage = _PAUSE
            self.switchings += 1
            self._failures = 0
            self._failed_ms = None
            point.resumes = point.resumes or self._drew
            self.changed_ms = now_ms
            wait_ms = pm.settings["phase_wait_s"] * 1000 if point.plugged else 0
            self._until_ms = now_ms + wait_ms
        if now_ms < self._until_ms:
            return self._held("phase_switch_waiting", self._until_ms)
        self.stage = 0
        return hold

    def _held(self, code, until_ms):
        return code, (self.wanted,), until_ms
