"""Charging plans: limits by the time of day (reference/cfos.md section 2.6).

A plan is one tuple of integers, three for each entry: start (minute of the day), duration
(minutes) and limit (mA per phase). An entry may go beyond midnight.
"""

from micropython import const

_DAY = const(1440)


def limit(plan, minute):
    """(limit in mA, minutes until it ends) at a minute of the day; None where none holds.

    The smallest of those that hold together, each whole minute from its start on.
    """
    found = None
    for i in range(0, len(plan), 3):
        left = plan[i + 1] - (minute - plan[i]) % _DAY
        if left > 0 and (found is None or plan[i + 2] < found[0]):
            found = (plan[i + 2], left)
    return found


def least(plan):
    """The smallest limit of all (mA): what is safe while nobody knows the time."""
    return min([plan[i] for i in range(2, len(plan), 3)])
