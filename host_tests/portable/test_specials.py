"""CM._* that may be written, triggers among the variables, variables of devices, prices."""

from fakes.named_site import Controller, Device

from controller.refusal import Refusal
from formula import parse


def value(controller, text):
    return parse(text).value(controller.names.lookup)


def refused(controller, pairs):
    try:
        controller.variables.set_many(pairs)
    except Refusal as error:
        assert error.text("de") != str(error)
        return error.code
    return None


def writes(controller, name, number):
    try:
        controller.get_specials().set(name, number)
    except KeyError:
        return False
    return True


def test_what_rules_write():
    controller = Controller()
    for name, number in (
        ("e1.switch_phases", 1),
        ("e1.bat_mode", 3),
        ("m3.charge_power_w", 2500),
        ("cm._flag7", 2),
        ("cm.boost", 1.5),
        ("cm._set_price", 28.5),
    ):
        assert writes(controller, name, number) and value(controller, name) == number, name
    assert value(controller, "e2.switch_phases") == -1
    assert value(controller, "cm._price") == 28.5 and value(controller, "boost") == 1.5
    # A device's own values are not covered.
    assert writes(controller, "e1.state", 77) and value(controller, "e1.state") == 3
    assert (
        writes(controller, "e1.bat_mode", None) and value(controller, "exists(e1.bat_mode)") == 0
    )
    for name, number in (
        ("e9.x", 1),
        ("v1.x", 1),
        ("e1.", 1),
        ("e1." + "x" * 33, 1),
        ("e1.switch_phases", 5),
        ("cm._flag33", 1),
        ("cm._surplus", 1),
        ("cm.9", 1),
    ):
        assert not writes(controller, name, number), name
    assert sum([writes(controller, "m1.n%d" % n, n) for n in range(40)]) < 32


def test_a_rule_that_writes_the_same_again_sets_nothing():
    controller = Controller()
    assert writes(controller, "cm.x", 1)
    live = controller.variables.live
    assert writes(controller, "cm.x", 1) and controller.variables.live is live
    assert not controller.variables.unsaved and controller.variables.stored == []


def test_share_of_the_total_current():
    controller = Controller()
    site = controller.site
    variables = controller.variables
    variables.set_many([("_max_total_current_prc", 50)])
    controller.feed()
    assert site.percent == 50 and value(controller, "CM._max_total_current_prc") == 50
    assert variables.stored == [] and not variables.unsaved  # never on flash
    site.percent = 70  # the last one who writes it counts
    controller.feed()
    assert site.percent == 70
    variables.set_many([("_MAX_total_current_prc", "20"), ("a", 1)])
    variables.set_many([("a", 2)])
    controller.feed()
    assert site.percent == 20
    variables.set_many([], True)
    controller.feed()
    assert site.percent is None and value(controller, "CM._max_total_current_prc") == 100
    for number, wanted in ((-5, 0), (1000, 100), (33.9, 33)):
        assert writes(controller, "cm._max_total_current_prc", number) and site.percent == wanted
    assert refused(controller, [("_max_total_current_prc", "a * 2")]) == "only_number"


def test_prices():
    controller = Controller()
    variables = controller.variables
    variables.set_many([("_set_price", "a / 10"), ("a", 255), ("_set_price_level", -6)])
    assert value(controller, "CM._price") == 25.5 and value(controller, "_set_price") == 25.5
    assert value(controller, "CM._price_level") == -6
    assert [entry[0] for entry in variables.stored] == ["a"]
    for level, there in ((-2, 1), (-1, 0), (-7, 0), (3, 0)):
        variables.set_many([("_set_price_level", level)])
        assert value(controller, "exists(CM._price_level)") == there, level
    shown = [item["name"] for item in variables.listing(controller.names.lookup) if "tmp" in item]
    assert sorted(shown) == ["_set_price", "_set_price_level"]
    assert refused(controller, [("_set_prices", 1)]) == "name_reserved"
    assert refused(controller, [("_flag1", 1)]) == "name_reserved"


def trigger(controller, again):
    controller.variables.set_many([("on", 0), ("t", "on", 30, again)])
    return lambda seconds, on: (_pass(controller, seconds, on), value(controller, "t"))[1]


def _pass(controller, seconds, on):
    controller.variables.set_many([("on", on)])
    controller.clock.ms += seconds * 1000
    controller.feed()


def test_trigger():
    controller = Controller()
    after = trigger(controller, False)
    assert after(1, 0) == 0
    assert [after(1, 1), after(29, 0), after(1, 0)] == [1, 1, 0]
    # Only a change starts it, and another one does not make it longer.
    assert [after(1, 1), after(20, 0), after(1, 1), after(9, 1), after(100, 1)] == [1, 1, 1, 0, 0]
    assert [after(1, 0), after(1, 1)] == [0, 1]


def test_retrigger():
    controller = Controller()
    after = trigger(controller, True)
    assert [after(1, 1), after(100, 1), after(29, 0), after(1, 0)] == [1, 1, 1, 0]


def test_a_trigger_is_shown_and_kept():
    controller = Controller()
    variables = controller.variables
    variables.set_many([("t", "PB.input1", 30, True), ("u", "nonsense", 5, False)])
    controller.feed()
    items = {item["name"]: item for item in variables.listing(controller.names.lookup)}
    assert items["t"]["trigger_s"] == 30 and items["t"]["retrigger"] is True
    assert items["t"]["expr"] == "PB.input1" and items["t"]["val"] == 1
    assert "nonsense" in items["u"]["error"] and "val" not in items["u"]
    assert value(controller, "u") == 0
    variables.flush_due()
    saved = controller.store.document["vars"]
    assert {"name": "t", "expr": "PB.input1", "trigger_s": 30, "retrigger": True} in saved
    for seconds, again in ((0, False), (86401, False), (1.5, False), ("5", False), (5, 1)):
        assert refused(controller, [("t", "1", seconds, again)]) == "trigger", seconds
    variables.set_many([("t", 5)])
    assert value(controller, "t") == 5


def test_a_trigger_comes_back_from_flash():
    from controller.variables import Variables

    class Store:
        def load(self, name):
            item = {"name": "t", "expr": "PB.input1", "trigger_s": 30, "retrigger": False}
            return {"vars": [item, {"name": "bad", "expr": 1, "trigger_s": -1}]}, None

    controller = Controller()
    controller.variables = Variables(Store(), controller.clock.now_ms)
    assert "bad" in controller.variables.problem
    controller.feed()
    assert value(controller, "t") == 1


def test_storages():
    controller = Controller()
    second = Device("M6", "storage_home", {"soc": 90}, capacity_wh=30000)
    controller.devices["M6"] = second
    controller.settings.doc["meters"].append(second.config)
    for text, wanted in (
        ("CM._storage_home_max_capacity", 40000),
        ("CM._storage_home_capacity", 31000),
        ("CM._storage_home_soc", 77),
        ("CM._storage_all_soc", 55),
    ):
        assert value(controller, text) == wanted, text
    second.config["capacity_wh"] = None  # now not known of all: the first one's
    assert value(controller, "CM._storage_home_soc") == 40
    second.config["capacity_wh"] = 30000
    second.com_error = True
    assert value(controller, "exists(CM._storage_home_capacity)") == 0
    assert value(controller, "CM._storage_home_max_capacity") == 40000


def test_charging():
    controller = Controller()
    assert value(controller, "CM._num_charging") == 1
    controller.evses["E1"].silent_since_ms = 0
    assert value(controller, "CM._num_charging") == 0
    assert value(controller, "CM._num_charging1") == 1
