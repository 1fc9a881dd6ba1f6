"""The site: from readings to the setpoint of each EVSE and the reason for it.

Pure: the time comes in as `now_ms`, readings come in, decisions go out. One decision a call:
limits -> what each feeder has left -> shares -> setpoints (down at once, up step by step).
"""

from micropython import const

from chargecontrol.limits import Limit, keep_or_new, smallest
from chargecontrol.rows import phase_rows, power_row, unbalance_rows
from chargecontrol.sharing import share

_SMALL_RAISE_MA = const(500)  # given whole, not by half
_OVER_MS = const(30000)  # nobody has dimmed for so long: who had to pause for it may begin


class Site:
    """Holds the feeders with their limits, and the EVSEs, and decides the setpoints.

    settings: settings["site"]; groups: settings["groups"]; grid_id: id of the grid meter or None.

    house, feeders (house first), limits (of all of them), percent (share of the total current, 0
    to 100, or None), plan_limit (what a charging plan for all allows), operator (operator.Operator
    or None: its limits are the house's, too), dimming (dimming.Dimming or None).
    """

    operator = dimming = None  # set from outside

    def __init__(self, settings, evses, grid_id, groups=()):
        self.evses = evses
        self.grid_id = grid_id
        self.percent = None
        self._start_limit = Limit("start", "current")
        self.percent_limit = Limit("percent", "percent")
        self.plan_limit = Limit("plan", "current")
        self.feeders = []
        self.power_manager = None  # sets itself
        self._raised_ms = None
        self.configure(settings, groups)

    def configure(self, settings, groups=()):
        """Takes other settings; what is known of the house and the boxes stays."""
        from chargecontrol import site_setup

        self.failsafe_ma = settings["failsafe_current_ma"]
        self._meter_loss_ma = settings["meter_loss_current_ma"]
        self._unbalance_ma = settings.get("max_unbalance_ma")
        self._with_house = settings.get("unbalance_with_house")
        self._manages = settings.get("load_management", True)
        self._pause_ms = settings.get("min_pause_s", 300) * 1000
        self._rotation_ms = settings.get("rotation_s", 900) * 1000
        self.feeders = site_setup.feeders(self, settings, groups)
        self.house = self.feeders[0]
        self.house.limits[:0] = [self._start_limit]
        self.house.limits += [self.percent_limit, self.plan_limit]

    @property
    def limits(self):
        """All limits, also those that do not bind."""
        limits = [limit for feeder in self.feeders for limit in feeder.limits]
        if self.dimming:
            limits.append(self.dimming.limit)
        return limits

    @property
    def available_ma(self):
        """mA that each phase of the house has left for EVSEs."""
        return self.house.available_ma

    @property
    def meter_reason(self):
        """Reason where the grid meter is late or lost, else None."""
        return self.house.meter_reason

    def decide(self, now_ms, ready, lookups):
        """Sets `setpoint_ma` and `reason` of each EVSE.

        ready: inputs and channels are in a known state since start-up; lookups: for the limits'
        formulas, one a phase.
        """
        evses = self.evses
        for evse in evses:
            evse.remember()
            evse.look(now_ms, self._manages)
        self._limit(now_ms, ready, lookups)
        rows = self._rows(now_ms)
        lost = [feeder for feeder in self.feeders if feeder.trust == "lost"]
        for evse in evses:
            fallback = None
            for feeder in lost:
                if evse in feeder.evses:
                    fallback = (self._meter_loss_ma, feeder.meter_reason.arguments[0])
            evse.prepare(now_ms, self._rotation_ms, fallback)
        for evse in evses:
            if evse.ignoring and evse.row:
                self._stop_others(evse, rows)
        shares = share(evses, rows)
        late = [feeder for feeder in self.feeders if not feeder.may_raise(now_ms, self._raised_ms)]
        coming_down = False
        for i in range(len(evses)):
            evse = evses[i]
            if evse.max_ma and not evse.slow and evse.exceeds(shares[i].current_ma):
                coming_down = True
        for i in range(len(evses)):
            may_raise = not coming_down
            for feeder in late:
                may_raise = may_raise and evses[i] not in feeder.evses
            self._follow(i, shares, rows, now_ms, may_raise)

    def _limit(self, now_ms, ready, lookups):
        if ready:
            self._start_limit.clear(now_ms)
        else:
            self._start_limit.fix(self.failsafe_ma, "starting", now_ms)
        for feeder in self.feeders:
            for limit in feeder.set_limits:
                limit.evaluate(lookups, now_ms)
        percent = self.percent
        whole = self.house.set_limits
        phase_ma = whole[0].phase_ma or whole[1].phase_ma
        if percent is None or not phase_ma:
            self.percent_limit.clear(now_ms)
        else:
            phase_ma = tuple([ma * percent // 100 for ma in phase_ma])
            self.percent_limit.say("percent", (percent,), percent, phase_ma, now_ms)
        if self.plan_limit.reason is None:
            self.plan_limit.clear(now_ms)
        if self.operator or self.house.outer:
            from chargecontrol import operator_limits

            operator_limits.take(self, now_ms)

    def _rows(self, now_ms):
        evses = self.evses
        rows = []
        for feeder in self.feeders:
            feeder.take(now_ms)
        for feeder in self.feeders:
            feeder.share_out(now_ms)
            members = None if feeder.evses is evses else feeder.evses
            if feeder.limited:
                rows += phase_rows(feeder.prefix, feeder.available_ma, evses, members)
            if feeder.available_w is not None:
                name = feeder.prefix + "power"
                rows.append(power_row(name, feeder.available_w, evses, members, feeder.voltage_v))
        if self._unbalance_ma is not None:
            base = list(self.house.counted_ma)
            if self._with_house:
                base = [base[phase] + self.house.base_ma(phase) for phase in range(3)]
            drawn = [evse.drawn_lines for evse in evses]
            rows += unbalance_rows(self._unbalance_ma, base, evses, drawn)
        if self.power_manager:
            rows += self.power_manager.rows(evses)
        if self.dimming:
            rows += self.dimming.rows(now_ms, evses)
            if self.dimming.over_ms(now_ms) >= _OVER_MS:
                for evse in evses:
                    if evse.row[:7] == "dimming":
                        evse.paused_until_ms = None
        return rows

    def _stop_others(self, ignoring, rows):
        """The row that bound a box which does not obey can only be kept by all others."""
        for row in rows:
            if row.name == ignoring.row:
                for evse, weight in zip(self.evses, row.weights):
                    if weight and not evse.slow:
                        evse.stop("stopped_by_ignoring", (ignoring.id,))

    def _follow(self, i, shares, rows, now_ms, may_raise):
        """Moves the setpoint towards the share: down at once, up by half of what is open."""
        evse = self.evses[i]
        given = shares[i]
        target_ma = given.current_ma
        row = "" if given.reason in ("max", "paused", "not_wanted") else given.reason
        if evse.silent_since_ms is not None:
            target_ma = min(evse.setpoint_ma, evse.failsafe_ma)
        elif evse.slow and not evse.ignoring:
            target_ma = evse.setpoint_ma
        elif target_ma > evse.setpoint_ma:
            if may_raise:
                target_ma = self._raised(evse, target_ma)
                self._raised_ms = now_ms
            else:
                target_ma = evse.setpoint_ma
        # The limit of the start ends in a moment: nobody has to pause for it.
        pause_ms = 0 if self._start_limit.phase_ma else self._pause_ms
        evse.follow(target_ma, row, now_ms, pause_ms)
        turn_ms = None
        if row and not given.current_ma:
            turn_ms = self._turn_ms(i, row, shares, rows, now_ms)
        if not self._manages:
            code, arguments, source, until_ms = "observe", (), "load_management", None
        elif evse.paused_until_ms is not None and (row or given.reason == "paused"):
            code, arguments, source, until_ms = "paused", (evse.row,), "", evse.paused_until_ms
        elif turn_ms is not None:
            code, arguments, source, until_ms = "rotation", (row,), "", turn_ms or None
        elif row:
            code, arguments, source, until_ms = self._why(row)
        elif evse.why[0] == "evse_maximum" and target_ma < given.current_ma:
            code, arguments, source, until_ms = "rising", (), "", None
        else:
            code, arguments, source, until_ms = evse.why
        evse.reason = keep_or_new(evse.reason, code, arguments, now_ms, source, until_ms)

    @staticmethod
    def _raised(evse, share_ma):
        missing_ma = share_ma - evse.setpoint_ma
        if missing_ma <= _SMALL_RAISE_MA:
            return share_ma
        raised_ma = max(evse.min_ma, evse.setpoint_ma + missing_ma // 2)
        raised_ma = max(raised_ma - raised_ma % evse.step_ma, evse.setpoint_ma + evse.step_ma)
        return raised_ma if raised_ma >= evse.min_ma else share_ma

    def _why(self, row):
        """(code, arguments, source, until_ms) of a row that binds."""
        if row == "pv" or row.startswith("dynamic_load."):
            return self.power_manager.why(row)  # pyright: ignore[reportAttributeAccessIssue]
        if row[:7] == "dimming":
            return self.dimming.why(row)  # pyright: ignore[reportAttributeAccessIssue]
        if "-" in row:
            return "unbalance", (row,), "max_unbalance_ma", None
        id, _, what = row.rpartition(".")
        feeder = [feeder for feeder in self.feeders if feeder.id == (id or "house")][0]
        if what == "power":
            source = [limit for limit in feeder.limits if limit.kind == "power"][0].source
        else:
            limit = smallest(feeder.limits, int(what[1]) - 1)
            source = limit.source if limit else ""
        if feeder.trust == "lost":
            arguments = (source, row, feeder.meter_reason.arguments[0])
            return "limit_and_meter_lost", arguments, source, None
        if id:
            return "row_binds", (row, source), source, None
        return "limit_binds", (source, row), source, None

    def _turn_ms(self, i, name, shares, rows, now_ms):
        """When the first of its class that have places in a row must yield to an EVSE; 0: none
        has to. None: there are none.
        """
        evses = self.evses
        turn_ms = None
        for row in rows:
            for k in range(len(evses)):
                evse = evses[k]
                if row.name != name or not row.weights[k] or not shares[k].current_ma:
                    continue
                if evse.priority == evses[i].priority:
                    turn_ms = turn_ms or 0
                    if not evse.first_come:
                        since_ms = now_ms if evse.place_ms is None else evse.place_ms
                        over_ms = since_ms + self._rotation_ms
                        turn_ms = min(turn_ms or over_ms, over_ms)
        return turn_ms
