"""Who may charge when not all fit: pauses, turns, first come first served, priorities."""

from fakes.site_world import Car, World, box


def served(world):
    return [evse.id for evse in world.evses if evse.setpoint_ma]


def test_who_lost_his_place_to_a_row_pauses():
    world = World([box("E1"), box("E2")], max_total_current=20000)
    world.run(30)
    world.house_ma = [9000, 800, 600]
    world.run(2)
    assert served(world) == ["E1"]
    reason = world.evses[1].reason
    assert (reason.code, reason.arguments) == ("paused", ("L1",))
    assert reason.until_ms == world.evses[1].paused_until_ms == world.now_ms + 299000
    world.house_ma = [0, 0, 0]
    world.run(297)
    assert served(world) == ["E1"] and world.evses[1].reason.code == "paused"
    world.run(10)
    assert served(world) == ["E1", "E2"]


def test_a_pause_can_be_shorter_or_none():
    for pause_s in (0, 20):
        world = World([box("E1")], max_total_current=20000, min_pause_s=pause_s)
        world.run(30)
        world.house_ma = [19000, 0, 0]
        world.run(5)
        assert served(world) == []
        assert world.codes() == ["paused" if pause_s else "limit_binds"]
        world.house_ma = [0, 0, 0]
        world.run(5)
        assert served(world) == ([] if pause_s else ["E1"])
        world.run(20)
        assert served(world) == ["E1"]


def test_wishes_make_no_pause():
    world = World([box("E1")])
    world.run(30)
    evse = world.evses[0]
    evse.wish_ma, evse.wish_reason = 0, ("rule_none", (), None)
    assert world.run() == [0]
    assert evse.reason.code == "rule_none" and evse.paused_until_ms is None
    evse.wish_ma = None
    world.run(5)
    assert served(world) == ["E1"]


def test_a_new_car_is_not_held_by_the_pause_of_the_last():
    world = World([box("E1")], max_total_current=20000)
    world.run(30)
    world.house_ma = [19000, 0, 0]
    world.run(5)
    assert world.codes() == ["paused"]
    world.house_ma = [0, 0, 0]
    world.cars["E1"] = None
    world.run(2)
    assert world.codes() == ["no_vehicle"]
    world.cars["E1"] = Car()
    world.run(3)
    assert served(world) == ["E1"]


def test_wishes_bind_and_say_so():
    world = World([box("E1"), box("E2"), box("E3")], max_total_current=63000)
    first, second, third = world.evses
    first.wish_ma, first.wish_reason = 8000, ("plan", (), 99000)
    second.wish_ma, second.wish_reason = 5900, ("current_limit", ("x",), None)
    third.wish_ma, third.wish_reason = 16000, ("plan", (), None)
    assert world.run(40) == [8000, 0, 16000]
    reasons = [evse.reason for evse in world.evses]
    assert [reason.code for reason in reasons] == ["plan", "below_minimum", "evse_maximum"]
    assert (reasons[0].source, reasons[0].until_ms) == ("plan", 99000)
    assert (reasons[1].source, reasons[1].arguments) == ("current_limit", (6000,))


def test_a_waiting_car_gets_its_turn_and_is_told_when():
    world = World([box("E1"), box("E2")], max_total_current=10000)
    world.run(30)
    assert served(world) == ["E1"]
    reason = world.evses[1].reason
    assert (reason.code, reason.arguments) == ("rotation", ("L1",))
    assert abs(reason.until_ms - 900000) < 5000
    world.run(895)
    assert served(world) == ["E2"]
    assert world.codes()[0] == "paused"
    world.run(400)
    assert world.codes()[0] == "rotation"
    world.run(510)
    assert served(world) == ["E1"]


def test_all_get_the_same_time():
    for count, room, seconds in ((3, 1, 16200), (5, 2, 15000), (8, 5, 15000)):
        world = World(
            [box("E%d" % (n + 1)) for n in range(count)], max_total_current=1000 + room * 6500
        )
        times = [0] * count
        for second in range(seconds // 5):
            world.run(5)
            for n in range(count):
                times[n] += 5 if world.evses[n].setpoint_ma else 0
        assert max(times) - min(times) <= 0.2 * max(times), (count, room, times)
        assert sum(times) > 0.97 * room * seconds, (count, room, times)
        assert world.over_s <= 10


def test_first_come_first_served():
    evses = [box("E%d" % n, first_come_first_served=True) for n in range(1, 4)]
    world = World(evses, max_total_current=10000)
    world.cars["E1"] = world.cars["E2"] = None
    world.run(60)
    world.cars["E2"] = Car()
    world.run(60)
    world.cars["E1"] = Car()
    world.run(3000)
    assert served(world) == ["E3"]
    assert world.evses[0].reason.code == "rotation" and world.evses[0].reason.until_ms is None
    world.cars["E3"] = None
    world.run(60)
    assert served(world) == ["E2"]


def test_first_come_keeps_its_place_before_one_that_waits_longer():
    evses = [box("E1", first_come_first_served=True), box("E2")]
    world = World(evses, max_total_current=10000)
    world.cars["E1"] = None
    world.house_ma = [9000, 0, 0]
    world.run(100)
    world.cars["E1"] = Car()
    world.evses[1].wish_ma, world.evses[1].wish_reason = 0, ("rule_none", (), None)
    world.house_ma = [0, 0, 0]
    world.run(20)
    assert served(world) == ["E1"]
    world.evses[1].wish_ma = None
    for _ in range(2):
        world.run(1000)
        assert served(world) == ["E1"]


def test_first_come_is_by_plug_in_time_not_by_waiting_time():
    evses = [box("E%d" % n, first_come_first_served=True) for n in range(1, 3)]
    world = World(evses, max_total_current=10000)
    world.cars["E1"] = None
    world.run(60)
    world.cars["E1"] = Car()
    world.run(60)
    world.house_ma = [9000, 0, 0]
    world.run(400)
    assert served(world) == []  # E1 has waited longer than E2, which had the place
    world.house_ma = [0, 0, 0]
    world.run(20)
    assert served(world) == ["E2"]


def test_a_higher_class_takes_the_place():
    world = World([box("E1"), box("E2", priority=2)], max_total_current=10000)
    world.cars["E2"] = None
    world.run(60)
    assert served(world) == ["E1"]
    world.cars["E2"] = Car()
    world.run(5)
    assert served(world) == ["E2"]
    assert world.codes()[0] == "paused"
    world.run(2000)
    assert served(world) == ["E2"]
    assert world.codes()[0] == "limit_binds"


def test_places_change_without_an_overload():
    """Who comes up waits until the other has come down."""
    world = World([box("E1", max_current_ma=32000), box("E2", max_current_ma=32000, priority=2)])
    world.cars["E2"] = None
    world.run(60)
    world.cars["E2"] = Car()
    for _ in range(100):
        world.run()
        assert world.evses[1].setpoint_ma + world.cars["E1"].drawn_ma <= 34000
    assert world.evses[1].setpoint_ma == 32000
