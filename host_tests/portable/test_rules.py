"""The program of rules: each condition and action, not, end, links, goto, undercut, PV, phases."""

from chargecontrol.rule_reader import Reader
from chargecontrol.rules import Rules

ALWAYS = {"type": "always"}
PV = "GM.surplus.current"


class Box:
    """An EVSE as far as rules look at it."""

    id = "E1"
    min_ma = 6000
    lines = 7
    turn = 0

    def house_phase(self, line):
        return (line + self.turn) % 3


class World:
    """Rules in the middle of names that have a value."""

    def __init__(self):
        self.names = {("e1", "max_current"): 16000}
        self.time = (600, 1)  # Monday, 10:00
        self.written = {}
        self.lookups = [self.looking(phase) for phase in (1, 2, 3)]
        self.known = ({}, {}, {})
        self.scope = None
        self.box = Box()
        self.now_ms = 0
        self.surplus_ma = 0

    def looking(self, phase):
        def lookup(name, field):
            if field == "current" or field[-8:] == ".current":
                field += "_l%d" % phase
            return self.names[(name, field)]

        return lookup

    def now(self):
        return self.time

    def write(self, place, field, value):
        if place == "m9":
            raise KeyError(field)
        self.written[place + "." + field] = value

    def set(self, text, value):
        place, _, field = text.lower().partition(".")
        self.names[(place, field)] = value

    def take(self, rules, sets=(), parameters=()):
        """Reads rules as the set "own", beside others."""
        own = {"id": "own", "rules": rules, "parameters": list(parameters)}
        document = {"sets": [own] + list(sets), "use": {"E1": {"box": {"set": "own"}}}}
        sets, uses = Reader(no_template).read(document)
        name, values, by_phase = uses["E1"][0]
        self.rules = Rules(self.box, sets, name, values, by_phase, self)
        return self

    def wish(self, passed_s=1):
        self.now_ms += passed_s * 1000
        for known in self.known:
            known.clear()
        return self.rules.wish(self.now_ms, self.surplus_ma, 1000 / 690)


def no_template(id):
    return None


def rule(condition=ALWAYS, action=8000, **more):
    """A rule; an action that is a number or a formula sets the value."""
    if not isinstance(condition, dict):
        condition = {"type": "formula", "value": condition}
    if not isinstance(action, dict):
        action = {"type": "set", "value": action}
    result = {"condition": condition, "action": action}
    for name in more:
        result["not" if name == "negative" else name] = more[name]
    return result


def holds(condition, world=None, **more):
    """Whether a condition holds."""
    world = (world or World()).take([rule(condition, **more)])
    value = world.wish()
    assert value in (0, 8000)
    assert world.rules.reason[0] != "rule_failed", world.rules.reason
    return value == 8000


def test_without_a_rule_that_holds_the_car_pauses():
    world = World().take([rule(0, id=3)])
    assert world.wish() == 0 and world.rules.reason == ("rule_none", ("own",))
    assert world.take([]).wish() == 0
    assert world.take([rule(id=3)]).wish() == 8000
    assert world.rules.reason == ("rule", ("own", 3))


def test_inactive_rules_do_nothing():
    assert World().take([rule(), rule(action=9000, active=False)]).wish() == 8000


def test_the_last_that_holds_wins_and_end_ends():
    assert World().take([rule(), rule(0, 1000), rule(action=9000)]).wish() == 9000
    assert World().take([rule(end=True), rule(action=9000)]).wish() == 8000
    assert World().take([rule(0, 1000, end=True), rule(action=9000)]).wish() == 9000


def test_not():
    assert holds("1") and not holds("1", negative=True) and holds("0", negative=True)
    assert not holds(ALWAYS, negative=True)


def test_formula_holds_above_zero():
    assert holds("0.5") and not holds("0") and not holds("-1") and holds(7)


def test_time_window_and_midnight():
    world = World()
    day = {"type": "time", "start": "09:30", "duration_min": 60}
    night = {"type": "time", "start": "22:00", "duration_min": 480}
    for minute, by_day, by_night in (
        (569, False, False),
        (570, True, False),
        (629, True, False),
        (630, False, False),
        (1319, False, False),
        (1320, False, True),
        (0, False, True),
        (359, False, True),
        (360, False, False),
    ):
        world.time = (minute, 1)
        assert holds(day, world) == by_day, minute
        assert holds(night, world) == by_night, minute
        assert holds(night, world, negative=True) != by_night, minute
        assert holds({"type": "time", "start": "12:00", "duration_min": 1440}, world)


def test_weekdays_are_those_of_the_start():
    world = World()
    night = {"type": "time", "start": "22:00", "duration_min": 480}
    for minute, weekday, expected in (
        (1320, 5, True),  # Friday evening
        (100, 6, True),  # Saturday early: began on Friday
        (100, 5, False),  # Friday early: began on Thursday
        (1320, 6, False),
    ):
        world.time = (minute, weekday)
        assert holds(night, world, weekdays=["fri"]) == expected, (minute, weekday)
    world.time = (600, 0)
    assert holds(ALWAYS, world, weekdays=["sat", "sun"])
    assert not holds(ALWAYS, world, weekdays=["mon"])
    assert not holds(ALWAYS, world, weekdays=["mon"], negative=True)
    assert not holds(ALWAYS, world, weekdays=[])


def test_time_range_by_formulas():
    world = World()
    world.set("cm.a", 600)
    between = {"type": "time_range", "from": "CM.a", "to": "CM.a + 60"}
    for minute, expected in ((599, False), (600, True), (659, True), (660, False)):
        world.time = (minute, 1)
        assert holds(between, world) == expected
    over = {"type": "time_range", "from": 1380, "to": 60}
    for minute, expected in ((1379, False), (1400, True), (59, True), (60, False)):
        world.time = (minute, 1)
        assert holds(over, world) == expected
    assert holds({"type": "time_range", "from": 0, "to": 1440}, world)
    assert not holds({"type": "time_range", "from": 60, "to": 60}, world)


def test_without_the_time_what_needs_it_is_false():
    world = World()
    world.time = None
    for condition, more in (
        ({"type": "time", "start": "00:00", "duration_min": 1440}, {}),
        ({"type": "time", "start": "00:00", "duration_min": 1440}, {"negative": True}),
        ({"type": "time_range", "from": 0, "to": 1440}, {}),
        (ALWAYS, {"weekdays": ["mon"]}),
        ("date.hour < 30", {}),
    ):
        assert not holds(condition, world, **more)
        assert world.rules.reason == ("clock_not_set", ())
    world.take([rule(), rule(action=9000, weekdays=["mon"])])
    assert world.wish() == 8000 and world.rules.reason[0] == "rule"


def test_thresholds():
    world = World()
    for condition, name, yes, no in (
        ({"type": "price", "value": 20}, "cm._price", 0.2, 0.201),
        ({"type": "price_level", "value": "cheap"}, "cm._price_level", -5, -4),
        ({"type": "price_level", "value": "cheap"}, "cm._price_level", -6, -2),
        ({"type": "price_level", "value": -6}, "cm._price_level", -6, -5),
        ({"type": "soc", "value": 80}, "cm._storage_home_soc", 80, 79),
        ({"type": "soc", "value": "40 + 40", "device": "M3"}, "m3.soc", 80, 79),
        ({"type": "charging", "value": 2}, "cm._num_charging", 2, 1),
        ({"type": "grid_draw", "value": 5000}, "gm.grid_demand.current_l1", 5000, 4999),
        ({"type": "feed_in", "value": 5000}, "gm.grid_demand.current_l1", -5000, -4999),
        ({"type": "solar", "value": 5000}, "gm.produced.current_l1", 5000, 4999),
        ({"type": "surplus", "value": "1 ? 5000 : 0"}, "gm.surplus.current_l1", 5000, 4999),
        ({"type": "input", "device": "PB", "input": 2}, "pb.input2", 1, 0),
        ({"type": "input", "device": "M1", "input": 1}, "m1.input1", 1, 0),
    ):
        world.box.lines = 1
        for value, expected in ((yes, True), (no, False)):
            world.set(name, value)
            assert holds(condition, world) == expected, (condition, value)


def test_with_the_pv_option_the_total_over_the_cars_phases_counts():
    world = World()
    world.set("gm.grid_demand.power_w", 6900)
    world.set("gm.produced.power_w", 13800)
    world.surplus_ma = 9000
    for kind, expected_ma in (("grid_draw", 10000), ("solar", 20000), ("surplus", 9000)):
        for value in (expected_ma - 10, expected_ma + 10):
            world.take([rule({"type": kind, "value": value}, pv=True)])
            assert (world.wish() > 0) == (value < expected_ma), kind
    for kind, expected_ma in (
        ("deliver_surplus", 9000),
        ("deliver_solar", 20000),
        ("deliver_grid", 10000),
        ("deliver_feed_in", 0),
    ):
        world.take([rule(action={"type": kind}, pv=True)])
        assert abs(world.wish() - expected_ma) < 2, kind
    world.take([rule(action={"type": "deliver_surplus", "factor": "0.5 + 0"}, pv=True)])
    assert world.wish() == 4500 and world.rules.by_surplus


def test_delivering_without_the_pv_option_goes_phase_by_phase():
    world = World()
    for phase in (1, 2, 3):
        world.set("gm.surplus.current_l%d" % phase, 10000 - 1000 * phase)
        world.set("gm.produced.current_l%d" % phase, 10000 + 1000 * phase)
        world.set("gm.grid_demand.current_l%d" % phase, -20000 + 1000 * phase)
    for kind, expected_ma in (
        ("deliver_surplus", 7000),
        ("deliver_solar", 11000),
        ("deliver_feed_in", 17000),
        ("deliver_grid", 0),
    ):
        world.take([rule(action={"type": kind})])
        assert world.wish() == expected_ma and not world.rules.by_surplus


def test_the_smallest_of_the_phases_in_use():
    world = World()
    for phase, current_ma in ((1, 1000), (2, 6000), (3, 4000)):
        world.set("m1.current_l%d" % phase, current_ma)
    world.take([rule(action="16000 - M1.current")])
    assert world.wish() == 10000
    world.box.lines = 1
    assert world.wish() == 15000
    world.box.turn = 2  # its L1 lies on the house's L3
    assert world.wish() == 12000
    world.box.lines = 3  # and its L2 on the house's L1
    assert world.wish() == 12000
    # Each phase is a run of its own: on one of them the second rule holds.
    world.box.lines = 7
    world.take([rule(action=16000), rule("M1.current > 5000", 0)])
    assert world.wish() == 0


def test_links():
    for a, b, link, expected in (
        (1, 1, "and", True),
        (1, 0, "and", False),
        (0, 1, "and", False),
        (0, 0, "or", False),
        (1, 0, "or", True),
        (0, 1, "or", True),
    ):
        world = World().take([rule(a, {"type": link}), rule(b)])
        assert (world.wish() == 8000) == expected, (a, b, link)
    # What is settled is not asked for: the second has no value.
    world = World().take([rule("exists(M1.soc)", {"type": "and"}), rule("M1.soc > 20")])
    assert world.wish() == 0 and world.rules.reason[0] == "rule_none"
    world = World().take([rule(1, {"type": "or"}), rule(0, {"type": "and"}), rule(0), rule(1, 5)])
    assert world.wish() == 5
    world = World().take([rule(1, {"type": "or"}), rule(0, {"type": "and"}), rule(1)])
    assert world.wish() == 8000


def test_goto():
    jump = {"type": "goto", "rule": "4 + 1"}
    world = World().take([rule(id=1), rule(action=jump), rule(action=1), rule(0, 2, id=5)])
    assert world.wish() == 8000
    world.take([rule(action={"type": "goto", "rule": 99}), rule(action=7)])  # no such rule
    assert world.wish() == 7
    world.take([rule(action={"type": "goto", "rule": 0}), rule(action=7)])
    assert world.wish() == 0
    code, arguments = world.rules.reason
    assert code == "rule_failed" and arguments[:3] == ("own", 0, 0) and "circle" in arguments[3]


def test_variables():
    world = World().take(
        [
            rule(action={"type": "set_variable", "variable": "CM.Relay1", "value": "2 + 1"}),
            rule(0, {"type": "set_variable", "variable": "E2.other", "value": 1}),
            rule(action={"type": "set_variable", "variable": "_rule_id", "value": 44}, id=2),
            rule(action="_rule_val + _rule_id", id=9),
        ]
    )
    assert world.wish() == 44 and world.written == {"cm.relay1": 3}
    assert world.rules.reason == ("rule", ("own", 9))
    world.take([rule(action={"type": "set_variable", "variable": "M9.x", "value": 1}, id=7)])
    assert world.wish() == 0
    assert world.rules.reason == ("rule_failed", ("own", 7, 0, "m9.x can't be set"))


def test_a_variable_alone_says_nothing_about_the_current():
    world = World()
    world.surplus_ma = 9000
    setting = {"type": "set_variable", "variable": "CM.x", "value": 1}
    world.take([rule(action={"type": "deliver_surplus"}, pv=True), rule(action=setting)])
    assert world.wish() == 9000 and world.rules.by_surplus


def test_trigger():
    for kind, expected in (
        ("trigger", "1110111"),  # its time, then 0, then anew
        ("retrigger", "1111111"),
    ):
        world = World()
        world.set("cm.on", 1)
        world.take([rule("CM.on", {"type": kind, "variable": "CM.bell", "seconds": 3})])
        seen = ""
        for _ in range(7):
            world.wish()
            seen += str(world.written["cm.bell"])
        assert seen == expected
        world.set("cm.on", 0)
        seen = ""
        for _ in range(5):
            world.wish()
            seen += str(world.written["cm.bell"])
        assert seen in ("00000", "11000")
        assert world.written == {"cm.bell": 0}


def test_undercut():
    world = World().take([rule({"type": "surplus", "value": 6500}, 9000, pv=True, undercut_s=10)])
    for surplus_ma, passed_s, expected_ma in (
        (7000, 1, 9000),
        (100, 9, 9000),
        (100, 1, 0),
        (100, 1, 0),
    ):
        world.surplus_ma = surplus_ma
        assert world.wish(passed_s) == expected_ma, passed_s


def test_in_the_undercut_time_the_minimum_is_given():
    deliver = {"type": "deliver_surplus"}
    world = World()
    world.take([rule({"type": "surplus", "value": 6500}, deliver, pv=True, undercut_s=10)])
    for surplus_ma, passed_s, expected_ma in ((7000, 1, 7000), (100, 1, 6000), (100, 9, 0)):
        world.surplus_ma = surplus_ma
        assert world.wish(passed_s) == expected_ma
    world.take([rule(action=100), rule("_undercut", 0)])
    assert world.wish() == 100
    switch = {"type": "set_variable", "variable": "_undercut", "value": 1}
    assert world.take([rule(action=100), rule(action=switch)]).wish() == 6000
    # A rule that is not carried out for its link does not count.
    world.take([rule("CM.a", {"type": "and"}, undercut_s=10), rule(0)])
    world.set("cm.a", 1)
    assert world.wish() == 0
    world.set("cm.a", 0)
    assert world.wish() == 0


def test_surplus_first_and_normal_rules_override():
    deliver = {"type": "deliver_surplus"}
    surplus = rule({"type": "surplus", "value": 6500}, deliver, pv=True, id=1)
    world = World()
    world.set("cm.night", 0)
    world.take([surplus, rule("CM.night", 16000, id=2)])
    world.surplus_ma = 7000
    assert world.wish() == 7000 and world.rules.reason[1] == ("own", 1)
    world.set("cm.night", 1)
    assert world.wish() == 16000 and world.rules.reason[1] == ("own", 2)
    assert not world.rules.by_surplus
    world.set("cm.night", 0)
    world.surplus_ma = 100
    assert world.wish() == 0 and world.rules.reason == ("rule_none", ("own",))
    world.take([surplus, rule(action="max(10000, lb_cur)")])
    assert world.wish() == 10000
    world.surplus_ma = 12000
    assert world.wish() == 12000
    world.take([surplus, rule("surplus_wanted", "E1.lb_cur_l2 + 1")])
    assert world.wish() == 12001


def test_minus_one_takes_no_part_in_the_surplus():
    world = World()
    first = rule(
        {"type": "surplus", "value": 6500}, {"type": "deliver_surplus"}, pv=True, end=True
    )
    world.take([first, rule(action=-1, pv=True, end=True), rule("CM.night", 16000)])
    world.set("cm.night", 0)
    assert world.wish() == 0 and not world.rules.by_surplus
    world.set("cm.night", 1)
    assert world.wish() == 16000
    assert world.take([rule(action=-1)]).wish() == 0


def test_a_formula_that_fails_is_never_a_number():
    world = World().take([rule("1 / (M1.x - 1)", id=4)])
    assert world.wish() == 0
    code, arguments = world.rules.reason
    assert code == "rule_failed" and arguments[:3] == ("own", 4, 6) and "m1.x" in arguments[3]
    world.set("m1.x", 1)
    assert world.wish() == 0 and "zero" in world.rules.reason[1][3]
    world.set("m1.x", 2)
    assert world.wish() == 8000 and world.rules.reason[0] == "rule"
    assert not World().take([rule("M1.x", negative=True)]).wish()
    # A value that fails is no current, though an earlier rule gave one.
    world = World().take([rule(), rule(action="16000 - M1.x", id=8)])
    assert world.wish() == 0 and world.rules.reason[1][1:3] == (8, 9)
    world.take([rule(action={"type": "deliver_surplus"}, pv=True)])
    world.surplus_ma = None
    assert world.wish() == 0 and world.rules.reason[0] == "rule_failed"


def test_parameters():
    world = World()
    parameters = [{"id": "most", "default": "CM.a * 2"}, {"id": 7, "default": 3}]
    world.set("cm.a", 4000)
    world.take([rule(action="param.most + param(7)")], parameters=parameters)
    assert world.wish() == 8003
    change = {"type": "parameter", "parameter": "most", "value": "param.most * 2"}
    world.take([rule("CM.a > 5000", change), rule(action="param.most")], parameters=parameters)
    assert world.wish() == 8000
    world.set("cm.a", 6000)
    assert world.wish() == 24000
    world.set("cm.a", 1000)
    assert world.wish() == 2000


def test_switching_to_another_set():
    other = {"id": "other", "rules": [rule(action="param.p", id=6)]}
    other["parameters"] = [{"id": "p", "default": 7000}]
    switch = {"type": "rule_set", "set": "other"}
    world = World().take([rule("CM.a", switch), rule(action=9000)], [other])
    world.set("cm.a", 1)
    assert world.wish() == 7000 and world.rules.reason == ("rule", ("other", 6))
    world.set("cm.a", 0)
    assert world.wish() == 9000
    other["rules"] = [rule(action={"type": "rule_set", "set": "own"})]
    world.set("cm.a", 1)
    world.take([rule("CM.a", switch), rule(action=9000)], [other])
    assert world.wish() == 0 and world.rules.reason[0] == "rule_failed"


def test_own_names_come_before_variables():
    world = World()
    world.set("cm.x", 1)
    world.set(".x", 1)
    assert world.take([rule(action="max_current + x")]).wish() == 16001
    world.set("e1.x", 5)
    assert world.take([rule(action="max_current + x")]).wish() == 16005
