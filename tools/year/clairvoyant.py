"""What somebody could deliver who knows the whole day beforehand: an upper bound.

A linear program per day, noon to noon, in steps of a minute: each car's current may be anything
from 0 to its most (no minimum, no pauses, no ramps), the house's fuse counts with the mean of what
it leaves in the minute, the unbalance as a difference of sums, and nobody gets more than he needs.
Every real course of the day, averaged by the minute, keeps these rows; so none delivers more.
"""

import numpy
from scipy.optimize import linprog
from scipy.sparse import coo_matrix

from .cars import VOLTAGE_V

_STEP_S = 60


def headroom_a(house_ma, limit_ma):
    """(1440, 3): mean A that the house leaves in each minute on each phase."""
    free_ma = numpy.maximum(0, limit_ma - numpy.asarray(house_ma, dtype=float))
    return free_ma.reshape(-1, _STEP_S, 3).mean(axis=1) / 1000


def most_wh(house_ma, stays, limit_ma, unbalance_ma):
    """[Wh] that each stay gets, such that the sum is the most that is possible.

    house_ma: (86400, 3); unbalance_ma: most that the phases' sums of all cars may differ, or None.
    """
    free_a = headroom_a(house_ma, limit_ma)
    first, count = [], 0
    for stay in stays:
        first.append(count)
        count += (stay.end_s - stay.start_s) // _STEP_S
    columns = {}  # minute: [(variable, phases, stay)]
    cost = numpy.empty(count)
    upper = numpy.empty(count)
    entries = []  # (row, column, value)
    limits = []
    for n, stay in enumerate(stays):
        minutes = range(stay.start_s // _STEP_S, stay.end_s // _STEP_S)
        wh_per_a = VOLTAGE_V * stay.lines * _STEP_S / 3600
        for k, minute in enumerate(minutes):
            columns.setdefault(minute, []).append((first[n] + k, stay.phases()))
            entries.append((n, first[n] + k, wh_per_a))
        variables = slice(first[n], first[n] + len(minutes))
        cost[variables] = -wh_per_a
        upper[variables] = stay.max_ma / 1000
        limits.append(stay.need_wh)
    for minute, those in columns.items():
        for a in range(3):
            on = [v for v, phases in those if a in phases]
            if not on:
                continue
            entries += [(len(limits), v, 1) for v in on]
            limits.append(free_a[minute, a])
            for b in range(3):
                if b == a or unbalance_ma is None:
                    continue
                entries += [
                    (len(limits), v, (a in phases) - (b in phases))
                    for v, phases in those
                    if (a in phases) != (b in phases)
                ]
                limits.append(unbalance_ma / 1000)
    rows, at, values = zip(*entries)
    matrix = coo_matrix((values, (rows, at)), shape=(len(limits), count)).tocsr()
    done = linprog(
        cost, matrix, limits, bounds=numpy.column_stack([upper * 0, upper]), method="highs"
    )
    if done.status:
        raise RuntimeError("the clairvoyant's day has no solution: " + done.message)
    return [
        -float((cost * done.x)[first[n] : first[n] + (stay.end_s - stay.start_s) // _STEP_S].sum())
        for n, stay in enumerate(stays)
    ]


def day_wh(house_ma, stays, limit_ma, unbalance_ma, delivered_wh):
    """The same, without solving where nobody can be given more than he got, or it is that much."""
    if all(got >= stay.need_wh for got, stay in zip(delivered_wh, stays)):
        return [float(stay.need_wh) for stay in stays]
    return most_wh(house_ma, stays, limit_ma, unbalance_ma)
