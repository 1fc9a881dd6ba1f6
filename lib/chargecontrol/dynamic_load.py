"""How much current the house has left for EVSEs on each phase (reference/warp.md 3.1, 3.2).

A constant current is held that leaves room for the largest consumer to switch on below the short
term trip current. Integer mA; a division truncates toward zero.
"""

from micropython import const

from chargecontrol.settling import Settling

_STALE_MS = const(65000)
_FILTER_MS = const(10000)
_SAMPLE_MS = const(500)
_SETTLE_MS = const(15000)  # the mean over 10 s, and a vehicle's 5 s
_SMALL_MA = const(100)  # change of an allocation that counts as none


class DynamicLoad:
    """available_ma: mA for EVSEs on L1, L2, L3, may be negative; None when lost.

    lost: there is no reading that is fresh enough.
    """

    def __init__(self, settings):
        self.available_ma = None
        self.lost = True
        self._samples = []  # (read_ms, mA of each phase) of the last 10 s
        self._peak_allocated_ma = [0, 0, 0]
        self._settling = Settling(_SETTLE_MS, _SMALL_MA)
        self.configure(settings)

    def configure(self, settings):
        """Takes other settings["dynamic_load"]; readings are kept."""
        limit_ma = settings["current_limit"]
        peak_ma = limit_ma * 7 // 5 - settings["largest_consumer_current"]
        target_ma = max(0, min(peak_ma, limit_ma)) * (100 - settings["safety_margin_pct"]) // 100
        self.target_ma = target_ma
        self._blend_ma = target_ma * 11 // 10
        self._peak_ma = target_ma * 6 // 5

    def take(self, pm, now_ms, currents):
        """A control step for a power manager. currents: ([mA of each phase], read_ms) or None."""
        grid_ma, read_ms = currents or (None, None)
        allocated_ma = [0, 0, 0]
        for point in pm.points:
            lines_ma = point.allowed_ma()
            for line in range(3):
                allocated_ma[point.evse.house_phase(line)] += lines_ma[line]
        most_ma = sum([evse.config_max_ma for evse in pm.site.evses])
        for limit in pm.site.house.set_limits:
            if limit.phase_ma:
                most_ma = min(most_ma, min(limit.phase_ma))
        self.update(now_ms, grid_ma, read_ms, allocated_ma, most_ma)

    def update(self, now_ms, grid_ma, read_ms, allocated_ma, max_ma):
        """A control step on a new reading; about once a second.

        grid_ma: mA of each phase, export negative, or None; read_ms: its control time.
        allocated_ma: of each phase, by what those that really charge are allowed.
        max_ma: what the supply allows in all.

        Down at once, up only when the reading shows the last change.
        """
        if grid_ma is None or now_ms - read_ms > _STALE_MS:
            self.available_ma = None
            self.lost = True
            self._samples = []
            return
        self.lost = False
        if self._samples and read_ms <= self._samples[-1][0]:
            self.available_ma = [min(ma, max_ma) for ma in self.available_ma or ()]
            return
        self._take(read_ms, grid_ma)
        settled = self._settling.settled(now_ms, tuple(allocated_ma), read_ms)
        held_ma = None if settled else self.available_ma
        if not held_ma:
            self._peak_allocated_ma = list(allocated_ma)
        available_ma = []
        for phase in range(3):
            # The meter may still show what was allowed before it was taken away: to count the
            # highest never takes the same excess away twice.
            if allocated_ma[phase] > self._peak_allocated_ma[phase]:
                self._peak_allocated_ma[phase] = allocated_ma[phase]
            ma = min(self._control(phase, grid_ma[phase], not held_ma), max_ma)
            available_ma.append(min(ma, held_ma[phase]) if held_ma else ma)
        self.available_ma = available_ma

    def _take(self, read_ms, grid_ma):
        samples = self._samples
        while samples and read_ms - samples[0][0] >= _FILTER_MS:
            samples.pop(0)
        if len(samples) > 1 and read_ms - samples[-2][0] < _SAMPLE_MS:
            # Readings that come too fast share a place, the higher one stays.
            last_ma = samples.pop()[1]
            grid_ma = [max(grid_ma[phase], last_ma[phase]) for phase in range(3)]
        samples.append((read_ms, tuple(grid_ma)))

    def _control(self, phase, now_ma, by_half):
        past = [sample[1][phase] for sample in self._samples]
        total_ma = sum(past)
        mean_ma = total_ma // len(past) if total_ma >= 0 else -(-total_ma // len(past))
        high_ma = (max(past) + mean_ma) // 2
        if now_ma < self._blend_ma:
            drawn_ma = mean_ma
        elif now_ma > self._peak_ma:
            drawn_ma = high_ma
        else:
            width_ma = max(1, self._peak_ma - self._blend_ma)
            drawn_ma = mean_ma + (high_ma - mean_ma) * (now_ma - self._blend_ma) // width_ma
        error_ma = self.target_ma - drawn_ma
        allocated_ma = self._peak_allocated_ma[phase]
        if allocated_ma <= 0:
            return error_ma
        if error_ma < 0:
            return allocated_ma + error_ma + -error_ma // 16
        if by_half:
            error_ma = min(error_ma // 2, self.target_ma // 2)
        return allocated_ma + error_ma
