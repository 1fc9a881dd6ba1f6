"""Modes, and who starts and stops with the sun."""

from fakes.site_world import Car, box
from fakes.sun_world import SunWorld

from chargecontrol.power_manager import FAST, MIN_PV, OFF, PV


def fails(call, *arguments):
    try:
        call(*arguments)
    except ValueError as error:
        return str(error)
    return None


def test_a_fixed_three_phase_car_starts_at_4140_w():
    world = SunWorld([box()], sun_w=4130)
    assert world.run(400) == [0]
    assert world.codes() == ["pv_too_little"]
    assert world.evses[0].reason.arguments == (4140, 4100)
    world.sun_w = 4150
    world.run(100)
    (wait,) = world.pm.waits("E1")
    assert wait == ("pv_filter", (4140,), wait[2])
    until_ms = wait[2]
    assert 119000 <= until_ms - 400000 <= 122000
    while world.run(1) == [0]:
        assert world.now_ms < 600000
    assert -1000 <= world.now_ms - until_ms <= 2000
    assert world.run(60) == [6000]
    assert world.pm.starts == {"E1": 1}


def test_the_current_follows_the_sun_and_it_stops_only_when_the_filter_agrees():
    world = SunWorld([box()], sun_w=8000)
    world.run(200)
    assert abs(world.grid_w) <= 100
    world.sun_w = 5000
    world.run(40)
    assert abs(world.grid_w) <= 100
    world.sun_w = 3600
    assert world.run(60) == [6000]  # below the minimum, the filter keeps it
    (wait,) = world.pm.waits("E1")
    assert wait[0] == "pv_stop_filter" and wait[2] > world.now_ms
    stops_ms = wait[2]
    while world.run(1) != [0]:
        assert world.now_ms < stops_ms + 3000
    assert world.now_ms >= stops_ms - 1000
    world.sun_w = 8000
    world.run(140)  # the window is full of sun again, but 210 s must pass
    assert world.evses[0].setpoint_ma == 0
    assert [wait[0] for wait in world.pm.waits("E1")] == ["pv_hysteresis"]
    world.run(120)
    assert world.evses[0].setpoint_ma > 6000


def test_a_cloud_is_followed_at_once():
    world = SunWorld([box()], sun_w=10000)
    world.run(200)
    world.sun_w = 5000
    world.run(8)
    assert world.grid_w <= 100
    world.run(30)
    assert abs(world.grid_w) <= 100


def test_a_change_of_mode_acts_at_once():
    world = SunWorld([box()], sun_w=0)
    world.run(30)
    world.pm.set_mode(FAST)
    world.run(1)
    assert world.evses[0].setpoint_ma >= 6000
    world.run(30)
    assert world.evses[0].setpoint_ma == 16000
    world.pm.set_mode(PV, "E1")
    assert world.run(1) == [0]
    world.sun_w = 5000
    world.pm.set_mode(FAST)
    world.run(40)
    world.pm.set_mode(PV)  # there is enough for it: it goes on, with less
    world.run(1)
    assert world.evses[0].setpoint_ma >= 6000
    world.run(30)
    assert abs(world.grid_w) <= 100
    world.pm.set_mode(OFF)
    assert world.run(1) == [0]
    assert world.codes() == ["mode_off"]
    assert world.pm.mode == OFF
    world.pm.set_mode(4)
    assert world.pm.mode == PV and world.pm.mode_of("E1") == PV


def test_modes_need_what_they_are_made_of():
    world = SunWorld([box()], excess_charging_enable=False, default_mode=0)
    assert world.pm.surplus is None
    assert fails(world.pm.set_mode, PV) == "mode_unavailable"
    assert fails(world.pm.set_mode, 9) == "mode_unavailable"
    assert fails(world.pm.set_mode, FAST, "E7") == "unknown_evse"
    assert world.run(30) == [16000]


def test_an_override_lasts_until_the_car_is_unplugged():
    world = SunWorld([box(), box("E2")], sun_w=0)
    world.run(5)
    world.pm.set_mode(FAST, "E1")
    world.run(30)
    assert world.pm.mode == PV
    assert [evse.setpoint_ma for evse in world.evses] == [16000, 0]
    world.cars["E1"] = None
    world.run(3)
    assert world.pm.mode_of("E1") == PV
    world.cars["E1"] = Car()
    assert world.run(30) == [0, 0]


def test_min_pv_never_falls_below_what_is_guaranteed():
    world = SunWorld([box(phases=1)], sun_w=0, default_mode=MIN_PV, guaranteed_power=2000)
    world.run(30)
    low_w = 1 << 20
    for sun_w in (0, 3000, 500, 1900, 3600, -2000, 0):
        world.sun_w = sun_w
        for _ in range(60):
            world.run(1)
            low_w = min(low_w, world.evses[0].setpoint_ma * 230 // 1000)
    assert 2000 <= low_w <= 2023
    world.sun_w = 3200
    world.run(60)
    assert abs(world.grid_w) <= 100
    world.grid_dead = True
    world.run(200)
    assert world.evses[0].setpoint_ma * 230 // 1000 in range(2000, 2024)


def test_min_pv_keeps_its_part_from_a_pv_car():
    evses = [box(phases=1), box("E2", phases=1)]
    world = SunWorld(evses, sun_w=7000, guaranteed_power=3000, cloud_filter_mode=0)
    world.pm.set_mode(MIN_PV, "E1")
    world.run(120)
    assert min([evse.setpoint_ma for evse in world.evses]) >= 6000
    world.sun_w = 4500
    world.run(30)
    min_w, pv_w = [evse.setpoint_ma * 230 // 1000 for evse in world.evses]
    assert 3000 <= min_w <= 3030
    assert 1380 <= pv_w <= 1520


def test_a_silent_meter_stops_pv_and_fast_goes_on():
    world = SunWorld([box(), box("E2")], sun_w=6000)
    world.pm.set_mode(FAST, "E2")
    world.sun_w = 18000
    world.run(200)
    assert min([evse.setpoint_ma for evse in world.evses]) >= 6000
    world.grid_dead = True
    world.run(123)
    assert world.evses[0].setpoint_ma
    world.run(4)
    assert world.evses[0].setpoint_ma == 0
    assert world.evses[1].setpoint_ma == 16000
    assert world.codes()[0] == "pv_no_meter"
    assert world.pm.grid_w is None
    world.grid_dead = False
    world.run(400)
    assert world.evses[0].setpoint_ma >= 6000


def test_the_second_car_needs_half_as_much_again_and_the_last_goes_first():
    evses = [box(phases=1), box("E2", phases=1, priority=2)]
    world = SunWorld(evses, sun_w=4000)
    world.run(200)
    # The higher one first takes what it can use: 16 A, 3680 W.
    assert [evse.setpoint_ma > 0 for evse in world.evses] == [False, True]
    assert world.evses[0].reason.arguments[0] == 3680 + 1380
    world.sun_w = 5200
    world.run(200)
    assert [evse.setpoint_ma > 0 for evse in world.evses] == [True, True]
    world.sun_w = 4000
    world.run(300)
    assert [evse.setpoint_ma > 0 for evse in world.evses] == [False, True]


def test_cars_of_one_priority_share_the_sun():
    evses = [box(phases=1), box("E2", phases=1)]
    world = SunWorld(evses, sun_w=4000)
    world.run(300)
    assert world.pm.starts["E1"] + world.pm.starts["E2"] == 1
    world.sun_w = 4200  # (1380 + 1380) * 1.5
    world.run(300)
    assert abs(world.evses[0].setpoint_ma - world.evses[1].setpoint_ma) <= 100
    assert abs(world.grid_w) <= 100
    world.sun_w = 2000
    world.run(150)
    assert sorted([evse.setpoint_ma > 0 for evse in world.evses]) == [False, True]


def test_pv_and_fast_share_the_fuse():
    evses = [box(), box("E2"), box("E3")]
    world = SunWorld(evses, sun_w=20000, site={"max_total_current": 20000})
    world.pm.set_mode(FAST, "E3")
    for sun_w in (20000, 9000, 13000, 15000, 6000, 20000):
        world.sun_w = sun_w
        for _ in range(150):
            world.run(1)
            setpoints = [evse.setpoint_ma for evse in world.evses]
            assert sum(setpoints) <= 20000
            assert setpoints[2] >= 6000 or world.now_ms < 5000
    assert world.over_s == 0


def test_a_box_with_coarse_steps_comes_within_one_step():
    from chargecontrol.evse import Evse

    box_1a = box(phases=1)
    config = {
        "id": "E1",
        "priority": 1,
        "min_current_ma": 6000,
        "max_current_ma": 16000,
        "failsafe_current_ma": 6000,
        "phases": 1,
        "phase_rotation": 0,
    }
    assert box_1a.step_ma == 100
    for sun_w in (1820, 2050, 2180, 2300, 2460, 3000):
        world = SunWorld([Evse(config, 1000)], sun_w=sun_w)
        world.run(200)
        assert -230 <= world.grid_w <= 100, (sun_w, world.grid_w)


def test_a_full_car_leaves_the_sun_to_others():
    evses = [box(phases=1), box("E2", phases=1, priority=0)]
    world = SunWorld(evses, sun_w=2500)
    world.cars["E1"] = Car(0)
    world.run(130)
    assert [evse.setpoint_ma > 0 for evse in world.evses] == [True, False]
    world.run(670)
    assert world.cars["E2"].drawn_ma > 9000
    assert abs(world.grid_w) <= 200
