"""Inputs and relays behind an I2C expander; imported only on a board that has one."""

from machine import I2C, Pin
from micropython import const

from controller.board import need
from controller.inputs import BoardError

_TURNS_WITH_INT = const(25)  # with an interrupt line the chip is read every 0.5 s all the same
_I2C_HZ = const(100000)  # both chips' standard mode


class Expander:
    """A PCF8574 or TCA9554: eight bits, all inputs or all outputs.

    Registers of the TCA9554 (TI data sheet SCPS233, table 5): 0 input, 1 output, 3 direction with
    1 = input. A PCF8574 has none: a bit written 1 is an input (TI data sheet SCPS068, section 8).
    """

    def __init__(self, part, field, i2c):
        self._i2c = i2c
        self._field = field
        self._address = need(part, field, "address")
        self._tca = need(part, field, "kind") == "tca9554"
        self.outputs = need(part, field, "role") == "outputs"
        self._out = bytearray(b"\x01\xff" if self._tca else b"\xff")
        self._in = bytearray(1)
        self._ready = False
        self._every = 1
        self._turn = -1
        if part.get("int_pin") is not None:
            self._every = _TURNS_WITH_INT
            Pin(part["int_pin"], Pin.IN, Pin.PULL_UP).irq(self._wake, Pin.IRQ_FALLING)

    def _wake(self, _pin):
        self._turn = -1

    def _set_up(self):
        if self.outputs:
            self._i2c.writeto(self._address, self._out)  # the levels first: no relay clicks
            if self._tca:
                self._i2c.writeto(self._address, b"\x03\x00")
        elif self._tca:
            self._i2c.writeto(self._address, b"\x03\xff")
            self._i2c.writeto(self._address, b"\x00")  # register 0 stays chosen for all reads
        else:
            self._i2c.writeto(self._address, b"\xff")

    def transfer(self):
        """Writes the outputs or reads the inputs. BoardError while the chip does not answer."""
        try:
            if not self._ready:
                self._set_up()
            if self.outputs:
                self._i2c.writeto(self._address, self._out)
            else:
                self._i2c.readfrom_into(self._address, self._in)
            self._ready = True
        except OSError:
            self._ready = False
            address = "0x%02x" % self._address
            text = "the expander at I2C address %s does not answer" % address
            raise BoardError("board_expander", self._field, address, text)

    def poll(self):
        """Reads where it is time to: each turn, or after its interrupt and every 25th turn."""
        self._turn = (self._turn + 1) % self._every
        if self._turn == 0 or not self._ready:
            self.transfer()

    def get(self, mask):
        if not self._ready:
            self.transfer()
        return 1 if self._in[0] & mask else 0

    def put(self, mask, level):
        self._out[-1] = self._out[-1] | mask if level else self._out[-1] & ~mask

    def bit(self, number, level=None):
        """The bit as a line; `level` is what an output starts with."""
        if level is not None:
            self.put(1 << number, level)
        return _Bit(self, 1 << number)


class _Bit:
    """One bit, with the same `value` as a Pin."""

    def __init__(self, expander, mask):
        self._expander = expander
        self._mask = mask

    def value(self, level=None):
        if level is None:
            return self._expander.get(self._mask)
        self._expander.put(self._mask, level)
        return self._expander.transfer()


def make(parts):
    """The Expanders of board.json's "expanders", with one I2C bus for each number."""
    buses = {}
    made = []
    for part in parts:
        field = "expanders[%d]" % len(made)
        number = need(part, field, "i2c")
        if number not in buses:
            scl = Pin(need(part, field, "scl"))
            sda = Pin(need(part, field, "sda"))
            buses[number] = I2C(number, scl=scl, sda=sda, freq=_I2C_HZ)
        made.append(Expander(part, field, buses[number]))
    return made
