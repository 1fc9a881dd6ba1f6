"""Contacts of the board and of devices reach the operator's sets; what channels did is kept."""

from controller.contacts import Contacts
from controller.names import Names
from controller.operator_inputs import OperatorInputs
from controller.store import StoreError
from formula import FormulaError, parse

S = 1000


class Clock:
    ms = 0

    def now_ms(self):
        return self.ms


class Inputs:
    count = 2

    def __init__(self):
        self.closed = [False] * 3

    def read(self, n):
        return self.closed[n]

    def on_change(self, callback):
        self.callback = callback


class Store:
    def __init__(self, document=None, problem=None):
        self.document = document
        self.problem = problem
        self.saves = []
        self.full = False

    def load(self, name):
        assert name == "operator.json"
        return self.document, self.problem

    def save(self, name, document):
        if self.full:
            raise StoreError("not_saved", name, "full")
        self.document = document
        self.saves.append(document)
        return True


class Device:
    def __init__(self):
        self.readings = {}
        self.read_ms = None


class Site:
    operator = None


class Cycle:
    count = 0


class Controller:
    def __init__(self, store=None):
        self.cycle = Cycle()
        self.clock = Clock()
        self.inputs = Inputs()
        self.contacts = Contacts(self.inputs, [{"input": 1}], self.clock, self.changed)
        self.devices = {"M2": Device()}
        self.store = store or Store()
        self.site = Site()
        self.faults = []
        self.events = []
        self.woken = 0

    def changed(self, n, contact):
        pass

    def fault(self, text):
        self.faults.append(text)

    def event(self, *event):
        self.events.append(event)

    def wake(self):
        self.woken += 1


def document(sets=(), channels=(), contacts=()):
    return {"contact_sets": list(sets), "channels": list(channels), "contacts": list(contacts)}


def one(name, *texts):
    levels = list(texts or ("none", "16000 mA"))
    return {"id": "C1", "form": "one", "inputs": [name], "levels": levels, "patterns": []}


CHANNEL = {"channel": "http", "timeout_s": 120, "failsafe": "30 %", "duration_s": 7200}


class World:
    def __init__(self, doc, store=None):
        self.controller = Controller(store)
        self.part = OperatorInputs(self.controller)
        self.part.configure(doc)
        self.operator = self.part.operator
        assert self.controller.site.operator is self.operator

    def to(self, s, every_ms=250, alive=True):
        """Runs cycles up to a second; the devices answer meanwhile."""
        clock = self.controller.clock
        while clock.ms < s * S:
            clock.ms += every_ms
            self.controller.contacts.read()
            if alive:
                self.controller.devices["M2"].read_ms = clock.ms
            self.part.update(clock.ms)

    def level(self):
        return self.operator.sets["C1"].number()


def test_a_contact_of_the_board_counts_after_its_delay():
    world = World(document([one("PB.input1")]))
    assert world.level() == 1, "the strictest until it is known"
    world.to(3)
    assert world.level() == 0 and world.operator.ready
    world.controller.inputs.closed[1] = True
    world.to(3.5)
    assert world.level() == 0
    world.to(4.5)
    assert world.level() == 1
    assert world.controller.events == []
    assert world.part.inputs_state(["PB.input1"]) == [
        {"input": "PB.input1", "active": 1, "moving": False}
    ]


def test_an_input_of_a_device_is_debounced_too():
    world = World(document([one("M2.input1")]))
    readings = world.controller.devices["M2"].readings
    world.to(5)
    assert world.level() == 1 and not world.operator.ready, "it says nothing of an input"
    readings["input1"] = 0
    world.to(8)
    assert world.level() == 0 and world.operator.ready
    readings["input1"] = 1
    world.to(8.5)
    readings["input1"] = 0
    world.to(11)
    assert world.level() == 0, "half a second is a bounce"
    readings["input1"] = 1
    world.to(12.5)
    assert world.level() == 1


def test_a_silent_device_is_unknown_after_ten_seconds():
    world = World(document([one("M2.input1")]))
    world.controller.devices["M2"].readings["input1"] = 0
    world.to(5)
    assert world.level() == 0
    world.to(14, alive=False)
    assert world.level() == 0
    world.to(16, alive=False)
    assert world.level() == 1
    assert world.controller.events == [("contact_unknown", "C1", "M2.input1")]
    world.to(17)
    assert world.level() == 1, "its delay begins anew"
    world.to(20)
    assert world.level() == 0
    world.controller.devices.clear()
    world.to(21, alive=False)
    assert world.level() == 1


def test_a_pair_waits_for_the_longest_delay_of_its_contacts():
    pair = one("PB.input1", "none", "60 %", "30 %", "0 %")
    pair.update({"form": "binary", "inputs": ["PB.input1", "PB.input2"]})
    contacts = [{"input": 1, "on_delay_ms": 100, "off_delay_ms": 5000}]
    world = World(document([pair], contacts=contacts))
    assert world.operator.sets["C1"].settle_ms == 5000
    inputs = world.controller.inputs
    world.to(10)
    assert world.level() == 0
    inputs.closed[2] = True
    world.to(16)
    assert world.level() == 2
    # From input 2 to input 1: the delays end apart, and that is no pattern of its own.
    inputs.closed[1], inputs.closed[2] = True, False
    seen = []
    while world.controller.clock.ms < 28000:
        world.to(world.controller.clock.ms // S + 1)
        seen.append(world.level())
    assert seen[0] == 2 and seen[-1] == 1 and 3 not in seen, seen


def test_commands_wake_the_cycle_and_heartbeats_count():
    world = World(document(channels=[CHANNEL]))
    world.part.write("http", ("percent", 30))
    assert world.controller.woken == 1
    world.to(1)
    assert world.operator.channels["http"].state == "limited"
    for s in range(60, 360, 60):
        world.to(s, S)
        world.part.touch("http")
    assert world.operator.channels["http"].state == "limited"
    world.to(500, S)
    assert world.operator.channels["http"].state == "failsafe"
    world.part.touch("http")
    assert world.operator.channels["http"].state == "controlled", "a command by variables"
    world.part.touch("sunspec")
    assert [event[0] for event in world.controller.events] == [
        "channel_limited",
        "channel_failsafe",
    ]


def test_states_are_saved_when_they_change_and_go_on_after_a_restart():
    world = World(document(channels=[CHANNEL]))
    store = world.controller.store
    world.to(10, S)
    assert store.saves == []
    world.part.write("http", ("percent", 30))
    world.part.update(10 * S)
    assert store.saves == [], "no setpoint waits for the flash"
    world.to(11, S)
    assert store.saves == [{"http": ["limited", "30 %", None]}]
    world.to(129, S)
    assert len(store.saves) == 1
    world.to(2000, S)
    assert [document["http"][0] for document in store.saves] == ["limited"] + ["failsafe"] * 3
    left_s = store.document["http"][2]
    assert 7200 - 1870 <= left_s < 7200 - 900
    world = World(document(channels=[CHANNEL]), Store(store.document))
    world.to(1)
    channel = world.operator.channels["http"]
    assert channel.state == "failsafe" and channel.end_ms == left_s * S
    assert world.controller.store.saves == [], "nothing new"


def test_what_is_left_is_saved_before_a_restart():
    world = World(document(channels=[CHANNEL]))
    world.to(1)
    world.part.write("http", ("percent", 30), 1000 * S)
    world.part.flush()
    assert world.controller.store.document == {"http": ["limited", "30 %", 999]}
    world = World(document([one("PB.input1")]))
    world.part.flush()
    assert world.controller.store.saves == []


def test_a_channel_that_is_set_up_while_the_board_runs_begins_anew():
    store = Store({"http": ["limited", "30 %", None]})
    controller = Controller(store)
    controller.cycle.count = 1
    part = OperatorInputs(controller)
    part.configure(document(channels=[CHANNEL]))
    assert part.operator.channels["http"].level == ("none", None)
    world = World(document(channels=[CHANNEL]), store)
    assert world.operator.channels["http"].level == ("percent", 30)
    world.to(1)
    world.part.configure(document([one("PB.input1")]))
    world.to(5, S)
    assert store.document == {}


def test_settings_that_are_damaged_on_flash_free_nobody_and_stop_nothing():
    sets = [
        one("PB.input1", "none", "160 %"),
        dict(one("PB.input1", "none", "60 %", "0 %"), id="C2", form="one_hot"),
        dict(one("PB.input9", "none", "60 %"), id="C3"),
        dict(one("PB.input1", "none", "60 %"), id="C4", form="table", patterns=["11x"]),
    ]
    world = World(document(sets, [dict(CHANNEL, failsafe="160 %")]))
    world.controller.inputs.closed[1] = True
    world.to(5)
    found = {limit.source: limit.value for limit in world.operator.limits if limit.level}
    assert found == {"C1": 0, "C2": 60, "C3": 60, "C4": 60, "http": 0}


def test_the_flash_is_spared():
    world = World(document(channels=[CHANNEL]))
    for s in range(1, 3600, 2):
        world.part.write("http", ("percent", s % 100))
        world.to(s + 1, S)
    assert 60 <= len(world.controller.store.saves) <= 85
    world.to(3700, S)
    assert world.controller.store.document["http"][1] == "99 %"


def test_a_full_flash_is_a_fault_and_no_end():
    world = World(document(channels=[CHANNEL]))
    world.controller.store.full = True
    world.to(1)
    world.part.write("http", ("percent", 30))
    world.to(300, S)
    assert len(world.controller.faults) == 1 and "operator.json" in world.controller.faults[0]
    assert world.operator.channels["http"].state == "failsafe"


def test_a_damaged_document_is_said_and_not_taken():
    for nonsense in ([1], {"http": 5}, {"http": ["limited", "many %", None]}):
        world = World(document(channels=[CHANNEL]), Store(nonsense))
        assert len(world.controller.faults) == 1, nonsense
        world.to(1)
        assert world.operator.channels["http"].state == "init"
    world = World(document(channels=[CHANNEL]), Store(None, "damaged"))
    assert "damaged" in world.controller.faults[0]


def test_formulas_read_the_level_of_a_set():
    world = World(document([one("PB.input1")]))
    controller = world.controller
    names = Names(controller)
    controller.operator = None
    for level in ("C1.level", "C2.level"):
        assert unknown(names, level)
    controller.operator = world.part
    assert parse("C1.level == 1 ? 5 : 7").value(names.lookup) == 5, "the strictest until known"
    world.to(3)
    assert parse("C1.level == 1 ? 5 : 7").value(names.lookup) == 7
    assert parse("c1.level").value(names.lookups[2]) == 0
    world.operator.test("C1", ("current", 16000), 3 * S, 9 * S)
    assert parse("C1.level").value(names.lookup) == 1, "relays follow a test, too"
    for level in ("C2.level", "C1.levels", "M9.level"):
        assert unknown(names, level), level


def unknown(names, text):
    try:
        parse(text).value(names.lookup)
    except FormulaError:
        return True
    return False
