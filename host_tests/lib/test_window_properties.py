"""The filter window against a list of all samples."""

from hypothesis import given
from hypothesis import strategies as st

from chargecontrol.window import Window

LENGTHS_MS = (0, 120000, 240000, 480000)
STEPS_MS = st.one_of(
    st.integers(0, 3000), st.sampled_from([500, 1000, 60000]), st.integers(0, 2000000)
)
SAMPLES = st.lists(st.tuples(STEPS_MS, st.integers(-40, 40)), min_size=1, max_size=150)


def slot_ms(length_ms):
    return max(500, length_ms // 300)


@given(st.sampled_from(LENGTHS_MS), SAMPLES)
def test_extremes_of_all_that_is_young_enough(length_ms, samples):
    window = Window(length_ms)
    slot = slot_ms(length_ms)
    seen = []
    now_ms = 0
    for step_ms, value in samples:
        now_ms += step_ms
        window.add(now_ms, value)
        seen.append((now_ms, value))
        if not length_ms:
            assert window.least == window.most == value
            continue
        young = [v for t, v in seen if now_ms - t <= length_ms]
        kept = [v for t, v in seen if now_ms // slot - t // slot <= length_ms // slot]
        assert window.least == min(kept) <= min(young)
        assert window.most == max(kept) >= max(young)
        assert all(
            now_ms - t < length_ms + 2 * slot
            for t, _ in seen
            if now_ms // slot - t // slot <= length_ms // slot
        )


def filled(length_ms, samples):
    window = Window(length_ms)
    now_ms = 0
    for step_ms, value in samples:
        now_ms += step_ms
        window.add(now_ms, value)
    return window, now_ms


@given(st.sampled_from(LENGTHS_MS[1:]), SAMPLES, st.integers(-45, 45))
def test_the_foretold_moment_is_exact_if_nothing_changes(length_ms, samples, level):
    window, now_ms = filled(length_ms, samples)
    last = samples[-1][1]
    if last >= level:
        at_ms = window.reaches_ms(level)
        is_there = lambda window: window.least >= level  # noqa: E731
    else:
        at_ms = window.falls_ms(level)
        is_there = lambda window: window.most < level  # noqa: E731
    assert is_there(window) == (at_ms <= now_ms)
    if at_ms > now_ms:
        window.add(at_ms - 1, last)
        assert not is_there(window)
        window.add(at_ms, last)
        assert is_there(window)
