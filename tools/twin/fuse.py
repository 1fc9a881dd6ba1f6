"""Overcurrent protection of a house connection as a thermal model: fuse gG or main switch E.

A fuse is only known by gates: it must carry some currents for some time, and must have opened at
others (IEC 60269-1, gG: conventional currents 1.25 and 1.6 In within an hour for 16 to 63 A, and
table of gates for 10 s, 5 s and 0.1 s). The model is the *fastest* fuse that its gates allow:
what it survives, every fuse survives that meets them.

Two bodies warm up with the square of the current, each with one time constant, and the fuse opens
when either is too warm: the slow one never at 1.25 In and just at 10 s of its 10 s gate, the quick
one just at 0.1 s of its 0.1 s gate. Warmth is in units of (I/In)^2: at rated current it ends at 1.
"""

import math

import numpy
from scipy.signal import lfilter

# Rated current (A): carried for 10 s, opens within 5 s, carried for 0.1 s, opens within 0.1 s (A).
# 35 A is not in that table; the gates of the next smaller rating are used, which is cautious.
GATES = {
    16: (33, 65, 85, 150),
    20: (42, 85, 110, 200),
    25: (52, 110, 150, 260),
    32: (75, 150, 200, 350),
    40: (95, 190, 260, 450),
    50: (125, 250, 350, 610),
    63: (160, 320, 450, 820),
}
NOT_FUSING, FUSING = 1.25, 1.6  # times rated current, within the conventional time of 1 h
# Selective main switch, characteristic E: holds 1.05 In, opens at 1.2 In, at once from 5 In on
# (6.25 In at the latest). How fast it is between is not ruled: 60 s is our own cautious guess.
_SWITCH_HOLDS, _SWITCH_TAU_S, _SWITCH_AT_ONCE = 1.05, 60.0, 5.0


def gates(rated_a):
    """The gates (A) for a rated current; those of the next smaller where it has none."""
    known = [rating for rating in GATES if rating <= rated_a]
    if not known or rated_a > 63:
        raise ValueError("no gates for %s A: 16 to 63 A are known" % rated_a)
    return GATES[max(known)]


class Fuse:
    """One pole. rated_a: rated current in A; kind: "gG" (fuse) or "E" (main switch).

    warmth: of the slow body as a share of what opens it (1: open); tripped: True for good.
    """

    def __init__(self, rated_a, kind="gG"):
        self.rated_ma = 1000 * rated_a
        if kind == "E":
            self._bodies = [(_SWITCH_TAU_S, _SWITCH_HOLDS**2), (0.01, _SWITCH_AT_ONCE**2)]
        elif kind == "gG":
            ten_s, _, tenth_s, _ = [(a / rated_a) ** 2 for a in gates(rated_a)]
            slow_tau_s = -10 / math.log(1 - NOT_FUSING**2 / ten_s)
            quick_tau_s = -0.1 / math.log(1 - ten_s / tenth_s)
            self._bodies = [(slow_tau_s, NOT_FUSING**2), (quick_tau_s, ten_s)]
        else:
            raise ValueError('kind is "gG" or "E", not "%s"' % kind)
        self.reset()

    def reset(self, current_ma=0):
        """A new one that has carried a current for long."""
        self._warm = [(current_ma / self.rated_ma) ** 2] * 2
        self.tripped = False

    @property
    def warmth(self):
        """Share of the warmth that opens it, of the body that is nearer to that."""
        return max(warm / opens for warm, (_, opens) in zip(self._warm, self._bodies))

    def step(self, current_ma, dt_ms):
        """Carries a current for a time; True when it has opened."""
        goal = (current_ma / self.rated_ma) ** 2
        for i, (tau_s, opens) in enumerate(self._bodies):
            self._warm[i] = goal + (self._warm[i] - goal) * math.exp(-dt_ms / 1000 / tau_s)
            self.tripped = self.tripped or self._warm[i] > opens
        return self.tripped

    def run(self, current_ma):
        """Carries an array of currents (mA), one a second; the warmth after each second."""
        goal = (numpy.asarray(current_ma) / self.rated_ma) ** 2
        worst = numpy.zeros(len(goal))
        for i, (tau_s, opens) in enumerate(self._bodies):
            keep = math.exp(-1 / tau_s)
            warm, _ = lfilter([1 - keep], [1, -keep], goal, zi=[keep * self._warm[i]])
            self._warm[i] = warm[-1]
            worst = numpy.maximum(worst, warm / opens)
        self.tripped = self.tripped or bool((worst > 1).any())
        return worst
