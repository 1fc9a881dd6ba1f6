"""A thousand random commands of the grid operator, with power cuts in between: what the real
controller holds to is what the reference model says, in every cycle, and the journal tells the
same.
"""

import random
from pathlib import Path

import pytest
from operator_model import P_MIN_W, START_MA, Model, ModelChannel, ModelSet
from operator_world import World, level_of

SETTINGS = {
    "site": {
        "max_total_current": "exists(AVAIL) ? 35000 * AVAIL / 100 : 35000",
        "failsafe_current_ma": START_MA,
    },
    "meters": [{"id": "M1", "template": "http_input", "role": "grid"}],
    "evses": [
        {"id": "E1", "template": "http_input", "max_current_ma": 16000},
        {"id": "E2", "template": "http_input", "max_current_ma": 16000},
    ],
    "contacts": [{"input": n, "on_delay_ms": 200, "off_delay_ms": 200} for n in (1, 2, 3, 4)],
    "contact_sets": [
        {
            "id": "C1",
            "form": "binary",
            "inputs": ["PB.input1", "PB.input2"],
            "levels": ["none", "60 %", "30 %", "0 %"],
        },
        {
            "id": "C2",
            "form": "one_hot",
            "inputs": ["PB.input3", "PB.input4"],
            "levels": ["none", "dim 7000 W", "dim 3000 W"],
        },
    ],
    "dimming": {"enabled": True},
    "steerables": [
        {"id": "S1", "kind": "evse", "device": "E1", "power_w": 11000},
        {"id": "S2", "kind": "evse", "device": "E2", "power_w": 11000},
    ],
    "sunspec_server": {"enabled": True, "port": 5020},
    "journal": {"enabled": True},
}
# Each of them silent-able in one half of the test, without a time-out in the other.
CHANNELS = [
    [("sunspec", 60, "30 %", 7200, True), ("http", 0, "dim", 7200, False)],
    [("sunspec", 0, "30 %", 7200, True), ("http", 90, "dim 4200 W", 9000, False)],
]
LEVELS = ("none", "60 %", "0 %", "16000 mA", "11000 W", "dim", "dim 4200 W", "dim 12000 W")


def model(channels):
    binary = {
        (0, 0): None,
        (1, 0): ("percent", 60),
        (0, 1): ("percent", 30),
        (1, 1): ("percent", 0),
    }
    one_hot = {(0, 0): None, (1, 0): ("dimming", 7000), (0, 1): ("dimming", 3000)}
    return Model(
        [
            ModelSet("C1", (1, 2), binary, [("percent", 0)]),
            ModelSet("C2", (3, 4), one_hot, [("dimming", 3000)]),
        ],
        [ModelChannel(n, t, level_of(f), d, volatile) for n, t, f, d, volatile in channels],
    )


class Run:
    """World and model side by side; checkpoints: [(boot, ms since it, orders, effective)]."""

    def __init__(self, world, model, seed):
        self.world = world
        self.model = model
        self.rng = random.Random(seed)
        self.closed = {n: False for n in (1, 2, 3, 4)}
        self.checkpoints = []
        self.did = []
        self.compared = 0
        self.recent = [(35000, None)]

    def say(self):
        return "at %d s, boot %d, after %s" % (self.world.s, self.world.boots, self.did[-6:])

    def step(self, seconds):
        world, model = self.world, self.model
        world.step(seconds)
        model.pass_time(world.s, world.states())
        states = {name: channel.state for name, channel in model.channels.items()}
        assert world.states() == states, self.say()
        real, right = world.effective(), model.effective()
        if world.s - model.booted_s < 5:
            assert real[0] <= max(START_MA, right[0]), self.say()
        elif model.settled(world.s):
            assert real == right, "%s is not %s %s" % (real, right, self.say())
            self.compared += 1
            self.recent = [right]
        else:  # a contact is moving: never less strict than all that it has said meanwhile
            self.recent.append(right)
            assert real[0] <= max(one[0] for one in self.recent), self.say()
            loose_w = [1000000 if one[1] is None else one[1] for one in (real, *self.recent)]
            assert loose_w[0] <= max(loose_w[1:]), self.say()

    def wait(self, seconds):
        for passed in range(5):
            self.step(1)
            if passed + 1 == seconds:
                break
        seconds -= 5
        while seconds > 0:
            step = 1 if seconds <= 100 else 10
            self.step(step)
            seconds -= step
        if self.model.settled(self.world.s) and not self.model.starting():
            up_ms = self.world.controller.clock.now_ms()
            self.checkpoints.append(
                (self.world.boots, up_ms, self.model.orders(), self.model.effective())
            )

    def command(self):
        rng, world, model = self.rng, self.world, self.model
        what = rng.choice(
            "sunspec sunspec sunspec http http contact contact vars bad test restart".split()
        )
        now_s = world.s
        if what == "sunspec":
            percent = rng.choice((0, 10, 30, 30, 60, 99, 100))
            assert world.write_sunspec(percent) == 0
            model.channels["sunspec"].write(("percent", percent), now_s)
            what += " %d" % percent
        elif what == "bad":
            assert world.write_sunspec(rng.choice((float("nan"), -1.0, 101.0))) == 3
        elif what == "http":
            level, seconds = rng.choice(LEVELS), rng.choice((None, None, 20, 400))
            world.write_http(level, seconds)
            model.channels["http"].write(level_of(level), now_s, seconds)
            what += " %s for %s" % (level, seconds)
        elif what == "vars":
            model.avail_pct = rng.choice((100, 75, 40, 0))
            world.set_variable("AVAIL", model.avail_pct)
            model.channels["http"].touch(now_s)
            what += " %d" % model.avail_pct
        elif what == "test":
            source, levels = rng.choice((("C1", LEVELS[1:3]), ("http", LEVELS[2:])))
            level, seconds = rng.choice(levels), rng.choice((20, 300))
            world.test(source, level, seconds)
            model.test = (source, level_of(level), now_s + seconds)
            what += " %s %s for %d" % (source, level, seconds)
        elif what == "contact":
            number = rng.choice((1, 2, 3, 4))
            self.closed[number] = not self.closed[number]
            world.contact(number, self.closed[number])
            for one in model.sets:
                one.move(self.closed, now_s)
            what += " %d" % number
        else:
            self.wait(3)  # what was done is on the flash by then
            world.restart()
            model.restart(world.s)
        self.did.append(what)
        self.wait(rng.choice((2, 7, 40, 70, 70, 130, 200)))
        if rng.random() < 0.02:
            self.wait(9500)  # even the longest fail-safe duration is over


def told(found, boot, up_ms):
    """({name: (class, (kind, value))}, (W, mA) in force) as the journal has it for that moment."""
    orders, in_force = {}, None
    for row in found:
        if row["boot"] > boot or row["boot"] == boot and row["up_ms"] > up_ms:
            break
        if row["kind"] == "start":
            orders, in_force = {}, None
        elif row["kind"] == "command":
            orders[row["source"]] = row["class"], (row["limit"], row["value"])
        elif row["kind"] == "release":
            del orders[row["source"]]
        elif row["kind"] == "in_force":
            in_force = row["phase_ma"], row["dim_w"]
    return orders, in_force


@pytest.mark.parametrize("half", [0, 1])
def test_five_hundred_random_commands(half, tmp_path: Path, monkeypatch):
    settings = dict(SETTINGS)
    settings["channels"] = [
        {"channel": name, "timeout_s": timeout_s, "failsafe": failsafe, "duration_s": duration_s}
        for name, timeout_s, failsafe, duration_s, _ in CHANNELS[half]
    ]
    world = World(tmp_path, settings, monkeypatch)
    run = Run(world, model(CHANNELS[half]), seed=half)
    run.wait(8)
    for _ in range(500):
        run.command()
    run.wait(5)
    assert run.compared > 20000 and world.boots > 25
    found = world.journal()
    differ = 0
    for boot, up_ms, orders, effective in run.checkpoints:
        right = {
            name: (kind, level)
            for (name, _), (kind, level) in orders.items()
            if level != ("percent", 100)
        }
        said, in_force = told(found, boot, up_ms)
        said = {name: order for name, order in said.items() if order[0] != "formula"}
        assert said == right, (boot, up_ms)
        if right:
            assert in_force == effective, (boot, up_ms)
            differ += 1
    assert differ > 200
    print("%d cycles compared, %d boots, %d rows" % (run.compared, world.boots, len(found)))
    assert P_MIN_W == world.controller.dimming.dimming.p_min_w
