"""Time of one whole cycle on the VM: bench_whole_cycle.py TREE CHIP. Prints one JSON object.

The real parts, without a wire: pushed devices that are read anew before each cycle, 8 wallboxes
(and 16), 6 meters of which 4 are calculated, 24 formulas and 24 rules.
"""

import gc
import json
import sys
import time

TREE, CHIP = sys.argv[1:3]
sys.path[:] = [TREE, TREE + "/lib", CHIP, ".frozen"]

from chargecontrol.site import Site  # noqa: E402
from controller import data  # noqa: E402
from controller.cycle import Cycle  # noqa: E402
from controller.installation import Installation  # noqa: E402
from controller.names import Names  # noqa: E402

data.roots[:0] = [TREE + "/data/"]

# 1 + 1 for the connection, one for each wallbox, 3 and 4 in two expression meters: 24 with the 7
# variables (8 wallboxes).
CALCULATED = (
    {"power_w": "M1.power_w - M2.power_w", "import_wh": "import_wh + power_w * dt / 3600"},
    {
        "power_w": "(power_w * (20 - dt) + M1.power_w * dt) / 20",
        "current_l1": "M1.current_l1 + 1",
        "current_l2": "M1.current_l2 * 2",
        "current_l3": "max(0, M1.current_l3)",
        "import_wh": "import_wh + M1.power_w * dt / 3600",
    },
)
VARIABLES = 7
# Half of the wallboxes have rules that are computed for each phase.
RULES = [
    [
        {
            "id": number + 1,
            "condition": {"type": "formula", "value": "M1.power_w > %d" % (number * 100)},
            "action": {"type": "set", "value": "min(16000, 20000 - M1.%s)" % what},
        }
        for number in range(3)
    ]
    for what in ("current", "power_w")
]


class Store:
    documents = {}

    def load(self, name):
        return self.documents.get(name), None


class Contacts:
    stable = True

    def field(self, name):
        return 0


class Clock:
    trusted = True
    ms = 0

    def now_ms(self):
        return self.ms

    def local(self):
        return 2026, 1, 1, 12, 0, 0, 4, 0


class Controller:
    """What the cycle and those whom it asks need of controller/app.py."""

    wishes = counters = specials = power = operator = dimming = journal = None
    before = after = ()
    deaf = False

    def balance(self):
        from chargecontrol.balance import Balance

        self.counters = self.counters or Balance()
        return self.counters

    def get_specials(self):
        from controller.specials import Specials

        self.specials = self.specials or Specials(self)
        return self.specials


def _meter(number, role, template="http_input", **more):
    fields = {"id": "M%d" % number, "template": template, "role": role, "enabled": True}
    fields.update(more)
    return fields


def _document(boxes):
    from controller.settings import Settings

    settings = Settings(Store(), data.load_json, {})
    evses = [
        {
            "id": "E%d" % (n + 1),
            "template": "http_input",
            "priority": 1 + n % 2,
            "phase_rotation": n % 3 * 120,
            "current_limit": "32000 - M1.current_l%d / 10" % (n % 3 + 1),
            "group": "G%d" % (1 + n % 2),
        }
        for n in range(boxes)
    ]
    meters = [
        _meter(1, "grid"),
        _meter(2, "generation"),
        _meter(3, "display", "expression", formulas=CALCULATED[0]),
        _meter(4, "display", "expression", formulas=CALCULATED[1]),
        _meter(5, "display", "virtual", measure="surplus"),
        _meter(6, "display", "virtual", measure="consumed"),
    ]
    document = {
        "site": {
            "max_total_current": "exists(AVAIL) ? 55000 * AVAIL / 100 : 55000",
            "max_total_power": "PB.input1 ? 9660 : 35000",
        },
        "groups": [{"id": "G1", "max_current": 32000}, {"id": "G2", "max_current": 32000}],
        "evses": evses,
        "meters": meters,
    }
    from controller import settings_check

    settings.doc.update(settings_check.changes(settings, document))
    return settings


def _controller(boxes):
    rules = {
        "sets": [
            {"id": "set%d" % n, "name": "", "parameters": [], "rules": RULES[n]} for n in (0, 1)
        ],
        "use": {"E%d" % (n + 1): {"box": {"set": "set%d" % (n % 2)}} for n in range(boxes)},
    }
    Store.documents = {"rules.json": rules}
    controller = Controller()
    controller.settings = _document(boxes)
    controller.store = Store()
    controller.clock = Clock()
    controller.contacts = Contacts()
    doc = controller.settings.doc
    from controller.variables import Variables

    controller.variables = Variables(controller.store, controller.clock.now_ms)
    controller.variables.set_many([("v%d" % n, "M1.power_w + %d" % n) for n in range(VARIABLES)])
    installation = Installation(doc, None, {})
    controller.devices = installation.devices
    controller.evses = installation.evses
    controller.disabled = {}
    devices = list(controller.devices.values())
    controller.sampled = [device for device in devices if hasattr(device, "sample")]
    controller.consumers = []
    controller.names = Names(controller)
    controller.site = Site(doc["site"], list(installation.evses.values()), "M1", doc["groups"])
    for device in controller.sampled:
        if hasattr(device, "connect"):
            device.connect(controller)
    from controller.wishes import Wishes

    controller.wishes = Wishes(controller)
    controller.cycle = Cycle(controller)
    return controller


def cycle_us(boxes, runs=200):
    """Least time of a cycle in us."""
    controller = _controller(boxes)
    best = 1 << 29
    for run in range(runs):
        now_ms = controller.clock.ms = run * 1000 + 1000
        for device in controller.devices.values():
            if device.config["template"] != "http_input":
                continue
            values = {"power_w": 9000, "import_wh": run}
            for line in (1, 2, 3):
                values["current_l%d_ma" % line] = 9000 + run
            if device.id[0] == "E":
                values["state"] = "C"
                values["energy_wh"] = run
            device.push(values, now_ms)
        gc.collect()
        start = time.ticks_us()
        controller.cycle.once(now_ms)
        best = min(best, time.ticks_diff(time.ticks_us(), start))
    return best


print(json.dumps({"cycle_8_us": cycle_us(8), "cycle_16_us": cycle_us(16)}))
