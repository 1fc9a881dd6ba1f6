"""Levels: what a source of the grid operator may ask for, as text and as (kind, value).

"none"; "60 %" of the connection; "16000 mA" per phase; "11000 W" for the whole connection; "dim"
(§14a EnWG: to the power that is owed, Pmin) or "dim 4200 W"; "feed-in 60 %" of the installed PV
power. "0 %" is a limit, "none" is not.
"""

from micropython import const

_MAX = const(10000000)
_LEAST_P_MIN_W = const(4200)  # BK6-22-300, 4.5: no Pmin is smaller
# How much a kind takes away: what is said of the whole connection before what spares the house.
_RANKS = {"none": 0, "feed_in": 1, "dimming": 2}
_WHOLE = const(3)
NONE = ("none", None)


def parse(text):
    """(kind, value) of a text. Kinds: "none", "percent", "current" (mA), "power" (W), "dimming"
    (W, None: Pmin), "feed_in" (%). ValueError where it is none of these, or out of range.
    """
    if text == "none":
        return NONE
    if text == "dim":
        return "dimming", None
    if not isinstance(text, str):
        raise ValueError("level")
    head, _, rest = text.partition(" ")
    if head == "dim" or head == "feed-in":
        number, _, unit = rest.partition(" ")
        kind = {"dim W": "dimming", "feed-in %": "feed_in"}.get(head + " " + unit)
    else:
        number = head
        kind = {"%": "percent", "mA": "current", "W": "power"}.get(rest)
    if not kind or not 1 <= len(number) <= 8 or [c for c in number if c not in "0123456789"]:
        raise ValueError("level")
    return checked(kind, int(number))


def safe(text):
    """As `parse`; what can't be read is 0 %, so that a damaged setting frees nobody."""
    try:
        return parse(text)
    except ValueError:
        return "percent", 0


def checked(kind, value):
    """(kind, value) with a whole value in its range; ValueError("level") for anything else.

    What others send over Modbus may be a fraction: that is cut off, the stricter way.
    """
    if kind == "none" and value is None or kind == "dimming" and value is None:
        return kind, None
    if kind not in ("percent", "current", "power", "dimming", "feed_in"):
        raise ValueError("level")
    most = 100 if kind in ("percent", "feed_in") else _MAX
    # A NaN is neither.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        raise ValueError("level")
    return kind, int(value)


def text(level):
    """The text of a level, as `parse` takes it."""
    kind, value = level
    if kind == "none":
        return "none"
    if kind == "dimming":
        return "dim" if value is None else "dim %d W" % value
    form = {"percent": "%d %%", "current": "%d mA", "power": "%d W", "feed_in": "feed-in %d %%"}
    return form[kind] % value


def number(level):
    """The number of a level of which a smaller one is stricter; for Pmin the least there is."""
    kind, value = level
    if kind == "dimming" and value is None:
        return _LEAST_P_MIN_W
    return value


def strictest(levels, kind=None):
    """Number of the most restrictive of the levels, of a kind or of all; None where there is none.

    What says something of the whole connection comes before dimming, and that before feed-in.
    (None, None) is no level.
    """
    found = None
    for i in range(len(levels)):
        level = levels[i]
        if not level[0] or kind not in (None, level[0]):
            continue
        key = (-_RANKS.get(level[0], _WHOLE), number(level) or 0)
        if found is None or key < found[0]:
            found = (key, i)
    return found and found[1]
