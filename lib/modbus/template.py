"""Device templates at work: how a meter or a wallbox (EVSE) is read and written, as data.

Rules: round a limit down, never below the minimum unless pausing; lower before releasing; program
a fail-safe current and read it back; never write a register in flash periodically.
"""

from .types import decode, encode, scaled, words


class TemplateError(Exception):
    """A template is wrong. `field` names the place; `code` and `arguments` serve translations."""

    def __init__(self, field, code, text, *arguments):
        super().__init__(field + " " + text % arguments)
        self.field = field
        self.code = "template_" + code
        self.arguments = (field,) + arguments


def register_bytes(register, value):
    """What goes on the wire to write `value` to (fc, address, kind, order)."""
    fc, _, kind, order = register
    if fc == 5:  # a coil's value on the wire
        return b"\xff\x00" if value else b"\x00\x00"
    data = bytearray(2 * words(kind))
    encode(kind, order, value, data, 0)
    return bytes(data)


class Template:
    """A checked template. Currents in mA per phase; TemplateError names what is wrong.

    kind "meter" or "evse"; blocks [(fc, address, count, every_ms)], hot ones first; quiet_ms to
    leave the device alone after an answer; serial {"baudrate", "parity", "stop"} (factory setting)
    or None; unit_id and port are defaults. EVSE: min_ma, max_ma, step_ma; refresh_ms: a setpoint
    expires and must be repeated within it (0: it stays); failsafe_after_ms: silence after which
    the box goes to its fail-safe current (0: never); watchdog: None or
    (every_ms, [(fc, address, bytes)]).
    """

    def __init__(self, data):
        from . import checker

        head = checker.head(data)
        self.name, self.kind, self.unit_id, self.port, self.quiet_ms, self.serial = head
        self.blocks, self._values = checker.blocks(data)
        self._init = []
        self.watchdog = None
        if self.kind == "evse":
            limit = checker.limit(data)
            self.min_ma, self.max_ma, self.step_ma, self.refresh_ms = limit[:4]
            self._limit, self._factor, self._enable = limit[4:]
            rest = checker.failsafe(data)
            self.failsafe_after_ms, self._failsafe_min_ma, self._init, self.watchdog = rest

    def decode(self, i, buf, off, readings):
        """Decodes the answer to block `i` (its data at buf[off]) into `readings`.

        Integers in the unit of the name, state "A".."F"; None: not available.
        """
        for entry in self._values[i]:
            reading, at, kind, order, num, den, data = entry
            if data is None:
                readings[reading] = scaled(kind, order, buf, off + at, num, den)
            else:
                readings[reading] = _special(entry, buf, off + at, readings)

    def reachable_ma(self, current_ma):
        """What the box can be set to that is not above `current_ma`; 0 is a pause."""
        if current_ma < self.min_ma:
            return 0
        current_ma = min(current_ma, self.max_ma)
        return current_ma - current_ma % self.step_ma

    def failsafe_ma(self, wanted_ma):
        """The fail-safe current that is programmed for `wanted_ma`."""
        return max(self.reachable_ma(wanted_ma), self._failsafe_min_ma)

    def limit_writes(self, current_ma):
        """[(fc, address, bytes)] that set the limit, in this order: lowered before released."""
        current_ma = self.reachable_ma(current_ma)
        if self._enable and not current_ma:
            return [self._enable[0]]
        limit = self._limit
        value = register_bytes(limit, _raw(limit, current_ma, self._factor))
        writes = [(limit[0], limit[1], value)]
        if self._enable:
            writes.append(self._enable[1])
        return writes

    def init_writes(self, failsafe_ma):
        """[(fc, address, bytes)] to write after each connect; none of them wears flash."""
        return self._init_writes(failsafe_ma, False)

    def stored_writes(self, failsafe_ma):
        """As init_writes, but the box keeps them in flash: only after a read-back that differs."""
        return self._init_writes(failsafe_ma, True)

    def _init_writes(self, failsafe_ma, stored):
        return [
            (entry[2][0], entry[2][1], self._entry_bytes(entry, 2, failsafe_ma))
            for entry in self._init
            if entry[1] == stored
        ]

    def read_backs(self, failsafe_ma):
        """[(fc, address, expected bytes, name)]: reading them shows whether init holds."""
        return [
            (entry[3][0], entry[3][1], self._entry_bytes(entry, 3, failsafe_ma), entry[0])
            for entry in self._init
            if entry[3]
        ]

    def _entry_bytes(self, entry, which, failsafe_ma):
        value = entry[4]
        if value is None:
            value = _raw(entry[which], self.failsafe_ma(failsafe_ma), entry[5])
        return register_bytes(entry[which], value)


def _raw(register, current_ma, factor):
    """Register value for a current; integers are rounded down."""
    num, den = factor
    return current_ma * den / num if register[2] == "f32" else current_ma * den // num


def _special(entry, buf, off, readings):
    """A reading that takes more than scaling: texts, states, masks, and what depends on others."""
    reading, _, kind, order, num, den, data = entry
    if "sum_of" in data:
        parts = [readings.get(name) for name in data["sum_of"]]
        return None if None in parts else sum(parts)
    value = decode("u16" if kind == "char" else kind, order, buf, off, data.get("words", 0))
    if value is None or value in data.get("nan", ()):
        return None
    if kind == "char":
        value = chr((value & data.get("mask", 255)) >> data.get("shift", 0))
    elif "mask" in data:
        value = (value & data["mask"]) >> data.get("shift", 0)
    elif reading != "state":
        value = scaled(kind, order, buf, off, num, den)
        if value is None:
            return None
    if reading == "state":
        value = str(value)
        value = data.get("map", {}).get(value, value[:1])
        if value not in ("A", "B", "C", "D", "E", "F"):
            return None
    if "and_if" in data:
        other = readings.get(data["and_if"]["reading"])
        if other is None:
            return None
        if other not in data["and_if"]["in"]:
            value = "A" if value == "B" else value if reading == "state" else 0
    if "sign_of" in data and (readings.get(data["sign_of"]) or 0) < 0:
        return -value  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
    return value
