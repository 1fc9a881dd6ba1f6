"""What is read of a SunSpec device, and how: stays in RAM while the device is there."""

from struct import unpack_from

from micropython import const

# An entry of Readout.values: number of the reading; its byte in the block; kind; byte of its
# scale factor (255: none); power of ten to the reading's unit; flags; 1 + number of the reading
# that has its sign (0: none).
ENTRY = const(7)
KINDS = ("u16", "i16", "acc32", "f32", "zero")
NEGATED = const(1)
AND_MORE = const(2)  # one of several that are added up
ASIDE = const(4)  # no reading: kept for one of another block
WITH_ASIDE = const(8)  # what was kept comes off
MAY_LACK_FACTOR = const(16)  # the scale factor is optional: not implemented means 1
_FORMATS = (b">H", b">h", b">I", b">f")
_NO_FACTOR = const(255)
_FLOAT = const(3)
_ZERO = const(4)


class ScanError(Exception):
    """There is no SunSpec device, its chain of models is wrong, or it lacks the one wanted.

    Here, because the modules that raise it may be unloaded and loaded again during a scan.
    """


class Readout:
    """With the face of a modbus.template.Template, as far as a meter needs it.

    names: of the readings; blocks and starts: as there; values: see ENTRY; models: the numbers
    that are read.
    """

    kind = "meter"
    quiet_ms = 20
    watchdog = None
    init = (b"", "")
    phase_switch = b""

    def __init__(self, names, blocks, starts, values, models):
        self.blocks = blocks
        self.models = models
        self._names = names
        self._starts = starts
        self._values = values
        self._aside = None

    def decode(self, i, buf, off, readings):
        """Decodes the answer to block `i` (its data at buf[off]) into `readings`: integers; None
        is what the device has not."""
        values = self._values
        for at in range(ENTRY * self._starts[i], ENTRY * self._starts[i + 1], ENTRY):
            name = self._names[values[at]]
            flags = values[at + 5]
            value = _number(values, at, buf, off)
            if value is not None and flags & NEGATED:
                value = -value
            if flags & ASIDE:
                self._aside = value
                continue
            if flags & WITH_ASIDE:
                aside = self._aside
                value = None if value is None or aside is None else value - aside
            if flags & AND_MORE:
                more = readings.get(name)
                value = more if value is None else value + (more or 0)
            if value and values[at + 6]:
                signed = readings.get(self._names[values[at + 6] - 1])
                if signed:
                    value = abs(value) if signed > 0 else -abs(value)
            readings[name] = value


def _number(values, at, buf, off):
    """The value of an entry in its reading's unit; None where it is not implemented."""
    kind = values[at + 2]
    if kind == _ZERO:
        return 0
    value = unpack_from(_FORMATS[kind], buf, off + values[at + 1])[0]
    exponent = values[at + 4]
    if kind == _FLOAT:  # NaN and infinities are not implemented, beyond 10**15 nothing is credible
        return round(value * 10**exponent) if -1e15 < value < 1e15 else None
    if value == (0xFFFF, -0x8000, 0)[kind]:
        return None
    place = values[at + 3]
    if place != _NO_FACTOR:
        factor = unpack_from(b">h", buf, off + place)[0]
        if -10 <= factor <= 10:
            exponent += factor
        elif factor != -0x8000 or not values[at + 5] & MAY_LACK_FACTOR:
            return None
    if exponent >= 0:
        return value * 10**exponent
    unit = 10**-exponent
    half = unit >> 1
    return (value + half) // unit if value >= 0 else -((half - value) // unit)
