"""What a car really does: phases it uses, current it leaves, sleep."""

from fakes.site_world import Car, World, box


def test_phases_are_detected_when_they_are_sure():
    world = World([box()], max_total_current=16000)
    world.cars["E1"].lines = 1
    world.house_ma = [0, 9000, 9000]
    world.run(8)
    evse = world.evses[0]
    assert (evse.lines, evse.phases, evse.cphases) == (7, 3, 1)
    world.run(20)
    assert (evse.lines, evse.phases) == (1, 1)
    assert world.run(20) == [16000]
    world.cars["E1"].lines = 3  # more of them count at once
    world.run(1)
    assert evse.lines == 3
    assert world.run(2) == [7000]
    world.cars["E1"] = None
    world.run(1)
    assert (evse.lines, evse.cphases, evse.plugged_ms) == (7, 0, None)


def test_a_car_on_the_second_line_loads_that_phase():
    world = World([box(phases=1, phase_rotation=240)], max_total_current=16000)
    world.cars["E1"].lines = 2
    world.house_ma = [4000, 9000, 9000]
    world.run(30)
    assert world.evses[0].lines == 2
    assert world.run(20) == [12000]


def test_detection_can_be_switched_off():
    world = World([box(detect_phases=False)])
    world.cars["E1"].lines = 1
    world.run(60)
    assert (world.evses[0].lines, world.evses[0].cphases) == (7, 1)


def test_a_low_current_proves_no_phase():
    world = World([box()])
    world.cars["E1"].wants_ma = 3000
    world.cars["E1"].lines = 1
    world.run(60)
    assert world.evses[0].lines == 7


def test_what_a_car_leaves_goes_to_others():
    world = World([box("E1"), box("E2")], max_total_current=21000)
    assert world.run(40) == [10000, 10000]
    world.cars["E1"].wants_ma = 7000
    assert world.run(20) == [10000, 10000]
    assert world.run(40) == [8500, 11500]
    assert world.codes() == ["unused", "limit_binds"]
    assert world.evses[0].reason.arguments == (8500,)
    world.cars["E1"].wants_ma = 2000
    assert world.run(60) == [6000, 14000]


def test_a_battery_that_gets_full_is_followed_down():
    world = World([box("E1"), box("E2")], max_total_current=33000)
    assert world.run(60) == [16000, 16000]
    for wants_ma in range(16000, 5000, -1000):
        world.cars["E1"].wants_ma = wants_ma
        world.run(60)
        assert world.evses[0].setpoint_ma <= wants_ma + 2000
        assert world.evses[1].setpoint_ma == 16000
    assert world.evses[0].setpoint_ma == 7500


def test_who_wants_more_again_is_back_in_less_than_a_minute():
    world = World([box("E1", max_current_ma=32000), box("E2", max_current_ma=32000)])
    world.limit_ma = None
    world.cars["E1"].wants_ma = 7000
    world.run(100)
    assert world.evses[0].setpoint_ma == 8500
    world.cars["E1"].wants_ma = 32000
    world.run(59)
    assert world.cars["E1"].drawn_ma >= 16500


def test_a_box_without_a_meter_is_not_thought_to_leave_anything():
    world = World([box("E1"), box("E2")], max_total_current=21000)
    for _ in range(100):
        world._tick()
        for evse in world.evses:
            evse.measured_ma = [evse.sent_ma or 0] * 3
        world.site.decide(world.now_ms, True, (world.lookup,) * 3)
        for evse in world.evses:
            evse.sent_ma = evse.setpoint_ma
    assert world.codes() == ["limit_binds", "limit_binds"]


def test_a_car_asleep_is_offered_its_minimum():
    world = World([box("E1", min_current_ma=8000), box("E2")], max_total_current=26000)
    world.cars["E1"].wants_ma = 0
    assert world.run(20) == [12500, 12500]  # it may take so long to begin
    assert world.run(140) == [8000, 16000]
    assert world.evses[0].reason.code == "not_drawing"
    world.cars["E1"].wants_ma = 32000
    assert world.run(60) == [12500, 12500]


def test_the_place_of_a_car_asleep_goes_to_one_that_waits():
    world = World([box("E1"), box("E2")], max_total_current=10000)
    world.cars["E1"].wants_ma = 0
    world.run(60)
    assert world.evses[0].setpoint_ma and not world.evses[1].setpoint_ma
    world.run(90)
    assert world.evses[1].setpoint_ma and not world.evses[0].setpoint_ma
    # The one that charges keeps it, but seldom the other is tried again.
    tried = 0
    drawn = world.drawn_mas["E2"]
    for _ in range(20):
        world.run(600)
        tried += world.evses[0].place_ms is not None
    assert world.drawn_mas["E2"] - drawn > 0.9 * 12000 * 3 * 9000
    world.cars["E1"].wants_ma = 32000
    drawn = world.drawn_mas["E1"]
    world.run(7200)
    assert world.drawn_mas["E1"] > drawn


def test_a_car_asleep_has_time_to_wake_when_its_turn_comes():
    world = World([box("E1"), box("E2"), box("E3")], max_total_current=8000)
    world.cars["E1"].wants_ma = 0
    world.run(300)
    world.cars["E1"].wants_ma = 32000
    assert world.drawn_mas["E1"] == 0
    world.run(7200)
    assert world.drawn_mas["E1"] > 0


def test_what_is_known_of_a_session():
    world = World([box()])
    evse = world.evses[0]
    world.cars["E1"] = None
    world.drawn_mas["E1"] = 15700000
    world.run(10)
    world.cars["E1"] = Car()
    world.run(30)
    assert (evse.plugged_ms, evse.plugged_wh) == (11000, 1003)
    assert 20000 <= evse.charging_ms <= 27000
    evse.state = "F"
    world.site.decide(world.now_ms, True, (world.lookup,) * 3)
    assert evse.reason.code == "evse_error" and evse.plugged_ms == 11000


def test_one_phase_cars_are_unbalanced_only_until_they_draw():
    world = World([box("E1"), box("E2")], max_total_current=63000, max_unbalance_ma=20000)
    for id in ("E1", "E2"):
        world.cars[id] = Car(lines=1)
    apart_s = 0
    for _ in range(120):
        world.run(1)
        apart_s += sum([world.cars[id].drawn_ma for id in ("E1", "E2")]) > 20000
    assert apart_s <= 5
    assert sum([evse.setpoint_ma for evse in world.evses]) == 20000
