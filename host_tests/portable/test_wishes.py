"""What is wanted of each EVSE: own limit, override, plan, rules; the smallest wins."""

import gc
import json
import sys

from chargecontrol import plans
from chargecontrol.limits import Limit, Reason
from controller import rule_store
from controller.refusal import Refusal
from controller.unload import unload
from controller.wishes import Wishes


class Evse:
    min_ma = 6000
    failsafe_ma = 6000
    config_max_ma = 16000
    lines = 7
    phases = 3
    state = "C"
    plugged_ms = 0
    wish_ma = wish_reason = reason = None

    def __init__(self, id, priority=1):
        self.id = id
        self.priority = priority
        self.measured_ma = (16000, 16000, 16000)

    def house_phase(self, line):
        return line


class Store:
    def __init__(self):
        self.documents = {}

    def load(self, name):
        return json.loads(json.dumps(self.documents.get(name))), None

    def save(self, name, document):
        differs = self.documents.get(name) != document
        self.documents[name] = document
        return differs


class Clock:
    trusted = True
    minute = 600
    second = 0

    def local(self):
        return (2026, 1, 5, self.minute // 60, self.minute % 60, self.second, 1, 4, 0)


class Parts:
    """Anything with attributes."""


class Controller:
    def __init__(self, *evses, **configs):
        self.site = Parts()
        self.site.evses = list(evses)
        self.site.plan_limit = Limit("plan", "current")
        self.evses = {evse.id: evse for evse in evses}
        self.settings = Parts()
        self.settings.doc = {
            "site": {"voltage_v": 230},
            "evses": [{"id": evse.id, "current_limit": configs.get(evse.id)} for evse in evses],
        }
        self.store = Store()
        self.clock = Clock()
        self.values = {("e1", "max_current"): 16000}
        self.names = Parts()
        self.names.lookup = self.lookup
        self.names.lookups = [self.lookup] * 3
        self.faults = []
        self.fault = self.faults.append
        self.wishes = None
        self.written = {}
        self.wakes = 0

    def lookup(self, name, field):
        return self.values[(name, field)]

    def get_specials(self):
        return self

    def set(self, name, value):
        self.written[name] = value
        self.values[tuple(name.split("."))] = value

    def wake(self):
        self.wakes += 1

    def need_wishes(self):
        if not self.wishes:
            self.wishes = Wishes(self)
        return self.wishes

    def reason(self, now_ms=1000):
        self.need_wishes().update(now_ms)
        evse = self.site.evses[0]
        return evse.wish_ma, evse.wish_reason and evse.wish_reason[0]

    def use(self, rules, kind="box", id="E1"):
        old = self.store.load("rules.json")[0] or {}
        use = old.get("use", {})
        use.setdefault(id, {})[kind] = {"set": kind + id.lower()}
        sets = old.get("sets", []) + [{"id": kind + id.lower(), "rules": rules}]
        rule_store.change(self, {"sets": sets, "use": use})


def current(value):
    return [{"condition": {"type": "always"}, "action": {"type": "set", "value": value}}]


def test_nothing_is_wanted_where_nothing_is_set():
    controller = Controller(Evse("E1"))
    assert controller.reason() == (None, None)


def test_the_smallest_wins():
    controller = Controller(Evse("E1"), E1=15000)
    assert controller.reason() == (15000, "current_limit")
    controller.use(current(14000))
    assert controller.reason() == (14000, "rule")
    controller.use(current(13000), "user")
    assert controller.reason() == (13000, "rule")
    wishes = controller.wishes
    wishes.set_plan("E1", [{"st": 0, "dr": 1440, "lm": 12000}])
    assert controller.reason() == (12000, "plan")
    wishes.override("E1", "", 11000)
    assert controller.reason() == (11000, "override")
    wishes.override("E1", "C")
    assert controller.reason() == (0, "override_stop")
    wishes.override("E1", "cEU")
    assert controller.reason() == (11000, "override")
    wishes.override("E1", "", 16000)
    assert controller.reason() == (12000, "plan")
    wishes.set_plan("E1", [])
    assert controller.reason() == (15000, "current_limit")  # both kinds of rules are off
    wishes.override("E1", "e")
    assert controller.reason() == (14000, "rule")
    assert wishes.overridden("E1") == {"flags": "U", "mamps": 16000}
    wishes.override("E1", "u")
    assert controller.reason() == (13000, "rule")
    controller.wishes = None  # at the next start
    assert controller.reason() == (13000, "rule") and controller.faults == []
    assert controller.wakes == 2


def test_an_override_ends_when_the_car_leaves():
    evse = Evse("E1")
    evse.plugged_ms = None
    controller = Controller(evse)
    controller.need_wishes().override("E1", "C")  # before it comes
    assert controller.reason()[0] == 0
    evse.plugged_ms = 5000
    assert controller.reason()[0] == 0 and controller.reason()[0] == 0
    evse.plugged_ms = None
    assert controller.reason() == (None, None)
    assert controller.wishes.overridden("E1") == {"flags": "", "mamps": None}


def test_own_limit_by_formula():
    evse = Evse("E1")
    controller = Controller(evse, E1="20000 - CM.used")
    assert controller.reason() == (6000, "current_limit_failed")
    formula, column, text = evse.wish_reason[1]
    assert formula == "20000 - CM.used" and column == 9 and "cm.used" in text
    controller.values[("cm", "used")] = 12000
    assert controller.reason() == (8000, "current_limit")
    # Other settings hold at once.
    controller.settings.doc["evses"] = [{"id": "E1", "current_limit": 9000}]
    assert controller.reason() == (9000, "current_limit")


def test_plans_by_the_minute():
    evening = (1380, 120, 10000)  # 23:00 to 01:00
    plan = evening + (0, 30, 8000) + (600, 1, 0)
    for minute, expected in (
        (1379, None),
        (1380, (10000, 120)),
        (0, (8000, 30)),
        (29, (8000, 1)),
        (30, (10000, 30)),
        (60, None),
        (599, None),
        (600, (0, 1)),
        (601, None),
    ):
        assert plans.limit(plan, minute) == expected, minute
    assert plans.least(plan) == 0 and plans.limit((), 0) is None


def test_a_plan_ends_and_is_safe_without_the_time():
    evse = Evse("E1")
    controller = Controller(evse)
    wishes = controller.need_wishes()
    entries = [{"dc": False, "st": 590, "dr": 20, "lm": 9000}]
    entries.append({"dc": False, "st": 0, "dr": 20, "lm": 7000})
    wishes.set_plan("E1", entries)
    assert wishes.plan("E1") == entries and controller.store.documents["plans.json"]
    controller.clock.second = 15
    assert controller.reason(1000) == (9000, "plan")
    assert evse.wish_reason[2] == 1000 + 585 * 1000
    controller.clock.minute = 610
    assert controller.reason() == (None, None)
    controller.clock.trusted = False
    assert controller.reason() == (7000, "clock_not_set")


def test_a_plan_for_the_house():
    controller = Controller(Evse("E1"))
    wishes = controller.need_wishes()
    wishes.set_plan("$G", [{"st": 600, "dr": 1, "lm": 20000}], True)
    assert "plans.json" not in controller.store.documents
    limit = controller.site.plan_limit
    wishes.update(1000)
    assert limit.value == 20000 and limit.phase_ma == (20000,) * 3 and limit.until_ms == 61000
    assert limit.reason.code == "plan"
    controller.clock.minute = 601
    wishes.update(2000)
    assert limit.phase_ma is None and limit.until_ms is None
    wishes.set_plan("$G", [], True)
    wishes.update(3000)
    assert limit.phase_ma is None and wishes.plan("$G") == []


def test_bad_plans_change_nothing():
    controller = Controller(Evse("E1"))
    wishes = controller.need_wishes()
    good = {"dc": False, "st": 0, "dr": 60, "lm": 16000}
    wishes.set_plan("E1", [good])
    for entry, field in (
        (5, "cplan[1]"),
        ({"dc": True, "st": 0, "dr": 60, "lm": 1}, "cplan[1].dc"),
        ({"st": 1440, "dr": 60, "lm": 1}, "cplan[1].st"),
        ({"st": 0, "dr": 0, "lm": 1}, "cplan[1].dr"),
        ({"st": 0, "dr": 1441, "lm": 1}, "cplan[1].dr"),
        ({"st": 0, "dr": 1, "lm": -1}, "cplan[1].lm"),
        ({"st": 0, "dr": 1, "lm": True}, "cplan[1].lm"),
        ({"st": 0, "dr": 1}, "cplan[1].lm"),
        ({"st": 0, "dr": 1, "lm": 1, "x": 1}, "cplan[1].x"),
    ):
        try:
            wishes.set_plan("E1", [good, entry])
        except Refusal as error:
            assert error.field == field and str(error) != error.text("de"), str(error)
        else:
            raise AssertionError(entry)
    for entries in (5, [good] * 97):
        try:
            wishes.set_plan("E1", entries)
        except Refusal as error:
            assert error.field == "cplan"
        else:
            raise AssertionError(entries)
    assert wishes.plan("E1") == [good]


def test_the_surplus_goes_to_the_first_first():
    surplus = {"type": "surplus", "value": 6000}
    rules = [{"pv": True, "condition": surplus, "action": {"type": "deliver_surplus"}}]
    first, second = Evse("E1"), Evse("E2", 2)
    controller = Controller(first, second)
    controller.use(rules)
    controller.use(rules, id="E2")
    assert controller.reason() == (0, "rule_failed")  # nobody knows the surplus
    controller.values[("cm", "_surplus")] = 690 * 20
    first.state = "B"
    controller.reason()
    assert (second.wish_ma, first.wish_ma) == (20000, 0)  # it draws 16 A, and may take a bit more
    second.measured_ma = (8000, 8000, 8000)
    controller.reason()
    assert (second.wish_ma, first.wish_ma) == (20000, 10500)
    second.state = "A"
    controller.reason()
    assert (second.wish_ma, first.wish_ma) == (20000, 20000)
    second.state = "B"  # it has not begun: its minimum is kept for it
    controller.reason()
    assert first.wish_ma == 14000
    second.reason = Reason("not_drawing", (), 0)  # but not for ever
    controller.reason()
    assert first.wish_ma == 20000


def test_of_equal_priority_the_first_in_the_settings_is_first():
    evses = [Evse("E%d" % number, 1 + number % 2) for number in range(1, 17)]
    controller = Controller(*evses)
    surplus = {"type": "surplus", "value": 6000}
    rules = [{"pv": True, "condition": surplus, "action": {"type": "deliver_surplus"}}]
    use = {evse.id: {"box": {"set": "own"}} for evse in evses}
    rule_store.change(controller, {"sets": [{"id": "own", "rules": rules}], "use": use})
    controller.values[("cm", "_surplus")] = 690 * 60
    for evse in evses:
        evse.measured_ma = (8500, 8500, 8500)
    controller.reason()
    served = [evse.id for evse in evses if evse.wish_ma]
    assert served == ["E1", "E3", "E5", "E7", "E9", "E11"], served


def test_a_failed_save_changes_nothing():
    controller = Controller(Evse("E1"))
    controller.use(current(7000))

    def full(name, document):
        raise OSError("full")

    controller.store.save = full
    try:
        controller.use(current(8000), "user")
    except OSError:
        pass
    assert controller.reason() == (7000, "rule")


def test_rules_write_variables():
    controller = Controller(Evse("E1"))
    write = {"type": "set_variable", "variable": "CM.bell", "value": 3}
    controller.use([{"condition": {"type": "always"}, "action": write}])
    assert controller.reason() == (0, "rule_none") and controller.written == {"cm.bell": 3}


def test_what_a_rule_writes_the_next_one_sees():
    controller = Controller(Evse("E1"))
    controller.values[("m1", "a")] = 0
    condition = {"type": "formula", "value": "M1.a == 0"}
    write = {"type": "set_variable", "variable": "M1.a", "value": 5}
    controller.use([{"condition": condition, "action": write}] + current("M1.a * 1000"))
    assert controller.reason() == (5000, "rule")
    controller.values[("m1", "a")] = 7  # and what is read is that of the present cycle
    assert controller.reason() == (7000, "rule")


def test_bad_rules_change_nothing():
    controller = Controller(Evse("E1"))
    controller.use(current(7000))
    before = controller.store.load("rules.json")[0]
    for patch, field in (
        ({"use": {"E2": {}}}, None),
        ({"use": {"E2": {"box": {"set": "cheap"}}}}, "use.E2"),
        ({"sets": []}, "use.E1.box.set"),
        ([], "rules"),
        ({"x": 1}, "rules.x"),
    ):
        try:
            rule_store.change(controller, patch)
        except Refusal as error:
            assert error.field == field and error.text("de") != str(error)
        else:
            assert field is None
            rule_store.change(controller, before)
        assert controller.reason() == (7000, "rule")


def in_use():
    unload()
    gc.collect()
    return gc.mem_alloc()


def test_what_reads_rules_leaves_the_heap():
    if sys.implementation.name != "micropython":
        return
    Controller(Evse("E1")).use(current("max(7000, 1)"))  # names that are new are kept for ever
    before = in_use()
    controller = Controller(Evse("E1"))
    controller.use(current("max(7000, 1)"))
    assert controller.reason() == (7000, "rule")
    kept = in_use() - before
    assert kept < 4000, kept  # the reader alone has 10000


def test_a_saved_document_that_is_no_good_is_a_fault():
    controller = Controller(Evse("E1"))
    controller.store.documents = {
        "rules.json": {"sets": [{"id": "a", "rules": 5}]},
        "plans.json": {"E1": 5},
    }
    assert controller.reason() == (None, None)
    assert len(controller.faults) == 2 and "sets[0].rules must be a list" in controller.faults[1]


def test_a_shipped_set_is_used_and_copied():
    controller = Controller(Evse("E1"))
    rule_store.change(controller, {"use": {"E1": {"box": {"set": "cheap"}}}})
    controller.values[("cm", "_price_level")] = -5
    assert controller.reason() == (16000, "rule")
    strict = {"E1": {"box": {"set": "cheap", "parameters": {"level": -6}}}}
    rule_store.change(controller, {"use": strict})
    assert controller.reason() == (0, "rule_none")
    rule_store.copy(controller, {"template": "cheap", "id": "mine"})
    sets = controller.store.load("rules.json")[0]["sets"]
    assert [entry["id"] for entry in sets] == ["mine"] and sets[0][
        "name"
    ] == "When the price is low"
    for wanted in ({"template": "x", "id": "y"}, {"template": "cheap"}, 5):
        try:
            rule_store.copy(controller, wanted)
        except Refusal as error:
            assert error.field == "template"
        else:
            raise AssertionError(wanted)


def test_a_rule_that_orders_phases_needs_the_power_manager_where_the_box_can_switch():
    controller = Controller(Evse("E1"), Evse("E2"))
    controller.power = None
    controller.devices = {"E1": Parts(), "E2": Parts()}
    for device in controller.devices.values():
        device.switchable = False
    controller.specials = controller
    controller.of_device = lambda name, field: controller.written.get(name + "." + field, -1)

    def need_power():
        controller.power = object()

    controller.need_power = need_power
    wishes = controller.need_wishes()
    wishes.write("e1", "other", 1)
    wishes.write("e1", "switch_phases", -1)
    controller.devices["E1"].switchable = True
    controller.devices["E2"].switchable = False
    wishes.write("e2", "switch_phases", 1)
    wishes.update(1000)
    assert controller.power is None  # automatic, or a box that can't
    controller.devices["E2"].switchable = True  # found out later
    wishes.update(2000)
    assert controller.power
