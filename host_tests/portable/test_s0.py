"""S0 meters: exact energy, power that decays, and bounce that never makes a pulse."""

import random

from controller.s0 import S0Error, S0Meter


def run(meter, pulses, period_ms, width_ms=50, start_ms=1000):
    """Feeds clean pulses, each ending at a multiple of the period; returns the last moment."""
    for number in range(pulses):
        end_ms = start_ms + number * period_ms
        meter.edge(True, end_ms - width_ms)
        meter.edge(False, end_ms)
    return start_ms + (pulses - 1) * period_ms


def test_energy_is_exact_for_rates_that_do_not_divide():
    for rate in (1, 3, 500, 640, 800, 999, 1000, 1024, 2000, 10000, 100000):
        meter = S0Meter(rate)
        seen = 0
        for number in range(1, 400):
            run(meter, 1, 0, 30, number * 100)
            energy_wh = meter.readings(number * 100)["import_wh"]
            assert energy_wh == number * 1000 // rate and energy_wh >= seen
            seen = energy_wh


def test_kept_pulses_go_on_exactly():
    meter = S0Meter(3000)
    run(meter, 100, 200)
    assert meter.readings(0)["import_wh"] == 33
    again = S0Meter(3000, pulses=meter.pulses, start_wh=5000)
    run(again, 2, 200)
    assert again.readings(0)["import_wh"] == 5000 + 34


def test_big_counts():
    meter = S0Meter(10000, pulses=40000000000)  # 4 GWh
    run(meter, 10, 100)
    assert meter.readings(0)["import_wh"] == 4000000001


def test_power_and_currents():
    meter = S0Meter(1000, (1, 3), 230)
    last = run(meter, 20, 1000)  # 3.6 kW
    readings = meter.readings(last)
    assert readings["power_w"] == 3600
    assert readings["current_l1_ma"] == readings["current_l3_ma"] == 3600000 // 460
    assert readings["current_l2_ma"] == 0


def test_slow_and_fast_pulses():
    for period_ms, width_ms, power_w in ((36000, 100, 100), (600000, 100, 6), (63, 30, 57142)):
        meter = S0Meter(1000)
        last = run(meter, 100, period_ms, width_ms)
        assert abs(meter.power_w(last) - power_w) <= power_w // 100, period_ms


def test_power_decays_when_pulses_stop():
    meter = S0Meter(1000)
    last = run(meter, 20, 327)
    full_w = meter.power_w(last)
    assert 10900 <= full_w <= 11100
    assert meter.power_w(last + 100) == full_w
    before = full_w
    for waited_ms in (1000, 3600, 36000, 360000, 900000):
        power_w = meter.power_w(last + waited_ms)
        assert power_w == min(full_w, 3600000000 // (1000 * waited_ms)) and power_w <= before
        before = power_w
    assert meter.power_w(last + 900001) == 0
    assert meter.power_w(last + 10**9) == 0


def test_one_pulse_says_nothing_of_power():
    meter = S0Meter(1000)
    assert meter.readings(5)["power_w"] == 0
    last = run(meter, 1, 0)
    assert meter.power_w(last) == 0


def test_power_comes_back_after_a_long_pause():
    meter = S0Meter(1000)
    last = run(meter, 5, 1000)
    last = run(meter, 3, 1500, start_ms=last + 7200000)
    assert meter.power_w(last) == 2400


def test_short_pulses_and_glitches_do_not_count():
    meter = S0Meter(1000)
    now = 1000
    for width_ms in (1, 5, 10, 20, 24):
        meter.edge(True, now)
        meter.edge(False, now + width_ms)
        now += 500
    assert meter.pulses == 0
    meter.edge(True, now)
    meter.edge(False, now + 30)
    assert meter.pulses == 1


def test_a_dip_within_a_pulse_does_not_double_it():
    meter = S0Meter(1000)
    for closed, at in ((True, 100), (False, 140), (True, 142), (False, 200), (True, 1000)):
        meter.edge(closed, at)
    assert meter.pulses == 1


def test_contact_closed_at_boot_and_inverted_meter():
    meter = S0Meter(1000)
    meter.edge(False, 40)  # the pulse of before the start
    assert meter.pulses == 0
    for number in range(10):  # a meter that rests closed
        meter.edge(True, 1000 + number * 400)
        meter.edge(False, 1350 + number * 400)
    assert meter.pulses == 10


def test_lost_interrupts_never_add_pulses():
    random.seed(7)
    meter = S0Meter(1000)
    true_pulses = 500
    for number in range(true_pulses):
        for closed, at in ((True, 0), (False, 50)):
            if random.random() < 0.8:
                meter.edge(closed, 1000 + number * 200 + at)
    assert true_pulses // 2 < meter.pulses <= true_pulses


def test_repeated_levels():
    meter = S0Meter(1000)
    for closed, at in ((True, 100), (True, 150), (True, 190)):
        meter.edge(closed, at)
    assert meter.pulses == 0  # not over yet
    meter.edge(False, 191)
    assert meter.pulses == 1
    for closed, at in ((False, 300), (True, 500), (True, 520), (False, 540)):
        meter.edge(closed, at)
    assert meter.pulses == 2


def test_random_bounce_never_adds_or_loses_a_pulse():
    random.seed(1)
    for _ in range(60):
        meter = S0Meter(random.choice((500, 1000, 3000)))
        now = 1000
        pulses = random.randrange(1, 30)
        for _ in range(pulses):
            for closed in (True, False):
                for _ in range(random.randrange(4)):  # up to 3 bounces of 1..6 ms each
                    meter.edge(closed, now)
                    now += random.randrange(1, 4)
                    meter.edge(not closed, now)
                    now += random.randrange(1, 4)
                meter.edge(closed, now)
                now += random.randrange(30, 300)
        meter.edge(True, now)
        assert meter.pulses == pulses


def test_noise_alone_never_counts():
    random.seed(2)
    meter = S0Meter(1000)
    now = 1000
    for number in range(5000):
        meter.edge(number % 2 == 0, now)
        now += random.randrange(25) if number % 2 == 0 else random.randrange(400)
    assert meter.pulses == 0


def test_power_never_above_what_the_wait_allows():
    random.seed(3)
    for _ in range(40):
        rate = random.choice((500, 1000, 2000, 10000))
        meter = S0Meter(rate)
        now = 0
        last = None
        for _ in range(60):
            now += random.choice((60, 70, 200, 1000, 5000, 60000))
            meter.edge(True, now)
            now += random.randrange(10, 80)
            counted = meter.pulses
            meter.edge(False, now)
            if meter.pulses > counted:
                last = now
            power_w = meter.power_w(now + random.randrange(3))
            assert 0 <= power_w <= 20 * 3600000 // rate * 2
            later = now + random.randrange(1, 20000)
            if last is not None:
                assert meter.power_w(later) * rate * (later - last) <= 3600000000


def test_too_fast():
    meter = S0Meter(10000)
    assert meter.max_power_w == 5760
    run(meter, 100, 63, 30)
    assert not meter.too_fast
    run(meter, 100, 56, 28, 10000)
    assert meter.too_fast


def test_bad_settings():
    for rate, phases, code in (
        (0, (1,), "s0_rate"),
        (100001, (1,), "s0_rate"),
        (-5, (1,), "s0_rate"),
        (1000, (), "s0_phases"),
        (1000, (1, 1), "s0_phases"),
        (1000, (4,), "s0_phases"),
        (1000, (0, 1), "s0_phases"),
    ):
        try:
            S0Meter(rate, phases)
        except S0Error as error:
            assert error.code == code
        else:
            raise AssertionError((rate, phases))
