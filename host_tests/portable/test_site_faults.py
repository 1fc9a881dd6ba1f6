"""What does not go as told: overdraft, boxes that do not obey, boxes that are silent."""

from fakes.site_world import World, box


def overdraft(world):
    for limit in world.site.limits:
        if limit.source.endswith("overdraft"):
            return limit
    return None


def test_what_stays_above_the_limit_is_taken_off_for_five_minutes():
    world = World([box("E1")], max_total_current=16000)
    world.run(60)
    assert overdraft(world) is None
    world.house_ma = [20000, 0, 0]
    world.run(10)
    world.house_ma = [0, 0, 0]
    seen_ms = world.now_ms
    house = world.site.house
    world.run(1)
    limit = overdraft(world)
    assert limit.reason.code == "overdraft" and limit.reason.arguments == (4000,)
    assert limit.until_ms == limit.reason.until_ms == seen_ms + 300000
    assert limit.phase_ma == (12000, 16000, 16000) and limit in world.site.limits
    assert house.overdraft_ma == 4000 and house.overdraft_max_ma == 19000
    world.site.evses[0].paused_until_ms = None
    assert world.run(60) == [12000]
    assert world.evses[0].reason.source == "overdraft"
    assert world.run(280) == [16000]
    assert limit.reason.code == "no_limit" and house.overdraft_ma == 0
    assert house.overdraft_max_ma == 19000


def test_a_step_that_is_answered_is_no_overdraft():
    world = World([box("E1")], max_total_current=20000)
    world.run(60)
    world.house_ma = [9000, 0, 0]
    assert world.run(30) == [11000]
    assert world.site.house.overdraft_ma == 0
    assert world.site.house.overdraft_max_ma == 5000
    world.house_ma = [4000, 0, 0]
    assert world.run(30) == [16000]


def test_a_limit_that_just_fell_is_not_overdrawn():
    world = World([box("E1")], max_total_current="x")
    world.names["x"] = 32000
    world.run(60)
    world.names["x"] = 10000
    world.run(9)
    world.names["x"] = 32000
    world.run(60)
    assert world.site.house.overdraft_max_ma == 0


def test_a_group_has_its_own_overdraft():
    group = {"id": "G1", "max_current": 10000, "meter": "M2", "reserve_current_ma": 0}
    world = World([box("E1", group="G1")], groups=(group,))
    world.group_ma["G1"] = [12000, 0, 0]
    world.run(40)
    feeder = world.site.feeders[1]
    assert feeder.overdraft_ma == 2000 and world.site.house.overdraft_ma == 0
    assert overdraft(world).source == "G1.overdraft"


def ignoring(**settings):
    world = World([box("E1"), box("E2")], max_total_current=35000, **settings)
    world.run(60)
    world.cars["E1"].obeys = False
    return world


def test_who_ignores_a_decrease_stops_all_on_its_row():
    world = ignoring()
    world.house_ma = [15000, 0, 0]
    world.run(7)
    # Its order stays until it is sure, and all others make room.
    assert world.evses[0].setpoint_ma == 7000 and not world.evses[0].ignoring
    assert world.codes() == ["ignores_setpoint", "paused"]
    world.run(23)
    assert world.evses[0].setpoint_ma == 7000 and world.over_s <= 10
    assert world.run(3) == [0, 0]
    assert world.codes() == ["ignores_setpoint", "stopped_by_ignoring"]
    assert world.evses[1].reason.arguments == ("E1",)
    # What it draws is no load of the house: 35 A - 15 A - its 16 A.
    assert world.site.available_ma[0] == 4000 - world.site.house.overdraft_ma
    world.house_ma = [0, 0, 0]
    world.cars["E1"].obeys = True
    world.run(310)
    assert world.codes() == ["evse_maximum", "evse_maximum"]


def test_who_ignores_a_wish_stops_nobody():
    world = ignoring()
    world.evses[0].wish_ma = 8000
    world.evses[0].wish_reason = ("plan", (), None)
    assert world.run(50) == [0, 16000]
    assert world.codes() == ["ignores_setpoint", "evse_maximum"]
    world.house_ma = [12000, 0, 0]
    assert world.run(2) == [0, 7000]


def test_a_small_excess_is_not_ignoring():
    world = World([box("E1")], max_total_current=35000)
    world.run(60)
    world.cars["E1"].obeys = False
    for excess_ma, slow in ((1400, False), (2000, True)):
        world.cars["E1"].drawn_ma = 16000 + excess_ma
        world.run(20)
        assert world.evses[0].slow is slow and not world.evses[0].ignoring


def test_a_silent_box_counts_on_the_lines_that_are_wired():
    world = World([box("E1"), box("E2")], max_total_current=21000)
    world.cars["E1"].lines = 1
    world.run(60)
    evse = world.evses[0]
    assert evse.lines == 1
    evse.silent_since_ms = world.now_ms
    world.cars["E1"] = None
    world.run(30)
    assert evse.lines == 7 and evse.reason.code == "evse_silent"
    assert world.site.available_ma == (10000, 10200, 10400)
    world.run(180)
    assert world.site.available_ma == (14000, 14200, 14400)  # its fail-safe current
    assert world.evses[1].setpoint_ma == 14000
