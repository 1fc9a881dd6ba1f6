"""The filter window: extremes, when they leave, memory."""

import gc
import sys

from chargecontrol.window import Window


def test_one_sample_is_both_extremes():
    window = Window(240000)
    assert window.least is None and window.most is None
    window.add(1000, -70)
    assert (window.least, window.most) == (-70, -70)


def test_an_extreme_stays_for_the_window_and_no_longer():
    window = Window(120000)
    window.add(0, -5000)
    window.add(1000, 9000)
    for now_ms in range(2000, 120001, 1000):
        window.add(now_ms, 100)
        assert (window.least, window.most) == (-5000, 9000)
    window.add(120500, 100)
    assert (window.least, window.most) == (100, 9000)
    window.add(121500, 100)
    assert (window.least, window.most) == (100, 100)


def test_without_a_filter_only_the_last_counts():
    window = Window(0)
    for now_ms, value in ((0, 5), (100, 7), (120, 6), (5000, -1)):
        window.add(now_ms, value)
        assert (window.least, window.most) == (value, value)


def test_the_time_of_leaving_is_known():
    window = Window(120000)
    window.add(0, 1000)
    window.add(10000, 2000)
    window.add(20000, 3000)
    assert window.reaches_ms(1000) == 0
    assert window.reaches_ms(1001) == 120500
    assert window.reaches_ms(2000) == 120500
    assert window.reaches_ms(2001) == 130500
    window.add(30000, 500)
    assert window.falls_ms(3001) == 0
    assert window.falls_ms(3000) == 140500
    assert window.falls_ms(501) == 140500
    for now_ms, least, most in ((140499, 500, 3000), (140500, 500, 600)):
        window.add(now_ms, 600)
        assert (window.least, window.most) == (least, most)


def test_a_gap_and_the_wrap_of_the_slots():
    window = Window(480000)
    window.add(0, -9)
    for times in (1, 2, 3):
        # 2**16 slots of 1.6 s later the number of the slot is the same.
        window.add(times * 65536 * 1600, times)
        assert (window.least, window.most) == (times, times)


def test_times_of_a_year():
    window = Window(480000)
    start_ms = 366 * 86400000  # a multiple of a slot
    window.add(start_ms, 3)
    window.add(start_ms + 480000, 4)
    assert window.least == 3
    assert window.reaches_ms(4) == start_ms + 481600


def test_what_swings_less_and_less_is_in_both_queues():
    window = Window(480000)
    for i in range(3000):
        window.add(i * 500, 30000 - i if i % 2 else i - 30000)
        first = max(0, (i * 500 // 1600 - 300) * 1600)
        first = -(-first // 500)
        assert window.least == first + first % 2 - 30000
        assert window.most == 30000 - (first | 1) or i == 0


def test_memory():
    if sys.implementation.name != "micropython":
        return
    # The worst: what swings less and less is in both queues.
    times = 4
    windows = [None] * times
    gc.collect()
    before = gc.mem_alloc()
    for k in range(times):
        windows[k] = Window(480000)
        for i in range(960):
            windows[k].add(i * 500, 30000 - i if i % 2 else i - 30000)
    gc.collect()
    used = (gc.mem_alloc() - before) // times
    assert used <= 4000, used  # 3612 of values, the rest are the objects
    for k in range(times):
        windows[k] = Window(480000)
        for i in range(960):
            windows[k].add(i * 500, i % 7)
    gc.collect()
    used = (gc.mem_alloc() - before) // times
    assert used <= 500, used
