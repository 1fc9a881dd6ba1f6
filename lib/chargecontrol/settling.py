"""Whether a meter already shows what was last allocated to the cars.

A control step on a reading from before the last step would take the same step again: the loop
would swing. A vehicle needs some seconds to follow (reference/warp.md 3.2).
"""


class Settling:
    """settle_ms: from a change of the allocation until readings show it.

    tolerance: change that is none; an allocation that follows a measured draw is never at rest.
    """

    def __init__(self, settle_ms, tolerance):
        self._settle_ms = settle_ms
        self._tolerance = tolerance
        self._allocated = None
        self._changed_ms = self._since_ms = 0

    def stepped(self, now_ms):
        """Says that the allocation is about to change, by however little."""
        self._changed_ms = now_ms
        if self._since_ms is None:
            self._since_ms = now_ms

    def settled(self, now_ms, allocated, read_ms):
        """True when the reading of read_ms shows what is allocated now, a tuple of integers.

        An allocation that never comes to rest counts as shown three times as long after its
        first change.
        """
        before = self._allocated
        if before is None:
            self._changed_ms = self._since_ms = read_ms - self._settle_ms
            self._allocated = allocated
        elif max([abs(now - then) for now, then in zip(allocated, before)]) > self._tolerance:
            self.stepped(now_ms)
            self._allocated = allocated
        if self._since_ms is not None:
            at_rest = read_ms - self._changed_ms >= self._settle_ms
            if not at_rest and read_ms - self._since_ms < 3 * self._settle_ms:
                return False
            self._since_ms = None if at_rest else now_ms
        return True
