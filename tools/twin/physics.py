"""The simulated physics: cars, and the energy that flows through a point.

Everything is an integer: mA per phase, W, and energy in W*ms (1 Wh = 3,600,000 W*ms).
"""

VOLTAGE_V = 230
WH = 3600000
# What a car leaves of the offered current, and what is lost between socket and battery.
_BELOW_OFFER_MA = 100
_BATTERY_PCT = 90
_START_MS = 2000
# IEC 61851-1 gives a car 5 s to follow the pilot; from nothing to full takes 4 s here.
_UP_MS = 4000
_DOWN_MS = 2000


class Car:
    """One car at one wallbox: draws `current_ma` on each of its phases."""

    def __init__(self, config):
        self.current_ma = 0
        self._waited_ms = 0
        self.set(config)

    def set(self, change):
        """Take over the keys of `change` (plugged, phases, soc, ...)."""
        for key, value in change.items():
            if key == "soc":
                self._battery_wms = None
            elif key == "sleep_s":
                self._sleep_ms = 1000 * value
            setattr(self, key, value)
        if self._battery_wms is None:
            self._battery_wms = self.soc * self.capacity_wh * WH // 100
        if not self.plugged:
            self.current_ma = self._waited_ms = self._sleep_ms = 0

    @property
    def asleep(self):
        """True while the car draws nothing although it is plugged in and not full."""
        return self._sleep_ms > 0

    @property
    def wants(self):
        """True while the car would charge if it were offered enough."""
        return self.plugged and self.soc < 100 and not self.asleep

    def step(self, dt_ms, offered_ma, phases):
        """Go on by dt_ms with `offered_ma` on up to `phases` phases; return the phases used."""
        used = min(self.phases, phases)
        self._sleep_ms = max(0, self._sleep_ms - dt_ms)
        target_ma = 0
        if self.wants and offered_ma >= self.min_current_ma:
            self._waited_ms += dt_ms
            if self._waited_ms >= _START_MS or self.current_ma:
                target_ma = min(offered_ma - _BELOW_OFFER_MA, self._usable_ma())
        else:
            self._waited_ms = 0
        if self.asleep:
            self.current_ma = 0  # it opens its contactor
        elif target_ma > self.current_ma:
            rise_ma = self.max_current_ma * dt_ms // _UP_MS
            self.current_ma = min(target_ma, max(self.current_ma + rise_ma, 5500))
        else:
            fall_ma = self.max_current_ma * dt_ms // _DOWN_MS
            self.current_ma = max(target_ma, self.current_ma - fall_ma)
        power_w = self.current_ma * VOLTAGE_V * used // 1000
        self._battery_wms += power_w * dt_ms * _BATTERY_PCT // 100
        self.soc = min(100, self._battery_wms * 100 // (self.capacity_wh * WH))
        return used

    def _usable_ma(self):
        """Return what the battery takes: less and less above 97 %."""
        if self.soc < 97:
            return self.max_current_ma
        return max(self.min_current_ma, self.max_current_ma * (100 - self.soc) // 4)


class Energy:
    """Import and export through one point, in Wh, with the remainder kept."""

    def __init__(self):
        self._import_wms = 0
        self._export_wms = 0

    def add(self, power_w, dt_ms):
        """Count dt_ms at power_w (import positive)."""
        if power_w >= 0:
            self._import_wms += power_w * dt_ms
        else:
            self._export_wms -= power_w * dt_ms

    @property
    def import_wh(self):
        """Energy drawn, whole Wh."""
        return self._import_wms // WH

    @property
    def export_wh(self):
        """Energy fed in, whole Wh."""
        return self._export_wms // WH


def rotated(phases_ma, rotation_deg):
    """Return a wallbox's phase currents as the house's: at 120 degrees box L1 is on house L2.

    Rule: cFos charging manager, phase rotation (120 degrees = box L1, L2, L3 on house L2, L3, L1).
    """
    shift = rotation_deg // 120
    return [phases_ma[(i - shift) % 3] for i in range(3)]
