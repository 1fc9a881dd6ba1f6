"""Phase switching: thresholds, the sequence, lock-outs, every mode, and what fails."""

from fakes.dimmed_site import SETTINGS as DIMMED
from fakes.dimmed_site import steerable
from fakes.site_world import Car, box
from fakes.sun_world import LOAD_SETTINGS, SunWorld

from chargecontrol.dimming import Dimming
from chargecontrol.power_manager import FAST, MIN_PV, OFF


def one(sun_w=0, **settings):
    return SunWorld([box()], sun_w, ("E1",), **settings)


def state(world):
    """(setpoint, phases that the box has)."""
    return world.evses[0].setpoint_ma, world.evses[0].box_phases


def test_steady_sun_starts_with_one_phase_and_goes_to_three():
    world = one(1370)
    world.run(300)
    assert state(world) == (0, 3) and world.switched_ms["E1"] == []
    world.sun_w = 1381  # 6000 mA
    world.run(200)
    assert state(world) == (6000, 1)
    world.sun_w = 4130
    world.run(600)
    assert state(world) == (16000, 1)
    world.sun_w = 4145  # 18000 mA
    world.run(300)
    assert state(world) == (6000, 3)
    assert world.pm.switchings == {"E1": 2}
    assert world.pm.starts == {"E1": 1}
    assert abs(world.grid_w) <= 100


def test_less_sun_takes_it_back_to_one_phase_where_it_goes_on():
    world = one(6000)
    world.run(400)
    assert state(world)[1] == 3
    assert world.switched_ms["E1"] == []  # the box had three: it starts so
    world.sun_w = 3600
    world.run(100)
    assert state(world) == (6000, 3)
    world.run(100)
    assert state(world)[1] == 1
    assert abs(world.grid_w) <= 100
    assert world.pm.starts == {"E1": 1}
    world.sun_w = 500
    world.run(300)
    assert state(world) == (0, 1)


def test_the_sequence():
    world = one(1500)
    world.run(200)
    world.sun_w = 6000
    seen = []
    while world.evses[0].box_phases == 1 or world.evses[0].hold:
        world.run(1)
        hold = world.evses[0].hold
        assert hold is None or world.evses[0].setpoint_ma == 0
        code = hold and hold[0]
        if not seen or seen[-1][0] != code:
            seen.append((code, world.cars["E1"].drawn_ma, world.evses[0].ordered_phases))
        assert world.now_ms < 1200000
    assert [entry[0] for entry in seen] == [
        None,
        "phase_switch_stopping",
        "phase_switch_waiting",
        None,
    ]
    assert seen[2][1] < 1000
    assert seen[1][2] == 1 and seen[2][2] == 3
    released_ms = world.now_ms
    assert released_ms - world.switched_ms["E1"][-1] >= 15000
    world.run(30)
    assert state(world)[0] > 6000


def test_lock_out_between_two_switchings():
    world = one(1500, cloud_filter_mode=0, default_mode=MIN_PV)
    for _ in range(20):
        world.sun_w = 7000
        world.run(130)
        world.sun_w = 1500
        world.run(130)
    times = world.switched_ms["E1"]
    assert len(times) > 5
    assert min([b - a for a, b in zip(times, times[1:])]) >= 210000
    world = one(7000, hysteresis_s=600)
    world.run(400)
    world.sun_w = 1500
    world.run(150)
    assert state(world) == (6000, 3)
    assert world.pm.waits("E1")[0][0] == "phase_switch_locked"
    world.pm.set_mode(FAST)
    world.pm.set_mode(2)  # a change of mode does not wait for it
    world.run(60)
    assert state(world)[1] == 1


def test_a_box_that_does_not_confirm():
    world = one(1500)
    world.stuck = ["E1"]
    evse = world.evses[0]
    while not evse.hold or evse.hold[0] != "phase_switch_failed":
        world.run(1)
        assert world.now_ms < 200000
    assert evse.ordered_phases == 3
    failed_ms = world.now_ms
    for _ in range(480):  # too little for three phases: it must not take them
        assert world.run(1) == [0]
    world.stuck = []
    world.run(500)
    assert state(world) == (6500, 1)
    assert world.switched_ms["E1"][0] - failed_ms >= 210000
    world.stuck = ["E1"]
    world.sun_w = 6000
    full_s = 0
    for _ in range(3600):  # it goes on with the phase that it has, and tries ever more seldom
        world.run(1)
        full_s += state(world) == (16000, 1)
    assert full_s >= 3000


def test_unknown_phases_are_ordered_before_it_charges():
    world = one(0, default_mode=FAST)
    world.evses[0].box_phases = None
    world.run(2)
    assert state(world) == (0, None)
    assert world.evses[0].ordered_phases == 3
    world.run(40)
    assert state(world) == (16000, 3)
    world = one(0, default_mode=FAST)
    world.evses[0].box_phases = None
    world.stuck = ["E1"]
    world.run(90)
    assert state(world) == (16000, None)  # what it does without being asked


def test_always_one_phase():
    world = one(9000, phase_switching_mode=1)
    world.run(300)
    assert state(world) == (16000, 1)
    world.pm.set_mode(FAST)
    world.run(300)
    assert state(world) == (16000, 1)


def test_always_three_phases():
    world = one(4100, phase_switching_mode=2)
    world.evses[0].box_phases = 1
    world.run(300)
    assert state(world) == (0, 3)
    world.sun_w = 4200
    world.run(200)
    assert state(world) == (6000, 3)


def test_one_phase_for_the_sun_three_for_fast():
    world = one(9000, phase_switching_mode=4)
    world.run(300)
    assert state(world) == (16000, 1)
    world.pm.set_mode(FAST)
    world.run(60)
    assert state(world) == (16000, 3)
    world.pm.set_mode(MIN_PV)
    world.run(60)
    assert state(world) == (16000, 1)


def test_external_control():
    world = SunWorld(
        [box()],
        0,
        ("E1",),
        phase_switching_mode=3,
        excess_charging_enable=False,
        default_mode=0,
    )
    world.run(30)
    pm = world.pm
    assert (pm.external_control, pm.phases_wanted) == (0, 3)
    assert state(world) == (16000, 3)
    pm.set_phases_wanted(1)
    world.run(2)
    assert pm.external_control == 3
    try:
        pm.set_phases_wanted(3)
        raise AssertionError("switching")
    except ValueError as error:
        assert str(error) == "external_control_switching"
    world.run(60)
    assert pm.external_control == 0
    assert state(world) == (16000, 1)
    pm.set_phases_wanted(0)
    world.run(2)
    assert state(world) == (0, 1)
    assert world.codes() == ["external_no_release"]
    pm.set_phases_wanted(3)
    world.run(60)
    assert state(world) == (16000, 3)
    world.evses[0].silent_since_ms = world.now_ms
    world.run(2)
    assert pm.external_control == 2


def test_external_control_needs_its_mode_and_a_box_that_can():
    assert one().pm.external_control == 1
    world = SunWorld([box()], phase_switching_mode=3)
    assert world.pm.external_control == 2
    for phases in (1, 7):
        try:
            world.pm.set_phases_wanted(phases)
            raise AssertionError("unavailable")
        except ValueError as error:
            assert str(error) == "external_control_unavailable"


def test_fast_uses_the_one_phase_that_has_room():
    world = one(0, default_mode=FAST)
    world.house_ma = [5000, 30000, 31000]
    world.run(120)
    assert state(world) == (16000, 1)
    world.house_ma = [5000, 28000, 5000]  # 7 A: not half as much again as the minimum
    world.run(400)
    assert state(world) == (16000, 1)
    world.house_ma = [5000, 25000, 5000]
    world.run(300)
    assert state(world) == (10000, 3)
    assert world.over_s <= 5


def test_a_car_of_one_phase_is_not_offered_three_again():
    world = one(1500)
    world.cars["E1"] = Car(32000, 1)
    world.evses[0].box_phases = 3
    world.pm.set_mode(FAST)
    world.run(60)
    assert world.evses[0].phases == 1
    world.pm.set_mode(2)
    world.run(60)
    assert state(world) == (6500, 3)  # no switching for it
    world.sun_w = 9000
    world.run(400)
    assert world.switched_ms["E1"] == []
    assert state(world)[0] == 16000


def test_clouds_cost_little_grid_energy_and_few_switchings():
    world = one(7000, cloud_filter_mode=2)
    world.run(300)
    drawn_ws = grid_ws = 0
    for second in range(10800):
        world.sun_w = 1500 if second % 450 < 150 else 7000
        world.run(1)
        car_w = sum(world.cars["E1"].measured()) * 230 // 1000
        drawn_ws += car_w
        grid_ws += max(0, min(car_w, world.grid_w))
    assert grid_ws * 100 <= drawn_ws * 4, (grid_ws // 3600, drawn_ws // 3600)
    assert drawn_ws >= 6 * 3600000
    assert world.pm.switchings["E1"] <= 6
    world.sun_w = 7000  # when the clouds have gone it has three phases again
    world.run(1600)
    assert state(world)[1] == 3


def test_fast_takes_three_phases_at_once():
    world = one(1500)
    world.run(200)
    assert state(world) == (6500, 1)
    world.pm.set_mode(FAST)
    world.run(3)
    assert world.codes() == ["phase_switch_stopping"]
    world.run(60)
    assert state(world) == (16000, 3)


def test_two_boxes_that_switch():
    world = SunWorld([box(), box("E2")], 1500, ("E1", "E2"))
    for sun_w in (1500, 5000, 9000, 14000, 9000, 5000, 3000, 1500, 0):
        world.sun_w = sun_w
        world.run(600)
        assert world.grid_w <= 200, (sun_w, world.grid_w)
        if sun_w in (9000, 14000):
            assert world.grid_w >= -300, (sun_w, world.grid_w)
    world.pm.set_mode(OFF)
    assert world.run(1) == [0, 0]


def test_a_rule_orders_phases_with_and_without_surplus():
    """Ex.switch_phases: before all but external control, with the lock-outs of the others."""
    for settings in (
        {"default_mode": FAST},
        {"default_mode": FAST, "excess_charging_enable": False},
        {"default_mode": FAST, "phase_switching_mode": 2},
        {"default_mode": FAST, "phase_switching_mode": 4},
    ):
        world = one(0, **settings)
        world.run(60)
        assert state(world) == (16000, 3), settings
        world.evses[0].wanted_phases = 1
        world.run(300)
        assert state(world) == (16000, 1), settings
        world.evses[0].wanted_phases = None
        world.run(300)
        assert state(world) == (16000, 3), settings
        times = world.switched_ms["E1"]
        assert len(times) == 2 and times[1] - times[0] >= 210000
    world = one(6000, phase_switching_mode=1)
    world.evses[0].wanted_phases = 3
    world.run(600)
    assert state(world)[1] == 3  # in PV, too
    world.evses[0].wanted_phases = 1
    world.run(600)
    assert state(world) == (16000, 1)  # where three were better
    world.evses[0].wanted_phases = None
    world.pm.configure(dict(world.pm.settings, phase_switching_mode=0), LOAD_SETTINGS)
    world.run(900)
    assert state(world)[1] == 3
    world = one(0, phase_switching_mode=3, excess_charging_enable=False, default_mode=FAST)
    world.evses[0].wanted_phases = 1
    world.run(600)
    assert state(world) == (16000, 3)


def test_a_box_that_cannot_switch_goes_on_whatever_a_rule_orders():
    world = SunWorld([box()], 6000, default_mode=FAST)
    world.evses[0].wanted_phases = 1
    world.run(300)
    assert world.evses[0].setpoint_ma == 16000 and world.evses[0].phases == 3


def test_fast_goes_to_one_phase_where_dimming_leaves_no_more():
    evse = box("E1")
    settings = dict(excess_charging_enable=False, default_mode=0, hysteresis_s=30)
    world = SunWorld([evse], switchable=("E1",), **settings)
    dimming = Dimming()
    dimming.configure(DIMMED, [steerable("S1", device="E1")], {"E1": evse}, 230)
    world.site.dimming = dimming
    dimming.update(0, [], None)
    world.run(60)
    assert evse.setpoint_ma == 16000 and evse.phases == 3
    for _ in range(400):
        dimming.update(world.now_ms, [(3000, "C1")], None)
        world.run()
    assert evse.box_phases == evse.phases == 1
    assert evse.setpoint_ma == 13000
    for _ in range(400):
        dimming.update(world.now_ms, [(4200, "C1")], None)
        world.run()
    assert evse.box_phases == 1 and evse.setpoint_ma == 16000
    for _ in range(400):
        dimming.update(world.now_ms, [], None)
        world.run()
    assert evse.box_phases == 3 and evse.setpoint_ma == 16000
