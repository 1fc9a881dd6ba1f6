"""What changes with time by itself: values along a line, and the time of day."""

import datetime

from .errors import TwinError, shown, whole


def check_points(name, points, low, high):
    """Check [[second, value], ...]: at least one point, seconds rising, values low to high."""
    if not isinstance(points, list) or not points or len(points) > 1000:
        raise TwinError(f"{name} is {shown(points)}; a list of [second, value] is allowed")
    last_s = -1
    for i, point in enumerate(points):
        if not isinstance(point, (list, tuple)) or len(point) != 2:
            raise TwinError(f"{name}[{i}] is {shown(point)}; [second, value] is allowed")
        if whole(f"{name}[{i}][0]", point[0], 0, 1000000) <= last_s:
            raise TwinError(f"{name}[{i}][0] is {point[0]}; points must be in order of time")
        last_s = point[0]
        whole(f"{name}[{i}][1]", point[1], low, high)


def value_at(points, now_ms):
    """Return the value of the line through `points` at now_ms; None before its first point."""
    before = None
    for at_s, value in points:
        if now_ms < 1000 * at_s:
            if before is None:
                return None
            from_s, from_value = before
            passed_ms = now_ms - 1000 * from_s
            return from_value + (value - from_value) * passed_ms // (1000 * (at_s - from_s))
        before = at_s, value
    return before[1]


def check_clock(text):
    """Return the time that `text` names, such as 2026-06-01T05:59:30+02:00."""
    try:
        moment = datetime.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None or not 2025 <= moment.year < 2100:
        raise TwinError(
            f"clock is {shown(text)}; a time of the years 2025 to 2099 with its offset from UTC, "
            "such as 2026-06-01T05:59:30+02:00, is allowed"
        )
    return moment
