"""Dynamic load management: warp.md 3.1 and 3.2 by hand, lost readings, the closed loop."""

from array import array

from chargecontrol.dynamic_load import DynamicLoad

SETTINGS = {
    "current_limit": 35000,
    "largest_consumer_current": 20000,
    "safety_margin_pct": 0,
}
# 35000 * 7 / 5 = 49000; - 20000 = 29000, below 35000: target 29000, ramp at most 14500,
# blend from 31900 to 34800.
MAX_MA = 35000


def dynamic_of(**others):
    settings = dict(SETTINGS)
    settings.update(others)
    return DynamicLoad(settings)


def available(grid_ma, allocated_ma, max_ma=MAX_MA, **settings):
    dynamic = dynamic_of(**settings)
    dynamic.update(0, [grid_ma, 0, 0], 0, [allocated_ma, 0, 0], max_ma)
    return dynamic.available_ma[0]


def test_target():
    assert dynamic_of().target_ma == 29000
    # The fuse itself is less than trip - consumer: 70000 - 16000 = 54000.
    assert dynamic_of(current_limit=50000, largest_consumer_current=16000).target_ma == 50000
    assert dynamic_of(safety_margin_pct=10).target_ma == 26100
    assert dynamic_of(current_limit=25000, safety_margin_pct=3).target_ma == 14550  # of 15000
    # 16 A * 7 / 5 - 32 A: nothing may be drawn.
    small = dynamic_of(current_limit=16000, largest_consumer_current=32000)
    assert small.target_ma == 0
    small.update(0, [100, 0, -500], 0, [0, 0, 0], 16000)
    assert small.available_ma == [-100, 0, 500]


def test_all_of_the_headroom_while_nothing_is_allocated():
    assert available(9000, 0) == 20000
    assert available(-3000, 0) == 32000
    assert available(-9000, 0) == 35000  # the supply


def test_half_of_the_headroom_up_but_no_more_than_half_of_the_target():
    assert available(9001, 6000) == 6000 + 9999  # 19999 / 2 = 9999.5
    assert available(-20000, 6000) == 6000 + 14500
    assert available(-20000, 6000, 16000) == 16000


def test_most_of_an_overload_down():
    # One reading is mean and maximum: 4000 over; 4000 - 4000 / 16 = 3750.
    assert available(33000, 16000) == 12250
    assert available(29015, 16000) == 15985  # 15 / 16 = 0


def test_a_short_peak_counts_by_its_size():
    for peak_ma, drawn_ma in (
        (31000, 30000 - 10000 + 500),  # below 31900: the mean of 10000 and 31000
        (35000, (35000 + 22500) // 2),  # above 34800: middle of maximum and mean
        # Between, 1450 of 2900: half of the way from the mean 21675 to (33350 + 21675) / 2.
        (33350, 21675 + (27512 - 21675) // 2),
    ):
        dynamic = dynamic_of()
        dynamic.update(0, [10000, 0, 0], 0, [0, 0, 0], MAX_MA)
        dynamic.update(1000, [peak_ma, 0, 0], 1000, [0, 0, 0], MAX_MA)
        assert dynamic.available_ma[0] == 29000 - drawn_ma, peak_ma


def test_what_is_older_than_ten_seconds_is_forgotten():
    dynamic = dynamic_of()
    dynamic.update(0, [29000, 0, 0], 0, [0, 0, 0], MAX_MA)
    for now_ms, expected in ((5000, 10000), (9999, 13334), (10000, 20000)):
        dynamic.update(now_ms, [9000, 0, 0], now_ms, [0, 0, 0], MAX_MA)
        assert dynamic.available_ma[0] == expected, now_ms


def test_the_mean_is_truncated_toward_zero():
    dynamic = dynamic_of()
    dynamic.update(0, [0, 0, 0], 0, [0, 0, 0], MAX_MA)
    dynamic.update(1000, [-1, 1, -3], 1000, [0, 0, 0], MAX_MA)
    assert dynamic.available_ma == [29000, 29000, 29001]


def test_many_readings_a_second_keep_the_highest():
    dynamic = dynamic_of()
    for now_ms in range(0, 10000, 20):
        grid_ma = 15000 if now_ms == 5000 else 5000
        dynamic.update(now_ms, [grid_ma, 0, 0], now_ms, [0, 0, 0], MAX_MA)
    # About 21 places of 500 ms, one of them 10000 higher.
    assert 10000 // 23 <= 24000 - dynamic.available_ma[0] <= 10000 // 20


def test_a_reading_counts_once():
    dynamic = dynamic_of()
    for now_ms in range(0, 60000, 1000):
        dynamic.update(now_ms, [9000, 0, 0], 0, [6000, 0, 0], MAX_MA)
        assert dynamic.available_ma[0] == 16000
    # Nor does it weigh more for having been seen often.
    dynamic = dynamic_of()
    for now_ms in range(0, 5000, 1000):
        dynamic.update(now_ms, [9000, 0, 0], 0, [0, 0, 0], MAX_MA)
    dynamic.update(5000, [19000, 0, 0], 5000, [0, 0, 0], MAX_MA)
    assert dynamic.available_ma[0] == 29000 - 14000
    dynamic.update(6000, [19000, 0, 0], 5000, [0, 0, 0], 10000)
    assert dynamic.available_ma == [10000, 10000, 10000]  # the supply counts at once


def test_lost():
    dynamic = dynamic_of()
    assert dynamic.lost and dynamic.available_ma is None
    dynamic.update(0, [29000, 0, 0], 0, [0, 0, 0], MAX_MA)
    dynamic.update(65000, [29000, 0, 0], 0, [0, 0, 0], MAX_MA)
    assert not dynamic.lost and dynamic.available_ma[0] == 0
    dynamic.update(65001, [29000, 0, 0], 0, [0, 0, 0], MAX_MA)
    assert dynamic.lost and dynamic.available_ma is None
    # What was before the outage is forgotten.
    dynamic.update(66000, [9000, 0, 0], 66000, [0, 0, 0], MAX_MA)
    assert not dynamic.lost and dynamic.available_ma[0] == 20000
    dynamic.update(67000, None, None, [0, 0, 0], MAX_MA)
    assert dynamic.lost and dynamic.available_ma is None
    dynamic.update(68000, [19000, 0, 0], 68000, [0, 0, 0], MAX_MA)
    assert dynamic.available_ma[0] == 10000


def test_what_is_not_taken_yet_goes_back_when_the_house_takes_it():
    dynamic = dynamic_of()
    dynamic.update(0, [9000, 0, 0], 0, [6000, 0, 0], MAX_MA)
    assert dynamic.available_ma[0] == 16000
    # The car has got 3000 of the 10000 when the house takes more: in the end 1000 are left.
    for now_ms, grid_ma, expected in (
        (1000, 9000, 16000),
        (9000, 28000, 16000),
        (11000, 28000, 10000),
    ):
        dynamic.update(now_ms, [grid_ma, 0, 0], now_ms, [9000, 0, 0], MAX_MA)
        assert dynamic.available_ma[0] == expected, now_ms


def test_a_raise_waits_for_the_last_change_and_a_fall_does_not():
    dynamic = dynamic_of()
    dynamic.update(0, [15000, 0, 0], 0, [6000, 0, 0], MAX_MA)
    assert dynamic.available_ma[0] == 13000
    # The car has been raised and has not followed: no second raise from the same headroom.
    dynamic.update(1000, [15000, 0, 0], 1000, [13000, 0, 0], MAX_MA)
    assert dynamic.available_ma[0] == 13000
    # An overload: mean (2 * 15000 + 45000) / 3 = 25000, high 35000: 6000 over.
    dynamic.update(2000, [45000, 0, 0], 2000, [13000, 0, 0], MAX_MA)
    assert dynamic.available_ma[0] == 13000 - 6000 + 375
    # The car has not followed down yet: not taken away a second time.
    dynamic.update(3000, [37000, 0, 0], 3000, [7300, 0, 0], MAX_MA)
    assert dynamic.available_ma[0] == 13000 - 7500 + 468  # mean 28000, maximum 45000: 36500
    dynamic.update(4000, [34000, 0, 0], 4000, [7300, 0, 0], MAX_MA)
    assert dynamic.available_ma[0] == 13000 - 7500 + 468


def run_loop(lag_s, house, seconds, poll_s=1, start_ma=6000):
    """Closed loop; grid mA of L1 each second and the least setpoint. house(second) is mA."""
    dynamic = dynamic_of()
    drawn_ma = setpoint_ma = start_ma
    ramp_ma = 0
    grid = array("i", bytes(4 * seconds))
    least_ma = start_ma
    read = None
    for second in range(seconds):
        left_ma = setpoint_ma - drawn_ma
        drawn_ma = setpoint_ma if abs(left_ma) <= abs(ramp_ma) else drawn_ma + ramp_ma
        grid[second] = int(house(second) + drawn_ma)
        if second % poll_s == 0:
            read = (grid[max(0, second - lag_s)], second * 1000)
        allocated = [setpoint_ma if drawn_ma else 0, 0, 0]
        dynamic.update(second * 1000, [read[0], 0, 0], read[1], allocated, 32000)
        wanted_ma = dynamic.available_ma[0]
        if wanted_ma - setpoint_ma > 500 and setpoint_ma:
            wanted_ma = setpoint_ma + (wanted_ma - setpoint_ma) // 2
        wanted_ma = wanted_ma // 100 * 100 if wanted_ma >= 6000 else 0
        if wanted_ma != setpoint_ma:
            setpoint_ma = wanted_ma
            ramp_ma = (setpoint_ma - drawn_ma) / 4
        least_ma = min(least_ma, setpoint_ma)
    return grid, least_ma


def test_the_loop_reaches_the_target_and_stays():
    for lag_s, poll_s in ((0, 1), (1, 1), (2, 1), (1, 5), (1, 10)):
        grid, _ = run_loop(lag_s, lambda second: 10000, 400, poll_s)
        for ma in grid[200 if poll_s < 10 else 300 :]:
            assert 28600 <= ma <= 29000, (lag_s, poll_s, ma)
        assert max(grid) <= 29000


def test_the_loop_clears_an_overload_without_a_pause():
    for lag_s in (0, 1, 2):
        grid, least_ma = run_loop(
            lag_s, lambda second: 8000 if second < 100 else 20000, 400, start_ma=16000
        )
        above = [second for second in range(100, 400) if grid[second] > 30000]
        assert above and above[-1] <= 130, above[-1]
        assert least_ma >= 6000
        for ma in grid[250:]:
            assert 28500 <= ma <= 29100, (lag_s, ma)


def test_settings_change_the_target_of_the_next_reading():
    dynamic = dynamic_of()
    dynamic.update(0, [9000, 0, 0], 0, [0, 0, 0], MAX_MA)
    settings = dict(SETTINGS)
    settings["safety_margin_pct"] = 50
    dynamic.configure(settings)
    dynamic.update(1000, [9000, 0, 0], 1000, [0, 0, 0], MAX_MA)
    assert dynamic.available_ma[0] == 14500 - 9000
