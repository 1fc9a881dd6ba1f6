"""A controller with all that formulas may name, in a state that is known; real parts, no chip."""

from chargecontrol.balance import Balance
from chargecontrol.evse import Evse
from chargecontrol.feeder import Feeder
from chargecontrol.limits import Limit
from controller.names import Names
from controller.specials import Specials
from controller.variables import Variables


class Store:
    def load(self, name):
        return None, None

    def save(self, name, document):
        self.document = document


class Clock:
    trusted = True
    ms = 1000000

    def now_ms(self):
        return self.ms

    def utc_s(self):
        return 1800000000

    def date_field(self, name):
        return {"weekday": 6, "dayminute": 700}[name]


class Contacts:
    def field(self, name):
        return {"input1": 1, "input2": 0}[name]


class Device:
    com_error = False
    error_since_ms = problem = None

    def __init__(self, id, role, readings, **config):
        self.id = id
        self.config = dict(id=id, role=role, template="sdm630", unit=7, meter=None, **config)
        self.readings = readings
        self.read_ms = 999500


def readings(power_w, *currents_ma, **more):
    """What a meter says."""
    values = {"power_w": power_w, "import_wh": 5000, "export_wh": 300}
    for line in (1, 2, 3):
        values["current_l%d_ma" % line] = currents_ma[line - 1]
        values["voltage_l%d_v" % line] = 229 + line
    values.update(more)
    return values


def box(id, state, **fields):
    """An EVSE; it draws 10 A on its first two lines where it charges."""
    evse = Evse(
        {
            "id": id,
            "priority": 1,
            "min_current_ma": 6000,
            "max_current_ma": 16000,
            "failsafe_current_ma": 0,
            "phases": 3,
            "phase_rotation": 0,
        },
        100,
    )
    evse.silent_since_ms = None
    evse.state = state
    for name in fields:
        setattr(evse, name, fields[name])
    return evse


class Dimming:
    active = True
    limit_w = p_min_w = used_w = 4200
    budget_w = 9200


class Site:
    percent = operator = None
    dimming = Dimming()

    def __init__(self, evses):
        self.evses = evses
        house = Feeder("house")
        house.available_ma = (20000, 20000, 20000)
        self.feeders = [house]
        self.limits = []
        for source, phase_ma in (
            ("max_total_current", (35000, 34000, 35000)),
            ("max_total_evse_current", (25000, 25000, 25000)),
        ):
            limit = Limit(source, "current")
            limit.phase_ma = phase_ma
            self.limits.append(limit)


class Settings:
    pass


class Controller:
    """M1 grid, M2 roof, M3 and M4 storages, E1 charging, E2 waiting."""

    def __init__(self):
        self.clock = Clock()
        self.contacts = Contacts()
        self.specials = self.counters = self.wishes = self.power = None
        grid = readings(4300, 9000, 8000, 2000, reactive_power_var=-120)
        fed_in = {"import_wh": 300, "export_wh": 5000}
        meters = [
            Device("M1", "grid", grid),
            Device("M2", "generation", readings(-3000, 4348, 4348, 4348, **fed_in)),
            Device("M3", "storage_home", {"power_w": 0, "soc": 40}, capacity_wh=10000),
            Device("M4", "storage_all", {"power_w": 0, "soc": 55}, capacity_wh=None),
        ]
        charging = {"energy_wh": 21500, "state": "C", "power_w": 4600}
        boxes = [
            Device("E1", None, charging),
            Device("E2", None, {"energy_wh": 100, "state": "A"}),
        ]
        self.devices = {device.id: device for device in meters + boxes}
        first = box(
            "E1",
            "C",
            energy_wh=21500,
            plugged_ms=400000,
            plugged_wh=20000,
            charging_ms=500000,
            setpoint_ma=12000,
            measured_ma=(10000, 10000, 0),
            cphases=2,
        )
        self.evses = {"E1": first, "E2": box("E2", "A", energy_wh=100)}
        self.site = Site([self.evses["E1"], self.evses["E2"]])
        self.settings = Settings()
        self.settings.doc = {
            "site": {"voltage_v": 230, "surplus": None},
            "meters": [meter.config for meter in meters],
        }
        self.store = Store()
        self.variables = Variables(self.store, self.clock.now_ms)
        self.names = Names(self)
        self.feed()

    def feed(self):
        """What a cycle does beside deciding."""
        site = self.settings.doc["site"]
        now_ms = self.clock.now_ms()
        self.balance().update(now_ms, self.devices, self.site, site, self.names.lookup)
        if self.variables.watched:
            self.get_specials().update(now_ms)

    def balance(self):
        self.counters = self.counters or Balance()
        return self.counters

    def get_specials(self):
        self.specials = self.specials or Specials(self)
        return self.specials
