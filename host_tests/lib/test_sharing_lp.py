"""The sharing against an independent solver: max-min fairness by sequential linear programming.

For those whom share() served, scipy finds the continuous optimum: the least share as high as it
can be, then the least of those who can still have more, and so on. It knows nothing of filling.

How far ours may be from it. All numbers are in steps of the coarsest box.
* One step for the rounding: whoever has less than a step more to come stays below.
* Whoever stays leaves, in a row, up to his weight times a step; another may take that, and gets as
  much more as his weight in this row is smaller: at power, one of one phase takes what one of
  three phases leaves, 3 steps.
So the bound is 1 + the largest ratio of two positive weights in a row. The least share needs no
such argument where there are no negative weights: up to the optimum's least all fit together, so
nobody is stopped more than his own step below it.

With negative weights some rise for others by at least 0.1 A at once, so that boxes of 1 mA need no
thousands of steps: finer steps count as 0.1 A there.

Left out are the sites where somebody was let in only when others had risen: filling never takes
back, so he shares what was left by then (docs/decisions/sharing.md).
"""

import numpy
import pytest
from scipy.optimize import linprog

from chargecontrol.rows import phase_rows, power_row, unbalance_rows
from chargecontrol.sharing import Row, share
from host_tests.portable.test_sharing_sites import Evse, Random, mixed, used

_PARTS = 4
_SITES = 600


def max_min(evses, rows):
    """Max-min fair currents (floats, mA) from each one's minimum to his maximum."""
    count = len(evses)
    weights = numpy.array([row.weights for row in rows], float)
    limits = numpy.array([row.limit for row in rows], float)
    scale = abs(weights).max(axis=1)
    weights /= scale[:, None]
    limits /= scale
    least = numpy.array([evse.least_ma for evse in evses], float)
    most = numpy.array([evse.most_ma for evse in evses], float)
    free = list(range(count))
    while free:
        # The level t that all who are free can have at once: t - x <= 0 for each of them.
        floors = numpy.zeros((len(free), count + 1))
        for k, i in enumerate(free):
            floors[k, i] = -1
        floors[:, count] = 1
        found = linprog(
            [0] * count + [-1],
            A_ub=numpy.vstack([numpy.hstack([weights, numpy.zeros((len(rows), 1))]), floors]),
            b_ub=numpy.concatenate([limits, numpy.zeros(len(free))]),
            bounds=[*zip(least, most), (0, None)],
        )
        assert found.status == 0, found.message
        level = found.x[count]
        # Who can't have more while nobody who is free falls below t is done.
        kept = least.copy()
        kept[free] = numpy.maximum(least[free], level - 1e-6)
        done = []
        for i in free:
            goal = numpy.zeros(count)
            goal[i] = -1
            best = linprog(goal, A_ub=weights, b_ub=limits + 1e-6, bounds=[*zip(kept, most)])
            assert best.status == 0, best.message
            if -best.fun <= max(level, least[i]) + 1e-3:
                done.append(i)
        assert done
        for i in done:
            most[i] = max(least[i], level)
            least[i] = most[i] - 1e-6
        free = [i for i in free if i not in done]
    return most


def _site(seed):
    """One class of 2 to 7 boxes; house, sometimes unbalance, power, a group."""
    random = Random(seed)
    steps = random.of(((100,), (100,), (1,), (1000,), (250,), (1, 100, 1000)))
    evses = [Evse(number, random, steps) for number in range(2 + random.below(6))]
    for evse in evses:
        evse.priority = 1

    def three(low, span):
        return [low + random.below(span) for _ in range(3)]

    rows = phase_rows("", three(10000, 70000), evses, None)
    if random.below(3):
        base = three(0, 25000) if random.below(2) else (0, 0, 0)
        rows += unbalance_rows(20000, base, evses)
    if random.below(2):
        watts = (2000 + random.below(6000)) * len(evses)
        rows.append(power_row("power", watts, evses, None, 230))
    if random.below(3) == 0:
        members = [evse for evse in evses if random.below(2)]
        rows += phase_rows("G1.", three(10000, 30000), evses, members)
    return evses, rows


def _compared(seed):
    """(served EVSEs, their rows, our currents, the optimum) or None where nobody was served."""
    evses, rows = _site(seed)
    currents = [one.current_ma for one in share(evses, rows)]
    places = [i for i, ma in enumerate(currents) if ma]
    served = [evses[i] for i in places]
    currents = [currents[i] for i in places]
    rows = [Row(row.name, row.limit, [row.weights[i] for i in places]) for row in rows]
    # Where nobody has a positive weight none of them can do anything.
    rows = [row for row in rows if any(weight > 0 for weight in row.weights)]
    if not served:
        return None
    return served, rows, currents, max_min(served, rows)


def _let_in_late(served, rows):
    # Somebody found room only when others had risen.
    minima = [evse.least_ma for evse in served]
    return any(used(row, minima) > row.limit for row in rows)


def _ratio(rows):
    positive = [[weight for weight in row.weights if weight > 0] for row in rows]
    return max(max(weights) / min(weights) for weights in positive)


@pytest.mark.parametrize("part", range(_PARTS))
def test_shares_are_as_near_to_the_optimum_as_steps_allow(part):
    compared = with_unbalance = 0
    for seed in range(part, _SITES, _PARTS):
        found = _compared(seed)
        if found is None or _let_in_late(*found[:2]):
            continue
        served, rows, currents, optimum = found
        compared += 1
        with_unbalance += bool(mixed(rows))
        step_ma = max(evse.step_ma for evse in served)
        if mixed(rows):
            step_ma = max(step_ma, 100)
        bound_ma = step_ma * (1 + _ratio(rows))
        apart = max(abs(ma - best) for ma, best in zip(currents, optimum))
        assert apart <= bound_ma, (seed, currents, optimum)
        short = min(optimum) - min(currents)
        assert short < (bound_ma if mixed(rows) else step_ma), (seed, currents, optimum)
    assert compared > _SITES / _PARTS * 0.75 and with_unbalance > compared * 0.2


def test_the_solver_itself_on_a_site_done_by_hand():
    random = Random(1)
    evses = [Evse(number, random, (100,)) for number in range(4)]
    for evse, lines in zip(evses, (1, 1, 2, 4)):
        evse.lines, evse.phases, evse.phase_rotation = lines, 1, 0
        evse.least_ma, evse.most_ma = 6000, 32000
    rows = unbalance_rows(20000, (0, 0, 0), evses) + [Row("power", 104000, [1] * 4)]
    assert max_min(evses, rows) == pytest.approx([24000, 24000, 28000, 28000], abs=0.1)
