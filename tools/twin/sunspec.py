"""A hybrid inverter with its battery and its meter at the grid, by SunSpec models on Modbus TCP.

Holding registers from 40000: "SunS", then the models 1, 103 (inverter), 160 (inputs), 124 and 802
(battery), 203 (meter), end. Signs as SunSpec has them: the inverter's power is positive where it
feeds in, the battery's where it discharges, the meter's where it imports. Source: SunSpec Device
Information Model Specification 1.1 and the SunSpec model definitions.
"""

from .device import Device
from .pdu import u32
from .physics import VOLTAGE_V

BASE = 40000
_DC_V = 400
_RESTS, _EMPTY, _DISCHARGES, _CHARGES, _FULL = 6, 2, 3, 4, 5
# What a word that holds nothing says: u16 and enum, i16 and scale factor, accumulator, bits, text.
_NOTHING = {"u": 0xFFFF, "i": 0x8000, "a": 0, "b": 0xFFFF, "t": 0}
# The words of each model behind its number and length, as runs of one kind.
_LAYOUTS = {
    1: "64t 2i",
    103: "4u i 6u i i i u i i i i i i i 2a i u i u i i i 4i i 2u 12b",
    160: "4i 2b 2u",
    124: "10u 2i 4u 8i",
    802: "12u 2b 8u 10b 10u i 2u i u i 2u 12i",
    203: "4i i 8i i i i 4i i 4i i 4i i 4i i 16a i 16a i 32a i 2b",
}
_MODULE = "u 8t 3u 2a 2b i u 2b"


def _blank(layout):
    words = []
    for run in layout.split():
        words += [_NOTHING[run[-1]]] * int(run[:-1] or 1)
    return words


def _text(text, words):
    data = text.encode().ljust(2 * words, b"\0")
    return [data[i] << 8 | data[i + 1] for i in range(0, 2 * words, 2)]


def _scaled(values, top=32767):
    """Return (words, scale factor) of values: in tens where ones are too large for 16 bits."""
    factor = 0
    while any(abs(value) > top for value in values):
        values, factor = [round(value / 10) for value in values], factor + 1
    return [value & 0xFFFF for value in values], factor


class SunSpec(Device):
    """One device; what `measures` names is the power that the twin shows for it."""

    def __init__(self, config, clock, energy, twin):
        super().__init__(config, clock)
        self.measures = config["measures"]
        self.energy = energy
        self.power_w = [0, 0, 0]
        self._twin = twin
        for source in ("pv", "battery", "inverter", "grid"):
            twin.energy(source)

    @property
    def current_ma(self):
        """Signed currents of the three phases."""
        return [round(power * 1000 / VOLTAGE_V) for power in self.power_w]

    def image(self, function):
        """Return the holding registers; it has no input registers."""
        if function != 3:
            return {}
        words = _text("SunS", 2)
        for number, body in self._models():
            words += [number, len(body), *body]
        words += [0xFFFF, 0]
        return {BASE + i: word for i, word in enumerate(words)}

    def _models(self):
        yield 1, self._common()
        blank = self.fault == "nan"
        models = [(103, self._inverter()), (160, self._inputs())]
        if self._twin.battery:
            models += [(124, self._basic()), (802, self._battery())]
        for number, values in (*models, (203, self._meter())):
            layout = _LAYOUTS[number]
            if number == 160:
                layout += (" " + _MODULE) * values[8][0]
            body = _blank(layout)
            if not blank:
                _lay(body, values)
            elif number == 160:
                body[6] = values[8][0]
            yield number, body

    def _common(self):
        body = _text("RippleGate", 16) + _text("Simulated hybrid", 16) + _text("", 8)
        return body + _text("1.0", 8) + _text("twin-" + self.id, 16) + [self.unit, 0x8000]

    def _watts(self, source):
        sign = -1 if self.fault == "wrong_sign" else 1
        return [sign * w for w in self._twin.phases_w(source)]

    def _inverter(self):
        phases_w = self._watts("inverter")
        power, factor = _scaled([sum(phases_w)])
        amps, amps_factor = _scaled(
            [abs(round(w * 100 / VOLTAGE_V)) for w in (sum(map(abs, phases_w)), *phases_w)]
        )
        return {
            2: [*amps, amps_factor - 2 & 0xFFFF],
            10: [VOLTAGE_V, VOLTAGE_V, VOLTAGE_V, 0],
            14: [*power, factor, 5000, -2 & 0xFFFF],
            24: [*u32(self._twin.energy("inverter").import_wh), 0],
            33: [35],
            37: [0, 4],
            40: [0, 0, 0, 0],
        }

    def _inputs(self):
        """Two strings of the roof, then charging and discharging as Fronius names them."""
        twin = self._twin
        battery_w = sum(self._watts("battery"))
        pv = twin.pv_w, twin.energy("pv").import_wh
        inputs = [("String 1", (pv[0] + 1) // 2, (pv[1] + 1) // 2)]
        inputs.append(("String 2", pv[0] // 2, pv[1] // 2))
        if twin.battery:
            energy = twin.energy("battery")
            inputs.append(("StCha 3", max(0, battery_w), energy.import_wh))
            inputs.append(("StDisCha 4", max(0, -battery_w), energy.export_wh))
        power, factor = _scaled([w for _, w, _ in inputs], 0xFFFE)
        values = {2: [-2 & 0xFFFF, 0, factor, 0, 0, 0, len(inputs), 0], 8: [len(inputs), 0]}
        for i, (name, power_w, wh) in enumerate(inputs):
            amps = min(0xFFFE, power_w * 100 // _DC_V)
            values[10 + 20 * i] = [i + 1, *_text(name, 8), amps, _DC_V, power[i], *u32(wh)]
        return values

    def _basic(self):
        battery = self._twin.battery
        return {
            2: [min(battery.max_w, 0xFFFE), 100, 100, 0],
            8: [battery.soc],
            11: [self._charging()],
            18: [0, 0],
            22: [0],
        }

    def _charging(self):
        battery = self._twin.battery
        if battery.power_w:
            return _CHARGES if battery.power_w > 0 else _DISCHARGES
        return {0: _EMPTY, 100: _FULL}.get(battery.soc, _RESTS)

    def _battery(self):
        battery = self._twin.battery
        given_w = -sum(self._watts("battery"))
        power, factor = _scaled([given_w])
        size, size_factor = _scaled([battery.capacity_wh], 0xFFFE)
        most, most_factor = _scaled([battery.max_w] * 2, 0xFFFE)
        amps, amps_factor = _scaled([round(given_w * 10 / _DC_V)])
        return {
            2: [min(0xFFFE, battery.capacity_wh // _DC_V), *size, *most],
            11: [10 * battery.soc],
            16: [self._charging(), 0],
            20: [0, 4, 3],
            26: [0] * 8,
            34: [_DC_V],
            44: amps,
            47: power,
            50: [0, 0, 0, size_factor, most_factor],
            56: [-1 & 0xFFFF],
            59: [0, -3 & 0xFFFF, amps_factor - 1 & 0xFFFF, 0, factor],
        }

    def _meter(self):
        phases_w = self._watts("grid")
        power, factor = _scaled([sum(phases_w), *phases_w])
        amps, amps_factor = _scaled(
            [round(w * 100 / VOLTAGE_V) for w in (sum(phases_w), *phases_w)]
        )
        energy = self._twin.energy("grid")
        return {
            2: [*amps, amps_factor - 2 & 0xFFFF],
            7: [VOLTAGE_V] * 4,
            15: [0, 5000, -2 & 0xFFFF],
            18: [*power, factor],
            38: u32(energy.export_wh),
            46: u32(energy.import_wh),
            54: [0],
            105: [0, 0],
        }


def _lay(body, values):
    """Lay words into a model's body; places count from its number, as in the definitions."""
    for place, words in values.items():
        body[place - 2 : place - 2 + len(words)] = words
