"""Dimming in the firmware: who dims, meters, formulas, the state, wrong settings."""

from fakes.dimming_controller import DIMMED, HEAT_PUMP, WALLBOX, Controller, Operator
from fakes.dimming_reasons import CODES

from chargecontrol.limits import Limit
from controller import data
from controller.dimming_check import faults
from controller.dimming_state import dimming


def test_a_contact_dims_by_a_formula():
    made = Controller(**DIMMED)
    made.contacts.inputs["input1"] = 0
    assert made.run(20) == 16000
    assert (made.cm("_p14a_active"), made.cm("_p14a_limit_w")) == (0, None)
    assert made.cm("_p14a_pmin_w") == 7560
    made.contacts.inputs["input1"] = 1
    assert made.run() == 8700  # 7560 - 1500 W
    assert made.relays[0].on
    assert (made.cm("_p14a_active"), made.cm("_p14a_limit_w")) == (1, 7560)
    assert made.cm("_p14a_budget_w") == 7560
    assert made.dimming.dimming.source == "dimming.active"
    made.contacts.inputs["input1"] = 0
    made.run()
    assert not made.relays[0].on


def test_a_formula_that_fails_dims_to_what_is_owed():
    made = Controller(**DIMMED)
    made.run()
    assert made.dimming.dimming.limit_w == 7560
    reason = made.site.limits[-1].reason
    assert reason.code == "dimming_formula_failed"
    assert reason.arguments[:2] == ("PB.input1", 1)
    made.contacts.inputs["input1"] = 1
    settings = dict(DIMMED)
    settings["dimming"] = {"enabled": True, "active": 1, "limit": "1000 / PB.input9"}
    made = Controller(**settings)
    made.run()
    assert made.dimming.dimming.limit_w == 7560
    assert made.site.limits[-1].reason.arguments[0] == "1000 / PB.input9"


def test_the_start_is_no_dimming_but_an_input_lost_later_is():
    made = Controller(**DIMMED)
    made.contacts.stable = False
    made.run(3)
    assert not made.dimming.dimming.active
    made.contacts.stable = True
    made.contacts.inputs["input1"] = 0
    made.run()
    made.contacts.stable = False
    del made.contacts.inputs["input1"]
    made.run()
    assert made.dimming.dimming.active and made.dimming.dimming.limit_w == 7560


def test_a_contact_set_that_is_not_known_yet_moves_no_relay():
    made = Controller(**DIMMED)
    made.contacts.inputs["input1"] = 0
    made.site.operator = Operator()
    made.site.operator.sets["C1"].settled = False
    made.site.operator.wanted = [(None, "C1")]
    made.run(10)
    assert not made.dimming.dimming.active and not made.relays[0].switched
    made.run()  # it has had its time
    assert made.dimming.dimming.active
    made = Controller(**DIMMED)
    made.contacts.inputs["input1"] = 0
    made.site.operator = Operator()
    made.site.operator.wanted = [(None, "C1")]
    made.run(1)
    assert made.dimming.dimming.active


def test_the_smallest_of_operator_and_formula_counts():
    settings = dict(DIMMED)
    settings["dimming"] = {"enabled": True, "active": 1, "limit": "6000 + 1"}
    made = Controller(**settings)
    made.run()
    assert made.dimming.dimming.limit_w == 6001
    made.site.operator = Operator()
    made.site.operator.wanted = [(None, "C1")]  # 7560 W
    made.run()
    assert (made.dimming.dimming.limit_w, made.dimming.dimming.source) == (6001, "dimming.active")
    made.site.operator.wanted = [(5000, "http")]
    made.run()
    assert (made.dimming.dimming.limit_w, made.dimming.dimming.source) == (5000, "http")
    made.site.operator.wanted = [(None, "C1"), (5000, "http")]
    made.run()
    assert (made.dimming.dimming.limit_w, made.dimming.dimming.source) == (5000, "http")
    made.site.operator.wanted = [(0, "http")]
    assert made.run() == 0
    assert made.dimming.dimming.limit_w == 0


def test_what_is_measured_of_a_heat_pump_counts():
    made = Controller(**DIMMED)
    made.contacts.inputs["input1"] = 1
    made.devices["M2"].readings["power_w"] = 2000  # it does not obey its contact
    made.run(2)
    assert made.relays[0].on
    assert made.run(20) == 8000
    made.devices["M2"].com_error = True
    assert made.run(10) == 8700
    made.devices["M2"].com_error = False
    made.devices["M2"].readings = {"power_l%d_w" % line: 1000 for line in (1, 2, 3)}
    made.devices["M2"].readings["power_w"] = None
    made.devices["M2"].readings["power_w"] = None
    made.devices["M1"].readings["power_w"] = 9999
    made.now_ms += 1000
    made.dimming.update(made.now_ms)
    assert made.dimming.dimming.devices[1].measured_w == 3000


def test_limits_of_the_operator_are_the_houses():
    made = Controller()
    made.run(20)
    made.site.operator = operator = Operator()
    for kind, value in (("percent", 30), ("current", 9000), ("power", 5520), ("dimming", 1)):
        limit = Limit(kind, kind)
        limit.say("set", (), value, None, 0)
        operator.limits.append(limit)
    operator.limits[2].value = None
    assert made.run() == 9000
    assert made.evses["E1"].reason.source == "current"
    assert operator.limits[0].phase_ma == (10500, 10500, 10500)
    assert operator.limits[3].phase_ma is None
    operator.limits[2].value = 5520
    assert made.run() == 8000
    assert [limit.source for limit in made.site.limits][-4:] == [
        "percent",
        "current",
        "power",
        "dimming",
    ]
    operator.limits[0].value = 0
    assert made.run() == 0
    assert (made.evses["E1"].reason.source, made.evses["E1"].reason.code) in (
        ("percent", "limit_binds"),
        ("", "paused"),
    )
    made.site.configure(made.settings.doc["site"])
    made.run()
    assert operator.limits[0] in made.site.limits
    made.site.operator = None
    made.run()
    assert not [limit for limit in made.site.limits if limit in operator.limits]
    assert made.run(330) == 16000


def test_a_percentage_of_nothing_is_the_fail_safe_current():
    made = Controller()
    settings = dict(made.settings.doc["site"])
    settings["max_total_current"] = None
    made.site.configure(settings)
    made.run(20)
    made.site.operator = operator = Operator()
    limit = Limit("sunspec", "percent")
    limit.say("set", (), 30, None, 0)
    operator.limits.append(limit)
    assert made.run() == 6000
    base = made.site.limits[-1]
    assert (base.source, base.reason.code) == ("percent_base", "percent_of_nothing")
    assert base.reason.arguments == ("sunspec", 30)
    made.run()
    assert made.site.limits[-1] is base
    settings["max_total_power"] = 20700
    made.site.configure(settings)
    made.run(2)
    assert limit.phase_ma == (9000, 9000, 9000)
    assert base not in made.site.limits


def reason(lang, reason, now_ms, value=None, source="site"):
    return reason and reason.code


def test_the_state_says_who_may_draw_what():
    made = Controller(**DIMMED)
    made.contacts.inputs["input1"] = 1
    made.run(20)
    for lang in ("en", "de"):
        state = dimming(made, lang, made.now_ms, reason)
        assert state["reason"] == "dimmed" and state["own_reason"] is None
        assert state["source"] == "dimming.active"
        assert [device["allotted_w"] for device in state["devices"]] == [6003, 1500]
        assert state["devices"][1]["reduced"] is True
    assert dimming(Controller(), "en", 0, reason) is None
    made = Controller()
    assert made.cm("_p14a_active") == 0 and made.cm("_p14a_pmin_w") is None
    assert made.cm("_feed_in_pct") == 100
    made.site.operator = Operator()
    assert made.cm("_feed_in_pct") == 100
    made.site.operator.percent = 0
    assert made.cm("_feed_in_pct") == 0


def test_every_reason_of_dimming_has_its_sentences():
    for code, arguments in CODES.items():
        for lang in ("en", "de"):
            sentence = data.text("reasons", code, arguments, lang)
            assert sentence[-1] == "." and "{" not in sentence
            for argument in arguments:
                assert str(argument) in sentence


def test_wrong_settings_are_named():
    whole = {
        "dimming": {"enabled": True, "active": None, "limit": None},
        "meters": [{"id": "M2"}],
        "evses": [{"id": "E1", "phase_relay": 3}],
        "steerables": [],
        "outputs": [],
    }

    def found(*steerables, **more):
        doc = dict(whole)
        items = []
        for item in steerables:
            one = {"device": None, "relay": None, "reduced_w": 0}
            one.update(item)
            items.append(one)
        doc["steerables"] = items
        doc.update(more)
        result = []
        for error in faults(doc):
            assert error.text("de") != error.text("en")
            result.append((error.field, error.code))
        return result

    assert found() == [("dimming.enabled", "dimming_no_devices")]
    assert found(WALLBOX, HEAT_PUMP) == []
    limited = {"enabled": True, "active": None, "limit": 4200}
    assert found(WALLBOX, dimming=limited) == [("dimming.limit", "dimming_needs_active")]

    def one(error, **changes):
        item = dict(HEAT_PUMP)
        item.update(changes)
        assert found(WALLBOX, item) == [("steerables[1]." + error[0], error[1])]

    one(("device", "not_there"), device="M9")
    one(("device", "twice"), device="E1", kind="evse", relay=None)
    one(("reduced_w", "steerable_power"), reduced_w=7000)
    one(("relay", "relay_taken"), relay=3)
    item = {"id": "S2", "kind": "evse", "power_w": 11000}
    assert found(item) == [("steerables[0].device", "steerable_device")]
    item = {"id": "S2", "kind": "storage", "device": "E1", "power_w": 11000}
    assert found(item) == [("steerables[0].kind", "steerable_kind")]
    item = dict(WALLBOX)
    item["relay"] = 1
    assert found(item) == [("steerables[0].relay", "steerable_relay")]
    assert found(HEAT_PUMP, outputs=[{"relay": 1}]) == [("outputs[0].relay", "relay_taken")]
