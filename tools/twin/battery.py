"""A home battery with a controller of its own, which aims at no power at the grid meter.

Pure: step() is given what the grid meter shows and how much time passes; the twin and simulations
without a clock use the same. Integers: W (charging positive), mW inside, energy in W*ms.
"""

from .errors import flag, table, whole
from .physics import WH

# What is lost on the way into the cells, and again out of them.
_ONE_WAY_PCT = 95
DEFAULTS = {
    "capacity_wh": 10000,
    "max_w": 5000,
    "soc": 50,
    "lag_ms": 2000,
    "deadzone_w": 20,
    "enabled": True,
}
_LIMITS = {
    "capacity_wh": (100, 1000000),
    "max_w": (100, 100000),
    "soc": (0, 100),
    "lag_ms": (100, 60000),
    "deadzone_w": (0, 5000),
}


class Battery:
    """One battery on three phases.

    config: keys of DEFAULTS. capacity_wh: usable; max_w: of both directions; lag_ms: time constant
    with which it follows the grid meter; deadzone_w: what it leaves there; enabled: False, it
    rests at 0 W.
    """

    def __init__(self, config=None):
        self._mw = 0
        self._set(dict(DEFAULTS, **(config or {})))

    def set(self, change):
        """Take over the keys of `change`."""
        self._set(change)

    def _set(self, change):
        for key, value in change.items():
            if key != "soc":
                setattr(self, key, value)
        full_wms = self.capacity_wh * WH
        if "soc" in change:
            self._stored_wms = change["soc"] * full_wms // 100
        self._stored_wms = min(self._stored_wms, full_wms)

    @property
    def power_w(self):
        """What it takes now (W); negative: gives."""
        return round(self._mw / 1000)

    @property
    def soc(self):
        """State of charge, whole %: 100 only when full."""
        return self._stored_wms * 100 // (self.capacity_wh * WH)

    @property
    def stored_wh(self):
        """What it holds, whole Wh."""
        return self._stored_wms // WH

    def step(self, grid_w, dt_ms):
        """Go on by dt_ms. grid_w: at the grid meter now, this battery's power included."""
        most_mw = 1000 * self.max_w if self.enabled else 0
        wanted_mw = self._mw
        if abs(grid_w) > self.deadzone_w:
            wanted_mw -= 1000 * grid_w
        wanted_mw = max(-most_mw, min(most_mw, wanted_mw))
        self._mw += (wanted_mw - self._mw) * min(dt_ms, self.lag_ms) // self.lag_ms
        self._store(dt_ms)
        return self.power_w

    def _store(self, dt_ms):
        """Move energy; at either end only what still fits, then nothing."""
        power_w, full_wms = self.power_w, self.capacity_wh * WH
        if power_w >= 0:
            moved_wms = power_w * dt_ms * _ONE_WAY_PCT // 100
        else:
            moved_wms = power_w * dt_ms * 100 // _ONE_WAY_PCT
        stored_wms = self._stored_wms + moved_wms
        if (stored_wms > full_wms and power_w > 0) or (stored_wms < 0 and power_w < 0):
            self._mw = 0
            return
        self._stored_wms = stored_wms


def check(where, config, complete=False):
    """Check a battery's configuration or change; return it, with the defaults if `complete`."""
    table(where, config, tuple(DEFAULTS))
    for key, value in config.items():
        if key == "enabled":
            flag(f"{where}.{key}", value)
        else:
            whole(f"{where}.{key}", value, *_LIMITS[key])
    return dict(DEFAULTS, **config) if complete else config
