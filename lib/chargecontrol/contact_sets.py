"""Contact sets: some contacts together say a level, by a truth table. Pure.

Forms: one contact; binary (the first contact counts 1, the second 2); one_hot (no contact, the
first, the second ..); table (patterns of 0, 1 and x, the first contact first). Why it waits as it
does: docs/decisions/operator.md.
"""

from micropython import const

from chargecontrol import levels

_LEAST_SETTLE_MS = const(500)
_UNKNOWN = const(-1)  # in place of a pattern


class ContactSet:
    """One set. levels: [(kind, value)]; settled: its pattern has been known long enough to count.

    in_force: bits of the levels that hold now. It is one level where all is well; while contacts
    are changing also the one before, and for a pattern that there is not, all of them: of each
    kind the strictest counts. fault: None, ("unknown", input) or ("invalid", pattern).
    """

    def __init__(self, config, settle_ms):
        self.id = config["id"]
        self.inputs = config["inputs"]
        self.levels = [levels.safe(text) for text in config["levels"]]
        self.one_hot = config["form"] == "one_hot"
        self.patterns = config["patterns"] if config["form"] == "table" else None
        self.all = (1 << len(self.levels)) - 1
        # Contacts of one relay do not change in the same moment, nor with the same delay.
        self.settle_ms = max(settle_ms, _LEAST_SETTLE_MS) if len(self.inputs) > 1 else 0
        self.pattern = _UNKNOWN
        self.since_ms = 0
        self.settled = False
        self.fault = ("unknown", self.inputs[0])
        self.in_force = self._before = self.all

    def update(self, now_ms, inputs, moving=None):
        """Reads the contacts. inputs(name) -> 1, 0 or None (unknown); moving(name) -> True where a
        contact has changed and its delay is not over. True when a fault began (not at the start).
        """
        pattern = 0
        unknown = ""
        for n in range(len(self.inputs)):
            value = inputs(self.inputs[n])
            if value is None:
                unknown = unknown or self.inputs[n]
            elif value:
                pattern |= 1 << n
        if unknown:
            pattern = _UNKNOWN
        if pattern != self.pattern:
            self.pattern = pattern
            self.since_ms = now_ms
            if self.settled:
                self._before = self.in_force
            self.settled = False
        if unknown:
            return self._fail("unknown", unknown)
        wanted = self._wanted(pattern)
        if self.settled:
            return False
        held_ms = now_ms - self.since_ms
        still = not moving or not [name for name in self.inputs if moving(name)]
        if held_ms < self.settle_ms or not still and held_ms < 2 * self.settle_ms:
            # What is stricter holds at once, unless another contact is about to change as well.
            if still or held_ms >= self.settle_ms:
                self.in_force = self._before | (wanted or self._active(pattern))
            return False
        self.settled = True
        if not wanted:
            return self._fail("invalid", self.shown)
        self.in_force = wanted
        self.fault = None
        return False

    def _fail(self, what, detail):
        """All levels hold; True where that is new."""
        self.in_force = self._before = self.all
        old, self.fault = self.fault, (what, detail)
        return not old or old[0] != what or what == "invalid" and old[1] != detail

    def _wanted(self, pattern):
        """Bit of the level that a pattern means, 0 where it means none."""
        number = None
        if self.patterns is not None:
            for n in range(len(self.patterns)):
                if number is None and _matches(self.patterns[n], pattern):
                    number = n
        elif not self.one_hot:
            number = pattern
        elif pattern & (pattern - 1) == 0:
            number = 0
            while pattern:
                pattern >>= 1
                number += 1
        return 0 if number is None or number >= len(self.levels) else 1 << number

    def _active(self, pattern):
        """Bits of the levels of all active contacts of a one_hot set: one relay is coming, another
        is going, and it is not known which.
        """
        return pattern << 1 & self.all if self.one_hot else 0

    @property
    def shown(self):
        """The pattern as in tables, the first contact first; "?" while it is not known."""
        if self.pattern == _UNKNOWN:
            return "?"
        return "".join([str(self.pattern >> n & 1) for n in range(len(self.inputs))])

    @property
    def kinds(self):
        """What its levels limit: a list of kinds without "none"."""
        kinds = []
        for kind, _ in self.levels:
            if kind != "none" and kind not in kinds:
                kinds.append(kind)
        return kinds

    def number(self, kind=None, also=None):
        """Number of the strictest level in force, of a kind or of all; None where there is none.

        also: a level that counts as well, where the set has it.
        """
        found = []
        for n in range(len(self.levels)):
            level = self.levels[n]
            there = self.in_force >> n & 1 or level == also
            found.append(level if there else (None, None))
        return levels.strictest(found, kind)

    def same(self, other):
        """True where the other one has the same settings."""
        return (self.inputs, self.levels, self.one_hot, self.patterns, self.settle_ms) == (
            other.inputs,
            other.levels,
            other.one_hot,
            other.patterns,
            other.settle_ms,
        )


def _matches(wanted, pattern):
    for n in range(len(wanted)):
        if wanted[n] != "x" and int(wanted[n]) != pattern >> n & 1:
            return False
    return True
