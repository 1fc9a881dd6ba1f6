"""The sun over a roof and the clouds before it: the same for the same seed, at any time asked.

Pure: Clouds.factor(t_s) needs no clock and may be asked in any order; the twin and simulations of
whole days use the same. A cloud is a shadow of some hundred metres that passes with the wind: the
share of light ramps down within 5 to 40 s, stays, and ramps up. Just beside a bright cloud's
shadow there is more than the clear sky gives (edge_pct).
"""

import bisect
import random

from .errors import table, whole

DEFAULTS = {"seed": 1, "cover_pct": 40, "speed_m_s": 8, "least_pct": 15, "edge_pct": 5}
_LIMITS = {
    "seed": (0, 2**31),
    "cover_pct": (0, 100),
    "speed_m_s": (1, 40),
    "least_pct": (0, 90),
    "edge_pct": (0, 30),
}
# Metres: mean and spread of a shadow's width, and of its edge seen by a roof.
_SHADOW_M, _LEAST_M, _EDGE_M = 900, 150, (60, 300)
_HAND_PCT, _HAND_S = 25, 12


class Clouds:
    """Clouds that pass for ever.

    seed: whose; cover_pct: share of time in shadow (0: never, 100: always some cloud); speed_m_s:
    of the shadows over the ground; least_pct: light under the thickest; edge_pct: most light
    beyond the clear sky's beside a shadow.
    """

    def __init__(self, seed=1, cover_pct=40, speed_m_s=8, least_pct=15, edge_pct=5):
        self.cover_pct = cover_pct
        self._speed_m_s = speed_m_s
        self._light = least_pct / 100, 0.45 + least_pct / 200
        self._edge = edge_pct / 100
        self._rng = random.Random("clouds %d" % seed)
        self._times, self._values = [], []
        self._add(-self._rng.uniform(0, 300), 1.0)

    def _add(self, at_s, value):
        self._times.append(at_s)
        self._values.append(value)

    def _grow(self):
        """Append a clear stretch and a cloud."""
        rng, speed = self._rng, self._speed_m_s
        shadow_m = _LEAST_M + rng.expovariate(1 / (_SHADOW_M - _LEAST_M))
        down_s, up_s = (rng.uniform(*_EDGE_M) / speed for _ in range(2))
        down_s, up_s = (min(40.0, max(5.0, s)) for s in (down_s, up_s))
        shadow_s = shadow_m / speed
        # A ramp counts half as shadow: the share of time comes out as asked for.
        gap_s = (shadow_s + (down_s + up_s) / 2) * (100 / self.cover_pct - 1)
        gap_s = gap_s * rng.uniform(0.5, 1.5) - (down_s + up_s) / 2
        at_s = self._times[-1]
        beside = 1 + self._edge * rng.random()
        if gap_s > 0:
            # Bright only near the shadows, in the time that their edges need.
            if gap_s > 2.5 * (down_s + up_s):
                self._add(at_s + up_s, 1.0)
                self._add(at_s + gap_s - down_s, 1.0)
            self._add(at_s + gap_s, beside)
            at_s += gap_s
        light = rng.uniform(*self._light)
        self._add(at_s + down_s, light)
        # A shadow is not even.
        self._add(at_s + down_s + shadow_s / 2, light * rng.uniform(0.85, 1.15))
        self._add(at_s + down_s + shadow_s, light)
        at_s += down_s + shadow_s + up_s
        self._add(at_s, beside if gap_s > 0 else self._light[1])

    def factor(self, t_s):
        """Return the share of the clear sky's power at t_s seconds (0 on), about 0.1 to 1.05."""
        if not self.cover_pct:
            return 1.0
        while self._times[-1] <= t_s:
            self._grow()
        i = bisect.bisect_right(self._times, t_s)
        if not i:
            return self._values[0]
        from_s, to_s = self._times[i - 1 : i + 1]
        low, high = self._values[i - 1 : i + 1]
        return low + (high - low) * (t_s - from_s) / (to_s - from_s)


class Sun:
    """What a roof gives: the clear sky's power, clouds that pass, and one that a hand moves."""

    def __init__(self, clear_w, clouds):
        self.clear_w = clear_w
        self.cloud = False
        self.factor = 1.0
        self._shade = 0.0
        self.set_clouds(clouds)

    def set_clouds(self, config):
        """Let other clouds pass: a configuration (keys of DEFAULTS), or None."""
        self.config = config and dict(DEFAULTS, **config)
        self._clouds = config and Clouds(**self.config)

    def step(self, t_ms, dt_ms):
        """Go on by dt_ms to the time t_ms."""
        way = dt_ms / 1000 / _HAND_S
        self._shade = min(1.0, self._shade + way) if self.cloud else max(0.0, self._shade - way)
        passing = self._clouds.factor(t_ms / 1000) if self._clouds else 1.0
        self.factor = min(passing, 1 - self._shade * (1 - _HAND_PCT / 100))

    @property
    def pv_w(self):
        """What comes from the roof now, W."""
        return round(self.clear_w * self.factor)


def check(where, config):
    """Check a configuration of clouds, return it with the defaults; None: a clear sky."""
    if config is None:
        return None
    table(where, config, tuple(DEFAULTS))
    for key, value in config.items():
        whole(f"{where}.{key}", value, *_LIMITS[key])
    return dict(DEFAULTS, **config)
