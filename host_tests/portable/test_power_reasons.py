"""Every reason that the power manager gives is reached, with a sentence in both languages."""

from fakes.power_reasons import CODES
from fakes.site_world import Car, box
from fakes.sun_world import SunWorld

from controller import data


def heard(world, seconds, found):
    for _ in range(seconds):
        world.run()
        reasons = [evse.reason for evse in world.evses]
        found.update([reason.code for reason in reasons if reason])
        for evse in world.evses:
            for code, arguments, until_ms in world.pm.waits(evse.id):
                found.add(code)
                assert until_ms is None or until_ms > world.now_ms
                for lang in ("en", "de"):
                    sentence = data.text("reasons", code, arguments, lang)
                    assert sentence[-1] == "." and "{" not in sentence, code


def test_every_reason_of_the_power_manager_is_reached():
    found = set()
    world = SunWorld([box("E1")], sun_w=1000, switchable=("E1",))
    heard(world, 20, found)  # pv_too_little
    world.sun_w = 2500
    heard(world, 300, found)  # pv_filter, pv_limit
    world.sun_w = 1000
    heard(world, 150, found)  # pv_stop_filter
    world.sun_w = 9000
    heard(world, 900, found)
    world.sun_w = 1000
    heard(world, 300, found)
    world.sun_w = 2500
    heard(world, 500, found)
    world.sun_w = 9000
    heard(world, 1800, found)  # pv_steady, phase_switch_stopping, _waiting, pv_steady
    world.stuck = ["E1"]
    world.sun_w = 2500
    heard(world, 700, found)  # phase_switch_failed
    world.pm.set_mode(1)
    heard(world, 2, found)  # mode_off
    world.pm.set_mode(2)
    world.grid_dead = True
    heard(world, 200, found)  # pv_no_meter
    world = SunWorld([box("E1")], sun_w=2500, switchable=("E1",), cloud_filter_mode=0)
    heard(world, 30, found)
    world.sun_w = 9000
    heard(world, 60, found)  # phase_switch_locked
    world = SunWorld([box("E1")], sun_w=6000, cloud_filter_mode=0)
    heard(world, 300, found)
    world.sun_w = 500
    heard(world, 60, found)
    world.sun_w = 6000
    heard(world, 60, found)  # pv_hysteresis
    world = SunWorld(
        [box("E1")],
        switchable=("E1",),
        phase_switching_mode=3,
        default_mode=0,
        excess_charging_enable=False,
    )
    heard(world, 20, found)
    world.pm.set_phases_wanted(0)
    heard(world, 20, found)  # external_no_release
    load = {"enabled": True, "current_limit": 20000, "largest_consumer_current": 16000}
    world = SunWorld([box("E1")], load=load, default_mode=0, excess_charging_enable=False, sun_w=0)
    for _ in range(60):
        lines_ma = world.load(world.evses, (0, 0, 0))
        world.currents = ([ma + 9000 for ma in lines_ma], world.now_ms)
        heard(world, 1, found)  # dynamic_load_limit
    heard(world, 70, found)  # dynamic_load_lost
    missing = set(CODES) - found
    assert not missing, missing
    for code in CODES:
        for lang in ("en", "de"):
            sentence = data.text("reasons", code, CODES[code], lang)
            for argument in CODES[code]:
                assert str(argument) in sentence


def test_a_car_that_is_not_there_waits_for_nothing_of_the_sun():
    world = SunWorld([box("E1")], sun_w=9000)
    world.cars["E1"] = None
    world.run(5)
    assert world.evses[0].reason.code == "no_vehicle"
    world.cars["E1"] = Car()
