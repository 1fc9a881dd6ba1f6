"""Clouds: the same for the same seed, at any time asked, and as long and steep as real ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.twin import Twin, TwinError
from tools.twin.clouds import Clouds, Sun
from tools.twin.config import complete

HOURS = range(0, 20 * 3600)


@given(st.integers(0, 2**31), st.lists(st.floats(0, 90000), max_size=20))
def test_seed_and_time_say_all(seed, times):
    forward, backward = Clouds(seed, 60), Clouds(seed, 60)
    assert [forward.factor(t) for t in times] == [backward.factor(t) for t in reversed(times)][
        ::-1
    ]


def test_another_seed_is_another_sky():
    skies = [[Clouds(seed).factor(t) for t in range(0, 3600, 10)] for seed in (1, 2, 3)]
    assert skies[0] != skies[1] != skies[2]


@pytest.mark.parametrize("cover_pct", [10, 40, 80])
def test_the_share_of_shadow_is_as_asked(cover_pct):
    clouds = Clouds(7, cover_pct)
    dark = sum(clouds.factor(t) < 0.8 for t in HOURS) / len(HOURS)
    assert dark == pytest.approx(cover_pct / 100, abs=0.09)


def test_no_clouds_and_nothing_but_clouds():
    assert {Clouds(cover_pct=0).factor(t) for t in range(9999)} == {1.0}
    assert max(Clouds(cover_pct=100).factor(t) for t in range(900, 9999)) < 0.7


def ramps(clouds):
    """(seconds, change) of each stretch that goes from light to shadow or back."""
    found, began, before = [], None, clouds.factor(0)
    for t in HOURS:
        now = clouds.factor(t)
        steep = abs(now - before) > 0.008
        if steep and began is None:
            began = t - 1, before
        elif not steep and began is not None:
            found.append((t - 1 - began[0], before - began[1]))
            began = None
        before = now
    return [ramp for ramp in found if abs(ramp[1]) > 0.3]


@pytest.mark.parametrize("speed_m_s", [5, 12])
def test_ramps_take_seconds_to_tens_of_seconds(speed_m_s):
    found = ramps(Clouds(3, 50, speed_m_s))
    assert len(found) > 100
    lengths = sorted(seconds for seconds, _ in found)
    assert 4 <= lengths[0] and lengths[-1] <= 82
    assert 10 <= lengths[len(lengths) // 2] <= 40
    falls = sum(change < 0 for _, change in found)
    assert abs(2 * falls - len(found)) < 0.2 * len(found)


def test_light_stays_within_what_is_asked_and_is_brightest_beside_a_shadow():
    clouds = Clouds(5, 50, least_pct=20, edge_pct=8)
    light = [clouds.factor(t) for t in HOURS]
    assert 0.2 * 0.85 <= min(light) < 0.35 and 1.03 < max(light) <= 1.08
    clouds = Clouds(5, 50, edge_pct=0)
    assert max(clouds.factor(t) for t in HOURS) == 1.0


def test_a_hand_moves_a_cloud_within_seconds_and_takes_it_away():
    sun = Sun(8000, None)
    sun.cloud = True
    seen = []
    for t_ms in range(100, 15100, 100):
        sun.step(t_ms, 100)
        seen.append(sun.pv_w)
    assert seen == sorted(seen, reverse=True) and seen[-1] == 2000
    assert 4500 < seen[59] < 5500
    sun.cloud = False
    for t_ms in range(15100, 28100, 100):
        sun.step(t_ms, 100)
    assert sun.pv_w == 8000


def test_the_twins_roof_lies_under_its_clouds():
    config = {"pv_w": 7000, "clouds": {"seed": 4, "cover_pct": 70, "speed_m_s": 20}}
    one, other = Twin(config=config), Twin(config=config)
    seen = []
    for _ in range(1200):
        one.step(100)
        other.step(100)
        seen.append(one.pv_w)
        assert one.pv_w == other.pv_w
    assert seen[999] == round(7000 * Clouds(4, 70, 20).factor(100))
    assert min(seen) < 4000 < 6000 < max(seen)
    state = one.state()
    assert state["sun"]["clear_w"] == 7000 and state["pv_w"] == seen[-1]
    one.set({"clouds": None})
    one.step(100)
    assert one.pv_w == 7000 and one.state()["sun"]["clouds"] is None
    one.set({"clouds": {"cover_pct": 100}})
    one.step(100)
    assert one.pv_w < 6000


@pytest.mark.parametrize(
    "change, named",
    [
        ({"clouds": {"cover_pct": 101}}, "clouds.cover_pct"),
        ({"clouds": {"speed_m_s": 0}}, "clouds.speed_m_s"),
        ({"clouds": {"edge": 5}}, "edge"),
        ({"clouds": 40}, "clouds"),
    ],
)
def test_what_is_wrong_is_named(change, named):
    with pytest.raises(TwinError) as error:
        complete(change)
    assert named in str(error.value)
