"""Checks the data of a device template and packs it for Template.

Every key is described in docs/devices.md. Needed only while templates are made: a small machine
may drop this module afterwards.
"""

import struct

from micropython import const

from . import setup
from .template import KINDS, READINGS, TemplateError, register_bytes
from .types import words

_KEYS = const(
    "name kind source serial unit_id port max_registers quiet_ms blocks"
    " limit init watchdog failsafe_after_ms failsafe_min_ma phase_switch"
)
_VALUE_KEYS = const(
    "reading address type order words unit scale factor sign nan"
    " mask shift map and_if sign_of sum_of"
)
_LIMIT_KEYS = const(
    "fc address type order unit scale factor min_ma max_ma step_ma"
    " phases voltage_v refresh_ms enable"
)
_NUMBERS = const(("u16", "i16", "u32", "i32", "u64", "i64", "f32"))
_ORDERS = const(("hl", "lh"))
_WRITES = const((5, 6, 16))
_DAY_MS = const(86400000)
_MOST_VALUES = const(250)  # numbers of values, factors and rules are bytes
_STATES = const(("A", "B", "C", "D", "E", "F"))
# Unit without its prefix k or m: suffix of the readings that it fits, power of ten to their unit.
_UNITS = {
    "A": ("_ma", 3),
    "W": ("_w", 0),
    "VA": ("_w", 0),
    "Wh": ("_wh", 0),
    "VAh": ("_wh", 0),
    "V": ("_v", 0),
    "var": ("_var", 0),
}


def _wrong(field, code, text, *arguments):
    error = TemplateError(field + " " + text % arguments)
    error.field = field
    error.code = "template_" + code
    error.arguments = (field,) + arguments
    return error


def _int(data, field, key, low, high, default=None):
    value = data.get(key, default)
    if type(value) is not int or not low <= value <= high:
        text = "must be an integer from %d to %d"
        raise _wrong(field + key, "range", text, low, high)
    return value


def _one(data, field, key, allowed, default=None):
    value = data.get(key, default)
    for item in allowed:
        if item == value:
            return item
    text = ", ".join([str(item) for item in allowed])
    raise _wrong(field + key, "choice", "must be one of: %s", text)


def _object(data, field, keys=""):
    """Checks that `data` is an object, with no other keys than those in the text `keys`."""
    if not isinstance(data, dict):
        raise _wrong(field.strip(".") or "template", "object", "must be an object {...}")
    for key in data:
        if keys and key not in keys.split():
            raise _wrong(field + key, "unknown", "is not known; allowed: %s", keys)
    return data


def _list(data, field, key):
    value = data.get(key, ())
    if not isinstance(value, (list, tuple)):
        raise _wrong(field + key, "list", "must be a list [...]")
    return [(item, "%s%s[%d]." % (field, key, i)) for i, item in enumerate(value)]


def _factor(data, field, suffix):
    """(num, den): register * num / den is the value in the reading's unit."""
    exponent = _int(data, field, "scale", -9, 9, 0)
    unit = str(data.get("unit", ""))
    if suffix:
        prefix = {"k": 3, "m": -3}.get(unit[:1], 0)
        fits, power = _UNITS.get(unit[1:] if prefix else unit, ("", 0))
        if fits != suffix:
            fitting = ", ".join([name for name in sorted(_UNITS) if _UNITS[name][0] == suffix])
            text = "must be one of: %s (also with k or m before it)"
            raise _wrong(field + "unit", "unit", text, fitting)
        exponent += prefix + power
    factor = [part for part, _ in _list(data, field, "factor")] or (1, 1)
    if len(factor) != 2:
        raise _wrong(field + "factor", "pair", "must be [numerator, denominator]")
    num, den = [_int({"factor": part}, field, "factor", 1, 1000000) for part in factor]
    num *= 10 ** max(exponent, 0) * _one(data, field, "sign", (1, -1), 1)
    return num, den * 10 ** max(-exponent, 0)


def _register(data, field, fcs, kind=None):
    """(fc, address, kind, order) of something to write or to compare."""
    fc = _one(data, field, "fc", fcs)
    kind = _one(data, field, "type", _NUMBERS, kind or "u16")
    if fc == 6 and words(kind) > 1:
        raise _wrong(field + "type", "fc6", "must be u16 or i16 with function code 6")
    address = _int(data, field, "address", 0, 65536 - words(kind))
    return fc, address, kind, _one(data, field, "order", _ORDERS, "hl")


def _fixed(register, data, field, key):
    """(fc, address, bytes) that write the integer data[key]."""
    value = _int(data, field, key, -(2**31), 2**32 - 1)
    try:
        return register[0], register[1], register_bytes(register, value)
    except ValueError as error:
        raise _wrong(field + key, "fit", "does not fit: %s", str(error))


def _reading(name, field):
    """The name as the one text in READINGS."""
    for reading in READINGS:
        if reading == name:
            return reading
    raise _wrong(field, "choice", "must be one of: %s", " ".join(READINGS))


def _rule(data, field):
    """{} or what Template needs to know of a value that takes more than scaling."""
    rule: dict = {key: data[key] for key in ("mask", "shift", "words") if key in data}
    parts = [_reading(name, field + "sum_of") for name, _ in _list(data, field, "sum_of")]
    if "sum_of" in data:
        return {"sum_of": tuple(parts)}
    if "sign_of" in data:
        rule["sign_of"] = _reading(data["sign_of"], field + "sign_of")
    if "and_if" in data:
        field += "and_if."
        other = _object(data["and_if"], field, "reading in")
        wanted = tuple([item for item, _ in _list(other, field, "in")])
        rule["and_if"] = (_reading(other.get("reading"), field + "reading"), wanted)
    if "nan" in data:
        rule["nan"] = tuple([item for item, _ in _list(data, field, "nan")])
    if "map" in data:
        states = _object(data["map"], field + "map.")
        pairs = [(key, _one(states, field + "map.", key, _STATES)) for key in sorted(states)]
        rule["map"] = "".join(["\n%s=%s" % pair for pair in pairs])
    return rule


def _value(data, field, block, address, count):
    """(reading, byte offset, kind, order, (num, den), rule): as an entry of Template.values."""
    _object(data, field, _VALUE_KEYS)
    reading = _reading(data.get("reading"), field + "reading")
    rule: dict = _rule(data, field)
    if "sum_of" in rule:
        return reading, 0, "u16", "hl", (1, 1), rule
    kinds = KINDS if reading == "state" else _NUMBERS
    kind = _one(data, field, "type", kinds, block.get("type"))
    order = _one(data, field, "order", _ORDERS, block.get("order", "hl"))
    if kind == "str":
        size = _int(data, field, "words", 1, count)
    else:
        size = 1 if kind == "char" else words(kind)
    at = _int(data, field, "address", address, address + count - size) - address
    suffix = "_" + reading.split("_")[-1]
    factor = _factor(data, field, suffix if suffix in "_ma _wh _var" else "")
    if "mask" in data:
        if kind in ("f32", "str"):
            raise _wrong(field + "mask", "mask", "needs a type of integers")
        _int(data, field, "mask", 1, 2**32 - 1)
    _int(data, field, "shift", 0, 31, 0)
    if reading == "state":
        if "sign_of" in data:
            raise _wrong(field + "sign_of", "sign", "has no meaning for a state")
        rule["map"] = rule.get("map", "")
    return reading, 2 * at, kind, order, factor, rule


def pack(template, data):
    """Sets all attributes of the Template from its data, or raises TemplateError."""
    template.kind, _, _, template.quiet_ms, _ = head(data)
    template.factors = ()
    _pack_blocks(template, data)
    template.watchdog = None
    template.phase_switch = b""
    if template.kind == "evse":
        _pack_limit(template, data)
        _pack_failsafe(template, data)
        if "phase_switch" in data:
            _pack_phases(template, data["phase_switch"])
    else:
        template.init = (b"", "")


def head(data):
    """(kind, unit_id, port, quiet_ms, serial): the unit, port and line as delivered."""
    _object(data, "", _KEYS)
    serial = data.get("serial")
    if serial is not None:
        _object(serial, "serial.", "baudrate parity stop")
        _int(serial, "serial.", "baudrate", 300, 1000000)
        _one(serial, "serial.", "parity", ("N", "E", "O"))
        _one(serial, "serial.", "stop", (1, 2))
    return (
        _one(data, "", "kind", ("meter", "evse")),
        _int(data, "", "unit_id", 0, 255, 1),
        _int(data, "", "port", 1, 65535, 502),
        _int(data, "", "quiet_ms", 0, 10000, 0),
        serial,
    )


def _place(template, factor):
    """Place of the pair (num, den) in template.factors."""
    factors = template.factors
    for at in range(0, len(factors), 2):
        if factors[at : at + 2] == factor:
            return at
    template.factors = factors + factor
    return len(factors)


def _pack_blocks(template, data):
    most = _int(data, "", "max_registers", 1, 125, 125)
    blocks = []
    starts = [0]
    values = []
    rules = []
    for block, field in _list(data, "", "blocks"):
        _object(block, field, "fc address count every_ms type order values")
        fc = _one(block, field, "fc", (3, 4))
        count = _int(block, field, "count", 1, most)
        address = _int(block, field, "address", 0, 65536 - count)
        blocks.append((fc, address, count, _int(block, field, "every_ms", 100, _DAY_MS)))
        for item, place in _list(block, field, "values"):
            reading, at, kind, order, factor, rule = _value(item, place, block, address, count)
            if rule:
                rules.append(rule)
            low_first = 16 if order == "lh" else 0
            values.append(READINGS.index(reading))
            values.append(at)
            values.append(KINDS.index(kind) | low_first)
            values.append(_place(template, factor))
            values.append(len(rules) if rule else 0)
        starts.append(len(values) // 5)
        if starts[-1] > _MOST_VALUES or len(template.factors) > _MOST_VALUES:
            text = "must have at most %d values"
            raise _wrong("blocks", "values", text, _MOST_VALUES // 2)
    if not blocks:
        raise _wrong("blocks", "empty", "must not be empty")
    template.blocks = tuple(blocks)
    template.starts = bytes(starts)
    template.values = bytes(values)
    template.rules = tuple(rules)


def _pack_limit(template, data):
    """limit: (fc, address, kind, order, num, den); enable: () or (what switches off, and on)."""
    data = _object(data.get("limit"), "limit.", _LIMIT_KEYS)
    min_ma = template.min_ma = _int(data, "limit.", "min_ma", 1, 100000)
    template.step_ma = _int(data, "limit.", "step_ma", 1, 10000)
    if min_ma % template.step_ma:
        text = "must divide min_ma (%d) without a remainder"
        raise _wrong("limit.step_ma", "step", text, min_ma)
    num, den = _factor(data, "limit.", "_w" if "phases" in data else "_ma")
    if "phases" in data:  # a limit in W: mA * phases * V / 1000
        num *= 1000
        den *= _int(data, "limit.", "phases", 1, 3)
        den *= _int(data, "limit.", "voltage_v", 100, 500, 230)
    template.enable = ()
    if "enable" in data:
        field = "limit.enable."
        enable = _object(data["enable"], field, "fc address type order on off")
        register = _register(enable, field, _WRITES)
        template.enable = tuple([_fixed(register, enable, field, key) for key in ("off", "on")])
    template.max_ma = _int(data, "limit.", "max_ma", min_ma, 100000)
    template.refresh_ms = _int(data, "limit.", "refresh_ms", 0, _DAY_MS, 0)
    template.limit = _register(data, "limit.", (6, 16)) + (num, den)


def _pack_failsafe(template, data):
    template.failsafe_after_ms = _int(data, "", "failsafe_after_ms", 0, _DAY_MS, 0)
    template.failsafe_min_ma = _int(data, "", "failsafe_min_ma", 0, 100000, 0)
    if "watchdog" in data:
        source = _object(data["watchdog"], "watchdog.", "every_ms writes")
        writes = []
        for item, field in _list(source, "watchdog.", "writes"):
            _object(item, field, "fc address type order value")
            writes.append(_fixed(_register(item, field, _WRITES), item, field, "value"))
        every_ms = _int(source, "watchdog.", "every_ms", 100, _DAY_MS)
        template.watchdog = (every_ms, tuple(writes))
    entries = _list(data, "", "init")
    packed = b"".join([_entry(template, item, field) for item, field in entries])
    names = [item.get("name", "init") for item, _ in entries if item.get("check") is not None]
    template.init = (packed, "\n".join([str(name) for name in names]))


def _pack_phases(template, data):
    """phase_switch: entries as in init for one phase, three phases and, perhaps, "able"."""
    field = "phase_switch."
    _object(data, field, "1 3 able")
    entries = []
    for key in ("1", "3"):
        entries.append(_entry(template, data.get(key), "%s%s." % (field, key)))
    # A read-back is one read that tells the two apart.
    one, three = [struct.unpack(setup.ENTRY, entry)[3:5] for entry in entries]
    if one != three:
        raise _wrong(field + "3.check", "choice", "must be one of: %s", "phase_switch.1.check")
    if "able" in data:
        field += "able."
        able = _object(data["able"], field, "fc address type order value")
        check = {key: able[key] for key in able if key != "value"}
        able = {"fc": 6, "address": 0, "value": able.get("value"), "check": check}
        entries.append(_entry(template, able, field))
    template.phase_switch = b"".join(entries)


def _entry(template, data, field):
    """An entry of Template.init, see setup.ENTRY."""
    _object(data, field, "name fc address type order unit scale factor value stored check")
    fc, address, kind, order = register = _register(data, field, _WRITES)
    value = data.get("value")
    factor = 0
    flags = setup.STORED if data.get("stored") else 0
    if value == "failsafe_ma":
        value = 0
        flags |= setup.FAILSAFE
        factor = _place(template, _factor(data, field, "_ma"))
    else:
        _fixed(register, data, field, "value")
    if order == "lh":
        flags |= setup.LOW_FIRST
    check_fc = check_address = kinds = 0
    check = data.get("check")
    if check is not None:
        field += "check."
        _object(check, field, "fc address type order")
        check_fc, check_address, check_kind, order = _register(check, field, (3, 4), kind)
        kinds = KINDS.index(check_kind) << 4
        if order == "lh":
            flags |= setup.CHECK_LOW_FIRST
    kinds |= KINDS.index(kind)
    return struct.pack(
        setup.ENTRY, fc, address, value, check_fc, check_address, kinds, flags, factor
    )
