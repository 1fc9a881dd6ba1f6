"""A controller with what dimming and outputs ask of it, for their tests; both interpreters."""

from fakes.site_world import box

from chargecontrol.site import Site
from controller import data
from controller.dimming_inputs import DimmingInputs
from controller.names import Names
from controller.outputs import Outputs
from controller.settings import Settings
from controller.specials import Specials

BOARD = {
    "inputs": [{"id": 1}],
    "rs485": [{"id": "rs485_1"}],
    "relays": [{"id": n} for n in (1, 2, 3)],
}


DEVICES = {
    "meters": [
        {"id": "M1", "template": "sdm630", "role": "grid", "bus": "rs485_1", "unit": 1},
        {"id": "M2", "template": "sdm630", "role": "consumption", "bus": "rs485_1", "unit": 2},
    ],
    "evses": [{"id": "E1", "template": "heidelberg", "bus": "rs485_1", "unit": 3}],
}


class Store:
    document = None

    def load(self, name):
        return self.document, None

    def save(self, name, document):
        self.document = document
        return True


class Clock:
    def now_ms(self):
        return 0


class Contacts:
    stable = True

    def __init__(self):
        self.inputs = {}

    def field(self, name):
        return self.inputs[name]


class Device:
    com_error = False

    def __init__(self, id, power_w, **config):
        self.id = id
        self.config = dict(config)
        self.readings = {"power_w": power_w}
        self.read_ms = 0


class Relay:
    on = False
    switched = 0

    def value(self, on):
        self.switched += on != self.on
        self.on = on


class ContactSet:
    settled = True


class Operator:
    """What a part of the grid operator's doors looks like from here."""

    def __init__(self):
        self.sets = {"C1": ContactSet()}
        self.limits = []
        self.wanted = []
        self.percent = None

    def dimming(self):
        return list(self.wanted)

    def feed_in(self):
        return self.percent


class Controller:
    """A wallbox E1, a grid meter M1 and a heat pump's meter M2."""

    power = operator = dimming = counters = wishes = specials = None
    after = ()

    def __init__(self, **settings):
        self.clock = Clock()
        self.contacts = Contacts()
        self.relays = [Relay() for _ in range(3)]
        self.faults = []
        self.settings = Settings(Store(), data.load_json, BOARD)
        self.settings.apply(DEVICES)
        evse = box()
        evse.silent_since_ms = None
        evse.state = "C"
        self.evses = {"E1": evse}
        self.devices = {
            "M1": Device("M1", 0, role="grid"),
            "M2": Device("M2", 0, role="consumption"),
            "E1": Device("E1", 0, meter=None),
        }
        self.site = Site(self.settings.doc["site"], [evse], "M1")
        self.names = Names(self)
        self.now_ms = 0
        self.change(**settings)

    def fault(self, text):
        self.faults.append(text)

    def get_specials(self):
        self.specials = self.specials or Specials(self)
        return self.specials

    def change(self, **settings):
        """As PATCH /api/settings, without what only the real controller has."""
        self.settings.apply(settings)
        doc = self.settings.doc
        if doc["dimming"].get("enabled"):
            self.dimming = self.dimming or DimmingInputs(self)
            self.dimming.configure(doc)
        self.after = (Outputs(self, self.after),)

    def run(self, seconds=1):
        for _ in range(seconds):
            self.now_ms += 1000
            evse = self.evses["E1"]
            for device in self.devices.values():
                device.read_ms = self.now_ms
            evse.read_ms = self.now_ms
            evse.measured_ma = [evse.setpoint_ma] * 3
            house_ma = evse.setpoint_ma + self.devices["M2"].readings["power_w"] * 1000 // 690
            self.devices["M1"].readings["power_w"] = house_ma * 690 // 1000
            self.site.house.reading_ma = [house_ma] * 3
            self.site.house.read_ms = self.now_ms
            if self.dimming:
                self.dimming.update(self.now_ms)
            self.site.decide(self.now_ms, True, self.names.lookups)
            evse.sent_ma = evse.setpoint_ma
            for part in self.after:
                part.update(self.now_ms)
        return self.evses["E1"].setpoint_ma

    def cm(self, name):
        return self.get_specials().lookup(name)


WALLBOX = {"id": "S1", "kind": "evse", "device": "E1", "power_w": 11000}
HEAT_PUMP = {
    "id": "S2",
    "kind": "heat_pump",
    "device": "M2",
    "power_w": 6000,
    "relay": 1,
    "reduced_w": 1500,
}
DIMMED = {"dimming": {"enabled": True, "active": "PB.input1"}, "steerables": [WALLBOX, HEAT_PUMP]}
