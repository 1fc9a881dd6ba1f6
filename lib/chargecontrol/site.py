"""The site: from readings to the setpoint of each EVSE and the reason for it.

Pure: the time comes in as `now_ms`, readings come in, decisions go out. One decision a call:
limits -> what each phase has left -> shares -> setpoints (down at once, up step by step).
"""

from micropython import const

from chargecontrol.limits import Limit, SetLimit, keep_or_new, smallest
from chargecontrol.rows import phase_rows
from chargecontrol.sharing import share

_FRESH_MS = const(3000)  # a grid reading is used as it is
_LOST_MS = const(15000)  # from here on the fallback current holds
_HOLD_MARGIN_MA = const(1000)  # taken off while the last reading is held
_MATCH_MS = const(1500)  # so long a grid reading waits for readings of the boxes
_SETTLE_MS = const(2000)  # a reading this long after a raise shows it
_SMALL_RAISE_MA = const(500)  # given whole, not by half
_SILENT_FAILSAFE_MS = const(180000)  # a silent box has fallen to its fail-safe current by then
_READINGS = const(4)  # of a box, kept to look up its current at the time of a grid reading
_HISTORY = const(3)  # the highest house load of so many readings counts


class Evse:
    """A charge point as the site sees it; the fields that sharing.share reads are among them.

    config: one entry of settings["evses"]; step_ma: what the box can resolve.
    measured_ma is in the box's own order L1..L3, sent_ma what the box has confirmed (None: never).
    """

    def __init__(self, config, step_ma):
        self.id = config["id"]
        self.priority = config["priority"]
        self.min_ma = config["min_current_ma"]
        self.config_max_ma = config["max_current_ma"]
        self.failsafe_ma = config["failsafe_current_ma"]
        self.phases = config["phases"]
        self.phase_rotation = config["phase_rotation"]
        self.step_ma = step_ma
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
        self.setpoint_ma = 0
        self.reason = None
        self._plugged_ms = None
        self._waiting_ms = None
        self._plugged_wh = 0

    def house_phase(self, line):
        """House phase (0..2) of the box's line (0..2), after its rotation in degrees."""
        return (line + self.phase_rotation // 120) % 3

    def remember(self):
        """Keeps the present reading, to know later what it drew when the grid meter was read."""
        if self.read_ms is not None and not (self._read and self._read[-1][0] == self.read_ms):
            self._read = self._read[1 - _READINGS :] + [(self.read_ms, self.measured_ma)]

    def drawn_at(self, at_ms, line):
        """(least, most) mA on a line of the box at a time, by the readings around it.

        None: there is no later reading yet.
        """
        later = None
        for reading in reversed(self._read):
            read_ms, measured_ma = reading
            if read_ms <= at_ms:
                if later is None and read_ms < at_ms:
                    return None
                pair = (measured_ma[line], (later if read_ms < at_ms else reading)[1][line])
                return min(pair), max(pair)
            later = reading
        return (later[1][line],) * 2 if later else None

    def counted_ma(self, now_ms):
        """What a silent box counts as drawing: its last order, later its fail-safe current."""
        if self.silent_since_ms is None or self.sent_ma is None:
            return 0
        failed_safe = now_ms - self.silent_since_ms >= _SILENT_FAILSAFE_MS
        return self.failsafe_ma if failed_safe else self.sent_ma

    def wish(self, now_ms, cap_ma):
        """Sets what sharing needs to know of it."""
        plugged = self.state in ("B", "C", "D")
        if not plugged:
            self._plugged_ms = self._waiting_ms = None
        elif self._plugged_ms is None:
            self._plugged_ms = self._waiting_ms = now_ms
            self._plugged_wh = self.energy_wh
        able = plugged and self.silent_since_ms is None
        self.max_ma = min(self.config_max_ma, cap_ma) if able else 0
        self.charging = self.state in ("C", "D")
        if self.setpoint_ma:
            self._waiting_ms = now_ms
        self.waiting_s = (now_ms - self._waiting_ms) // 1000 if plugged else 0
        if plugged:
            plugged_ms = now_ms - self._plugged_ms + 1
            self.energy_wh_per_h = (self.energy_wh - self._plugged_wh) * 3600000 // plugged_ms

    def not_wanted(self):
        """Code of the reason why it takes nothing of its own accord, or None."""
        if self.silent_since_ms is not None:
            return "evse_silent"
        if self.state in ("E", "F"):
            return "evse_error"
        if self.max_ma == 0:
            return "no_vehicle"
        return None


class Site:
    """Holds the limits and the EVSEs and decides the setpoints.

    settings: settings["site"]; grid_id: id of the grid meter or None.
    """

    def __init__(self, settings, evses, grid_id):
        self.evses = evses
        self.grid_id = grid_id
        self.start_limit = Limit("start", "current")
        self.configure(settings)
        self.available_ma = (0, 0, 0)
        self.meter_reason = None
        self._bases = []
        self._unmatched = []  # grid readings (ms, mA of each phase) that wait for the boxes'
        self._seen_ms = None
        self._raised_ms = None

    def configure(self, settings):
        """Takes other settings; what is known of the house and the boxes stays."""
        failsafe_ma = settings["failsafe_current_ma"]
        voltage_v = settings["voltage_v"]
        self.failsafe_ma = failsafe_ma
        self.reserve_ma = settings["reserve_current_ma"]
        self.meter_loss_ma = settings["meter_loss_current_ma"]
        self.set_limits = [
            SetLimit(name, kind, settings[name], failsafe_ma, voltage_v)
            for name, kind in (("max_total_current", "current"), ("max_total_power", "power"))
        ]
        self.limits = [self.start_limit] + self.set_limits

    def decide(self, now_ms, ready, lookups, grid_ma, grid_read_ms):
        """Sets `setpoint_ma` and `reason` of each EVSE.

        ready: inputs and channels are in a known state since start-up; lookups: for the limits'
        formulas, one a phase; grid_ma: mA drawn from the grid on each phase (feed-in negative) or
        None, and grid_read_ms when that was read.
        """
        if ready:
            self.start_limit.clear(now_ms)
        else:
            self.start_limit.fix(self.failsafe_ma, "starting", now_ms)
        for limit in self.set_limits:
            limit.evaluate(lookups, now_ms)
        trust = self._take_grid(now_ms, grid_ma, grid_read_ms)
        self.available_ma = tuple(self._available(phase, trust, now_ms) for phase in range(3))
        for evse in self.evses:
            evse.wish(now_ms, self.meter_loss_ma if trust == "lost" else evse.config_max_ma)
        shares = share(self.evses, phase_rows(self.available_ma, self.evses))
        may_raise = trust != "held" and self._settled(now_ms, trust, grid_read_ms)
        for i in range(len(shares)):
            self._follow(self.evses[i], shares[i], now_ms, trust, may_raise)

    def _take_grid(self, now_ms, grid_ma, read_ms):
        """Keeps the house load of a new reading. Returns "fresh", "held", "lost" or "none"."""
        if self.grid_id is None:
            return "none"
        if grid_ma and read_ms != self._seen_ms:
            self._seen_ms = read_ms
            self._unmatched.append((read_ms, grid_ma))
        for evse in self.evses:
            evse.remember()
        while self._unmatched and self._take_base(now_ms, *self._unmatched[0]):
            self._unmatched.pop(0)
        # A meter that answers without saying the currents is as good as silent.
        age_ms = now_ms - self._seen_ms if self._seen_ms is not None else _LOST_MS
        if age_ms >= _LOST_MS:
            code, trust = "grid_meter_lost", "lost"
        elif age_ms > _FRESH_MS:
            code, trust = "grid_meter_late", "held"
        else:
            self.meter_reason = None
            return "fresh"
        self.meter_reason = keep_or_new(self.meter_reason, code, (self.grid_id,), now_ms)
        return trust

    def _take_base(self, now_ms, read_ms, grid_ma):
        """Books what the house itself drew at a grid reading; False: boxes still have to be read.

        Grid meter and boxes are read one after the other. A car that ramps meanwhile would look
        like a load of the house, and be lowered twice. The readings of a box around the grid
        reading say what it drew at least and at most; while the house's last load lies in what
        that leaves, it is taken not to have changed.
        """
        low = list(grid_ma)
        high = list(grid_ma)
        for evse in self.evses:
            for line in range(3):
                drawn = evse.drawn_at(read_ms, line)
                if evse.silent_since_ms is not None:
                    drawn = (0, max(evse.measured_ma[line], evse.sent_ma or 0))
                elif drawn is None:
                    if now_ms - read_ms < _MATCH_MS:
                        return False
                    drawn = (evse.measured_ma[line],) * 2
                phase = evse.house_phase(line)
                low[phase] -= drawn[1]
                high[phase] -= drawn[0]
        last = self._bases[-1] if self._bases else high
        base = [min(max(last[i], low[i]), high[i]) for i in range(3)]
        self._bases = (self._bases + [base])[-_HISTORY:]
        return True

    def _available(self, phase, trust, now_ms):
        limit = smallest(self.limits, phase)
        if limit is None:
            # Nothing limits the connection: the boxes' own maximum is what is left.
            return sum(evse.config_max_ma for evse in self.evses)
        left = limit.phase_ma[phase] - self.reserve_ma
        if self._bases:
            left -= max(base[phase] for base in self._bases)
        if trust == "held":
            left -= _HOLD_MARGIN_MA
        for evse in self.evses:
            counted_ma = evse.counted_ma(now_ms)
            for line in range(evse.phases):
                if evse.house_phase(line) == phase:
                    left -= counted_ma
        return left

    def _settled(self, now_ms, trust, grid_read_ms):
        """True where a reading already shows the last raise."""
        if self._raised_ms is None:
            return True
        seen_ms = grid_read_ms if trust == "fresh" else now_ms
        return seen_ms - self._raised_ms >= _SETTLE_MS

    def _follow(self, evse, given, now_ms, trust, may_raise):
        """Moves the setpoint towards the share: down at once, up by half of what is open."""
        target_ma = given.current_ma
        code, arguments = self._why(evse, given, trust)
        if evse.silent_since_ms is not None:
            target_ma = min(evse.setpoint_ma, evse.failsafe_ma)
        elif target_ma > evse.setpoint_ma:
            if may_raise:
                target_ma = self._raised(evse, target_ma)
                self._raised_ms = now_ms
            else:
                target_ma = evse.setpoint_ma
            if target_ma < given.current_ma and code == "evse_maximum":
                code = "rising"
        evse.setpoint_ma = target_ma
        evse.reason = keep_or_new(evse.reason, code, arguments, now_ms)

    @staticmethod
    def _raised(evse, share_ma):
        missing_ma = share_ma - evse.setpoint_ma
        if missing_ma <= _SMALL_RAISE_MA:
            return share_ma
        raised_ma = max(evse.min_ma, evse.setpoint_ma + missing_ma // 2)
        raised_ma -= raised_ma % evse.step_ma
        return raised_ma if raised_ma >= evse.min_ma else share_ma

    def _why(self, evse, given, trust):
        """(code, arguments) of what bound the share."""
        code = evse.not_wanted()
        if code:
            return code, ()
        if trust == "lost" and given.reason == "max":
            return "grid_meter_lost", (self.grid_id,)
        if given.reason in ("L1", "L2", "L3"):
            limit = smallest(self.limits, int(given.reason[1]) - 1)
            if trust == "lost":
                return "limit_and_meter_lost", (limit.source, given.reason, self.grid_id)
            if limit is None:
                return "evse_maximum", ()
            return "limit_binds", (limit.source, given.reason)
        return "evse_maximum", ()
