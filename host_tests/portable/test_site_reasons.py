"""Every reason that a setpoint or limit can have is reached, with a sentence in both languages."""

from fakes.dimming_reasons import CODES as DIMMING
from fakes.power_reasons import CODES
from fakes.site_world import Car, World, box

from controller import data

# Given by rules, plans and overrides, with what they say.
WISHES = {
    "plan": (),
    "override": (8000,),
    "override_stop": (),
    "current_limit": ("M1.current",),
    "current_limit_failed": ("x +", 4, "something is missing here"),
    "rule": ("night", "R3"),
    "rule_failed": ("night", "R3", 4, "something is missing here"),
    "rule_none": ("night",),
    "clock_not_set": (),
}
# Said by controller/state.py: a box that is not in the site, and of a battery's meter; and those
# of the power manager and of dimming, which test_power_reasons.py and test_dimming_inputs.py have
# said.
# Reached by test_operator.py and test_power_room.py.
OPERATOR = (
    "channel_failsafe channel_init channel_limit contact_invalid contact_level contact_unknown"
    " operator_test power_manager_missing"
).split()
OUTSIDE = {"disabled", "battery_sign_wrong"} | set(CODES) | set(DIMMING) | set(OPERATOR)


class Heard:
    def __init__(self):
        self.codes = set()

    def run(self, world, seconds):
        for _ in range(seconds):
            world.run()
            self.note(world)

    def note(self, world):
        reasons = [evse.reason for evse in world.evses]
        reasons += [limit.reason for limit in world.site.limits]
        reasons += [feeder.meter_reason for feeder in world.site.feeders]
        for reason in reasons:
            if reason and reason.code not in self.codes:
                self.codes.add(reason.code)
                assert reason.since_ms <= world.now_ms
                for lang in ("en", "de"):
                    sentence = data.text("reasons", reason.code, reason.arguments, lang)
                    assert sentence[-1] == "." and "{" not in sentence
                    for argument in reason.arguments:
                        assert str(argument) in sentence or reason.code == "current_limit"


def test_every_reason_is_reached():
    heard = Heard()
    group = {"id": "G1", "max_current": 12000, "meter": "M2", "max_power": None}
    world = World(
        [box("E1", group="G1"), box("E2", phases=1), box("E3"), box("E4"), box("E5")],
        groups=(group,),
        max_total_power="x * 1000",
        max_unbalance_ma=10000,
    )
    world.group_ma["G1"] = [0, 0, 0]
    world.cars["E2"].lines = 1
    world.cars["E5"] = None
    world.site.decide(0, False, (world.lookup,) * 3)
    heard.note(world)  # starting, formula_failed
    world.names["x"] = 99
    world.cars["E4"].wants_ma = 7000
    world.run(80)  # set, formula, unused, row_binds
    heard.run(world, 1)
    world.cars["E4"].wants_ma = 0
    heard.run(world, 200)  # not_drawing, no_vehicle
    world.site.percent = 40
    heard.run(world, 20)
    world.house_ma[0] = 40000
    heard.run(world, 20)  # overdraft, paused
    world.house_ma[0] = 0
    world.site.percent = None
    world.site.plan_limit.fix(9000, "plan", world.now_ms)
    heard.run(world, 700)  # rotation
    world.site.plan_limit.clear(world.now_ms)
    world.names["x"] = 5
    heard.run(world, 3)  # limit_binds
    world.names["x"] = 99
    world.cars["E3"].wants_ma = world.cars["E4"].wants_ma = 0
    heard.run(world, 400)  # unbalance
    world.mute.append("house")
    heard.run(world, 20)  # grid_meter_late, grid_meter_lost
    world.mute.clear()
    evse = world.evses[2]
    world.cars["E3"].wants_ma = 32000
    heard.run(world, 700)
    for code in WISHES:
        evse.wish_ma = 0 if code == "override_stop" else 7000
        evse.wish_reason = (code, WISHES[code], None)
        heard.run(world, 10)
    evse.wish_ma = 2000
    heard.run(world, 1)
    evse.wish_ma = None
    world.run(200)
    world.cars["E3"].obeys = False
    world.house_ma[0] = 20000
    heard.run(world, 60)  # ignores_setpoint, stopped_by_ignoring
    evse.silent_since_ms = world.now_ms
    heard.run(world, 1)
    evse.silent_since_ms = None
    world._tick()
    evse.state = "F"
    world.site.decide(world.now_ms, True, (world.lookup,) * 3)
    heard.note(world)
    world = World([box("E1"), box("E2")], max_total_current=13000, meter_loss_current_ma=7000)
    world.cars["E2"] = None
    heard.run(world, 60)
    world.cars["E2"] = Car()
    world.mute.append("house")
    heard.run(world, 400)  # limit_and_meter_lost
    heard.run(World([box()]), 60)  # rising, evse_maximum
    heard.run(World([box()], load_management=False), 1)
    assert set(data.load_json("texts/reasons.json")) - heard.codes == OUTSIDE


def test_a_reason_knows_its_source_and_its_end():
    world = World([box("E1"), box("E2")], max_total_current=10000)
    world.run(30)
    reason = world.evses[0].reason
    assert (reason.code, reason.source, reason.until_ms) == (
        "limit_binds",
        "max_total_current",
        None,
    )
    waiting = world.evses[1].reason
    since_ms = waiting.since_ms
    world.run(5)
    assert world.evses[1].reason is waiting and waiting.since_ms == since_ms
    assert waiting.until_ms == world.evses[0].place_ms + 900000
