"""Checks the data of a device template and lays it out for Template.

Every key is described in docs/devices.md. Needed only while templates are made: a small machine
may drop this module afterwards.
"""

from micropython import const

from .template import TemplateError, register_bytes
from .types import words

_READINGS = (
    " power_w power_l1_w power_l2_w power_l3_w current_l1_ma current_l2_ma current_l3_ma"
    " voltage_l1_v voltage_l2_v voltage_l3_v import_wh export_wh energy_wh offered_ma"
    " state soc cable enabled "
)
_KEYS = (
    "name kind source serial unit_id port max_registers quiet_ms blocks"
    " limit init watchdog failsafe_after_ms failsafe_min_ma"
)
_VALUE_KEYS = (
    "reading address type order words unit scale factor sign nan"
    " mask shift map and_if sign_of sum_of"
)
_LIMIT_KEYS = (
    "fc address type order unit scale factor min_ma max_ma step_ma"
    " phases voltage_v refresh_ms enable"
)
_SPECIAL = ("mask", "shift", "map", "and_if", "sign_of", "nan", "words")
_NUMBERS = ("u16", "i16", "u32", "i32", "u64", "i64", "f32")
_ORDERS = ("hl", "lh")
_WRITES = (5, 6, 16)
_DAY_MS = const(86400000)
_STATES = ("A", "B", "C", "D", "E", "F")
# Unit without its prefix k or m: suffix of the readings that it fits, power of ten to their unit.
_UNITS = {
    "A": ("_ma", 3), "W": ("_w", 0), "VA": ("_w", 0),
    "Wh": ("_wh", 0), "VAh": ("_wh", 0), "V": ("_v", 0),
}  # fmt: skip


def _int(data, field, key, low, high, default=None):
    value = data.get(key, default)
    if type(value) is not int or not low <= value <= high:
        text = "must be an integer from %d to %d"
        raise TemplateError(field + key, "range", text, low, high)
    return value


def _one(data, field, key, allowed, default=None):
    value = data.get(key, default)
    for item in allowed:
        if item == value:
            return item
    text = ", ".join([str(item) for item in allowed])
    raise TemplateError(field + key, "choice", "must be one of: %s", text)


def _object(data, field, keys=""):
    """Checks that `data` is an object, with no other keys than those in the text `keys`."""
    if not isinstance(data, dict):
        raise TemplateError(field.strip(".") or "template", "object", "must be an object {...}")
    for key in data:
        if keys and key not in keys.split():
            raise TemplateError(field + key, "unknown", "is not known; allowed: %s", keys)
    return data


def _list(data, field, key):
    value = data.get(key, ())
    if not isinstance(value, (list, tuple)):
        raise TemplateError(field + key, "list", "must be a list [...]")
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
            raise TemplateError(field + "unit", "unit", text, fitting)
        exponent += prefix + power
    factor = [part for part, _ in _list(data, field, "factor")] or (1, 1)
    if len(factor) != 2:
        raise TemplateError(field + "factor", "pair", "must be [numerator, denominator]")
    num, den = [_int({"factor": part}, field, "factor", 1, 1000000) for part in factor]
    num *= 10 ** max(exponent, 0) * _one(data, field, "sign", (1, -1), 1)
    return num, den * 10 ** max(-exponent, 0)


def _register(data, field, fcs, kind=None):
    """(fc, address, kind, order) of something to write or to compare."""
    fc = _one(data, field, "fc", fcs)
    kind = _one(data, field, "type", _NUMBERS, kind or "u16")
    if fc == 6 and words(kind) > 1:
        raise TemplateError(field + "type", "fc6", "must be u16 or i16 with function code 6")
    address = _int(data, field, "address", 0, 65536 - words(kind))
    return fc, address, kind, _one(data, field, "order", _ORDERS, "hl")


def _fixed(register, data, field, key):
    """(fc, address, bytes) that write the integer data[key]."""
    value = _int(data, field, key, -(2**31), 2**32 - 1)
    try:
        return register[0], register[1], register_bytes(register, value)
    except ValueError as error:
        raise TemplateError(field + key, "fit", "does not fit: %s", str(error))


def _reading(name, field):
    if not isinstance(name, str) or " %s " % name not in _READINGS:
        raise TemplateError(field, "choice", "must be one of: %s", _READINGS.strip())
    return name


def _value(data, field, block, address, count):
    """(reading, byte offset, kind, order, num, den, what asks for more than scaling or None)"""
    _object(data, field, _VALUE_KEYS)
    reading = _reading(data.get("reading"), field + "reading")
    for name, _ in _list(data, field, "sum_of"):
        _reading(name, field + "sum_of")
    if "sum_of" in data:
        return reading, 0, "", "", 1, 1, {"sum_of": data["sum_of"]}
    kinds = _NUMBERS + ("char", "str") if reading == "state" else _NUMBERS
    kind = _one(data, field, "type", kinds, block.get("type"))
    order = _one(data, field, "order", _ORDERS, block.get("order", "hl"))
    if kind == "str":
        size = _int(data, field, "words", 1, count)
    else:
        size = 1 if kind == "char" else words(kind)
    at = _int(data, field, "address", address, address + count - size) - address
    suffix = "_" + reading.split("_")[-1]
    num, den = _factor(data, field, suffix if suffix in "_ma _wh _v" else "")
    if "mask" in data:
        if kind in ("f32", "str"):
            raise TemplateError(field + "mask", "mask", "needs a type of integers")
        _int(data, field, "mask", 1, 2**32 - 1)
        _int(data, field, "shift", 0, 31, 0)
    if "sign_of" in data:
        if reading == "state":
            raise TemplateError(field + "sign_of", "sign", "has no meaning for a state")
        _reading(data["sign_of"], field + "sign_of")
    if "and_if" in data:
        rule = _object(data["and_if"], field + "and_if.", "reading in")
        _reading(rule.get("reading"), field + "and_if.reading")
        _list(rule, field + "and_if.", "in")
    _list(data, field, "nan")
    states = _object(data.get("map", {}), field + "map.")
    for key in states:
        _one(states, field + "map.", key, _STATES)
    special = {key: data[key] for key in _SPECIAL if key in data}
    if kind in ("char", "str") or reading == "state" or special:
        return reading, 2 * at, kind, order, num, den, special
    return reading, 2 * at, kind, order, num, den, None


def head(data):
    """(name, kind, unit_id, port, quiet_ms, serial)"""
    _object(data, "", _KEYS)
    serial = data.get("serial")
    if serial is not None:
        _object(serial, "serial.", "baudrate parity stop")
        _int(serial, "serial.", "baudrate", 300, 1000000)
        _one(serial, "serial.", "parity", ("N", "E", "O"))
        _one(serial, "serial.", "stop", (1, 2))
    return (
        data.get("name", ""),
        _one(data, "", "kind", ("meter", "evse")),
        _int(data, "", "unit_id", 0, 255, 1),
        _int(data, "", "port", 1, 65535, 502),
        _int(data, "", "quiet_ms", 0, 10000, 0),
        serial,
    )


def blocks(data):
    """([(fc, address, count, every_ms)], [the values of each block])"""
    most = _int(data, "", "max_registers", 1, 125, 125)
    reads = []
    values = []
    for block, field in _list(data, "", "blocks"):
        _object(block, field, "fc address count every_ms type order values")
        fc = _one(block, field, "fc", (3, 4))
        count = _int(block, field, "count", 1, most)
        address = _int(block, field, "address", 0, 65536 - count)
        reads.append((fc, address, count, _int(block, field, "every_ms", 100, _DAY_MS)))
        items = _list(block, field, "values")
        values.append([_value(item, place, block, address, count) for item, place in items])
    if not reads:
        raise TemplateError("blocks", "empty", "must not be empty")
    return reads, values


def limit(data):
    """(min_ma, max_ma, step_ma, refresh_ms, register, factor, None or [disable, enable])"""
    data = _object(data.get("limit"), "limit.", _LIMIT_KEYS)
    min_ma = _int(data, "limit.", "min_ma", 1, 100000)
    step_ma = _int(data, "limit.", "step_ma", 1, 10000)
    if min_ma % step_ma:
        text = "must divide min_ma (%d) without a remainder"
        raise TemplateError("limit.step_ma", "step", text, min_ma)
    num, den = _factor(data, "limit.", "_w" if "phases" in data else "_ma")
    if "phases" in data:  # a limit in W: mA * phases * V / 1000
        num *= 1000
        den *= _int(data, "limit.", "phases", 1, 3)
        den *= _int(data, "limit.", "voltage_v", 100, 500, 230)
    enable = None
    if "enable" in data:
        field = "limit.enable."
        enable = _object(data["enable"], field, "fc address type order on off")
        register = _register(enable, field, _WRITES)
        enable = [_fixed(register, enable, field, key) for key in ("off", "on")]
    return (
        min_ma,
        _int(data, "limit.", "max_ma", min_ma, 100000),
        step_ma,
        _int(data, "limit.", "refresh_ms", 0, _DAY_MS, 0),
        _register(data, "limit.", (6, 16)),
        (num, den),
        enable,
    )


def failsafe(data):
    """(failsafe_after_ms, lowest fail-safe current in mA, init entries, watchdog or None)"""
    watchdog = None
    if "watchdog" in data:
        source = _object(data["watchdog"], "watchdog.", "every_ms writes")
        writes = []
        for item, field in _list(source, "watchdog.", "writes"):
            _object(item, field, "fc address type order value")
            writes.append(_fixed(_register(item, field, _WRITES), item, field, "value"))
        watchdog = _int(source, "watchdog.", "every_ms", 100, _DAY_MS), writes
    return (
        _int(data, "", "failsafe_after_ms", 0, _DAY_MS, 0),
        _int(data, "", "failsafe_min_ma", 0, 100000, 0),
        [_entry(item, field) for item, field in _list(data, "", "init")],
        watchdog,
    )


def _entry(data, field):
    """(name, stored, register to write, register to compare or None, value or None, factor)"""
    _object(data, field, "name fc address type order unit scale factor value stored check")
    register = _register(data, field, _WRITES)
    value = data.get("value")
    factor = None
    if value == "failsafe_ma":
        value = None
        factor = _factor(data, field, "_ma")
    else:
        _fixed(register, data, field, "value")
    check = data.get("check")
    if check is not None:
        _object(check, field + "check.", "fc address type order")
        check = _register(check, field + "check.", (3, 4), register[2])
    return data.get("name", "init"), bool(data.get("stored")), register, check, value, factor
