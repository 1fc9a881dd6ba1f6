"""Feeders of a site: groups in groups, their own meters, limits of all EVSEs, unbalance."""

from fakes.site_world import Car, World, box

G1 = {"id": "G1", "parent": None, "max_current": 20000, "max_power": None, "meter": None}
G2 = {"id": "G2", "parent": "G1", "max_current": 14000, "max_power": None, "meter": None}


def test_a_group_in_a_group_keeps_both_limits():
    evses = [box("E1", group="G2"), box("E2", group="G1"), box("E3")]
    world = World(evses, groups=(G2, G1), max_total_current=63000)
    assert world.run(40) == [10000, 10000, 16000]
    assert world.evses[0].reason.code == "row_binds"
    assert world.evses[0].reason.arguments == ("G1.L1", "G1.max_current")
    assert world.evses[0].reason.source == "G1.max_current"
    world.cars["E2"].wants_ma = 0
    assert world.run(200) == [14000, 6000, 16000]
    assert world.evses[0].reason.arguments == ("G2.L1", "G2.max_current")


def test_a_group_with_a_meter_leaves_room_for_its_other_loads():
    group = dict(G1, meter="M2", reserve_current_ma=1000)
    world = World([box("E1", group="G1"), box("E2")], groups=(group,), max_total_current=63000)
    world.group_ma["G1"] = [9000, 0, 0]
    assert world.run(40) == [10000, 16000]
    world.group_ma["G1"] = [3000, 0, 0]
    assert world.run(40) == [16000, 16000]
    world.group_ma["G1"] = [12000, 0, 0]
    assert world.run(2) == [7000, 16000]


def test_a_lost_meter_of_a_group_is_felt_by_its_members_only():
    group = dict(G1, meter="M2")
    world = World([box("E1", group="G1"), box("E2")], groups=(group,), max_total_current=63000)
    world.group_ma["G1"] = [0, 0, 0]
    world.run(40)
    world.mute.append("G1")
    assert world.run(10) == [16000, 16000]
    assert world.site.feeders[1].trust == "held"
    assert world.run(10) == [6000, 16000]
    reason = world.evses[0].reason
    assert (reason.code, reason.arguments) == ("grid_meter_lost", ("M2",))
    assert world.site.feeders[1].trust == "lost"
    assert world.site.meter_reason is None


def test_power_of_a_group_is_a_total():
    """A one-phase car may take it all, three phases share it."""
    group = {"id": "G1", "max_current": None, "max_power": "limit", "reserve_current_ma": 0}
    world = World([box("E1", group="G1", max_current_ma=32000)], groups=(group,))
    world.names["limit"] = 6900
    assert world.run(40) == [10000]
    assert world.evses[0].reason.arguments == ("G1.power", "G1.max_power")
    world.cars["E1"].lines = 1
    assert world.run(60) == [30000]


def test_limits_of_all_evses_do_not_count_the_house():
    world = World([box("E1"), box("E2")], max_total_evse_current=24000)
    world.house_ma = [9000, 0, 0]
    assert world.run(60) == [12000, 12000]
    assert world.evses[1].reason.arguments == ("evses.L1", "max_total_evse_current")
    world = World([box("E1"), box("E2")], max_total_evse_power=13800)
    assert world.run(60) == [10000, 10000]
    assert world.evses[1].reason.arguments == ("evses.power", "max_total_evse_power")


def test_all_limits_are_shown_with_reasons():
    world = World([box(group="G1")], groups=(G1,), max_total_evse_power="x")
    world.run(5)
    found = {limit.source: limit for limit in world.site.limits}
    assert set(found) == {
        "start",
        "max_total_current",
        "max_total_power",
        "percent",
        "plan",
        "max_total_evse_power",
        "G1.max_current",
    }
    assert found["max_total_evse_power"].reason.code == "formula_failed"
    assert found["max_total_evse_power"].phase_ma == (6000, 6000, 6000)
    assert found["plan"].reason.code == "no_limit"
    assert all(limit.reason.source == source for source, limit in found.items())


def test_settings_change_and_what_is_known_stays():
    world = World([box("E1", group="G1"), box("E2")], groups=(G1,), max_total_current=35000)
    world.run(40)
    house = world.site.house
    settings = dict(max_total_current=20000, max_total_power=None, failsafe_current_ma=6000)
    settings.update(reserve_current_ma=0, voltage_v=230, meter_loss_current_ma=6000)
    world.site.configure(settings, (dict(G1, max_current=7000),))
    assert world.site.house is house
    assert sum(world.run(2)) <= 19000
    assert world.run(40) == [7000, 12000]


def test_percent_and_plan_limit_the_house():
    world = World([box("E1"), box("E2")], max_total_current=40000)
    world.site.percent = 50
    assert world.run(60) == [9500, 9500]
    assert world.evses[0].reason.arguments == ("percent", "L1")
    limit = [limit for limit in world.site.limits if limit.source == "percent"][0]
    assert (limit.value, limit.kind, limit.phase_ma) == (50, "percent", (20000,) * 3)
    assert limit.reason.arguments == (50,)
    world.site.plan_limit.fix(15000, "plan", world.now_ms)
    assert world.run(2) == [7000, 7000]
    assert world.evses[0].reason.source == "plan"
    world.site.percent = None
    world.site.plan_limit.clear(world.now_ms)
    assert world.run(60) == [16000, 16000]


def test_without_a_grid_meter_consumers_count():
    world = World([box("E1"), box("E2")], grid_id=None, max_total_current=30000)
    world.site.house.load_ma = (8000, 1000, 0)
    assert world.run(60) == [11000, 11000]
    world.site.house.load_ma = (0, 0, 0)
    assert world.run(60) == [15000, 15000]
    # Measured, and silent from now on.
    world.site.house.read_ms = world.now_ms
    world.run(17)
    assert world.site.meter_reason.code == "grid_meter_lost"
    assert world.run() == [6000, 6000]


def test_one_phase_cars_stay_in_balance():
    evses = [box("E1", phases=1, max_current_ma=32000), box("E2", phases=1, phase_rotation=120)]
    world = World(evses, max_total_current=63000, max_unbalance_ma=20000)
    world.cars["E1"].lines = world.cars["E2"].lines = 1
    world.cars["E2"] = None
    assert world.run(60) == [20000, 0]
    assert world.evses[0].reason.code == "unbalance"
    world.cars["E2"] = Car(lines=1)
    assert world.run(60) == [20000, 16000]  # L3 stays empty
    world = World([box("E1", phases=1, max_current_ma=32000)], max_unbalance_ma=None)
    world.cars["E1"].lines = 1
    assert world.run(60) == [32000]


def test_unbalance_with_the_house():
    evses = [box("E1", phases=1, max_current_ma=32000)]
    settings = dict(max_total_current=63000, max_unbalance_ma=20000, unbalance_with_house=True)
    world = World(evses, **settings)
    world.cars["E1"].lines = 1
    world.house_ma = [5000, 3000, 2000]
    assert world.run(60) == [17000]
    world.house_ma = [0, 3000, 2000]
    assert world.run(60) == [22000]


def test_who_does_not_draw_makes_no_room():
    """A car asleep on L2 must not let another take more on L1."""
    rotated = {"phases": 1, "max_current_ma": 32000}
    evses = [box("E1", **rotated)] + [
        box("E%d" % (2 + n), phase_rotation=120 * (n + 1), **rotated) for n in range(2)
    ]
    world = World(evses, max_total_current=63000, max_unbalance_ma=20000)
    for car in world.cars.values():
        car.lines = 1
    world.cars["E2"].wants_ma = world.cars["E3"].wants_ma = 0
    world.run(100)
    assert world.evses[0].setpoint_ma == 20000
    world.cars["E2"].wants_ma = world.cars["E3"].wants_ma = 10000
    world.run(100)
    assert 28000 <= world.evses[0].setpoint_ma <= 32000
