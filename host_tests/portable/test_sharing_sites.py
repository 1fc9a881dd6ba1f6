"""What design/control.md section 2 promises of the sharing, on random sites with all kinds of row.

The sites come from a generator of this file, so they are the same on both interpreters; CPython
tries more of them (host_tests/lib/test_sharing_many_sites.py).
"""

from chargecontrol.rows import phase_rows, power_row, unbalance_rows
from chargecontrol.sharing import Row, share


class Random:
    """A linear congruential generator; the seed is any integer from 0."""

    def __init__(self, seed):
        self.state = seed * 7919 + 1
        for _ in range(4):
            self.below(2)

    def below(self, number):
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 9) % number

    def of(self, choices):
        return choices[self.below(len(choices))]


class Evse:
    def __init__(self, number, random, steps):
        self.id = "E%d" % number
        self.priority = random.of((1, 1, 1, 2, 3))
        self.min_ma = random.of((6000, 6000, 6000, 8000, 6001))
        self.max_ma = random.of((0, 5000, 6000, 10000, 16000, 16000, 20000, 31950, 32000))
        self.step_ma = random.of(steps)
        self.charging = random.below(2) > 0
        self.waiting_s = random.of((0, 60, 900))
        self.energy_wh_per_h = random.below(4000)
        self.paused = random.below(10) == 0
        self.lines = random.of((1, 1, 1, 2, 4, 3, 6, 7, 7))
        self.phases = (0, 1, 1, 2, 1, 2, 2, 3)[self.lines]
        self.phase_rotation = random.of((0, 120, 240))
        self.least_ma = max(1, -(-self.min_ma // self.step_ma)) * self.step_ma
        self.most_ma = self.max_ma // self.step_ma * self.step_ma

    def service(self):
        return (
            -self.priority,
            not self.charging,
            -self.waiting_s,
            self.energy_wh_per_h,
            self.id,
        )


def random_site(seed):
    """(EVSEs, rows): house, feeder, two nested groups, power, unbalance; each may be missing."""
    random = Random(seed)
    count = 1 + random.below(random.of((4, 8, 8, 12)))
    steps = random.of(((100,), (100,), (1,), (1000,), (100, 1000), (1, 100, 1000), (60, 250)))
    evses = [Evse(number, random, steps) for number in range(count)]

    def some_ma(number):
        each_ma = 2000 + random.below(9000)
        return [random.below(8000) + each_ma * number if random.below(40) else -10 for _ in "123"]

    rows = phase_rows("", some_ma(count), evses, None)
    outer = [evse for evse in evses if random.below(2)]
    inner = [evse for evse in outer if random.below(2)]
    for name, members in (("evses", evses), ("G1", outer), ("G2", inner)):
        if members and random.below(2):
            rows += phase_rows(name + ".", some_ma(len(members)), evses, members)
        if members and random.below(3) == 0:
            watts = (500 + random.below(5000)) * len(members)
            rows.append(power_row(name + ".power", watts, evses, members, 230))
    if random.below(3):
        base = random.of(((0, 0, 0), [random.below(30000) for _ in range(3)]))
        unbalance = unbalance_rows(random.of((20000, 20000, 10000)), base, evses)
        silent = random.below(2 * count)
        for row in unbalance:
            # As the site does it: who draws nothing gives no room.
            row.weights = [
                0 if weight < 0 and i == silent else weight for i, weight in enumerate(row.weights)
            ]
        rows += unbalance
    return evses, rows


def mixed(rows):
    return [row.name for row in rows if min(row.weights) < 0]


def used(row, currents):
    return sum([weight * ma for weight, ma in zip(row.weights, currents)])


def check_limits(evses, rows, currents):
    """No row is exceeded by us; 0 or at least the minimum, at most the maximum, in whole steps."""
    for row in rows:
        ours = [ma for weight, ma in zip(row.weights, currents) if weight > 0 and ma]
        assert used(row, currents) <= row.limit or not ours, row.name
    for evse, ma in zip(evses, currents):
        assert ma == 0 or evse.least_ma <= ma <= evse.most_ma, (evse.id, ma)
        assert ma % evse.step_ma == 0 and not (ma and evse.paused), (evse.id, ma)


def lowered(evses, currents, i):
    """What all may be brought to, that i gets his next step (or his minimum).

    One of his class to what i would then have, if that is less; a lower class to nothing, a higher
    one not at all. For the minimum: those before him to theirs, those behind him to nothing.
    """
    me = evses[i]
    ask_ma = currents[i] + me.step_ma if currents[i] else me.least_ma
    found = []
    for other, ma in zip(evses, currents):
        if other.priority < me.priority:
            ma = 0
        elif ma and other.priority == me.priority:
            if currents[i]:
                ma = min(ma, max(other.least_ma, ask_ma))
            else:
                ma = other.least_ma if other.service() < me.service() else 0
        found.append(ma)
    found[i] = ask_ma
    return found


def check_fair(evses, rows, shares):
    """Nobody can be given more without leaving one of his class with less than he then has.

    The row in the reason is the proof. With negative weights this file proves less: nobody can be
    given more while all others keep what they have, so nothing usable is left over.
    """
    currents = [one.current_ma for one in shares]
    strict = not mixed(rows)
    for i, evse in enumerate(evses):
        reason = shares[i].reason
        if reason == "max":
            expected = evse.most_ma if evse.least_ma <= evse.most_ma else 0
            assert currents[i] == expected, evse.id
        elif reason == "not_wanted":
            assert evse.max_ma <= 0 and not currents[i], evse.id
        elif reason == "paused":
            assert evse.paused and not currents[i], evse.id
        else:
            row = [row for row in rows if row.name == reason][0]
            least = lowered(evses, currents, i)
            if not strict:
                least = [ma if k == i else currents[k] for k, ma in enumerate(least)]
            assert row.weights[i] > 0 and used(row, least) > row.limit, (evse.id, reason)


def check_classes(evses, rows, currents):
    """A higher class has at least what it had without the lower ones; without negative weights
    exactly that."""
    for level in (1, 2):
        upper = [i for i in range(len(evses)) if evses[i].priority > level]
        fewer = [Row(row.name, row.limit, [row.weights[i] for i in upper]) for row in rows]
        alone = [one.current_ma for one in share([evses[i] for i in upper], fewer)]
        ours = [currents[i] for i in upper]
        assert all([ma >= before for ma, before in zip(ours, alone)]), level
        assert mixed(rows) or ours == alone, level


def check_order(evses, rows, currents, seed):
    """Same input, same output, in whatever order it comes."""
    assert [one.current_ma for one in share(evses, rows)] == currents
    others, moved, places = shuffled(evses, rows, Random(seed))
    again = [one.current_ma for one in share(others, moved)]
    assert again == [currents[i] for i in places], "order of the lists matters"


def shuffled(evses, rows, random):
    """The same site in another order, and where each EVSE now stands."""
    places = list(range(len(evses)))
    for at in range(len(places) - 1, 0, -1):
        other = random.below(at + 1)
        places[at], places[other] = places[other], places[at]
    moved = []
    for row in rows:
        weights = [row.weights[i] for i in places]
        moved.insert(random.below(len(moved) + 1), Row(row.name, row.limit, weights))
    return [evses[i] for i in places], moved, places


def check_site(seed):
    """Everything, on one site."""
    evses, rows = random_site(seed)
    try:
        shares = share(evses, rows)
        currents = [one.current_ma for one in shares]
        check_limits(evses, rows, currents)
        check_fair(evses, rows, shares)
        check_classes(evses, rows, currents)
        check_order(evses, rows, currents, seed)
    except Exception:
        print("seed", seed)
        raise


def test_500_sites_keep_every_promise():
    for seed in range(500):
        check_site(seed)


def test_the_sites_are_the_same_on_both_interpreters():
    total = 0
    for seed in range(50):
        evses, rows = random_site(seed)
        shares = share(evses, rows)
        total += sum([one.current_ma * (i + 1) for i, one in enumerate(shares)])
    assert total == 4669629
