"""The board: what board.json says of pins, expanders and buses, as objects of `machine`.

tools/check_boards.py proves a board.json on the PC; here only what start-up needs is checked.
Needed at start-up only: what lives on is in controller/inputs.py.
"""

from machine import UART, Pin
from micropython import const

from controller.inputs import BoardError, Input, Inputs, Output

_TXBUF = const(260)  # a whole RTU frame, so that write() never blocks the loop
_RXBUF = const(512)
_PULLS = {"up": Pin.PULL_UP, "down": Pin.PULL_DOWN, None: None}
_PARITIES = {"N": None, "E": 0, "O": 1}


def need(part, field, key):
    if key in part:
        return part[key]
    raise BoardError("board_missing", field + "." + key, "", "is missing in board.json")


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
            field = "%s[%d]" % ("inputs", len(inputs))
            line = self._line(part, field, Pin.IN, _PULLS[part.get("pull")])
            inputs.append(Input(len(inputs) + 1, line, part.get("active_low", False)))
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
            need(port, bus, "uart"),
            baudrate=baudrate,
            bits=bits,
            parity=_PARITIES[parity],
            stop=stop,
            tx=need(port, bus, "tx"),
            rx=need(port, bus, "rx"),
            txbuf=_TXBUF,
            rxbuf=_RXBUF,
        )
        if port.get("de") is None:
            return uart, None
        low = not port.get("de_active_high", True)
        return uart, Output(Pin(port["de"], Pin.OUT, value=int(low)), low)
