"""Eastron SDM630: three-phase meter, f32 values high word first, one parameter in two registers.

Register map: reference/peers.md section 3.1; the vendor's SDM630 Modbus protocol document.
"""

from .device import Device
from .pdu import ILLEGAL_ADDRESS, ILLEGAL_VALUE, Refusal, f32, u32
from .physics import VOLTAGE_V

_MAX_REGISTERS = 80
# Between the known parameters the meter has reserved ones, which read as zero.
_BLOCKS = ((0x00, 0x6C), (0xC8, 0x110), (0x14E, 0x180))
_SERIAL = 0xFC00


class Sdm630(Device):
    """One meter; `power_w` of the three phases is what it measures, import positive."""

    def __init__(self, config, clock, energy):
        super().__init__(config, clock)
        self.measures = config["measures"]
        self.energy = energy
        self.power_w = [0, 0, 0]

    @property
    def current_ma(self):
        """Signed currents of the three phases."""
        return [round(power * 1000 / VOLTAGE_V) for power in self.power_w]

    def read(self, function, address, count):
        """Read whole parameters only: even address, even count, at most 80 registers."""
        if count > _MAX_REGISTERS or count % 2:
            raise Refusal(ILLEGAL_VALUE)
        if address % 2:
            raise Refusal(ILLEGAL_ADDRESS)
        return super().read(function, address, count)

    def image(self, function):
        """Return the input registers (4), or the few holding registers (3)."""
        if function == 3:
            values = {0x14: f32(self.unit), 0x1C: f32(3.0), _SERIAL: u32(18630001)}
            return _words(values)
        values = {i: (0, 0) for low, high in _BLOCKS for i in range(low, high, 2)}
        values.update((i, f32(value)) for i, value in self._parameters().items())
        if self.fault == "nan":
            values = {i: (0x7FC0, 0) for i in values}
        return _words(values)

    def _parameters(self):
        sign = -1 if self.fault == "wrong_sign" else 1
        power = [sign * p for p in self.power_w]
        amps = [abs(ma) / 1000 for ma in self.current_ma]
        into, out = self.energy.import_wh / 1000, self.energy.export_wh / 1000
        if sign < 0:
            into, out = out, into
        values = {
            0x2A: VOLTAGE_V,
            0x2E: sum(amps) / 3,
            0x30: sum(amps),
            0x34: sum(power),
            0x38: sum(map(abs, power)),
            0x3E: 1,
            0x46: 50,
            0x48: into,
            0x4A: out,
            0x54: sum(power),
            0xCE: VOLTAGE_V * 3**0.5,
            0x156: into + out,
        }
        for i in range(3):
            values[0x00 + 2 * i] = VOLTAGE_V
            values[0x06 + 2 * i] = amps[i]
            values[0x0C + 2 * i] = power[i]
            values[0x12 + 2 * i] = abs(power[i])
            values[0x1E + 2 * i] = 1
            values[0xC8 + 2 * i] = VOLTAGE_V * 3**0.5
        return values


def _words(values):
    image = {}
    for address, (high, low) in values.items():
        image[address], image[address + 1] = high, low
    return image
