"""From readings to setpoints: limits, the house's load, falling back, rising step by step."""

from chargecontrol.evse import Evse
from chargecontrol.site import Site

SETTINGS = {
    "max_total_current": 35000,
    "max_total_power": None,
    "failsafe_current_ma": 6000,
    "reserve_current_ma": 0,
    "voltage_v": 230,
    "meter_loss_current_ma": 6000,
}


def box(id="E1", **changes):
    config = {
        "id": id,
        "priority": 1,
        "min_current_ma": 6000,
        "max_current_ma": 16000,
        "failsafe_current_ma": 6000,
        "phases": 3,
        "phase_rotation": 0,
    }
    config.update(changes)
    return Evse(config, 100)


class World:
    """A site whose boxes obey at once and whose grid meter is read each second."""

    def __init__(self, evses, grid_id="M1", **settings):
        merged = dict(SETTINGS)
        merged.update(settings)
        self.site = Site(merged, evses, grid_id)
        self.evses = evses
        self.names = {}
        self.house_ma = [1000, 800, 600]
        self.now_ms = 0
        self.meter_ms = 0
        self.ready = True
        self.meter_answers = True
        for evse in evses:
            evse.state = "C"
            evse.silent_since_ms = None

    def lookup(self, name, field):
        return self.names[(name + "." + field) if name else field]

    def decide(self, grid_ma, read_ms):
        self.site.house.reading_ma = grid_ma
        self.site.house.read_ms = read_ms
        self.site.decide(self.now_ms, self.ready, (self.lookup,) * 3)

    def run(self, seconds=1):
        for _ in range(seconds):
            self.now_ms += 1000
            if self.meter_answers:
                self.meter_ms = self.now_ms
            grid = list(self.house_ma)
            for evse in self.evses:
                evse.read_ms = self.now_ms
                for line in range(evse.phases):
                    grid[evse.house_phase(line)] += evse.measured_ma[line]
            self.decide(grid, self.meter_ms)
            for evse in self.evses:
                evse.sent_ma = evse.setpoint_ma
                evse.measured_ma = [evse.setpoint_ma if n < evse.phases else 0 for n in range(3)]
        return [evse.setpoint_ma for evse in self.evses]


def test_one_car_rises_to_its_maximum_and_says_so():
    world = World([box()])
    first = world.run()[0]
    assert 6000 <= first < 16000
    assert world.evses[0].reason.code == "rising"
    assert world.run(20) == [16000]
    assert world.evses[0].reason.code == "evse_maximum"


def test_two_cars_share_what_the_house_leaves():
    world = World([box("E1"), box("E2")], max_total_current=20000)
    assert world.run(30) == [9500, 9500]
    assert world.evses[0].reason.code == "limit_binds"
    assert world.evses[0].reason.arguments == ("max_total_current", "L1")


def test_a_new_load_is_answered_at_once_and_whole():
    world = World([box("E1"), box("E2")], max_total_current=30000)
    world.run(30)
    world.house_ma = [11000, 800, 600]
    assert world.run() == [9500, 9500]


def test_a_car_that_ramps_down_is_not_lowered_twice():
    """Grid meter and box are read at different times while the car follows over four seconds."""
    evse = box(max_current_ma=32000)
    settings = dict(SETTINGS)
    site = Site(settings, [evse], "M1")
    evse.state = "C"
    evse.silent_since_ms = None
    drawn_ma = 32000.0
    house_ma = 1000
    grid_ma, grid_ms = None, None
    low_ma = 32000
    limit_ma = 35000
    for tick in range(400):
        now_ms = tick * 100
        step_ma = 700
        drawn_ma += max(-step_ma, min(step_ma, evse.setpoint_ma - drawn_ma))
        if tick == 200:
            limit_ma = 15000
            settings["max_total_current"] = limit_ma
            site.configure(settings)
        if tick % 10 == 2:
            grid_ma, grid_ms = [house_ma + int(drawn_ma)] * 3, now_ms
        if tick % 10 == 7:
            evse.measured_ma, evse.read_ms = [int(drawn_ma)] * 3, now_ms
        if tick % 10 == 0:
            site.house.reading_ma, site.house.read_ms = grid_ma, grid_ms
            site.decide(now_ms, True, (None,) * 3)
            evse.sent_ma = evse.setpoint_ma
            if tick > 200:
                low_ma = min(low_ma, evse.setpoint_ma)
    assert limit_ma - house_ma - 100 <= evse.setpoint_ma <= limit_ma - house_ma
    # Readings between which the ramp begins or ends leave a small error.
    assert low_ma > limit_ma - house_ma - 1500, low_ma


def test_a_raise_waits_for_a_reading_that_shows_the_last_one():
    world = World([box()], max_total_current=20000)
    first = world.run()[0]
    assert world.run()[0] == first
    assert world.run()[0] > first


def test_contact_formula_in_watts_limits_all_phases():
    world = World([box("E1"), box("E2")], max_total_power="PB.input1 ? 9660 : 25000")
    world.names["pb.input1"] = 0
    assert world.run(30) == [16000, 16000]
    world.names["pb.input1"] = 1
    setpoints = world.run()
    assert sum(setpoints) <= 14000 - 1000
    assert world.evses[0].reason.arguments[0] == "max_total_power"
    world.names["pb.input1"] = 0
    assert world.run(30) == [16000, 16000]


def test_a_formula_that_fails_gives_the_fail_safe_current_and_names_its_column():
    world = World([box()], max_total_power="55000 * AVAIL / 100")
    assert world.run(10) == [0]  # 6 A for the house, 1 A of them used: no car gets 6 A
    limit = world.site.limits[2]
    assert limit.value is None
    assert limit.phase_ma == (6000, 6000, 6000)
    assert limit.reason.code == "formula_failed"
    assert limit.reason.arguments[:2] == ("55000 * AVAIL / 100", 9)
    world.names["avail"] = 50
    assert world.run(30) == [16000]
    assert world.site.limits[2].value == 27500


def test_zero_is_a_limit_and_none_is_not():
    world = World([box()], max_total_current=0)
    assert world.run(5) == [0]
    assert World([box()], max_total_current=None).run(30) == [16000]


def test_until_ready_the_fail_safe_limit_holds():
    world = World([box()], failsafe_current_ma=9000)
    world.ready = False
    assert max(world.run(20)) <= 8000
    assert world.site.limits[0].reason.code == "starting"
    world.ready = True
    assert world.run(30) == [16000]


def test_a_lost_grid_meter_brings_the_fallback_current_and_the_reason():
    world = World([box("E1"), box("E2", max_current_ma=32000)])
    world.run(40)
    held = [evse.setpoint_ma for evse in world.evses]
    world.meter_answers = False
    assert sum(world.run(10)) <= sum(held)
    assert world.run(6) == [6000, 6000]
    assert world.evses[0].reason.code == "grid_meter_lost"
    assert world.evses[0].reason.arguments == ("M1",)
    world.meter_answers = True
    assert sum(world.run(40)) == sum(held)


def test_the_fallback_current_still_obeys_the_operator():
    world = World([box()], max_total_power="PB.input1 ? 0 : 25000")
    world.names["pb.input1"] = 1
    world.meter_answers = False
    world.run(20)
    assert world.run() == [0]


def test_a_silent_box_keeps_its_last_order_reserved():
    world = World([box("E1"), box("E2")], max_total_current=21000)
    assert world.run(30) == [10000, 10000]
    world.evses[1].silent_since_ms = world.now_ms
    world.evses[1].measured_ma = [0, 0, 0]

    def decide():
        world.now_ms += 1000
        world.decide([11000, 10800, 10600], world.now_ms)

    for _ in range(10):
        decide()
    # 21 A - 1 A house - 10 A that E2 may take again at any moment, though it draws nothing now.
    assert world.evses[0].setpoint_ma <= 10000
    assert world.evses[1].reason.code == "evse_silent"
    world.evses[1].sent_ma = 10000
    world.now_ms += 180000
    for _ in range(30):
        decide()
    assert world.evses[0].setpoint_ma == 14000  # now its fail-safe current counts


def test_a_silent_box_that_falls_back_leaves_nothing_to_others():
    """It may return to its last order at any moment, though the grid meter shows less."""
    world = World([box("E1"), box("E2", max_current_ma=32000)], max_total_current=30000)
    assert sum(world.run(40)) == 29000
    before = world.evses[1].setpoint_ma
    world.evses[0].silent_since_ms = world.now_ms
    for _ in range(20):
        world.now_ms += 1000
        grid = [1000 + 6000 + world.evses[1].setpoint_ma] * 3
        world.evses[1].read_ms = world.now_ms
        world.evses[1].measured_ma = [world.evses[1].setpoint_ma] * 3
        world.decide(grid, world.now_ms)
    assert world.evses[1].setpoint_ma <= before


def test_a_meter_that_answers_without_currents_counts_as_lost():
    world = World([box()])
    assert world.run(30) == [16000]
    for _ in range(16):
        world.now_ms += 1000
        world.decide(None, world.now_ms)
    assert world.evses[0].setpoint_ma == 6000
    assert world.evses[0].reason.code == "grid_meter_lost"


def test_rotation_and_one_phase_boxes_load_the_right_phase():
    world = World([box(phases=1, phase_rotation=120)], max_total_current=20000)
    world.house_ma = [1000, 9000, 1000]
    assert world.run(30) == [11000]
    assert world.evses[0].reason.arguments[1] == "L2"


def test_nothing_for_no_vehicle_or_a_fault():
    world = World([box("E1"), box("E2")])
    world.run(30)
    world.evses[0].state = "A"
    world.evses[1].state = "F"
    assert world.run() == [0, 0]
    assert [evse.reason.code for evse in world.evses] == ["no_vehicle", "evse_error"]


def test_reserve_stays_free():
    world = World([box("E1"), box("E2")], max_total_current=20000, reserve_current_ma=3000)
    assert world.run(30) == [8000, 8000]


def test_a_reason_keeps_its_beginning():
    world = World([box()])
    world.run(30)
    since_ms = world.evses[0].reason.since_ms
    world.run(5)
    assert world.evses[0].reason.since_ms == since_ms
