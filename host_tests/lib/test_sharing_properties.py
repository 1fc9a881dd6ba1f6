"""The sharing on sites that hypothesis looks for, and against brute force on small ones."""

from itertools import product

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chargecontrol.rows import phase_rows, power_row
from chargecontrol.sharing import Row, share
from host_tests.portable.test_sharing import (
    Evse,
    check_fair,
    check_limits,
    highest,
    lowest,
    order_of_service,
    results,
    used,
)

steps = st.sampled_from([1, 10, 60, 100, 125, 250, 1000])


@st.composite
def evse_lists(draw, most=8, step=steps, priorities=(1, 3)):
    count = draw(st.integers(1, most))
    return [
        Evse(
            "E%d" % number,
            draw(st.integers(*priorities)),
            draw(st.integers(0, 3) | st.integers(5500, 10000)),
            draw(st.sampled_from([0, 6000, 16000, 32000]) | st.integers(0, 32000)),
            draw(step),
            draw(st.booleans()),
            draw(st.sampled_from([0, 60, 900])),
            draw(st.integers(0, 3)),
            draw(st.integers(0, 7)) == 0,
            draw(st.integers(1, 3)),
            draw(st.sampled_from([0, 120, 240])),
        )
        for number in range(count)
    ]


@st.composite
def row_lists(draw, evses, most=6):
    rows = []
    if draw(st.booleans()):
        rows += phase_rows("", (0, 0, 0), evses, None)
    if draw(st.booleans()):
        rows.append(power_row("power", 0, evses, None, 230))
    for number in range(draw(st.integers(0, most))):
        weights = [draw(st.sampled_from([0, 0, 1, 1, 2, 230, 690])) for _ in evses]
        rows.append(Row("F%d" % number, 0, weights))
    for row in rows:
        each_ma = draw(st.integers(0, 32000))
        row.limit = sum(row.weights) * each_ma + draw(st.integers(-100, 1000))
    return rows


@st.composite
def sites(draw, **options):
    evses = draw(evse_lists(**options))
    return evses, draw(row_lists(evses))


def without(rows, keep):
    return [Row(row.name, row.limit, [row.weights[i] for i in keep]) for row in rows]


@settings(max_examples=1000, deadline=None)
@given(sites())
def test_limits_hold_and_nobody_can_be_given_more(site):
    evses, rows = site
    shares = share(evses, rows)
    check_limits(evses, rows, shares)
    check_fair(evses, rows, shares)


@st.composite
def mixed_sites(draw, **options):
    """With negative weights of any size, more than unbalance has."""
    evses, rows = draw(sites(**options))
    for number in range(draw(st.integers(1, 4))):
        weights = [draw(st.sampled_from([-230, -2, -1, 0, 0, 1, 1, 3])) for _ in evses]
        rows.append(Row("D%d" % number, draw(st.integers(-30000, 40000)), weights))
    return evses, rows


@settings(max_examples=1000, deadline=None)
@given(mixed_sites())
def test_with_negative_weights_limits_hold_and_nothing_is_left_over(site):
    evses, rows = site
    shares = share(evses, rows)
    check_limits(evses, rows, shares)
    currents = [one.current_ma for one in shares]
    for i, one in enumerate(shares):
        if one.reason in ("max", "paused", "not_wanted"):
            continue
        # With what the others have, there is no room for his next step in the row he is told.
        ask_ma = evses[i].step_ma if one.current_ma else lowest(evses[i])
        row = next(row for row in rows if row.name == one.reason)
        assert row.weights[i] > 0
        assert used(row, currents) + row.weights[i] * ask_ma > row.limit


@settings(max_examples=300, deadline=None)
@given(mixed_sites())
def test_with_negative_weights_a_higher_class_only_gains_by_a_lower_one(site):
    evses, rows = site
    found = share(evses, rows)
    upper = [i for i in range(len(evses)) if evses[i].priority > 1]
    alone = share([evses[i] for i in upper], without(rows, upper))
    for i, one in zip(upper, alone):
        assert found[i].current_ma >= one.current_ma


@settings(max_examples=300, deadline=None)
@given(mixed_sites(), st.integers(1, 20000))
def test_an_overdrawn_row_refuses_only_those_who_make_it_worse(site, ma):
    """Whoever has no positive weight in it gets the same as without the row, or more."""
    evses, rows = site
    free = share(evses, rows)
    weights = [0] * len(evses)
    weights[0] = 1
    found = share(evses, [*rows, Row("over", -ma, weights)])
    assert found[0].current_ma == 0
    if not any(min(row.weights) < 0 for row in rows if row.weights[0]):
        others = [one.current_ma for one in share(evses[1:], without(rows, range(1, len(evses))))]
        assert [one.current_ma for one in found[1:]] == others or free[0].current_ma == 0


@settings(max_examples=300, deadline=None)
@given(sites() | mixed_sites(), st.randoms(use_true_random=False))
def test_order_of_the_lists_does_not_matter(site, random):
    evses, rows = site
    expected = [one.current_ma for one in share(evses, rows)]
    places = list(range(len(evses)))
    random.shuffle(places)
    moved = without(rows, places)
    random.shuffle(moved)
    found = share([evses[i] for i in places], moved)
    assert [one.current_ma for one in found] == [expected[i] for i in places]


@settings(max_examples=300, deadline=None)
@given(sites(), st.data())
def test_whatever_a_lower_class_does_a_higher_one_does_not_notice(site, data):
    evses, rows = site
    level = data.draw(st.integers(1, 3))
    upper = [i for i in range(len(evses)) if evses[i].priority > level]
    expected = results(share([evses[i] for i in upper], without(rows, upper)))
    for evse in evses:
        if evse.priority <= level:
            evse.max_ma = data.draw(st.integers(0, 32000))
            evse.min_ma = data.draw(st.integers(0, 10000))
            evse.priority = data.draw(st.integers(0, level))
    found = results(share(evses, rows))
    assert [found[i] for i in upper] == expected


def _grown(rows, data):
    at = data.draw(st.integers(0, len(rows) - 1))
    more = [Row(row.name, row.limit, row.weights) for row in rows]
    more[at].limit += data.draw(st.integers(1, 20000) | st.integers(1, 9000000))
    return more


@settings(max_examples=300, deadline=None)
@given(sites(priorities=(1, 1)), st.data())
def test_more_room_never_takes_a_place_from_one_before_the_first_who_wins_one(site, data):
    """Not more: the newly admitted may need, in another row, the room of those behind him."""
    evses, rows = site
    assume(rows)
    places = sorted(range(len(evses)), key=lambda i: order_of_service(evses[i]))
    before = share(evses, rows)
    after = share(evses, _grown(rows, data))
    assert [after[i].current_ma > 0 for i in places] >= [before[i].current_ma > 0 for i in places]


@settings(max_examples=200, deadline=None)
@given(evse_lists(most=5, priorities=(1, 1), step=st.just(100)), st.data())
def test_more_room_for_the_same_served_never_lowers_the_least_of_them(evses, data):
    """Not so when more are served, or steps differ (a finer one may use up the new room)."""
    rows = data.draw(row_lists(evses))
    assume(rows)
    served = [i for i, one in enumerate(share(evses, rows)) if one.current_ma]
    assume(served)
    evses, rows = [evses[i] for i in served], without(rows, served)
    before = min(one.current_ma for one in share(evses, rows))
    after = min(one.current_ma for one in share(evses, _grown(rows, data)))
    assert after >= before > 0


def _admitted(evses, rows):
    # Written anew from the design: in the order of service, whose minimum fits on the others'.
    minima = [0] * len(evses)
    chosen = []
    for i in sorted(range(len(evses)), key=lambda i: order_of_service(evses[i])):
        evse = evses[i]
        if evse.paused or evse.max_ma <= 0 or lowest(evse) > highest(evse):
            continue
        tried = list(minima)
        tried[i] = lowest(evse)
        if all(used(row, tried) <= row.limit for row in rows if row.weights[i]):
            minima = tried
            chosen.append(i)
    return chosen


@st.composite
def small_sites(draw):
    """One class of at most four EVSEs with so few steps that all allocations can be tried."""
    evses = [
        Evse(
            "E%d" % n,
            1,
            6 * draw(st.integers(1, 2)),
            draw(st.integers(6, 20)),
            draw(st.sampled_from([2, 3, 4])),
            draw(st.booleans()),
        )
        for n in range(draw(st.integers(1, 4)))
    ]
    rows = []
    for number in range(draw(st.integers(1, 3))):
        weights = [draw(st.integers(0, 3)) for _ in evses]
        rows.append(Row("F%d" % number, draw(st.integers(0, 90)), weights))
    return evses, rows


@settings(max_examples=400, deadline=None)
@given(small_sites())
def test_brute_force_finds_nothing_fairer(site):
    """No allocation to the admitted gives one more and leaves each loser with as much."""
    evses, rows = site
    shares = [one.current_ma for one in share(evses, rows)]
    chosen = _admitted(evses, rows)
    assert [i for i, ma in enumerate(shares) if ma] == sorted(chosen)
    grids = [
        range(lowest(evse), highest(evse) + 1, evse.step_ma) if i in chosen else (0,)
        for i, evse in enumerate(evses)
    ]
    for other in product(*grids):
        losers = [theirs for mine, theirs in zip(shares, other) if theirs < mine]
        for mine, theirs in zip(shares, other):
            if theirs > mine and all(left >= theirs for left in losers):
                # Fairer than ours, so it must be impossible.
                members = [row for row in rows if used(row, [1 if ma else 0 for ma in other])]
                assert any(used(row, other) > row.limit for row in members), (shares, other)
                break


@settings(max_examples=300, deadline=None)
@given(evse_lists(most=6, step=steps, priorities=(1, 2)), st.data())
def test_same_result_as_raising_one_step_at_a_time(evses, data):
    """The strides of the filling are a shortcut only: going step by step ends the same."""
    for evse in evses:
        evse.step_ma *= max(1, 100 // evse.step_ma)
    rows = data.draw(row_lists(evses))
    expected = [0] * len(evses)
    for priority in (2, 1):
        members = [i for i in range(len(evses)) if evses[i].priority == priority]
        left = [
            Row(row.name, row.limit - used(row, expected), [row.weights[i] for i in members])
            for row in rows
        ]
        chosen = [members[k] for k in _admitted([evses[i] for i in members], left)]
        for i in chosen:
            expected[i] = lowest(evses[i])
        rising = set(chosen)
        while rising:
            i = min(rising, key=lambda i: (expected[i] + evses[i].step_ma, evses[i].id))
            tried = list(expected)
            tried[i] += evses[i].step_ma
            fits = all(used(row, tried) <= row.limit for row in rows if row.weights[i])
            if tried[i] > highest(evses[i]) or not fits:
                rising.remove(i)
            else:
                expected = tried
    assert [one.current_ma for one in share(evses, rows)] == expected


def test_largest_site():
    count = 16
    evses = [
        Evse("E%02d" % i, 1 + i % 3, 6000, 32000, 100, phases=1 + i % 3) for i in range(count)
    ]
    rows = phase_rows("", (63000, 63000, 50000), evses, None) + [
        power_row("power", 40000, evses, None, 230)
    ]
    while len(rows) < 24:
        k = len(rows)
        rows.append(Row("F%d" % k, 16000 + 500 * k, [int((i + k) % 5 < 2) for i in range(count)]))
    shares = share(evses, rows)
    check_limits(evses, rows, shares)
    check_fair(evses, rows, shares)
    assert any(one.current_ma for one in shares)
