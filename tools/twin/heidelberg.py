"""Heidelberg Energy Control: 16 A wallbox on RS-485.

Register map: reference/peers.md section 3.2; the vendor's "ModBus Register Table". Any
request to the box feeds its watchdog; register 261 holds again when the master is back.
"""

from .pdu import ILLEGAL_ADDRESS, ILLEGAL_VALUE, Refusal, u32
from .physics import VOLTAGE_V
from .wallbox import Wallbox

WATCHDOG, STANDBY, LOCK, LIMIT, FAILSAFE = 257, 258, 259, 261, 262
_MEASURED = range(6, 9), range(9, 10), range(10, 13), range(14, 19)


def _current(value):
    return value == 0 or 60 <= value <= 160


_ALLOWED = {
    WATCHDOG: lambda value: True,
    STANDBY: lambda value: value in (0, 4),
    LOCK: lambda value: value in (0, 1),
    LIMIT: _current,
    FAILSAFE: _current,
}


class Heidelberg(Wallbox):
    """One Energy Control; before any write it offers its own 16 A, after 15 s alone nothing."""

    def reset(self):
        """Put the holding registers to the vendor's defaults."""
        self.holding = {
            WATCHDOG: 15000,
            STANDBY: 0,
            LOCK: 1,
            LIMIT: self.max_current_ma // 100,
            FAILSAFE: 0,
        }

    @property
    def setpoint_ma(self):
        """Register 261."""
        return self.holding[LIMIT] * 100

    @property
    def failsafe_ma(self):
        """Register 262."""
        return self.holding[FAILSAFE] * 100

    @property
    def watchdog_ms(self):
        """Register 257."""
        return self.holding[WATCHDOG]

    @property
    def allowed_ma(self):
        """What the registers allow; nothing while register 259 locks the box."""
        return super().allowed_ma if self.holding[LOCK] else 0

    def answer(self, pdu):
        """Answer, and take it as a sign of life."""
        self.feed()
        return super().answer(pdu)

    def store(self, address, words):
        """Take the written registers if each exists and may have its value."""
        for i, value in enumerate(words, address):
            if i not in _ALLOWED:
                raise Refusal(ILLEGAL_ADDRESS)
            if not _ALLOWED[i](value):
                raise Refusal(ILLEGAL_VALUE)
        self.holding.update(enumerate(words, address))
        if address <= LIMIT < address + len(words):
            self.told()

    def image(self, function):
        """Return the holding registers (3) or the input registers (4)."""
        if function == 3:
            return dict(self.holding)
        tenth_a = [ma // 100 for ma in self.current_ma]
        energy = self.energy.import_wh
        words = [
            0x0108,
            self._state(),
            *tenth_a,
            271,
            VOLTAGE_V,
            VOLTAGE_V,
            VOLTAGE_V,
            self.holding[LOCK],
            self.power_w,
            *u32(energy),
            *u32(energy),
        ]
        image = dict(enumerate(words, 4))
        image.update({100: 16, 101: 6})
        if self.fault == "nan":
            image.update((i, 0xFFFF) for part in _MEASURED for i in part)
        return image

    def _state(self):
        """Return register 5: 2 A1, 3 A2, 4 B1, 5 B2, 6 C1, 7 C2, 10 F."""
        if not self.holding[LOCK]:
            return 10
        allowed = self.offered_ma > 0
        return {"A": 2, "B": 4, "C": 6}.get(self.state, 2) + allowed
