"""JSON as the standard has it, read in slices. Loaded when a document comes in.

MicroPython's own json takes objects cut short, absent and surplus commas, keys that occur twice
and any depth, and on both interpreters 1e400 becomes infinite. Here each of these is a JsonError.
"""

import json

from micropython import const

from controller.refusal import Refusal

_MAX_DEPTH = const(10)
_MAX_TEXT = const(600)  # bytes of one text: the longest formula is shorter
_SLICE = const(255)  # bytes looked at between two yields, one less than a power of two


class JsonError(Refusal):
    """Text that is not JSON."""

    area = "http"


def parsing(data):
    """Generator over the parsing of bytes: yields None between slices, then [document].

    Raises JsonError, also for more depth or longer texts than any document here has, and for
    numbers beyond the range of a float.
    """
    depth = colons = commas = start = 0
    quoted = escaped = False
    for i in range(len(data)):
        if not i & _SLICE:
            yield None
        char = data[i]
        if quoted:
            if escaped:
                escaped = False
            elif char == 92:
                escaped = True
            elif char == 34:
                quoted = False
            if i - start > _MAX_TEXT:
                raise JsonError("json_long", _MAX_TEXT)
        elif char == 34:
            quoted = True
            start = i
        elif char == 58:
            colons += 1
        elif char == 44:
            commas += 1
        elif char in b"[{":
            depth += 1
            if depth > _MAX_DEPTH:
                raise JsonError("json_deep", _MAX_DEPTH)
        elif char in b"]}":
            depth -= 1
    if depth or quoted:
        raise JsonError("json_open")
    try:
        document = json.loads(data)
    except ValueError:
        raise JsonError("json_unreadable")
    if _separators(document) != (colons, commas):
        raise JsonError("json_separators")
    yield [document]


def parse(data):
    """The document in some bytes, at once. Raises JsonError."""
    for done in parsing(data):
        if done:
            return done[0]


def _separators(value):
    """(colons, commas) with which the document is to be written; refuses NaN and infinity."""
    if isinstance(value, float) and value - value != 0:
        raise JsonError("json_number")
    if not isinstance(value, (dict, list)):
        return 0, 0
    colons = 0
    commas = max(0, len(value) - 1)
    parts = value
    if isinstance(value, dict):
        colons = len(value)
        parts = value.values()
    for part in parts:
        if isinstance(part, (dict, list, float)):
            more = _separators(part)
            colons += more[0]
            commas += more[1]
    return colons, commas
