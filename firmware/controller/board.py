"""The board: what board.json says of pins, expanders and buses, as objects of `machine`.

tools/check_boards.py proves a board.json on the PC; here only what start-up needs is checked.
"""

import asyncio

from machine import UART, Pin
from micropython import const

_POLL_MS = const(20)  # S0 pulses and pauses are at least 30 ms (EN 62053-31), so none is missed
_TXBUF = const(260)  # a whole RTU frame, so that write() never blocks the loop
_RXBUF = const(512)
_PULLS = {"up": Pin.PULL_UP, "down": Pin.PULL_DOWN, None: None}
_PARITIES = {"N": None, "E": 0, "O": 1}


class BoardError(Exception):
    """board.json or the hardware behind it is not usable; `field` names the place.

    `code` and `arguments` give the sentence in texts/board.json.
    """

    def __init__(self, code, field, detail, text):
        super().__init__("%s: %s" % (field, text))
        self.code = code
        self.field = field
        self.arguments = (field, detail)


def need(part, field, key):
    if key in part:
        return part[key]
    raise BoardError("board_missing", field + "." + key, "", "is missing in board.json")


class Output:
    """A relay, LED or driver-enable line: value(1) is on, whatever the board's polarity."""

    def __init__(self, line, active_low):
        self._line = line
        self._low = active_low

    def value(self, on):
        self._line.value(1 if bool(on) != self._low else 0)


class _Input:
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

    async def run(self):
        """Polls for ever; needed only where `polled` is True."""
        while True:
            self.poll()
            await asyncio.sleep_ms(_POLL_MS)


class Board:
    """All of one board; `doc` is its board.json. BoardError where a part of that is missing.

    `faults`: BoardErrors at start that need not stop the rest (silent expanders).
    name, wlan (bool), ethernet and button (parts of board.json or None), rs485 (list of
    its parts), inputs (Inputs), relays (list of Output, relay 1 first), leds ({id: Output}).
    """

    def __init__(self, doc):
        self.name = need(doc, "board", "name")
        self.wlan = doc.get("wlan", True)
        self.ethernet = doc.get("ethernet")
        self.rs485 = doc.get("rs485", [])
        self.button = doc.get("button")
        self.faults = []
        expanders = []
        if doc.get("expanders"):
            from controller import expander

            expanders = expander.make(doc["expanders"])
        self._expanders = expanders
        inputs = []
        for part in doc.get("inputs", []):
            line = self._line(part, "inputs[%d]" % len(inputs), Pin.IN, _PULLS[part.get("pull")])
            inputs.append(_Input(len(inputs) + 1, line, part.get("active_low", False)))
        self.inputs = Inputs(inputs, [chip for chip in expanders if not chip.outputs])
        self.relays = [self._output(part, "relays") for part in doc.get("relays", [])]
        self.leds = {part["id"]: self._output(part, "leds") for part in doc.get("leds", [])}
        for chip in expanders:
            try:
                chip.transfer()
            except BoardError as error:
                self.faults.append(error)

    def _line(self, part, field, mode, pull=None, level=None):
        """The part's pin, or its bit of an expander. `level` is there before the pin drives."""
        if "expander" not in part:
            number = need(part, field, "pin")
            if level is not None:
                return Pin(number, mode, value=level)
            return Pin(number, mode, pull)  # pyright: ignore[reportArgumentType] (None: no pull)
        if part["expander"] >= len(self._expanders):
            text = "there is no expander %d" % part["expander"]
            raise BoardError("board_no_expander", field, part["expander"], text)
        return self._expanders[part["expander"]].bit(need(part, field, "bit"), level)

    def _output(self, part, field):
        low = part.get("active_low", False)
        return Output(self._line(part, field, Pin.OUT, level=int(low)), low)

    def uart(self, bus, baudrate, bits=8, parity="N", stop=1):
        """(UART, Output or None) of a port such as "rs485_1"; parity "N", "E" or "O".

        The Output switches the driver on; None where the transceiver finds the direction itself.
        """
        for port in self.rs485:
            if port["id"] == bus:
                break
        else:
            raise BoardError("board_no_port", bus, "", "this board has no such RS-485 port")
        uart = UART(
            need(port, bus, "uart"), baudrate=baudrate, bits=bits, parity=_PARITIES[parity],
            stop=stop, tx=need(port, bus, "tx"), rx=need(port, bus, "rx"),
            txbuf=_TXBUF, rxbuf=_RXBUF,
        )  # fmt: skip
        if port.get("de") is None:
            return uart, None
        low = not port.get("de_active_high", True)
        return uart, Output(Pin(port["de"], Pin.OUT, value=int(low)), low)
