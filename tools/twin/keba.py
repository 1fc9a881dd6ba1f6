"""KEBA KeContact P30: 32 A wallbox on Modbus TCP, unit 255.

Register map: reference/peers.md section 3.3; the vendor's "KeContact P30 Modbus TCP
Programmer's Guide". Each read gives exactly one u32 (two registers, high word first); writes
are one register each. Writes feed the watchdog, reads do not. Its phase switch (KC-S10) obeys
register 5052 after a while, and only while 5050 says so; it switches under load too.
"""

from .pdu import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ILLEGAL_VALUE, Refusal, u32
from .physics import VOLTAGE_V
from .wallbox import Wallbox

CURRENT, ENERGY, UNLOCK, ENABLE, FAILSAFE, TIMEOUT, PERSIST, SOURCE, PHASES = (
    5004,
    5010,
    5012,
    5014,
    5016,
    5018,
    5020,
    5050,
    5052,
)
_BY_MODBUS = 3  # a source of phase switching
_SWITCH_MS = 1000
_MEASURED = (1008, 1010, 1012, 1020, 1036, 1040, 1042, 1044, 1502)

_ALLOWED = {
    CURRENT: lambda value: 6000 <= value <= 63000,
    ENERGY: lambda value: True,
    UNLOCK: lambda value: value == 0,
    ENABLE: lambda value: value in (0, 1),
    FAILSAFE: lambda value: value == 0 or 6000 <= value <= 63000,
    TIMEOUT: lambda value: value == 0 or 10 <= value <= 600,
    PERSIST: lambda value: value in (0, 1),
    SOURCE: lambda value: value <= 4,
    PHASES: lambda value: value in (0, 1),
}


class Keba(Wallbox):
    """One P30; before any write it is enabled and offers its own maximum, without a watchdog."""

    _kept = {}
    source = _BY_MODBUS
    _switch_to = None  # (ms, phases)

    def reset(self):
        """Put the settings to the vendor's defaults, or to what was made to persist."""
        kept = self._kept
        self.settings = {
            CURRENT: self.max_current_ma,
            ENERGY: 0,
            ENABLE: 1,
            FAILSAFE: kept.get(FAILSAFE, 0),
            TIMEOUT: kept.get(TIMEOUT, 0),
        }

    @property
    def setpoint_ma(self):
        """Register 5004 while 5014 is 1, else 0."""
        return self.settings[CURRENT] if self.settings[ENABLE] else 0

    @property
    def failsafe_ma(self):
        """Register 5016."""
        return self.settings[FAILSAFE]

    @property
    def watchdog_ms(self):
        """Register 5018, which is in seconds."""
        return self.settings[TIMEOUT] * 1000

    def read(self, function, address, count):
        """Read one value with function 3; the box refuses any other length."""
        if function != 3:
            raise Refusal(ILLEGAL_FUNCTION)
        if count != 2:
            raise Refusal(ILLEGAL_VALUE)
        return super().read(function, address, count)

    def store(self, address, words):
        """Take one setting."""
        if address not in _ALLOWED:
            raise Refusal(ILLEGAL_ADDRESS)
        value = words[0]
        if len(words) != 1 or not _ALLOWED[address](value):
            raise Refusal(ILLEGAL_VALUE)
        self.feed()
        if address == PERSIST:
            self._kept = dict(self.settings) if value else {}
        elif address == SOURCE:
            self.source = value
        elif address == PHASES:
            if self.source == _BY_MODBUS:
                self._switch_to = (self._clock() + _SWITCH_MS, 3 if value else 1)
        elif address != UNLOCK:
            self.settings[address] = value
        if address in (CURRENT, ENABLE):
            self.told()

    def step(self, dt_ms):
        """Go on by dt_ms; the phase switch takes its time."""
        if self._switch_to and self._clock() >= self._switch_to[0]:
            self.switch(self._switch_to[1])
            self._switch_to = None
        super().step(dt_ms)

    def image(self, function):
        """Return the readable registers, each u32."""
        amps = self.current_ma
        tenth_wh = self.energy.import_wh * 10
        values = {
            1000: self._charging_state(),
            1004: 7 if self.car.plugged else 0,
            1006: 0,
            1008: amps[0],
            1010: amps[1],
            1012: amps[2],
            1014: 17630002,
            1016: 300143,
            1018: 0x030A2A,
            1020: self.power_w * 1000,
            1036: tenth_wh,
            1040: VOLTAGE_V,
            1042: VOLTAGE_V,
            1044: VOLTAGE_V,
            1046: 1000 if self.power_w else 0,
            1100: self.offered_ma,
            1110: self.max_current_ma,
            1500: 0,
            1502: tenth_wh,
            1550: self.source,
            1552: int(self.phases > 1),
            1600: self.settings[FAILSAFE],
            1602: self.settings[TIMEOUT],
        }
        if self.fault == "nan":
            values.update((i, 0xFFFFFFFF) for i in _MEASURED)
        image = {}
        for i, value in values.items():
            image[i], image[i + 1] = u32(value)
        return image

    def _charging_state(self):
        """Return register 1000: 1 not ready, 2 waits for the car, 3 charging, 5 suspended."""
        if self.state == "C":
            return 3
        if not self.car.plugged:
            return 1
        return 2 if self.offered_ma else 5
