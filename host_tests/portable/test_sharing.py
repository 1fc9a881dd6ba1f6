"""The sharing: what design/control.md section 2 promises, on examples and on random sites."""

import random

from chargecontrol.rows import phase_rows, power_row, unbalance_rows
from chargecontrol.sharing import Row, share

_SITES = 2000


class Evse:
    def __init__(
        self,
        id,
        priority,
        min_ma,
        max_ma,
        step_ma,
        charging=True,
        waiting_s=0,
        energy_wh_per_h=0,
        paused=False,
        phases=3,
        phase_rotation=0,
        lines=0,
    ):
        self.id = id
        self.priority = priority
        self.min_ma = min_ma
        self.max_ma = max_ma
        self.step_ma = step_ma
        self.charging = charging
        self.waiting_s = waiting_s
        self.energy_wh_per_h = energy_wh_per_h
        self.paused = paused
        self.phases = phases
        self.lines = lines or (1 << phases) - 1
        self.phase_rotation = phase_rotation


def order_of_service(evse):
    return (
        -evse.priority,
        not evse.charging,
        -evse.waiting_s,
        evse.energy_wh_per_h,
        evse.id,
    )


def used(row, currents):
    return sum([weight * ma for weight, ma in zip(row.weights, currents)])


def lowest(evse):
    return max(1, -(-evse.min_ma // evse.step_ma)) * evse.step_ma


def highest(evse):
    return evse.max_ma // evse.step_ma * evse.step_ma


def check_limits(evses, rows, shares):
    """No row is exceeded; 0 or at least the minimum, at most the maximum, in whole steps."""
    currents = [one.current_ma for one in shares]
    assert len(shares) == len(evses)
    for row in rows:
        members = [ma for weight, ma in zip(row.weights, currents) if weight > 0]
        assert used(row, currents) <= row.limit or not any(members), row.name
    for evse, ma in zip(evses, currents):
        assert ma == 0 or evse.min_ma <= ma <= evse.max_ma, (evse.id, ma)
        assert ma % evse.step_ma == 0 and (not ma or not evse.paused), (evse.id, ma)


def _standing(evses, rows, shares, i, row, ask_ma):
    # The row's use if i had ask_ma, the classes above what they have, those below nothing, and
    # his own class came down for him to its minimum, not below what he has then.
    # For one who was refused (ask_ma is his minimum) count the minima of those before him.
    total = row.weights[i] * ask_ma
    me = evses[i]
    for j in range(len(evses)):
        other, ma = evses[j], shares[j].current_ma
        if j == i or other.priority < me.priority or not ma:
            continue
        if other.priority == me.priority:
            if shares[i].current_ma:
                ma = min(ma, max(lowest(other), ask_ma))
            else:
                ma = lowest(other) if order_of_service(other) < order_of_service(me) else 0
        total += row.weights[j] * ma
    return total


def check_fair(evses, rows, shares):
    """Nobody can be given more without leaving one of his class with less than he then has.

    The row that the reason names proves it. Lower classes count as 0, so it is also true that no
    higher class is worse off for a lower one, and that nothing usable is left over.
    """
    for i in range(len(evses)):
        evse, one = evses[i], shares[i]
        if one.reason == "not_wanted":
            assert evse.max_ma <= 0 and not one.current_ma
        elif one.reason == "paused":
            assert evse.paused and not one.current_ma
        elif one.reason == "max":
            expected = highest(evse) if lowest(evse) <= highest(evse) else 0
            assert one.current_ma == expected, evse.id
        else:
            row = [row for row in rows if row.name == one.reason][0]
            ask_ma = one.current_ma + evse.step_ma if one.current_ma else lowest(evse)
            assert row.weights[i], (evse.id, row.name)
            assert _standing(evses, rows, shares, i, row, ask_ma) > row.limit, (evse.id, row.name)


def results(shares):
    return [(one.current_ma, one.reason) for one in shares]


def random_site(n_evses, n_rows):
    steps = random.choice(
        ((100,), (100,), (1,), (1000,), (100, 1000), (1, 100, 1000), (1, 60, 250))
    )
    evses = []
    for number in range(n_evses):
        evses.append(
            Evse(
                "E%d" % number,
                random.choice((1, 1, 1, 2, 3)),
                random.choice((6000, 6000, 6000, 8000, 10000, 6001)),
                random.choice((0, 5000, 6000, 10000, 16000, 16000, 31950, 32000)),
                random.choice(steps),
                random.choice((True, False)),
                random.choice((0, 60, 900)),
                random.randrange(4000),
                random.randrange(8) == 0,
                random.randrange(1, 4),
                random.choice((0, 120, 240)),
            )
        )
    rows = phase_rows("", (0, 0, 0), evses, None) + [power_row("power", 0, evses, None, 230)]
    while len(rows) < n_rows:
        weights = [random.choice((0, 0, 1, 1, 3, 230)) for _ in evses]
        rows.append(Row("F%d" % len(rows), 0, weights))
    for row in rows:
        each_ma = random.randrange(3000, 20000) if random.randrange(16) else -10
        row.limit = sum(row.weights) * each_ma + random.randrange(100)
    return evses, rows[:n_rows]


def shuffled(evses, rows):
    """The same site with the EVSEs in another order, and where each now stands."""
    places = list(range(len(evses)))
    for at in range(len(places) - 1, 0, -1):
        other = random.randrange(at + 1)
        places[at], places[other] = places[other], places[at]
    moved = [Row(row.name, row.limit, [row.weights[i] for i in places]) for row in rows]
    return [evses[i] for i in places], moved, places


def test_random_sites_keep_every_promise():
    for seed in range(_SITES):
        random.seed(seed)
        evses, rows = random_site(random.randrange(1, 9), random.randrange(1, 9))
        try:
            shares = share(evses, rows)
            check_limits(evses, rows, shares)
            check_fair(evses, rows, shares)
            others, moved, places = shuffled(evses, rows)
            again = results(share(others, moved))
            assert again == [results(shares)[i] for i in places], "order of the list matters"
        except Exception:
            print("seed", seed)
            raise


def test_largest_site_keeps_every_promise():
    for seed in range(8):
        random.seed(seed)
        evses, rows = random_site(16, 24)
        shares = share(evses, rows)
        check_limits(evses, rows, shares)
        check_fair(evses, rows, shares)


def test_a_higher_class_gets_the_same_with_and_without_a_lower_one():
    for seed in range(100):
        random.seed(seed)
        evses, rows = random_site(6, 6)
        with_all = share(evses, rows)
        upper = [i for i in range(6) if evses[i].priority > 1]
        fewer = [Row(row.name, row.limit, [row.weights[i] for i in upper]) for row in rows]
        alone = share([evses[i] for i in upper], fewer)
        assert results(alone) == [results(with_all)[i] for i in upper], seed


def _box(id, priority=1, min_ma=6000, max_ma=16000, step_ma=100, **more):
    return Evse(id, priority, min_ma, max_ma, step_ma, **more)


def _currents(evses, rows):
    return [one.current_ma for one in share(evses, rows)]


def _one_row(limit, evses):
    return [Row("L1", limit, [1] * len(evses))]


def test_no_evse_and_no_row():
    assert share([], []) == []
    assert share([], [Row("L1", 5000, [])]) == []
    assert results(share([_box("E1", max_ma=15950)], [])) == [(15900, "max")]


def test_equals_share_equally_and_what_one_leaves_goes_to_the_others():
    evses = [_box("E1"), _box("E2", max_ma=7000), _box("E3")]
    assert results(share(evses, _one_row(30000, evses))) == [
        (11500, "L1"),
        (7000, "max"),
        (11500, "L1"),
    ]


def test_leftover_step_goes_to_the_first_id_and_is_not_lost():
    evses = [_box("E2"), _box("E1", energy_wh_per_h=900)]
    assert _currents(evses, _one_row(15100, evses)) == [7500, 7600]


def test_steps_of_different_boxes():
    evses = [_box("E1", step_ma=1000), _box("E2", step_ma=1), _box("E3", step_ma=100)]
    assert _currents(evses, _one_row(23456, evses)) == [7000, 8256, 8200]


def test_a_high_minimum_is_kept_while_the_others_come_up_to_it():
    evses = [_box("E1", min_ma=10000), _box("E2"), _box("E3")]
    assert _currents(evses, _one_row(23000, evses)) == [10000, 6500, 6500]
    assert _currents(evses, _one_row(33000, evses)) == [11000, 11000, 11000]


def test_minimum_and_maximum_are_rounded_inwards():
    evses = [_box("E1", min_ma=6001, max_ma=8999, step_ma=1000)]
    assert _currents(evses, _one_row(6999, evses)) == [0]
    assert _currents(evses, _one_row(7000, evses)) == [7000]
    assert results(share(evses, _one_row(20000, evses))) == [(8000, "max")]


def test_a_car_that_can_use_less_than_its_minimum_gets_nothing():
    evses = [_box("E1", max_ma=5000), _box("E2", max_ma=0), _box("E3", paused=True)]
    assert results(share(evses, _one_row(30000, evses))) == [
        (0, "max"),
        (0, "not_wanted"),
        (0, "paused"),
    ]


def test_order_of_service_decides_who_waits():
    def first(*evses):
        served = [e.id for e, ma in zip(evses, _currents(evses, _one_row(6000, evses))) if ma]
        return served[0] if len(served) == 1 else served

    assert first(_box("E1"), _box("E2", priority=2, charging=False)) == "E2"
    assert first(_box("E1", charging=False, waiting_s=900), _box("E2")) == "E2"
    waiting = _box("E1", charging=False, waiting_s=300)
    assert first(waiting, _box("E2", charging=False, waiting_s=600)) == "E2"
    assert first(_box("E1", energy_wh_per_h=500), _box("E2", energy_wh_per_h=400)) == "E2"
    assert first(_box("E2"), _box("E1")) == "E1"


def test_the_refused_learns_which_row_refused_him():
    evses = [
        _box("E1", phases=1),
        _box("E2", charging=False),
        _box("E3", phases=1, charging=False),
    ]
    shares = share(evses, phase_rows("", (40000, 11000, 40000), evses, None))
    assert results(shares) == [(14500, "L1"), (11000, "L2"), (14500, "L1")]
    shares = share(evses, phase_rows("", (40000, 5900, 40000), evses, None))
    assert results(shares) == [(16000, "max"), (0, "L2"), (16000, "max")]


def test_a_lower_class_gets_what_the_higher_leaves():
    evses = [_box("E1"), _box("E2", priority=2)]
    assert results(share(evses, _one_row(20000, evses))) == [(0, "L1"), (16000, "max")]
    assert results(share(evses, _one_row(23000, evses))) == [(7000, "L1"), (16000, "max")]
    # Too little for the minimum of the higher one is no reason to leave it unused.
    evses = [_box("E1"), _box("E2", priority=2, min_ma=10000)]
    assert results(share(evses, _one_row(9000, evses))) == [(9000, "L1"), (0, "L1")]


def test_an_overdrawn_row_stops_its_own_members_only():
    evses = [_box("E1", phases=1), _box("E2", phases=1, phase_rotation=120)]
    assert results(share(evses, phase_rows("", (-500, 9000, 0), evses, None))) == [
        (0, "L1"),
        (9000, "L2"),
    ]
    assert _currents(evses, phase_rows("", (0, 0, 0), evses, None)) == [0, 0]


def test_phase_rotation_and_number_of_phases():
    evses = [
        _box("E%d%d" % (phases, rotation), phases=phases, phase_rotation=rotation)
        for phases in (1, 2, 3)
        for rotation in (0, 120, 240)
    ]
    rows = phase_rows("", (1000, 2000, 3000), evses, None)
    assert [(row.name, row.limit) for row in rows] == [("L1", 1000), ("L2", 2000), ("L3", 3000)]
    assert [row.weights for row in rows] == [
        [1, 0, 0, 1, 0, 1, 1, 1, 1],
        [0, 1, 0, 1, 1, 0, 1, 1, 1],
        [0, 0, 1, 0, 1, 1, 1, 1, 1],
    ]


def test_lines_that_are_not_the_first_ones():
    evses = [_box("E1", lines=2, phases=1), _box("E2", lines=6, phases=2, phase_rotation=120)]
    rows = phase_rows("", (1000, 2000, 3000), evses, None)
    assert [row.weights for row in rows] == [[0, 1], [1, 0], [0, 1]]


def test_only_those_behind_a_feeder_count_in_its_rows():
    evses = [_box("E1"), _box("E2", phases=1), _box("E3", phases=1)]
    rows = phase_rows("G1.", (1000, 2000, 3000), evses, evses[:2])
    assert [(row.name, row.limit, row.weights) for row in rows] == [
        ("G1.L1", 1000, [1, 1, 0]),
        ("G1.L2", 2000, [1, 0, 0]),
        ("G1.L3", 3000, [1, 0, 0]),
    ]
    assert power_row("G1.power", 1, evses, evses[1:], 230).weights == [0, 230, 230]


def test_power_row_counts_phases():
    evses = [_box("E1", phases=1), _box("E2", phases=3)]
    row = power_row("power", 9200, evses, None, 230)
    assert (row.name, row.limit, row.weights) == ("power", 9200000, [230, 690])
    assert results(share(evses, [row])) == [(10000, "power"), (10000, "power")]


def test_unbalance_rows_compare_each_phase_with_each_other():
    evses = [_box("E1", phases=1), _box("E2", phases=2, phase_rotation=120), _box("E3")]
    rows = unbalance_rows(20000, (3000, 1000, 0), evses)
    assert [(row.name, row.limit, row.weights) for row in rows] == [
        ("L1-L2", 18000, [1, -1, 0]),
        ("L1-L3", 17000, [1, -1, 0]),
        ("L2-L1", 22000, [-1, 1, 0]),
        ("L3-L1", 23000, [-1, 1, 0]),
    ]
    assert unbalance_rows(20000, (0, 0, 0), evses[2:]) == [] == unbalance_rows(1, (0, 0, 0), [])


def _one_phase(*rotations, **more):
    return [
        _box("E%d" % (i + 1), phases=1, phase_rotation=rotation, max_ma=32000, **more)
        for i, rotation in enumerate(rotations)
    ]


def _unbalanced(evses, base_ma=(0, 0, 0), limit_ma=20000):
    return results(share(evses, unbalance_rows(limit_ma, base_ma, evses)))


def test_one_alone_gets_no_more_than_the_unbalance_allows():
    assert _unbalanced(_one_phase(0)) == [(20000, "L1-L2")]
    assert _unbalanced(_one_phase(0), (5000, 0, 0)) == [(15000, "L1-L2")]
    # The house is unbalanced the other way: he may use more than the limit.
    assert _unbalanced(_one_phase(0), (0, 5000, 5000)) == [(25000, "L1-L2")]
    assert _unbalanced([_box("E1", max_ma=32000)], (30000, 0, 0)) == [(32000, "max")]


def test_whoever_rises_on_another_phase_gives_room():
    assert _unbalanced(_one_phase(0, 120, 240)) == [(32000, "max")] * 3
    # Two on L1 rise half as fast as the others, and all the way.
    evses = _one_phase(0, 0, 120, 240)
    assert _unbalanced(evses) == [
        (26000, "L1-L2"),
        (26000, "L1-L2"),
        (32000, "max"),
        (32000, "max"),
    ]
    rows = unbalance_rows(20000, (0, 0, 0), evses) + [Row("power", 104000, [1] * 4)]
    assert results(share(evses, rows)) == [
        (24000, "L1-L2"),
        (24000, "L1-L2"),
        (28000, "power"),
        (28000, "power"),
    ]


def test_the_unbalance_of_the_house_refuses_the_minimum_until_others_have_made_room():
    # 16 A of 20 A are used up: 6 A need 2 A of both other phases.
    evses = _one_phase(0, 120, 240)
    assert _unbalanced(evses[:1], (16000, 0, 0)) == [(0, "L1-L2")]
    assert _unbalanced(evses[:2], (16000, 0, 0)) == [(0, "L1-L3"), (20000, "L2-L3")]
    assert _unbalanced(evses, (16000, 0, 0)) == [(32000, "max")] * 3
    # 25 A too much on L1: the other two have to come to 11 A first.
    rows = unbalance_rows(20000, (25000, 0, 0), evses)
    for total, expected in ((21800, [0, 10900, 10900]), (28000, [6000, 11000, 11000])):
        assert _currents(evses, rows + _one_row(total, evses)) == expected, total


def test_an_overdrawn_unbalance_stops_only_those_who_make_it_worse():
    evses = _one_phase(0, 120, 240) + [_box("E4")]
    assert _unbalanced([evses[0], evses[3]], (40000, 0, 0)) == [(0, "L1-L2"), (16000, "max")]
    assert [ma for ma, _ in _unbalanced(evses, (60000, 0, 0))] == [0, 32000, 32000, 16000]


def test_a_lower_class_makes_room_for_a_higher_one_which_goes_first():
    evses = _one_phase(0, 120, 240)
    evses[0].priority = 2
    rows = unbalance_rows(20000, (16000, 0, 0), evses)
    assert _currents(evses, rows) == [32000, 32000, 32000]
    # 28 A for all: the others get what he needs them to have and what he then leaves.
    assert _currents(evses, rows + _one_row(28000, evses)) == [12000, 8000, 8000]


def test_rows_that_cannot_be_right_are_refused():
    evses = [_box("E1"), _box("E2")]
    try:
        share(evses, [Row("feeder", 10000, [1])])
    except ValueError as error:
        assert "feeder" in str(error) and "1 weights for 2" in str(error)
    else:
        raise AssertionError("a row with one weight for two was taken")


def test_the_input_stays_as_it_was():
    evses = [_box("E2"), _box("E1")]
    rows = _one_row(15000, evses)
    first = results(share(evses, rows))
    assert first == results(share(evses, rows))
    assert rows[0].limit == 15000 and rows[0].weights == [1, 1] and evses[0].id == "E2"
