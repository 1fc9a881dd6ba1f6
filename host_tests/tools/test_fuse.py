"""The model of a fuse opens as early as its gates allow, and never later than they demand."""

import pytest

from tools.twin.fuse import FUSING, GATES, NOT_FUSING, Fuse, gates

RATED = (16, 20, 25, 32, 35, 40, 50, 63)


def opens_after_s(fuse, amps, most_s, dt_ms):
    for step in range(int(most_s * 1000) // dt_ms):
        if fuse.step(1000 * amps, dt_ms):
            return (step + 1) * dt_ms / 1000
    return None


@pytest.mark.parametrize("rated_a", RATED)
def test_conventional_currents_within_an_hour(rated_a):
    assert opens_after_s(Fuse(rated_a), NOT_FUSING * rated_a, 3600, 1000) is None
    assert opens_after_s(Fuse(rated_a), FUSING * rated_a, 3600, 1000) is not None


@pytest.mark.parametrize("rated_a", RATED)
def test_gates_of_seconds(rated_a):
    ten_s, five_s, tenth_s, at_once = gates(rated_a)
    assert opens_after_s(Fuse(rated_a), ten_s * 0.999, 10, 10) is None
    assert opens_after_s(Fuse(rated_a), ten_s * 1.01, 10, 10)  # no fuse opens earlier
    assert opens_after_s(Fuse(rated_a), five_s, 5, 10)
    assert opens_after_s(Fuse(rated_a), tenth_s * 0.999, 0.1, 1) is None
    assert opens_after_s(Fuse(rated_a), tenth_s * 1.01, 0.1, 1)
    assert opens_after_s(Fuse(rated_a), at_once, 0.1, 1)


def test_a_rating_without_gates_has_those_of_the_next_smaller():
    assert gates(35) == GATES[32]
    for wrong in (10, 80):
        with pytest.raises(ValueError):
            gates(wrong)
    with pytest.raises(ValueError):
        Fuse(35, "B")


@pytest.mark.parametrize("kind", ["gG", "E"])
def test_array_and_steps_agree_and_warmth_is_kept(kind):
    currents = [20000] * 50 + [61000] * 6 + [30000] * 40 + [-70000] * 5
    stepped = Fuse(35, kind)
    warmths = []
    for current_ma in currents:
        stepped.step(current_ma, 1000)
        warmths.append(stepped.warmth)
    whole = Fuse(35, kind)
    # In two parts: the second goes on from where the first ended.
    ran = list(whole.run(currents[:53])) + list(whole.run(currents[53:]))
    assert ran == pytest.approx(warmths)
    assert whole.warmth == pytest.approx(stepped.warmth) and whole.tripped == stepped.tripped


def test_a_warm_fuse_opens_earlier_than_a_cold_one():
    cold, warm = Fuse(35), Fuse(35)
    warm.reset(30000)
    assert opens_after_s(warm, 60, 60, 100) < opens_after_s(cold, 60, 60, 100)


def test_once_open_it_stays_open():
    fuse = Fuse(35)
    assert opens_after_s(fuse, 150, 5, 100)
    assert fuse.step(0, 600000)
    fuse.reset()
    assert not fuse.tripped


def test_a_main_switch_holds_1_05_and_opens_at_1_2():
    assert opens_after_s(Fuse(35, "E"), 1.05 * 35, 3600, 1000) is None
    assert opens_after_s(Fuse(35, "E"), 1.2 * 35, 3600, 1000)
    assert opens_after_s(Fuse(35, "E"), 6.25 * 35, 0.1, 10)
