"""Register types: numbers and texts in 16-bit registers.

Kinds u16 i16 u32 i32 u64 i64 f32 str; word order "hl" (high word first) or "lh"; the bytes within
a register are always big-endian (Modbus specification, section 4.2). "Not available" patterns:
u* all ones, i* 8000.. and 7FFF.., f32 infinities and NaN, str without a printable character.
"""

from struct import pack_into, unpack_from

_FORMATS = {  # bytes: a short text would stay in the table of names for ever
    "u16": b">H",
    "i16": b">h",
    "u32": b">I",
    "i32": b">i",
    "u64": b">Q",
    "i64": b">q",
    "f32": b">f",
}


def words(kind):
    """Number of registers of a numeric kind."""
    return int(kind[1:]) >> 4


def _swapped(buf, off, size):
    """A copy of `size` bytes at buf[off] with the order of the registers reversed."""
    copy = bytearray(size)
    for i in range(size):
        copy[(size - 1 - i) ^ 1] = buf[off + i]
    return copy


def decode(kind, order, buf, off, n=0):
    """Value at buf[off]: int, float (finite) or str (`n` registers); None: not available."""
    if kind != "str":
        return _number(kind, order, buf, off)
    text = "".join([chr(c) for c in buf[off : off + 2 * n] if 32 <= c < 127])
    return text.strip() or None


def _number(kind, order, buf, off):
    if order == "lh":
        buf = _swapped(buf, off, 2 * words(kind))
        off = 0
    value = unpack_from(_FORMATS[kind], buf, off)[0]
    if kind == "f32":
        return value if value - value == 0 else None
    if buf[off] in b"\x7f\x80\xff":  # else no pattern can match, and most values end here
        top = 1 << 16 * words(kind) - 1
        if value == 2 * top - 1 if kind[0] == "u" else not -top < value < top - 1:
            return None
    return value


def scaled(kind, order, buf, off, num, den):
    """Number at buf[off] * num / den as the nearest integer; None as decode.

    From integers exact, half away from zero. From f32 as good as a float is: on an ESP32 24 bits,
    which is also all that the register holds; beyond +-10**15 no reading is credible: None.
    """
    value = _number(kind, order, buf, off)
    if value is None:
        return None
    if kind == "f32":
        return round(value * num / den) if -1e15 < value < 1e15 else None
    value *= num
    if den == 1:
        return value
    half = den >> 1
    return (value + half) // den if value >= 0 else -((half - value) // den)


def encode(kind, order, value, buf, off):
    """Writes a number at buf[off] and returns its length; ValueError if it does not fit."""
    size = 2 * words(kind)
    if kind != "f32":
        most = 1 << 8 * size
        low = 0 if kind[0] == "u" else -(most >> 1)
        if not low <= value < most + low:
            raise ValueError("%d does not fit in %s" % (value, kind))
    pack_into(_FORMATS[kind], buf, off, value)
    if order == "lh":
        buf[off : off + size] = _swapped(buf, off, size)
    return size
