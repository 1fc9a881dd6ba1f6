"""What a review found: sites that change while cars charge, boxes that confirm nothing."""

from fakes.site_world import World, box

G1 = {"id": "G1", "parent": None, "max_current": 20000, "meter": None}
G2 = {"id": "G2", "parent": "G1", "max_current": 20000, "meter": "M2"}


def config(id, **changes):
    document = {
        "id": id,
        "priority": 1,
        "min_current_ma": 6000,
        "max_current_ma": 16000,
        "failsafe_current_ma": 6000,
        "phases": 3,
        "phase_rotation": 0,
    }
    document.update(changes)
    return document


def settings(**changes):
    from fakes.site_world import SETTINGS

    document = dict(SETTINGS)
    document.update(changes)
    return document


def test_a_box_that_takes_no_order_is_counted_as_load():
    """It answers, but its writes are refused: what it draws is not what others may have."""
    for told_ma in (None, 16000):
        world = World([box("E1"), box("E2")], max_total_current=20000)
        world.house_ma = [0, 0, 0]
        stuck = world.evses[0]
        car = world.cars["E1"]
        car.obeys = False
        car.drawn_ma = 16000
        for _ in range(60):
            world.run(1)
            stuck.sent_ma = told_ma
        assert stuck.ignoring and world.evses[1].setpoint_ma == 0


def test_detected_lines_survive_other_settings():
    world = World([box("E1"), box("E2")], max_total_current=20000)
    world.cars["E1"].lines = 1
    world.run(60)
    evse = world.evses[0]
    assert evse.lines == 1
    evse.configure(config("E1", priority=2))
    assert evse.lines == 1
    evse.configure(config("E1", phases=2))
    assert evse.lines == 3


def test_a_group_whose_meter_is_taken_away_is_not_lost():
    world = World([box("E1", group="G1")], groups=(dict(G1, meter="M2"),))
    world.group_ma["G1"] = [0, 0, 0]
    world.run(40)
    world.site.configure(settings(), (G1,))
    world.run(60)
    assert world.site.feeders[1].trust == "none"
    assert world.evses[0].setpoint_ma == 16000


def test_a_group_leaves_room_for_what_the_meter_of_a_group_in_it_sees():
    evses = [box("E1", group="G2"), box("E2", group="G1")]
    world = World(evses, groups=(G1, G2), max_total_current=63000)
    world.group_ma["G2"] = [8000, 0, 0]
    assert world.run(60) == [6000, 6000]


def test_a_minimum_between_two_steps_lets_a_sleeping_car_wake():
    evse = box("E1", min_current_ma=6050)
    world = World([evse])
    world.cars["E1"].wants_ma = 0
    world.run(300)
    assert evse.reason.code == "not_drawing" and evse.setpoint_ma == 6100
    world.cars["E1"].wants_ma = 32000
    assert world.run(60) == [16000]


def test_after_watching_only_nobody_is_taken_to_have_disobeyed():
    world = World([box("E1"), box("E2")], max_total_current=40000, load_management=False)
    for car in world.cars.values():
        car.obeys = False
        car.drawn_ma = 16000
    for _ in range(60):
        world.run(1)
        for evse in world.evses:
            evse.sent_ma = 6000  # of the time when it was told something
    assert not world.evses[0].slow and world.evses[0].setpoint_ma == 16000
    world.site.configure(settings(max_total_current=40000))
    assert world.run(1) == [16000, 16000]


def test_a_silent_box_that_never_answered_counts_with_its_failsafe_current():
    """Its cable has no meter, and it may charge since before the board started."""
    group = dict(G1, max_current=16000)
    world = World([box("E1", group="G1"), box("E2", group="G1")], groups=(group,))
    world.evses[0].silent_since_ms = 0
    world.run(60)
    assert world.evses[1].setpoint_ma == 10000


def test_what_a_silent_box_may_draw_hides_no_load():
    """It is taken off the meter's reading by as much as is reserved for it, not by more."""
    world = World([box("E1", phases=1), box("E2")], max_total_current=30000)
    world.cars["E1"].lines = 1
    world.run(60)
    world.evses[0].silent_since_ms = world.now_ms
    world.cars["E1"] = None
    world.run(10)
    world.house_ma = [0, 20000, 0]
    assert world.run(5)[1] <= 10000  # on L2, where the box has no wire
    world.run(200)
    world.house_ma = [18000, 0, 0]
    assert world.run(5)[1] <= 12000  # its last order is no longer reserved
