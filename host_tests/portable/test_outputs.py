"""Relays of the board that pass something on: formulas, fail-safe states, reduced devices."""

from fakes.dimming_controller import DIMMED, HEAT_PUMP, WALLBOX, Controller

from controller.dimming_state import outputs


def reason(lang, reason, now_ms, value=None, source="site"):
    return reason and reason.code


def output(relay, closed_when, **more):
    return dict(relay=relay, closed_when=closed_when, **more)


def test_a_relay_follows_its_formula():
    made = Controller(outputs=[output(2, "PB.input1 && E1.com_err == 0"), output(3, 1)])
    made.contacts.inputs["input1"] = 1
    made.run()
    assert [relay.on for relay in made.relays] == [False, True, True]
    made.contacts.inputs["input1"] = 0
    made.run()
    assert [relay.on for relay in made.relays] == [False, False, True]
    state = outputs(made, "de", made.now_ms, reason)
    assert [one["relay"] for one in state] == [2, 3]
    assert state[0]["closed"] is False and state[0]["error"] is None


def test_a_formula_that_fails_gives_the_fail_safe_state():
    made = Controller(outputs=[output(1, "PB.input1", failsafe_closed=True, min_s=60)])
    made.run()
    assert made.relays[0].on
    assert "pb.input1" in outputs(made, "en", made.now_ms, reason)[0]["error"]
    made.contacts.inputs["input1"] = 0
    made.run()
    assert not made.relays[0].on  # the first known state waits for nothing
    del made.contacts.inputs["input1"]
    made.run()
    assert made.relays[0].on  # nor does the fail-safe state


def test_a_state_lasts_its_least_time():
    made = Controller(outputs=[output(1, "PB.input1", min_s=60)])
    made.contacts.inputs["input1"] = 1
    made.run()
    made.contacts.inputs["input1"] = 0
    made.run(59)
    assert made.relays[0].on
    made.run()
    assert not made.relays[0].on
    made.contacts.inputs["input1"] = 1
    made.run(30)
    made.contacts.inputs["input1"] = 0
    made.run(60)
    assert made.relays[0].switched == 2


def test_relays_keep_their_state_when_settings_change():
    made = Controller(outputs=[output(1, 1), output(2, "PB.input1", min_s=60)])
    made.contacts.inputs["input1"] = 1
    made.run()
    made.contacts.inputs["input1"] = 0
    made.change(outputs=[output(2, "PB.input1", min_s=60), output(3, 1)])
    assert [relay.on for relay in made.relays] == [False, True, False]
    made.run(30)
    assert [relay.on for relay in made.relays] == [False, True, True]
    assert [relay.switched for relay in made.relays] == [2, 1, 1]


def test_a_relay_may_be_open_for_reduced():
    pump = dict(HEAT_PUMP)
    pump["closed_is_reduced"] = False
    settings = dict(DIMMED)
    settings["steerables"] = [WALLBOX, pump]
    made = Controller(**settings)
    made.contacts.inputs["input1"] = 0
    made.run()
    assert made.relays[0].on
    made.contacts.inputs["input1"] = 1
    made.run()
    assert not made.relays[0].on


def test_where_it_only_observes_no_device_is_reduced():
    made = Controller(**DIMMED)
    made.contacts.inputs["input1"] = 1
    made.run(2)
    assert made.relays[0].on
    made.change(site={"load_management": False})
    made.run()
    assert made.dimming.dimming.reduced == ["S2"] and not made.relays[0].on
