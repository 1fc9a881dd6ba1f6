"""Channels: the five states of EEBus LPC, each transition, and what is kept over a restart."""

from chargecontrol import levels
from chargecontrol.channels import Channel

S = 1000
HOUR = 3600 * S


def config(**changes):
    made = {"channel": "sunspec", "timeout_s": 120, "failsafe": "60 %", "duration_s": 7200}
    made.update(changes)
    return made


def channel(kept=None, now_ms=0, **changes):
    made = Channel(config(**changes))
    made.start(now_ms, kept)
    return made


def at(one, ms):
    one.update(ms)
    return one.state


THIRTY = ("percent", 30)


def test_after_a_start_the_failsafe_level_holds_until_a_command_or_the_timeout():
    one = channel()
    assert at(one, 0) == "init" and one.fails_safe
    assert at(one, 119999) == "init"
    assert at(one, 120000) == "autonomous" and not one.fails_safe
    one = channel()
    one.write(THIRTY, 5 * S)
    assert at(one, 5 * S) == "limited" and one.level == THIRTY and not one.fails_safe
    one = channel()
    one.write(levels.NONE, 5 * S)
    assert at(one, 5 * S) == "controlled" and one.level == levels.NONE


def test_a_heartbeat_alone_changes_no_state():
    one = channel()
    for s in range(0, 119, 10):
        one.beat(s * S)
        assert at(one, s * S) == "init"
    assert at(one, 120 * S) == "autonomous"
    one.beat(125 * S)
    assert at(one, 125 * S) == "autonomous"


def test_limits_come_and_go_while_it_is_heard():
    one = channel()
    one.write(THIRTY, 0)
    one.write(("percent", 0), 10 * S)
    assert at(one, 10 * S) == "limited" and one.level == ("percent", 0), "zero is a limit"
    one.write(levels.NONE, 20 * S)
    assert at(one, 20 * S) == "controlled"
    one.write(("dimming", None), 30 * S)
    assert at(one, 30 * S) == "limited" and one.level == ("dimming", None)


def test_a_limit_may_end_by_itself():
    one = channel()
    one.write(THIRTY, 0, 60 * S)
    assert at(one, 59 * S) == "limited" and one.end_ms == 60 * S
    assert at(one, 60 * S) == "controlled" and one.level == levels.NONE and one.end_ms is None


def test_silence_is_failsafe_for_its_duration_then_autonomous():
    for first in (THIRTY, levels.NONE):
        one = channel()
        one.write(first, 0)
        one.beat(60 * S)
        assert at(one, 179 * S) in ("limited", "controlled")
        assert at(one, 180 * S) == "failsafe" and one.fails_safe
        assert one.level == levels.NONE, "a stale limit is gone"
        assert one.end_ms == 180 * S + 2 * HOUR
        assert at(one, 180 * S + 2 * HOUR - 1) == "failsafe"
        assert at(one, 180 * S + 2 * HOUR) == "autonomous"
        one.write(THIRTY, 3 * HOUR)
        assert at(one, 3 * HOUR) == "limited"


def test_a_write_ends_failsafe_and_a_heartbeat_alone_does_not():
    one = channel()
    one.write(THIRTY, 0)
    at(one, 120 * S)
    one.beat(200 * S)
    assert at(one, 200 * S) == "failsafe"
    one.write(("percent", 40), 210 * S)
    assert at(one, 210 * S) == "limited" and one.level == ("percent", 40)


def test_heartbeats_without_a_write_end_failsafe_after_the_timeout():
    one = channel()
    one.write(THIRTY, 0)
    at(one, 120 * S)
    for s in range(200, 320, 30):
        one.beat(s * S)
        assert at(one, s * S) == "failsafe"
    assert at(one, 320 * S) == "autonomous"
    # One heartbeat is none that is back.
    one = channel()
    one.write(THIRTY, 0)
    at(one, 120 * S)
    one.beat(200 * S)
    assert at(one, 321 * S) == at(one, HOUR) == "failsafe"
    one.beat(HOUR)
    assert at(one, HOUR + 60 * S) == "failsafe", "counted from here"


def test_a_command_by_variables_is_heartbeat_and_write():
    one = channel()
    one.touch(S)
    assert at(one, S) == "controlled"
    one.write(THIRTY, 2 * S, 500 * S)
    one.touch(100 * S)
    assert at(one, 100 * S) == "limited" and one.level == THIRTY and one.end_ms == 500 * S
    assert at(one, 220 * S) == "failsafe"
    one.touch(300 * S)
    assert at(one, 300 * S) == "controlled"
    at(one, 420 * S)
    assert at(one, 420 * S + 2 * HOUR) == "autonomous"
    one.touch(3 * HOUR)
    assert at(one, 3 * HOUR) == "controlled"


def restarted(one, now_ms, at_ms=0, **changes):
    """The channel after a restart; the control time begins anew."""
    return channel(one.kept(now_ms), at_ms, **changes)


def test_a_restart_in_failsafe_goes_on_with_what_is_left():
    one = channel()
    one.write(THIRTY, 0)
    at(one, 120 * S)
    one = restarted(one, 120 * S + HOUR)
    assert at(one, 0) == "failsafe" and one.end_ms == HOUR
    one = restarted(one, HOUR - 1, 50)
    assert at(one, 1049) == "failsafe" and at(one, 1050) == "autonomous"
    one = restarted(one, 2000)
    assert at(one, 0) == "init" and at(one, 120 * S) == "autonomous"


def test_a_restart_frees_nobody_who_was_limited():
    one = channel()
    one.write(THIRTY, 0)
    one = restarted(one, 60 * S)
    assert at(one, 0) == "init" and one.fails_safe and one.level == THIRTY, "both hold"
    one = restarted(one, 60 * S)
    assert one.level == THIRTY
    assert at(one, 120 * S) == "failsafe" and one.level == levels.NONE
    one = channel()
    one.write(levels.NONE, 0)
    one = restarted(one, 60 * S)
    assert at(one, 0) == "init" and one.level == levels.NONE
    assert at(one, 120 * S) == "failsafe"
    one = restarted(one, 120 * S)
    one.write(levels.NONE, S)
    assert at(one, S) == "controlled"


def test_what_is_left_of_a_limits_time_outlasts_a_restart():
    one = channel()
    one.write(THIRTY, 0, 100 * S)
    one = restarted(one, 40 * S)
    assert at(one, 59 * S) == "init" and one.level == THIRTY
    assert at(one, 60 * S) == "init" and one.level == levels.NONE
    one.write(levels.NONE, 70 * S)
    one = restarted(one, 80 * S)
    one.touch(S)
    assert at(one, S) == "controlled"


def test_a_command_by_variables_after_a_restart_keeps_the_limit():
    one = channel()
    one.write(THIRTY, 0, 100 * S)
    one = restarted(one, 40 * S)
    one.touch(S)
    assert at(one, S) == "limited" and one.level == THIRTY
    assert at(one, 60 * S) == "controlled"


def test_without_timeout_what_was_written_holds_until_it_is_changed():
    one = channel(channel="http", timeout_s=0)
    assert at(one, 0) == "autonomous" and not one.fails_safe
    one.write(THIRTY, 10)
    assert at(one, 100 * HOUR) == "limited" and one.level == THIRTY
    one = restarted(one, 100 * HOUR, channel="http", timeout_s=0)
    assert at(one, 100 * HOUR) == "limited" and one.level == THIRTY
    one.write(levels.NONE, 101 * HOUR)
    one = restarted(one, 101 * HOUR, channel="http", timeout_s=0)
    assert at(one, 0) == "controlled"


def test_the_register_of_the_sunspec_server_is_volatile_where_nobody_watches():
    one = channel(timeout_s=0)
    one.write(THIRTY, 0)
    one = restarted(one, HOUR, timeout_s=0)
    assert at(one, 0) == "autonomous" and one.level == levels.NONE


def test_other_settings_while_it_runs():
    one = channel()
    one.write(THIRTY, 0)
    one.configure(config(timeout_s=300), 100 * S)
    assert at(one, 299 * S) == "limited" and at(one, 300 * S) == "failsafe"
    one.configure(config(timeout_s=0), 301 * S)
    assert at(one, 301 * S) == "autonomous"
    one = restarted(one, 0, channel="http", timeout_s=0)
    one.write(THIRTY, 0)
    one.configure(config(timeout_s=120), 1000 * S)
    one = channel(["limited", "30 %", None], 0, channel="http", timeout_s=0)
    one.configure(config(channel="http"), 1000 * S)
    assert at(one, 1000 * S) == "limited", "the time begins with the setting"
    assert at(one, 1120 * S) == "failsafe"


def test_who_is_watched_from_now_on_has_his_time():
    one = channel(timeout_s=0)
    one.write(THIRTY, 0)
    at(one, HOUR)
    one.configure(config(timeout_s=120), HOUR)
    assert at(one, HOUR + 119 * S) == "limited"
    assert at(one, HOUR + 120 * S) == "failsafe"


def test_another_duration_counts_for_the_failsafe_that_runs():
    one = channel(duration_s=86400)
    one.write(THIRTY, 0)
    assert at(one, 120 * S) == "failsafe"
    one.configure(config(duration_s=7200), 130 * S)
    assert one.end_ms == (120 + 7200) * S
    assert at(one, (119 + 7200) * S) == "failsafe"
    assert at(one, (120 + 7200) * S) == "autonomous"
