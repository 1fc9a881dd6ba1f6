"""Records of the journal as bytes, and the check values that chain them.

A record is: one byte (kind in the high four bits, length of the body in the low ones; 15: the
length is the next byte), the body, and a check value of four bytes. The body begins with the time
since the record before, in hundredths of a second. A check value is the beginning of the SHA-256
of the state before and the record; the whole SHA-256 is the state for the next one.
"""

import hashlib

from micropython import const

CHECK = const(4)
_LONG = const(15)
_MAX_BODY = const(255)
_MAX_TEXT = const(48)

# What follows the time, by kind: v number from 0, z number or None, s text, S texts, p pairs of
# text and number or None, h 32 bytes, q 4 bytes. What is None at the end is left out.
# journal/reading.py has the names.
TYPES = (
    "vvhvvzvzz",  # 0 segment
    "vvzs",  # 1 start
    "vsz",  # 2 clock
    "svvzvszz",  # 3 command
    "zzz",  # 4 in_force
    "sv",  # 5 applied
    "svz",  # 6 within
    "vp",  # 7 allotted
    "zzzz",  # 8 sample
    "svvvvz",  # 9 release
    "svv",  # 10 free
    "sSv",  # 11 event
    "svq",  # 12 note
)


class BadRecord(Exception):
    """Bytes that are no record."""


def _number(out, value):
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _text(out, text):
    data = text.encode()
    if len(data) > _MAX_TEXT:
        end = _MAX_TEXT
        while data[end] & 0xC0 == 0x80:  # no half letters
            end -= 1
        data = data[:end]
    out.append(len(data))
    out += data


def _signed(out, value):
    """None is 0; 0, -1, 1, -2 ... are 1, 2, 3, 4 ..."""
    _number(out, 0 if value is None else 2 * value + 1 if value >= 0 else -2 * value)


def encode(kind, passed_cs, values):
    """The record without its check value. values: as TYPES of its kind; texts are cut at 48 bytes.

    Raises BadRecord where it gets too long.
    """
    body = bytearray()
    _number(body, passed_cs)
    values = list(values)
    while values and values[-1] is None:
        values.pop()
    for what, value in zip(TYPES[kind], values):
        if what == "v":
            _number(body, value)
        elif what == "z":
            _signed(body, value)
        elif what == "s":
            _text(body, value)
        elif what == "S":
            body.append(len(value))
            for text in value:
                _text(body, text)
        elif what == "p":
            body.append(len(value))
            for text, number in value:
                _text(body, text)
                _signed(body, number)
        else:
            body += value
    size = len(body)
    if size > _MAX_BODY:
        raise BadRecord
    if size < _LONG:
        return bytes((kind << 4 | size,)) + body
    return bytes((kind << 4 | _LONG, size)) + body


def follow(state, record):
    """The state (32 bytes) of the chain after a record; it begins with the check value."""
    return hashlib.sha256(state + record).digest()
