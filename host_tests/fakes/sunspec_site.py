"""named_site.py with the SunSpec server's settings, and real settings and limits behind it."""

import sys

from fakes import named_site


class Machine:
    """What the firmware's modules import of the chip."""

    UART = None

    class Pin:
        IN, OUT, PULL_DOWN, PULL_UP = 1, 3, 1, 2

    @staticmethod
    def unique_id():
        return b"\x24\x0a\xc4\x00\x01\x02"


if "machine" not in sys.modules:
    sys.modules["machine"] = Machine

from chargecontrol.operator import Operator  # noqa: E402
from chargecontrol.site import Site  # noqa: E402
from controller import data  # noqa: E402
from controller.settings import Settings  # noqa: E402
from controller.store import StoreError  # noqa: E402

BOARD = {"inputs": [{"id": 1}, {"id": 2}], "rs485": [{"id": "rs485_1"}]}
SERVER = {"enabled": True, "unit": 7, "devices": ["M1", "E1", "M3", "E2"], "idle_s": 60}
METERS = [
    {"id": "M1", "template": "http_input", "role": "grid"},
    {"id": "M3", "template": "http_input", "role": "storage_home"},
]
BOXES = [{"id": "E1", "template": "http_input"}, {"id": "E2", "template": "http_input"}]
CHANNEL = {"channel": "sunspec", "timeout_s": 60, "failsafe": "10 %", "duration_s": 7200}


class Store:
    """Documents in RAM; counts what is written to flash."""

    def __init__(self):
        self.documents = {}
        self.writes = 0
        self.full = False

    def load(self, name):
        return self.documents.get(name), None

    def save(self, name, document):
        if self.full:
            raise StoreError("not_saved", name, "full")
        if self.documents.get(name) == document:
            return False
        self.documents[name] = dict(document)
        self.writes += 1
        return True


class Inputs:
    """As controller/operator_inputs.py, without inputs."""

    def __init__(self, controller, channels):
        self._controller = controller
        self.operator = Operator()
        self.operator.configure([], channels, controller.clock.now_ms())

    def write(self, channel, level, until_ms=None):
        self.operator.write(channel, level, self._controller.clock.now_ms(), until_ms)
        self._controller.wake()

    def touch(self, channel):
        self.operator.touch(channel, self._controller.clock.now_ms())

    def pass_ms(self, ms):
        self._controller.clock.ms += ms
        self.operator.update(self._controller.clock.now_ms(), lambda name: 0)


class Controller(named_site.Controller):
    """channels: settings["channels"]; server: over SERVER; events, logged, wakes: what came."""

    version = "0.1.0"
    operator = None

    def __init__(self, channels=(), **server):
        super().__init__()
        self.clock = named_site.Clock()
        self.store = Store()
        self.events = []
        self.logged = []
        self.faults = []
        self.wakes = 0
        self.log = self.logged.append
        self.settings = Settings(self.store, data.load_json, BOARD)
        section = dict(SERVER)
        section.update(server)
        self.settings.apply({"meters": METERS, "evses": BOXES, "sunspec_server": section})
        self.store.writes = 0
        doc = self.settings.doc
        self.site = Site(doc["site"], self.site.evses, "M1")
        self.site.house.available_ma = (20000, 20000, 20000)
        self.decide()
        if channels:
            self.operator = Inputs(self, channels)
        self.feed()

    def decide(self):
        """What of a decision the server shows: what the limits are just now."""
        for feeder in self.site.feeders:
            for limit in feeder.set_limits:
                limit.evaluate(self.names.lookups, self.clock.now_ms())

    def settings_changed(self, sections, who="admin"):
        from controller import reconfigure

        return reconfigure.take(self, sections)

    def event(self, code, *arguments):
        self.events.append((code,) + arguments)

    def fault(self, text):
        self.faults.append(text)

    def wake(self):
        self.wakes += 1
