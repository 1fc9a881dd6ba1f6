"""S0 pulse meters (EN 62053-31): pulses of at least 30 ms become energy in Wh and power in W."""

from micropython import const

_MIN_LEVEL_MS = const(25)  # 30 ms by the standard, less what interrupts may be late
_MAX_HZ = const(16)  # 30 ms pulse, 30 ms pause
_WINDOW_MS = const(1000)  # fast pulses are averaged: a late interrupt would shake the power
_ZERO_MS = const(900000)  # no pulse for so long: nothing flows
_MS_W_PER_KWH = const(3600000000)


class S0Error(Exception):
    """A setting of a pulse meter that can't be used; `code` names the sentence."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class S0Meter:
    """Counts one input. `pulses` and `start_wh` go on from values kept elsewhere.

    phases: the line conductors (1..3) over which the power is spread. `too_fast` becomes True
    when pulses come faster than the standard lets an input count.
    """

    def __init__(self, pulses_per_kwh, phases=(1,), voltage_v=230, pulses=0, start_wh=0):
        if not 1 <= pulses_per_kwh <= 100000:
            raise S0Error("s0_rate", "pulses_per_kwh must lie between 1 and 100000.")
        if not phases or len(phases) != len(set(phases)) or not set(phases) <= {1, 2, 3}:
            raise S0Error("s0_phases", "phases must name one to three of 1, 2 and 3, each once.")
        self._rate = pulses_per_kwh
        self._phases = phases
        self._voltage_v = voltage_v
        self._start_wh = start_wh
        self.pulses = pulses
        self.too_fast = False
        self._closed = self._pulse = False  # the level now, and the level that is no bounce
        self._edge_ms = 0
        self._last_ms = None
        self._window_ms = self._window_pulses = self._power_w = 0

    @property
    def max_power_w(self):
        """The power above which pulses come faster than 16 Hz and get lost."""
        return _MAX_HZ * 3600000 // self._rate

    def edge(self, closed, now_ms):
        """The input changed (interrupt). A level counts once it held for 25 ms; a repeated level
        means that an interrupt got lost, which can lose a pulse but never add one."""
        if closed == self._closed:
            return
        if now_ms - self._edge_ms >= _MIN_LEVEL_MS:
            if self._closed and not self._pulse:
                self._count(now_ms)
            self._pulse = self._closed
        self._closed = closed
        self._edge_ms = now_ms

    def _count(self, now_ms):
        self.pulses += 1
        if self._last_ms is None:
            self._window_ms, self._window_pulses = now_ms, self.pulses
        passed_ms = now_ms - self._window_ms
        if passed_ms >= _WINDOW_MS:
            counted = self.pulses - self._window_pulses
            self._power_w = _MS_W_PER_KWH * counted // (self._rate * passed_ms)
            self.too_fast = self.too_fast or counted * 1000 > _MAX_HZ * passed_ms
            self._window_ms, self._window_pulses = now_ms, self.pulses
        self._last_ms = now_ms

    def power_w(self, now_ms):
        """Power in W: what the last pulses say, at most what the wait for the next allows."""
        if self._last_ms is None or now_ms - self._last_ms > _ZERO_MS:
            return 0
        waited_ms = now_ms - self._last_ms
        if waited_ms <= 0:
            return self._power_w
        return min(self._power_w, _MS_W_PER_KWH // (self._rate * waited_ms))

    def readings(self, now_ms):
        """Readings of a meter: integers in W, Wh and mA. No pulse is ever rounded away."""
        power_w = self.power_w(now_ms)
        current_ma = power_w * 1000 // (self._voltage_v * len(self._phases))
        readings = {
            "power_w": power_w,
            "import_wh": self._start_wh + 1000 * self.pulses // self._rate,
        }
        for phase in (1, 2, 3):
            readings["current_l%d_ma" % phase] = current_ma if phase in self._phases else 0
        return readings


class PulseMeter:
    """A meter on an S0 input, with the face of a Device."""

    def __init__(self, config, meter):
        self.id = config["id"]
        self.config = config
        self.meter = meter
        self.readings = {}
        self.read_ms = None
        self.com_error = False
        self.error_since_ms = None
        self.problem = meter.problem if hasattr(meter, "problem") else None
        self.complaint = None

    def kept(self):
        """What has to outlive a restart: the pulses counted."""
        return self.meter.pulses

    def sample(self, now_ms):
        """Takes the readings of this moment: power decays while no pulse comes."""
        self.readings = self.meter.readings(now_ms)
        self.read_ms = now_ms
