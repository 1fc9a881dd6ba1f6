"""Control time that never wraps, and UTC that is only trusted once something set it."""

import time

from controller.clock import Clock, ClockError
from controller.timezone import TimeZoneError

TZ = "CET-1CEST,M3.5.0,M10.5.0/3"
_TICKS = 1 << 30  # period of ticks_ms on a 32-bit port


class Ticks:
    """Takes the place of the clock's `time` module; `ms` is what has really passed."""

    def __init__(self, start_ms=0, unix_s=1780000000, epoch=1970):
        self.start_ms = start_ms
        self.ms = 0
        self.unix_s = unix_s
        self.epoch = epoch

    def ticks_ms(self):
        return (self.start_ms + self.ms) % _TICKS

    def ticks_diff(self, end, start):
        half = _TICKS // 2
        return (end - start + half) % _TICKS - half

    def time(self):
        seconds = self.unix_s + self.ms // 1000
        return seconds - 946684800 if self.epoch == 2000 else seconds + 0.5

    def gmtime(self, seconds):
        if seconds == 0:
            return (self.epoch, 1, 1, 0, 0, 0, 0, 1)
        return time.gmtime(seconds + (946684800 if self.epoch == 2000 else 0))


class Rtc:
    fields = None

    def datetime(self, fields):
        self.fields = fields


def with_ticks(ticks, rtc=None, tz=TZ):
    from controller import clock

    clock.time = ticks
    return Clock(tz, rtc)


def restore():
    from controller import clock

    clock.time = time


def test_real_ticks():
    restore()
    clock = Clock(TZ)
    first = clock.now_ms()
    time.sleep_ms(30)
    assert 0 <= first < 10000 and clock.now_ms() >= first + 20


def test_control_time_does_not_wrap():
    ticks = Ticks(start_ms=_TICKS - 5000)
    clock = with_ticks(ticks)
    steps = (1, 4999, 1, 86400000, 2 * 86400000, 6 * 86400000, 6 * 86400000, 0, 7, 3 * 86400000)
    for step in steps * 9:
        ticks.ms += step
        assert clock.now_ms() == ticks.ms
    restore()


def test_an_interrupt_between_any_two_steps_loses_no_time():
    ticks = Ticks()
    clock = with_ticks(ticks)
    plain = ticks.ticks_ms
    ticks.ms = 0x2000000 + 5

    def interrupted():
        seen = plain()
        ticks.ticks_ms = plain
        ticks.ms += 3
        assert clock.now_ms() == ticks.ms
        return seen

    ticks.ticks_ms = interrupted
    clock.now_ms()
    for _ in range(3):
        ticks.ms += 0x2000000
        assert clock.now_ms() == ticks.ms
    restore()


def test_boot_time_is_untrusted_on_every_epoch():
    for epoch in (1970, 2000):
        ticks = Ticks(epoch=epoch)
        clock = with_ticks(ticks)
        assert clock.utc_s() == 1780000000 and not clock.trusted and clock.source == "rtc"
        assert clock.problem == "clock_not_set"
        ticks.ms += 61000
        assert clock.utc_s() == 1780000061
    restore()


def test_set_utc_reports_the_jump_and_runs_on_control_time():
    ticks = Ticks()
    clock = with_ticks(ticks)
    ticks.ms = 10000
    assert clock.set_utc(1780000100, "ntp", 250) == 90250
    assert clock.trusted and clock.source == "ntp" and clock.problem == ""
    ticks.unix_s = 5  # whatever the chip's own clock says from now on
    ticks.ms += 749
    assert clock.utc_s() == 1780000100
    ticks.ms += 1
    assert clock.utc_s() == 1780000101
    ticks.ms += 30 * 86400000 // 6
    clock.now_ms()
    assert clock.set_utc(1780000101 + 5 * 86400 + 2, "ntp") == 2000
    assert clock.set_utc(1780000101 + 5 * 86400, "user") == -2000
    restore()


def test_impossible_times_are_refused_and_change_nothing():
    clock = with_ticks(Ticks())
    before = clock.utc_s()
    for utc_s in (0, -1, 1700000000, 4102444800, 1 << 40):
        try:
            clock.set_utc(utc_s)
        except ClockError as error:
            assert error.code == "clock_range" and "2100" in str(error)
        else:
            raise AssertionError(utc_s)
    assert clock.utc_s() == before and not clock.trusted
    restore()


def test_rtc_gets_utc():
    rtc = Rtc()
    clock = with_ticks(Ticks(epoch=2000), rtc)
    clock.set_utc(1792890001)
    assert rtc.fields[:3] == (2026, 10, 25) and rtc.fields[4:] == (1, 0, 1, 0)
    clock.set_utc(2866410000)  # 2060
    assert rtc.fields[:3] == (2060, 10, 31) and rtc.fields[4:] == (1, 0, 0, 0)
    restore()


def test_local_around_a_switch():
    clock = with_ticks(Ticks())
    assert clock.local(1774745999) == (2026, 3, 29, 1, 59, 59, 0, 87, 0)
    assert clock.local(1774746000) == (2026, 3, 29, 3, 0, 0, 0, 87, 1)
    assert clock.local(1767222000 - 1) == (2025, 12, 31, 23, 59, 59, 3, 364, 0)
    assert clock.local(1767222000) == (2026, 1, 1, 0, 0, 0, 4, 0, 0)
    restore()


def test_date_fields():
    ticks = Ticks()
    clock = with_ticks(ticks)
    clock.set_utc(1774746000 + 3600 * 4 + 60 * 5 + 6)  # Sunday 2026-03-29 07:05:06 CEST
    expected = {
        "year": 2026,
        "month": 2,
        "day": 29,
        "weekday": 0,
        "yearday": 87,
        "hour": 7,
        "minute": 5,
        "second": 6,
        "daysecond": 25506,
        "dayminute": 425,
        "dst": 1,
        "timestamp": 1774760706,
    }
    for name, value in expected.items():
        assert clock.date_field(name) == value, name
    ticks.ms += 1000
    assert clock.date_field("second") == 7
    restore()


def raises_key_error(call, name):
    try:
        call(name)
    except KeyError:
        return True
    return False


def test_no_date_without_trust_and_no_unknown_field():
    clock = with_ticks(Ticks())
    assert raises_key_error(clock.date_field, "hour")
    clock.set_utc(1774746000)
    assert clock.date_field("hour") == 3
    assert raises_key_error(clock.date_field, "hours")
    assert raises_key_error(clock.date_field, "")
    restore()


def test_another_zone():
    clock = with_ticks(Ticks())
    clock.set_utc(1774746000)
    assert clock.date_field("hour") == 3
    clock.set_zone("UTC0")
    assert clock.date_field("hour") == 1
    try:
        clock.set_zone("nonsense")
    except TimeZoneError:
        pass
    else:
        raise AssertionError("taken")
    assert clock.date_field("hour") == 1
    restore()
