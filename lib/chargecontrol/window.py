"""Least and greatest value of the last minutes: the cloud filter (reference/warp.md 2.2).

Two monotonic queues: a sample that a newer one outdoes can never be the extreme again and goes.
Time is counted in slots; the samples of a slot leave together, when the last moment of the slot is
older than the window. So an extreme is never forgotten too early, and at most one slot too late.
"""

from array import array

from micropython import const

_SLOT_MS = const(500)  # no finer, for the RAM
_SLOTS = const(300)  # no more: 2 queues * 301 * 6 bytes = 3612 bytes


class Window:
    """Extremes of what was added in the last length_ms; 0: only of the last one.

    least, most: None when nothing was added. Values fit 32 bits. Times never go back.
    """

    def __init__(self, length_ms):
        self._slot_ms = max(_SLOT_MS, -(-length_ms // _SLOTS))
        self._slots = -(-length_ms // self._slot_ms)
        self._slot = None
        self._least = _Queue(self._slots + 1)
        self._most = _Queue(self._slots + 1)  # of the negative values

    def clear(self):
        """Forgets all that was added."""
        self._slot = None
        self._least.count = self._most.count = 0

    def add(self, now_ms, value):
        """Takes a value; also lets go what is too old."""
        slot = now_ms // self._slot_ms
        # Slots are kept modulo 2**16: what is older than the window must go before they wrap.
        if self._slot is not None and (not self._slots or slot - self._slot > self._slots):
            self.clear()
        self._slot = slot
        self._least.add(slot, value, self._slots)
        self._most.add(slot, -value, self._slots)

    @property
    def least(self):
        """The least value."""
        return self._least.first()

    @property
    def most(self):
        """The greatest value."""
        value = self._most.first()
        return None if value is None else -value

    def reaches_ms(self, value):
        """Control time when all that is below value now has left; 0: nothing is below it."""
        return self._left_ms(self._least.age_below(value, self._slot))

    def falls_ms(self, value):
        """Control time when all that is not below value now has left; 0: nothing is."""
        return self._left_ms(self._most.age_below(1 - value, self._slot))

    def _left_ms(self, age):
        return 0 if age is None else (self._slot - age + self._slots + 1) * self._slot_ms


class _Queue:
    # Rising values in a ring that grows up to `top` places; the first is the least of all.

    def __init__(self, top):
        self._top = top
        self.count = self._start = self._places = 0
        self._values = self._slots = None

    def add(self, slot, value, slots):
        while self.count and (slot - self._slots[self._start]) & 0xFFFF > slots:
            self._start = (self._start + 1) % self._places
            self.count -= 1
        while self.count and self._values[self._at(self.count - 1)] >= value:
            self.count -= 1
        slot &= 0xFFFF
        if self.count and self._slots[self._at(self.count - 1)] == slot:
            return  # a smaller one of the same slot leaves no earlier
        if self.count == self._places:
            self._grow()
        at = self._at(self.count)
        self._values[at] = value
        self._slots[at] = slot
        self.count += 1

    def first(self):
        return self._values[self._start] if self.count else None

    def age_below(self, value, slot):
        # Age in slots of the newest that is smaller than value.
        for i in range(self.count - 1, -1, -1):
            at = self._at(i)
            if self._values[at] < value:
                return (slot - self._slots[at]) & 0xFFFF
        return None

    def _at(self, i):
        return (self._start + i) % self._places

    def _grow(self):
        places = min(self._top, self._places * 2 or 4)
        values = array("i", bytes(4 * places))
        slots = array("H", bytes(2 * places))
        for i in range(self.count):
            values[i] = self._values[self._at(i)]
            slots[i] = self._slots[self._at(i)]
        self._values, self._slots = values, slots
        self._start = 0
        self._places = places
