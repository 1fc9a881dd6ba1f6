"""Contacts, S0 inputs and outputs of a board, as controller/board.py made them."""

import asyncio

from machine import Pin
from micropython import const

_POLL_MS = const(20)  # S0 pulses and pauses are at least 30 ms (EN 62053-31), so none is missed


class BoardError(Exception):
    """board.json or the hardware behind it is not usable; `field` names the place.

    `code` and `arguments` give the sentence in texts/board.json.
    """

    def __init__(self, code, field, detail, text):
        super().__init__("%s: %s" % (field, text))
        self.code = code
        self.field = field
        self.arguments = (field, detail)


class Output:
    """A relay, LED or driver-enable line: value(1) is on, whatever the board's polarity."""

    def __init__(self, line, active_low):
        self._line = line
        self._low = active_low

    def value(self, on):
        self._line.value(1 if bool(on) != self._low else 0)


class Input:
    def __init__(self, number, line, active_low):
        self.number = number
        self.line = line
        self._low = active_low
        self._last = None
        self.change = None

    def closed(self):
        return self.line.value() != self._low

    def watch(self):
        if self._last is None and isinstance(self.line, Pin):
            self._last = self.closed()
            self.line.irq(self.look, Pin.IRQ_FALLING | Pin.IRQ_RISING)

    def look(self, _pin=None):
        now = self.closed()
        if now == self._last:  # the interrupt came late and the contact has bounced back
            return
        self._last = now
        if self.change:
            self.change(self.number, now)


class Inputs:
    """Contacts and S0 inputs, numbered from 1; True = closed, the board's polarity applied.

    Callbacks run in a soft interrupt, or in poll() for inputs behind an expander: they must be
    short and allocate next to nothing. A burst of bounces can lose edges (the queue holds 8), so
    whoever needs the level reads it again after its debounce time. `polled` tells whether there
    are inputs behind expanders, which need run().
    """

    def __init__(self, items, expanders):
        self._items = items
        self._expanders = expanders
        self.count = len(items)
        self.polled = len(expanders) > 0

    def read(self, number):
        """True while the contact is closed. BoardError: no such input, or a silent expander."""
        if 1 <= number <= self.count:
            return self._items[number - 1].closed()
        have = "inputs 1 to %d" % self.count
        raise BoardError("board_input", "input %d" % number, have, "this board has " + have)

    def on_change(self, callback):
        """callback(number, closed) on each change of any input; an expander's first level too."""
        for item in self._items:
            item.change = callback
            item.watch()

    def poll(self):
        """Reads the expanders, then calls back. BoardError while one of them is silent."""
        for expander in self._expanders:
            expander.poll()
        for item in self._items:
            if not isinstance(item.line, Pin):
                item.look()

    async def run(self, beat=None):
        """Polls for ever; needed only where `polled` is True. A silent expander ends it."""
        while True:
            self.poll()
            await asyncio.sleep_ms(_POLL_MS)
