"""An EVSE as the site sees it: what it measures, what its car does with it, what it may get."""

from micropython import const

_SILENT_FAILSAFE_MS = const(180000)  # a silent box has fallen to its fail-safe current by then
_READINGS = const(4)  # of a box, kept to look up its current at the time of a grid reading
_DRAWS_MA = const(1000)  # from here on a line is in use
_SURE_MA = const(4000)  # so much on one line, and none on another: the car has no use for that
_FEWER_LINES_MS = const(10000)
_ASLEEP_MS = const(120000)  # so long a car may take to begin
_UNUSED_MS = const(20000)
_CLEARLY_LESS_MA = const(2000)
_MARGIN_MA = const(1500)  # on top of what a car draws that draws less than it may
_NEARLY_ALL_MA = const(1000)
_LAST_MS = const(-1 << 29)
_OVER_MA = const(1000)
_SLOW_MS = const(5000)  # so long a car may take to come down
_IGNORES_MS = const(30000)


class Evse:
    """A charge point; the fields that sharing.share reads are among its own.

    config: one entry of settings["evses"]; step_ma: what the box can resolve.

    Set by the caller: state ("A" to "F", None: not known), measured_ma (own order L1..L3),
    read_ms, energy_wh, silent_since_ms (None while it answers), sent_ma (what the box has
    confirmed, None: never), wish_ma (most mA per phase that is wanted, None: no wish, 0: pause)
    with wish_reason (code, arguments, until_ms or None); switchable (its phases can be switched),
    box_phases (1 or 3 as the box has confirmed, None: not known), wanted_phases (1 or 3 by a rule,
    None: as the settings say). By the power manager: hold
    (code, arguments, until_ms: it must not charge now, or None), most (mA, code, arguments: no
    more than this, or None), ordered_phases (1, 3 or None).

    Results: setpoint_ma, reason, lines (bit mask of the own lines that the car uses), phases (how
    many these are), drawn_lines (those that draw now), cphases (how many these are), plugged_ms
    and plugged_wh (time and energy_wh at plug-in, None: not plugged), charging_ms (how long it has
    drawn since), paused_until_ms.
    """

    wanted_phases = None

    def __init__(self, config, step_ma):
        self.step_ma = step_ma
        self._wired = self._config_wired = 0
        self.switchable = False
        self.box_phases = None
        self.hold = None
        self.most = None
        self.ordered_phases = None
        self.configure(config)
        self.max_ma = 0
        self.charging = False
        self.paused = False
        self.waiting_s = 0
        self.energy_wh_per_h = 0
        self.state = None
        self.measured_ma = (0, 0, 0)
        self.read_ms = None
        self._read = []
        self.energy_wh = 0
        self.silent_since_ms = 0  # None while it answers
        self.sent_ma = None
        self.wish_ma = None
        self.wish_reason = None
        self.setpoint_ma = 0
        self.reason = None
        self.why = None  # reason of max_ma: (code, arguments, source, until_ms)
        self.row = ""  # name of the row that last took something from it
        self.slow = self.ignoring = False  # draws more than it was told: for 5 s, for 30 s
        self.drawn_lines = self.cphases = 0
        self.plugged_wh = 0
        self.charging_ms = 0
        self.place_ms = None  # since when it is served
        self._looked_ms = self._told_ms = 0
        self._over_ms = None
        self._unplug()

    def configure(self, config):
        """Takes changed settings; what is known of the car stays."""
        self.id = config["id"]
        self.priority = config["priority"]
        self.min_ma = -(-config["min_current_ma"] // self.step_ma) * self.step_ma
        self.config_max_ma = config["max_current_ma"]
        self.failsafe_ma = config["failsafe_current_ma"]
        self.phase_rotation = config["phase_rotation"]
        self.group = config.get("group")
        self.first_come = config.get("first_come_first_served", False)
        self._detect = config.get("detect_phases", True)
        self._config_wired = (1 << config["phases"]) - 1
        self._wire()

    def _wire(self):
        # What is wired ends at a contactor that leaves one phase.
        wired = 1 if self.switchable and self.box_phases == 1 else self._config_wired
        if wired != self._wired:
            self._wired = wired
            self._use(wired)

    def _use(self, lines):
        self.lines = lines
        self.phases = (lines & 1) + (lines >> 1 & 1) + (lines >> 2)
        self._fewer = 0
        self._fewer_ms = 0

    def house_phase(self, line):
        """House phase (0..2) of the box's line (0..2), after its rotation in degrees."""
        return (line + self.phase_rotation // 120) % 3

    def remember(self):
        """Keeps the present reading, to know later what it drew when a meter was read."""
        if self.read_ms is not None and not (self._read and self._read[-1][0] == self.read_ms):
            self._read = self._read[1 - _READINGS :] + [(self.read_ms, self.measured_ma)]

    def drawn_at(self, at_ms):
        """(before, after): mA of the lines by the readings around a time; twice the same where
        only one is near. None: there is no later reading yet.
        """
        later = None
        for reading in reversed(self._read):
            read_ms, measured_ma = reading
            if read_ms <= at_ms:
                if read_ms == at_ms:
                    return measured_ma, measured_ma
                return (measured_ma, later) if later else None
            later = measured_ma
        return (later, later) if later else None

    def counted_ma(self, now_ms, line):
        """What it draws on a line (0..2) whatever it is told.

        A silent box: its last order, later, or where none is known, its fail-safe current. One
        that does not follow: what it is measured to draw.
        """
        if self.slow:
            return self.measured_ma[line]
        if self.silent_since_ms is None or not self.lines >> line & 1:
            return 0
        failed_safe = now_ms - self.silent_since_ms >= _SILENT_FAILSAFE_MS
        return self.failsafe_ma if failed_safe or self.sent_ma is None else self.sent_ma

    def exceeds(self, current_ma):
        """True where it draws clearly more than a current (mA)."""
        return max(self.measured_ma) > current_ma + _OVER_MA + current_ma // 32

    def _unplug(self):
        self.plugged_ms = None
        self.paused_until_ms = None
        self.asleep = False
        self._idle_ms = 0
        self._active = False
        self._cap_ma = None  # what it can use, where that is less than it may
        self._peak_ma = self._part_ms = 0
        self._use(self._wired)

    def look(self, now_ms, told=True):
        """Takes in what the caller has set, before the rows are made. told: it gets orders."""
        state = self.state
        active = state in ("C", "D")
        silent = self.silent_since_ms is not None
        self._wire()
        if not active and state != "B":
            if state not in ("E", "F") and self.plugged_ms is not None:
                self._unplug()
        elif self.plugged_ms is None:
            self._unplug()
            self.plugged_ms = self._waiting_ms = self._idle_ms = self._looked_ms = now_ms
            self.plugged_wh = self.energy_wh
            self.charging_ms = 0
        drawn_ma = max(self.measured_ma)
        lines = 0
        for line in range(3):
            if self.measured_ma[line] >= _DRAWS_MA:
                lines |= 1 << line
        self.drawn_lines = lines
        self.cphases = (lines & 1) + (lines >> 1 & 1) + (lines >> 2)
        if silent or not self._detect:
            self._use(self._wired)
        elif self.plugged_ms is not None:
            self._detect_lines(lines, drawn_ma, now_ms)
        if lines and not silent:
            self.charging_ms += now_ms - self._looked_ms
        self._looked_ms = now_ms
        sent_ma = order_ma = self.sent_ma
        if not told or silent or (sent_ma is not None and sent_ma <= self.setpoint_ma):
            self._told_ms = now_ms
        elif now_ms - self._told_ms >= _SLOW_MS:
            order_ma = self.setpoint_ma  # it does not take the order: it does not obey
        if not told or silent or order_ma is None or not self.exceeds(order_ma):
            self._over_ms = None
        elif self._over_ms is None:
            self._over_ms = self.read_ms
        over_ms = 0 if self._over_ms is None else self.read_ms - self._over_ms
        self.slow = over_ms >= _SLOW_MS
        self.ignoring = over_ms >= _IGNORES_MS
        offered_ma = min(self.setpoint_ma, sent_ma or 0)
        if drawn_ma >= _DRAWS_MA or (active and not self._active):
            self.asleep = False
            self._idle_ms = now_ms
        elif not offered_ma:
            self._idle_ms = now_ms
        elif now_ms - self._idle_ms >= _ASLEEP_MS:
            self.asleep = True
        self._active = active
        self._watch_use(drawn_ma, offered_ma, now_ms)
        if self.paused_until_ms is not None and now_ms >= self.paused_until_ms:
            self.paused_until_ms = None

    def _detect_lines(self, lines, drawn_ma, now_ms):
        # More lines count at once, fewer only when that is sure.
        if lines & ~self.lines:
            self._use(self.lines | lines)
        elif lines == self.lines or drawn_ma < _SURE_MA:
            self._fewer = 0
        elif lines != self._fewer:
            self._fewer = lines
            self._fewer_ms = now_ms
        elif now_ms - self._fewer_ms >= _FEWER_LINES_MS:
            self._use(lines)

    def _watch_use(self, drawn_ma, offered_ma, now_ms):
        # peak: most that it drew since it draws clearly less than it may.
        if not offered_ma or drawn_ma >= offered_ma - _NEARLY_ALL_MA:
            self._cap_ma = None
        self._peak_ma = max(self._peak_ma, drawn_ma)
        if self._peak_ma <= offered_ma - _CLEARLY_LESS_MA:
            if now_ms - self._part_ms < _UNUSED_MS:
                return
            self._cap_ma = max(self.min_ma, self._peak_ma + _MARGIN_MA)
        self._peak_ma = drawn_ma
        self._part_ms = now_ms

    def prepare(self, now_ms, rotation_ms, lost):
        """Sets what sharing reads, before it shares.

        rotation_ms: so long it keeps its place while others wait; lost: None, or (fallback current
        in mA, id) of a meter that is lost.
        """
        plugged = self.plugged_ms is not None
        self.max_ma = self.config_max_ma
        self.why = ("evse_maximum", (), "", None)
        if self.silent_since_ms is not None:
            self.stop("evse_silent")
        elif self.state in ("E", "F"):
            self.stop("evse_error")
        elif not plugged:
            self.stop("no_vehicle")
        elif self.slow:
            self.stop("ignores_setpoint")
        elif self.hold:
            self.stop(*self.hold)  # pyright: ignore[reportGeneralTypeIssues]
        elif self.wish_ma is not None and self.wish_ma < self.max_ma:
            code, arguments, until_ms = self.wish_reason or ("", (), None)
            self.max_ma = self.wish_ma
            self.why = (code, arguments, code, until_ms)
            if self.max_ma < self.min_ma:
                if self.max_ma:
                    self.why = ("below_minimum", (self.min_ma,), code, until_ms)
                self.max_ma = 0
        if self._cap_ma is not None:
            self._cap(self._cap_ma, "unused", (self._cap_ma,))
        if self.asleep:
            self._cap(self.min_ma, "not_drawing", ())
        if self.most:
            self._cap(*self.most)  # pyright: ignore[reportGeneralTypeIssues]
        if lost:
            self._cap(lost[0], "grid_meter_lost", (lost[1],))
        holds = self.place_ms is not None
        served_ms = now_ms - self.place_ms if holds else 0
        self.charging = holds and not self.asleep and (self.first_come or served_ms < rotation_ms)
        self.paused = self.paused_until_ms is not None
        if plugged:
            plugged_ms = now_ms - self.plugged_ms
            # Who has had his time yields to all that wait, and first who has had it longest.
            waiting_ms = -served_ms if holds else now_ms - self._waiting_ms
            if self.asleep:  # after all others; but seldom it has its turn, to see
                if waiting_ms < 4 * rotation_ms:
                    waiting_ms = _LAST_MS
            elif self.first_come:
                waiting_ms = plugged_ms
            elif self.charging:
                waiting_ms = 0
            self.waiting_s = waiting_ms // 1000
            self.energy_wh_per_h = (self.energy_wh - self.plugged_wh) * 3600000 // (plugged_ms + 1)

    def stop(self, code, arguments=(), until_ms=None):
        """It must not charge now, for this reason."""
        self.max_ma = 0
        self.why = (code, arguments, "", until_ms)

    def _cap(self, max_ma, code, arguments):
        if 0 < self.max_ma >= max_ma:
            self.max_ma = max_ma
            self.why = (code, arguments, "", None)

    def follow(self, target_ma, row, now_ms, pause_ms):
        """Takes its new setpoint. row: name of the row that bound it, or ""."""
        if target_ma < self.setpoint_ma and not self.slow:
            self.row = row
            if row and not target_ma and pause_ms:
                self.paused_until_ms = now_ms + pause_ms
        if not target_ma:
            if self.place_ms is not None:
                self.place_ms = None
                self._waiting_ms = now_ms
        elif self.place_ms is None:
            self.place_ms = self._idle_ms = now_ms
            self.asleep = False
        self.setpoint_ma = target_ma
