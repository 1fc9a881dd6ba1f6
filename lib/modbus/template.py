"""Device templates at work: how a meter or a wallbox (EVSE) is read and written, as data.

Rules: round a limit down, never below the minimum unless pausing; lower before releasing; program
a fail-safe current and read it back; never write a register in flash periodically.
"""

from micropython import const

from .types import decode, encode, scaled, words

# What a template may read: these texts are the keys of all readings, shared by all templates.
READINGS = (
    "power_w",
    "power_l1_w",
    "power_l2_w",
    "power_l3_w",
    "current_l1_ma",
    "current_l2_ma",
    "current_l3_ma",
    "voltage_l1_v",
    "voltage_l2_v",
    "voltage_l3_v",
    "import_wh",
    "export_wh",
    "energy_wh",
    "offered_ma",
    "state",
    "soc",
    "cable",
    "enabled",
    "reactive_power_var",
    "input1",
    "input2",
    "input3",
    "input4",
)
KINDS = ("u16", "i16", "u32", "i32", "u64", "i64", "f32", "char", "str")
_VALUE = const(5)  # bytes of an entry in Template.values
_LOW_FIRST = const(16)


class TemplateError(Exception):
    """A template is wrong. `field` names the place; `code` and `arguments` serve translations."""

    field: str
    code: str
    arguments: tuple


def register_bytes(register, value):
    """What goes on the wire to write `value` to (fc, address, kind, order, ...)."""
    kind = register[2]
    if register[0] == 5:  # a coil's value on the wire
        return b"\xff\x00" if value else b"\x00\x00"
    data = bytearray(2 * words(kind))
    encode(kind, register[3], value, data, 0)
    return bytes(data)


def raw_current(register, current_ma):
    """Register value for a current by (fc, address, kind, order, num, den); rounded down."""
    num, den = register[4:]
    return current_ma * den / num if register[2] == "f32" else current_ma * den // num


class Template:
    """A checked template. Currents in mA per phase; TemplateError names what is wrong.

    kind "meter" or "evse"; blocks ((fc, address, count, every_ms), ...), hot ones first; quiet_ms
    to leave the device alone after an answer. EVSE: min_ma, max_ma, step_ma; refresh_ms: a
    setpoint expires and must be repeated within it (0: it stays); failsafe_after_ms: silence after
    which the box goes to its fail-safe current (0: never); watchdog: None or
    (every_ms, ((fc, address, bytes), ...)). phase_switch: b"", or how one and three phases are
    switched on (setup.py reads it).

    A template lives as long as its devices, so it is packed by the checker (see there for limit,
    enable, and for init, which setup.py reads). values: five bytes for each value, block after
    block from the entry numbers in `starts`: its number in READINGS; byte in the block; number in
    KINDS, + 16 for the low word first; place of (num, den) in `factors`; 0 or, from 1, the number
    of its rule in `rules`, for all that scaling does not do.
    """

    kind: str
    quiet_ms: int
    blocks: tuple
    watchdog: "tuple | None"
    min_ma: int
    max_ma: int
    step_ma: int
    refresh_ms: int
    failsafe_after_ms: int
    failsafe_min_ma: int
    limit: tuple
    enable: tuple
    init: tuple
    phase_switch: bytes
    values: bytes
    starts: bytes
    factors: tuple
    rules: tuple

    def __init__(self, data):
        from .checker import pack

        pack(self, data)

    def decode(self, i, buf, off, readings):
        """Decodes the answer to block `i` (its data at buf[off]) into `readings`.

        Integers in the unit of the name, state "A".."F"; None: not available.
        """
        values = self.values
        factors = self.factors
        for at in range(_VALUE * self.starts[i], _VALUE * self.starts[i + 1], _VALUE):
            reading = READINGS[values[at]]
            place = off + values[at + 1]
            kind = values[at + 2]
            order = "lh" if kind & _LOW_FIRST else "hl"
            kind = KINDS[kind & ~_LOW_FIRST]
            num = factors[values[at + 3]]
            den = factors[values[at + 3] + 1]
            rule = values[at + 4]
            if rule:
                where = (kind, order, buf, place, num, den)
                value = _ruled(self.rules[rule - 1], reading, where, readings)
            else:
                value = scaled(kind, order, buf, place, num, den)
            readings[reading] = value

    def reachable_ma(self, current_ma):
        """What the box can be set to that is not above `current_ma`; 0 is a pause."""
        if current_ma < self.min_ma:
            return 0
        current_ma = min(current_ma, self.max_ma)
        return current_ma - current_ma % self.step_ma

    def failsafe_ma(self, wanted_ma):
        """The fail-safe current that is programmed for `wanted_ma`."""
        return max(self.reachable_ma(wanted_ma), self.failsafe_min_ma)

    def limit_writes(self, current_ma):
        """[(fc, address, bytes)] that set the limit, in this order: lowered before released."""
        current_ma = self.reachable_ma(current_ma)
        if self.enable and not current_ma:
            return [self.enable[0]]
        limit = self.limit
        writes = [(limit[0], limit[1], register_bytes(limit, raw_current(limit, current_ma)))]
        if self.enable:
            writes.append(self.enable[1])
        return writes


def _ruled(rule, reading, where, readings):
    """A reading that takes more than scaling: texts, states, masks, and what depends on others."""
    if "sum_of" in rule:
        parts = [readings.get(name) for name in rule["sum_of"]]
        return None if None in parts else sum(parts)
    kind, order, buf, off, num, den = where
    value = decode("u16" if kind == "char" else kind, order, buf, off, rule.get("words", 0))
    if value is None or value in rule.get("nan", ()):
        return None
    if kind == "char":
        value = chr((value & rule.get("mask", 255)) >> rule.get("shift", 0))
    elif "mask" in rule:
        value = (value & rule["mask"]) >> rule.get("shift", 0)
    elif reading != "state":
        value = scaled(kind, order, buf, off, num, den)
        if value is None:
            return None
    if reading == "state":
        value = str(value)
        states = rule.get("map", "")  # "\n2=A\n3=A\n..."
        at = states.find("\n%s=" % value)
        value = states[at + len(value) + 2] if at >= 0 else value[:1]
        if value not in "ABCDEF" or not value:
            return None
    if "and_if" in rule:
        name, wanted = rule["and_if"]
        other = readings.get(name)
        if other is None:
            return None
        if other not in wanted:
            value = "A" if value == "B" else value if reading == "state" else 0
    if "sign_of" in rule and (readings.get(rule["sign_of"]) or 0) < 0:
        return -value  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
    return value
