"""The power manager: charge modes, surplus and dynamic load as holds and rows for the sharing.

What it decides about on and off and about phases is in charge_modes and phase_switching; these
and the two control loops are imported only where the settings ask for them.
"""

from micropython import const

FAST, OFF, PV, MIN_PV = 0, 1, 2, 3
_DEFAULT = const(4)
_PV_STALE_MS = const(125000)
_NO_METER_MS = const(15000)
_DRAWS_MA = const(1000)  # from here on a line is in use
_OVER_W = const(100)
_MARGIN_MA = const(3000)  # on top of what a car draws that draws less than it may
_EXTERNAL = const(3)  # phase_switching_mode


class Point:
    """One EVSE as the power manager sees it.

    mode; on (may charge); free (mode was just changed: next decision is by what is, at once);
    changed_ms (last change of `on`, None: the next needs no wait); full (did not draw what it was
    offered, goes after all others); drawing; switch (a phase_switching.Switch, or None).
    """

    def __init__(self, evse, mode):
        self.evse = evse
        self.mode = mode
        self.on = False
        self.free = self.full = self.drawing = self.plugged = False
        self.resumes = False  # it was stopped only to switch phases
        self._began = False  # to draw, since it may
        self.lines = 0  # that it draws on now
        self.idle = False  # what is wanted, or a fault, stops it
        self.changed_ms = None
        self.switch = None
        self.starts = 0
        self.waits = []

    def phases(self):
        """How many it uses, or will when the switching that goes on has ended."""
        switch = self.switch
        return switch.wanted if switch and switch.stage else self.evse.phases

    def turn(self, on, now_ms):
        """Lets it charge, or not."""
        if on != self.on:
            self.full = not on and self.evse.asleep
            self.on = on
            self._began = False
            self.changed_ms = now_ms

    def look(self, now_ms):
        """Takes in what the box says; True where it was unplugged."""
        evse = self.evse
        self.lines = 0
        if evse.state in ("C", "D"):
            for line in range(3):
                if evse.measured_ma[line] >= _DRAWS_MA:
                    self.lines |= 1 << line
        drawing = self.lines != 0
        self.idle = evse.hold is None and not evse.max_ma
        if drawing and not self.drawing:
            self.starts += not self.resumes
            if not self._began:
                # The lock-outs count from here: a car may take its time.
                self._began = True
                if self.changed_ms is not None:
                    self.changed_ms = now_ms
                if self.switch:
                    self.switch.changed_ms = now_ms
        if drawing:
            self.full = self.resumes = False
        self.drawing = drawing
        plugged = evse.plugged_ms is not None
        if plugged != self.plugged:
            self.plugged = plugged
            self.changed_ms = None
            self.full = self.resumes = self._began = False
            return not plugged
        return False

    def allowed_ma(self):
        """mA on each line that it draws on, by what it is allowed; 0 while it draws nothing."""
        evse = self.evse
        if not self.drawing or evse.silent_since_ms is not None:
            return (0, 0, 0)
        ma = min(evse.sent_ma or 0, max(evse.measured_ma) + _MARGIN_MA)
        return [ma if self.lines >> line & 1 else 0 for line in range(3)]


class PowerManager:
    """Decides, before each cycle of the site, which EVSE must not charge, and makes its rows.

    settings: settings["power_manager"]; dynamic: settings["dynamic_load"].

    mode (of the site), surplus and dynamic (the control loops, None where not configured), grid_w,
    battery_w, soc (last used, None when stale).
    """

    def __init__(self, site, settings, dynamic):
        self.site = site
        self.surplus = None
        self.dynamic = None
        self.grid_w = self.battery_w = self.soc = None
        self.points = []
        self.active = []  # those that share the surplus
        self.mode = FAST
        self.changed_ms = None  # last time that the surplus let one start or stop
        self.credit_ws = 108000  # see charge_modes
        self.counted_ms = None
        self.fall_w = None  # W that are left where the grid gives too much, until the next step
        self._taken_ms = None
        self._external = None
        self._started_ms = None
        self._had_grid = self._had_currents = False
        site.power_manager = self
        self.configure(settings, dynamic)
        self.mode = self._default()
        for point in self.points:
            self._set(point, self.mode)

    def configure(self, settings, dynamic):
        """Takes other settings; modes and what is known of the cars stay."""
        self.settings = settings
        self.hysteresis_ms = settings["hysteresis_s"] * 1000
        self.volts = self.site.house.voltage_v
        if not settings["excess_charging_enable"]:
            self.surplus = None
        elif self.surplus:
            self.surplus.configure(settings)
        else:
            from chargecontrol.surplus import Surplus

            self.surplus = Surplus(settings)
        if not dynamic["enabled"]:
            self.dynamic = None
        elif self.dynamic:
            self.dynamic.configure(dynamic)
        else:
            from chargecontrol.dynamic_load import DynamicLoad

            self.dynamic = DynamicLoad(dynamic)
        self._fallback_ma = dynamic["fallback_current_ma"]
        known = {point.evse: point for point in self.points}
        default = self._default()
        self.points = [known.get(evse) or Point(evse, default) for evse in self.site.evses]
        for point in self.points:
            if not self._available(point.mode):
                self._set(point, default)
        if not self._available(self.mode):
            self.mode = default

    def _default(self):
        mode = self.settings["default_mode"]
        return mode if self._available(mode) else FAST

    def _available(self, mode):
        return mode in (FAST, OFF) or (mode in (PV, MIN_PV) and self.surplus is not None)

    def _point(self, id):
        for point in self.points:
            if point.evse.id == id:
                return point
        raise ValueError("unknown_evse")

    @staticmethod
    def _set(point, mode):
        if mode != point.mode:
            point.mode = mode
            point.free = True
            point.changed_ms = None

    def set_mode(self, mode, id=None):
        """Sets the mode of the site, which is that of all, or of one EVSE, until it is unplugged.

        4: the default mode. ValueError("unknown_evse"), ValueError("mode_unavailable").
        """
        if mode == _DEFAULT:
            mode = self._default()
        if not self._available(mode):
            raise ValueError("mode_unavailable")
        if id is None:
            self.mode = mode
        for point in self.points if id is None else [self._point(id)]:
            self._set(point, mode)

    def mode_of(self, id):
        """Mode of an EVSE; ValueError("unknown_evse")."""
        return self._point(id).mode

    @property
    def phases_wanted(self):
        """By external control: 0, 1 or 3; before it said anything, what the boxes have."""
        if self._external is None:
            for point in self.points:
                if point.evse.switchable:
                    return point.evse.box_phases or 3
            return 3
        return self._external

    def set_phases_wanted(self, phases):
        """External control: 1 or 3 phases, 0: no release. ValueError with what is the matter."""
        state = self.external_control
        if state:
            states = ("disabled", "unavailable", "switching")
            raise ValueError("external_control_" + states[state - 1])
        if phases not in (0, 1, 3):
            raise ValueError("phases_wanted")
        self._external = phases

    @property
    def external_control(self):
        """0 ready, 1 disabled by the settings, 2 no switchable EVSE answers, 3 switching."""
        if self.settings["phase_switching_mode"] != _EXTERNAL:
            return 1
        state = 2
        for point in self.points:
            if point.evse.switchable and point.evse.silent_since_ms is None:
                if point.switch and point.switch.stage:
                    return 3
                state = 0
        return state

    @property
    def config_error_flags(self):
        """0x01 no EVSE can switch phases, though the settings ask for it, 0x02 no limit of the
        total current, 0x04 no EVSE, 0x08 no grid power, 0x10 no currents for dynamic load."""
        flags = 0
        if self.settings["phase_switching_mode"] in (1, 3, 4):
            if not [point for point in self.points if point.evse.switchable]:
                flags |= 0x01
        for limit in self.site.house.set_limits:
            if limit.reason is None or (limit.phase_ma and max(limit.phase_ma)):
                break
        else:
            flags |= 0x02
        if not self.points:
            flags |= 0x04
        if self.surplus and self._had_grid is None:
            flags |= 0x08
        if self.dynamic and self._had_currents is None:
            flags |= 0x10
        return flags

    @property
    def switchings(self):
        """{id: phase switchings since the start}."""
        return {p.evse.id: p.switch.switchings if p.switch else 0 for p in self.points}

    @property
    def starts(self):
        """{id: starts of charging since the start, those after a phase switching not counted}."""
        return {point.evse.id: point.starts for point in self.points}

    def waits(self, id):
        """[(code, arguments, until_ms)]: all that an EVSE waits for; until_ms None: not known."""
        return list(self._point(id).waits)

    def update(self, now_ms, grid, battery, currents):
        """One step, before site.decide; sets hold, most and ordered_phases of each EVSE.

        grid: (W, read_ms), battery: (W, state of charge in % or None, read_ms), currents: ([mA of
        each phase], read_ms); each None where there is no reading.
        """
        if self._started_ms is None:
            self._started_ms = now_ms
        waited = now_ms - self._started_ms > _NO_METER_MS
        self._had_grid = True if grid or self._had_grid else (None if waited else False)
        self._had_currents = (
            True if currents or self._had_currents else (None if waited else False)
        )
        changed = False
        for point in self.points:
            changed = changed or point.free
            if point.look(now_ms):
                self._set(point, self._default())
                if not [other for other in self.points if other.plugged]:
                    self.mode = self._default()
        if self.surplus:
            self._update_surplus(now_ms, grid, battery, changed)
        if self.dynamic:
            self.dynamic.take(self, now_ms, currents)
        for point in self.points:
            point.waits = []
            self._prepare_switch(point, now_ms)
        if self.surplus:
            from chargecontrol import charge_modes

            charge_modes.decide(self, now_ms)
        for point in self.points:
            self._hold(point, now_ms)
            point.free = False

    def _update_surplus(self, now_ms, grid, battery, changed):
        surplus = self.surplus
        self.grid_w = self.battery_w = self.soc = None
        read_ms = now_ms
        if battery and now_ms - battery[2] <= _PV_STALE_MS:
            self.battery_w, self.soc, read_ms = battery
        if grid and now_ms - grid[1] <= _PV_STALE_MS:
            self.grid_w = grid[0]
            read_ms = min(read_ms, grid[1])
        if changed:  # others are counted now: what was is of no use
            surplus.configure(self.settings)
            surplus.available_w = None
        allowed_ma = drawn_ma = 0
        for point in self.points:
            if point.mode in (PV, MIN_PV) and point.drawing:
                allowed_ma += sum(point.allowed_ma())
                drawn_ma += sum(point.evse.measured_ma)
        alloc_w = allowed_ma * self.volts // 1000
        # What they were given and can't take (maximum of a car, coarse step of a box) counts as
        # drawn: else available_w would only ever rise to half of what is over.
        unused_w = 0
        now_w = surplus.available_w
        if alloc_w and now_w is not None and self.grid_w is not None:
            if now_w > alloc_w and self.grid_w <= self.settings["target_power_from_grid"]:
                unused_w = now_w - alloc_w
                alloc_w = now_w
        surplus.update(now_ms, self.grid_w, self.battery_w, self.soc, alloc_w, read_ms, unused_w)
        if self.grid_w is None or surplus.available_w != now_w:
            self.fall_w = None
        if self.grid_w is not None and grid[1] != self._taken_ms:
            self._taken_ms = grid[1]
            over_w = self.grid_w - self.settings["target_power_from_grid"]
            # The loop would wait until the last step shows: too long. A battery covers it.
            if over_w > _OVER_W and self.battery_w is None:
                self.fall_w = drawn_ma * self.volts // 1000 - over_w

    def _prepare_switch(self, point, now_ms):
        if not point.evse.switchable:
            point.switch = point.evse.ordered_phases = None
            return
        if point.switch is None:
            from chargecontrol.phase_switching import Switch

            point.switch = Switch(point)
        point.switch.prepare(self, now_ms)

    def _hold(self, point, now_ms):
        evse = point.evse
        hold = None
        if point.mode == OFF:
            point.turn(False, now_ms)
            hold = ("mode_off", (), None)
        elif point.mode == FAST:
            point.on = True
        elif not point.on:
            hold = point.waits[0] if point.waits else ("pv_no_meter", (), None)
        evse.most = None
        if self.dynamic and self.dynamic.lost:
            fallback_ma = self._fallback_ma
            if fallback_ma >= evse.min_ma:
                evse.most = (fallback_ma, "dynamic_load_lost", (fallback_ma,))
            elif hold is None:
                hold = ("dynamic_load_lost", (fallback_ma,), None)
        if point.switch:
            hold = point.switch.step(self, now_ms, hold)
        if point.mode in (PV, MIN_PV) and self.surplus and self.surplus.battery_sign:
            point.waits.append(("battery_sign_wrong", (), None))
        if hold and hold not in point.waits:
            point.waits.insert(0, hold)
        evse.hold = hold

    def rows(self, evses):
        """Rows "pv" and "dynamic_load.L1" to "L3" for the sharing."""
        rows = []
        if self.surplus:
            from chargecontrol import charge_modes

            rows += charge_modes.rows(self, evses)
        if self.dynamic and self.dynamic.available_ma:
            from chargecontrol.rows import phase_rows

            rows += phase_rows("dynamic_load.", self.dynamic.available_ma, evses, None)
        return rows

    def why(self, row):
        """(code, arguments, source, until_ms) where one of these rows binds."""
        if row == "pv":
            return "pv_limit", (), "surplus", None
        return "dynamic_load_limit", (row[-2:],), "dynamic_load", None
