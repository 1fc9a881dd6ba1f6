"""Contact inputs: polarity, on- and off-delay, and the task that waits for their edges.

An interrupt only notes that something happened; the pins are read again by the task, after each
edge, when a delay ends, and each second, so that a lost interrupt does no harm.
"""

import asyncio

from micropython import const

from controller.inputs import BoardError

_READ_MS = const(1000)
_LOOK_MS = const(10)
_MISSED = const(3)  # readings that may fail in a row before the state is unknown


class Contact:
    """One contact. `active` counts once `stable` (the first state has held for its delay).

    settings: (on_delay_ms, off_delay_ms, closed_is_active).
    `closed` is what was read last, None before that and while the input can't be read.
    """

    def __init__(self, settings):
        self.settings = settings
        self.active = self.stable = False
        self.closed = None
        self._since_ms = self._missed = 0

    def update(self, closed, now_ms, bounced=False):
        """Takes the level read at `now_ms`, None if it could not be read; True when the stable
        state changed, or is no longer known because three readings failed.

        bounced: there were edges since the last call, even if the level is the same again.
        """
        if closed is None:
            self._missed += 1
            if self._missed < _MISSED:
                return False
            known, self.stable, self.closed = self.stable, False, None
            return known
        self._missed = 0
        if closed != self.closed or bounced:
            self.closed = closed
            self._since_ms = now_ms
        due_ms = self.due_ms(now_ms)
        if due_ms is None or due_ms > 0:
            return False
        self.active, self.stable = closed == self.settings[2], True
        return True

    def due_ms(self, now_ms):
        """ms until the pending change takes effect (0: now), None when nothing is pending."""
        wanted = self.closed == self.settings[2]
        if self.closed is None or (self.stable and wanted == self.active):
            return None
        delay_ms = self.settings[0] if wanted else self.settings[1]
        return max(0, self._since_ms + delay_ms - now_ms)


class Contacts:
    """All inputs of a board.

    inputs: `.count`, `.read(n)` -> closed, `.on_change(callback(n, closed))`, n from 1.
    clock: `.now_ms()`. on_change(n, contact) is called by the task when the stable state changed.
    meters: {n: S0Meter} for inputs that count pulses; those are no contacts.
    """

    def __init__(self, inputs, entries, clock, on_change, meters=None):
        self._inputs = inputs
        self._clock = clock
        self._on_change = on_change
        self._meters = meters or {}
        self.contacts = {}
        self._edges = 0
        self.configure(entries)
        inputs.on_change(self._edge)

    def configure(self, entries):
        """Takes other settings; a contact whose settings changed has to become stable anew."""
        from controller.contact_settings import USUAL, checked

        settings = checked(self._inputs.count, entries)
        self._used = tuple(settings)
        for n in range(1, self._inputs.count + 1):
            wanted = settings.get(n, USUAL)
            known = self.contacts.get(n)
            if n not in self._meters and not (known and known.settings == wanted):
                self.contacts[n] = Contact(wanted)

    @property
    def stable(self):
        """True when every contact that has settings is known; an unused input may float."""
        return all(self.contacts[n].stable for n in self._used if n in self.contacts)

    def value(self, n):
        """1 active, 0 not; KeyError if the input is unknown, counts pulses or isn't stable."""
        contact = self.contacts[n]
        if not contact.stable:
            raise KeyError(n)
        return 1 if contact.active else 0

    def field(self, name):
        """`PB.input<n>` of the formula language by its field name; KeyError as `value`."""
        if name[:5] != "input" or not name[5:].isdigit():
            raise KeyError(name)
        return self.value(int(name[5:]))

    def state(self):
        """What a person wants to see: [{input, closed (None: can't be read), active, stable}]."""
        return [
            {"input": n, "closed": c.closed, "active": c.active, "stable": c.stable}
            for n, c in sorted(self.contacts.items())
        ]

    def _edge(self, n, closed):
        """Interrupt: nothing may be decided here."""
        if n in self._meters:
            self._meters[n].edge(closed, self._clock.now_ms())
        else:
            self._edges |= 1 << n

    def read(self):
        """Reads all inputs, reports changes; returns ms until the next reading is due."""
        edges, self._edges = self._edges, 0
        now_ms = self._clock.now_ms()
        wait_ms = _READ_MS
        for n, contact in self.contacts.items():
            try:
                closed = self._inputs.read(n)
            except BoardError:  # its expander is silent
                closed = None
            if contact.update(closed, now_ms, edges >> n & 1):
                self._on_change(n, contact)
            due_ms = contact.due_ms(now_ms)
            if due_ms is not None:
                wait_ms = min(wait_ms, due_ms)
        return wait_ms

    async def run(self, beat=None):
        """The task; never returns. beat(), where given, shows each second that it lives."""
        while True:
            if beat:
                beat()
            left_ms = self.read()
            # Looked at in short steps: an event from an interrupt (ThreadSafeFlag) would make each
            # wait for a socket of this loop a millisecond longer.
            while left_ms > 0 and not self._edges:
                await asyncio.sleep_ms(min(left_ms, _LOOK_MS))
                left_ms -= _LOOK_MS
            await asyncio.sleep_ms(0)
