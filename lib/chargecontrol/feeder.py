"""A feeder: the house connection, what leads to all EVSEs, a group. One code for all of them."""

from micropython import const

from chargecontrol.limits import Limit, keep_or_new, smallest

_FRESH_MS = const(3000)  # a reading is used as it is
_LOST_MS = const(15000)  # from here on the fallback current holds
_HOLD_MARGIN_MA = const(1000)  # taken off while the last reading is held
_MATCH_MS = const(1500)  # so long a meter's reading waits for readings of the boxes
_SETTLE_MS = const(2000)  # a reading this long after a raise shows it
_HISTORY = const(3)  # the highest load of so many readings counts
_CLOUD_MA = const(1000)  # feed-in vanishes no faster from reading to reading; switches are faster
_HELD_MS = const(10000)  # a limit so old is one that is overdrawn, not one that is being obeyed
_OBEYS_MS = const(5000)
_OVERDRAFT_MS = const(300000)


class Feeder:
    """What leads to some of the EVSEs, with limits and maybe a meter of its own.

    id: "house", "evses", or a group's; evses: all behind it; limits: [Limit], those from the
    settings in set_limits, those of the grid operator in outer; meter_id: of its own meter, which
    sees these EVSEs and other loads, or None; inner: the groups right in it whose loads count
    here, too, where it has no meter.

    Set by the caller: reading_ma (what that meter says on each phase, feed-in negative, None: it
    does not say) and read_ms; without a meter load_ma (what others draw), with read_ms where that
    is measured.

    Results: available_ma for the EVSEs on each phase, available_w (None: no limit of its total
    power), trust in the meter ("fresh", "held", "lost", "none": there is none) and meter_reason;
    overdraft_ma (now taken off), overdraft_max_ma (most that was ever seen; may be set to 0).
    """

    def __init__(self, id):
        self.id = id
        self.prefix = "" if id == "house" else id + "."
        self.evses = []
        self.inner = []
        self.limits = []
        self.set_limits = []
        self.outer = ()
        self.reserve_ma = 0
        self.voltage_v = 230
        self.meter_id = None
        self.reading_ma = None
        self.read_ms = None
        self.load_ma = (0, 0, 0)
        self.counted_ma = (0, 0, 0)
        self.available_ma = (0, 0, 0)
        self.available_w = None
        self.limited = False
        self.trust = "none"
        self.meter_reason = None
        self.overdraft_ma = 0
        self.overdraft_max_ma = 0
        self._overdraft = None  # its Limit; made when first needed
        self._over = [(0, 0)] * 3  # each phase: (since, least excess since then), 0: none
        self._excess_ma = [0, 0, 0]  # each phase: what is taken off
        self._bases = []
        self._unmatched = []  # readings (ms, mA of each phase) that wait for the boxes'
        self._seen_ms = None

    def take(self, now_ms):
        """Takes in a new reading; sets `trust`."""
        if self.meter_id is None:
            self._seen_ms = self.read_ms
            if self.read_ms is None:
                self.trust = "none"
                return
        else:
            if self.reading_ma and self.read_ms != self._seen_ms:
                self._seen_ms = self.read_ms
                self._unmatched.append((self.read_ms, self.reading_ma))
                self._watch_overdraft(now_ms)
            while self._unmatched and self._take_base(now_ms, *self._unmatched[0]):
                self._unmatched.pop(0)
        # A meter that answers without saying the currents is as good as silent.
        age_ms = now_ms - self._seen_ms if self._seen_ms is not None else _LOST_MS
        if age_ms >= _LOST_MS:
            code, self.trust = "grid_meter_lost", "lost"
        elif age_ms > _FRESH_MS:
            code, self.trust = "grid_meter_late", "held"
        else:
            self.trust = "fresh"
            self.meter_reason = None
            return
        arguments = (self.meter_id or "consumption",)
        self.meter_reason = keep_or_new(self.meter_reason, code, arguments, now_ms)

    def _take_base(self, now_ms, read_ms, reading_ma):
        """Books what others than EVSEs drew at a reading; False: boxes still have to be read.

        The meter and the boxes are read one after the other. A car that ramps meanwhile would look
        like another load, and be lowered twice. The readings of a box around the meter's say what
        it drew at least and at most; while the last load lies in what that leaves, it is taken not
        to have changed.
        """
        low = list(reading_ma)
        high = list(reading_ma)
        for evse in self.evses:
            measured_ma = evse.measured_ma
            drawn = evse.drawn_at(read_ms)
            if drawn is None:
                if now_ms - read_ms < _MATCH_MS and evse.silent_since_ms is None:
                    return False
                drawn = (measured_ma, measured_ma)
            before, after = drawn
            for line in range(3):
                if evse.silent_since_ms is not None:
                    least, most = 0, evse.counted_ma(now_ms, line)
                else:
                    least, most = before[line], after[line]
                    if least > most:
                        least, most = most, least
                if most:
                    phase = evse.house_phase(line)
                    low[phase] -= most
                    high[phase] -= least
        last = self._bases[-1] if self._bases else high
        base = [min(max(last[i], low[i]), high[i]) for i in range(3)]
        self._bases = (self._bases + [base])[-_HISTORY:]
        return True

    def _watch_overdraft(self, now_ms):
        """What exceeded a limit, and still did when boxes and cars had had their time to obey, is
        taken off on that phase until nothing was seen for 5 min: fuses cool slowly.
        """
        for phase in range(3):
            limit = smallest(self.set_limits, phase)
            over_ma = 0
            if limit and limit.value and now_ms - limit.reason.since_ms >= _HELD_MS:
                over_ma = max(0, self.reading_ma[phase] - limit.phase_ma[phase])
            self.overdraft_max_ma = max(self.overdraft_max_ma, over_ma)
            since_ms, least_ma = self._over[phase]
            if not least_ma:
                since_ms, least_ma = now_ms, over_ma
            least_ma = min(least_ma, over_ma)
            self._over[phase] = (since_ms, least_ma)
            if least_ma and now_ms - since_ms >= _OBEYS_MS:
                if self._overdraft is None:
                    self._overdraft = Limit(self.prefix + "overdraft", "current")
                self._overdraft.until_ms = now_ms + _OVERDRAFT_MS
                self._excess_ma[phase] = max(self._excess_ma[phase], least_ma)

    def _take_off_overdraft(self, now_ms):
        overdraft = self._overdraft
        if overdraft not in self.limits:
            self.limits.append(overdraft)
        if overdraft.until_ms is None or now_ms >= overdraft.until_ms:
            self._excess_ma = [0, 0, 0]
        self.overdraft_ma = max(self._excess_ma)
        if not self.overdraft_ma or not smallest(self.set_limits, 0):
            overdraft.clear(now_ms)
            return
        phase_ma = [smallest(self.set_limits, phase).phase_ma[phase] for phase in range(3)]
        phase_ma = tuple([max(0, phase_ma[n] - self._excess_ma[n]) for n in range(3)])
        overdraft.say("overdraft", (self.overdraft_ma,), min(phase_ma), phase_ma, now_ms)

    def base_ma(self, phase):
        """What others than EVSEs draw on a phase (0..2)."""
        if self.meter_id is None:
            inner = [max(0, feeder.base_ma(phase)) for feeder in self.inner]
            return self.load_ma[phase] + sum(inner)
        bases = [base[phase] for base in self._bases]
        if len(bases) == _HISTORY:
            first, middle, last = bases
            if 0 < middle - first <= _CLOUD_MA and 0 < last - middle <= _CLOUD_MA:
                return last + last - first  # it goes on rising until the cars have followed
        return max(bases) if bases else 0

    def share_out(self, now_ms):
        """Sets available_ma and available_w by the limits and the load."""
        if self._overdraft:
            self._take_off_overdraft(now_ms)
        counted = [0, 0, 0]
        for evse in self.evses:
            if evse.slow or evse.silent_since_ms is not None:
                for line in range(3):
                    counted[evse.house_phase(line)] += evse.counted_ma(now_ms, line)
        self.counted_ma = counted
        margin_ma = self.reserve_ma + (_HOLD_MARGIN_MA if self.trust == "held" else 0)
        taken = [self.base_ma(phase) + counted[phase] + margin_ma for phase in range(3)]
        available = []
        for phase in range(3):
            limit = smallest(self.limits, phase)
            self.limited = limit is not None
            if limit:
                available.append(limit.phase_ma[phase] - taken[phase])
            else:
                # Nothing limits it: the boxes' own maximum is what is left.
                available.append(sum([evse.config_max_ma for evse in self.evses]))
        self.available_ma = tuple(available)
        self.available_w = None
        for limit in self.limits:
            if limit.kind == "power" and not limit.phase_ma and limit.value is not None:
                self.available_w = limit.value - sum(taken) * self.voltage_v // 1000

    def may_raise(self, now_ms, raised_ms):
        """False where its meter does not yet show what was raised (raised_ms, None: nothing)."""
        if self.trust == "held":
            return False
        seen_ms = self._seen_ms if self.trust == "fresh" else now_ms
        return raised_ms is None or seen_ms - raised_ms >= _SETTLE_MS
