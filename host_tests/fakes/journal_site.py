"""A controller with what the journal looks at, for its tests; both interpreters."""

import os

from chargecontrol.evse import Evse
from chargecontrol.limits import Limit
from chargecontrol.operator import OperatorLimit
from journal import measures, reading


class Clock:
    def __init__(self):
        self.ms = 0
        self.began_s = 1764000000  # UTC at the start of the board
        self.trusted = True
        self.source = "ntp"

    def now_ms(self):
        return self.ms

    def utc_s(self):
        return self.began_s + self.ms // 1000


class Settings:
    def __init__(self, journal):
        self.doc = {"journal": journal}


class House:
    voltage_v = 230
    meter_id = "M1"

    def __init__(self):
        self.set_limits = [
            Limit("max_total_current", "current"),
            Limit("max_total_power", "power"),
        ]
        for limit in self.set_limits:
            limit.clear(0)
        self.outer = []
        self.reading_ma = [20000, 20000, 20000]
        self.load_ma = (0, 0, 0)

    @property
    def limits(self):
        return self.set_limits + self.outer


class Dimming:
    """What the journal reads of chargecontrol.dimming.Dimming."""

    def __init__(self):
        self.limit = Limit("dimming", "dimming")
        self.limit.clear(0)
        self.active = False
        self.source = ""
        self.p_min_w = 4200
        self.limit_w = None
        self.own_w = 0
        self.drawn_w = 0
        self.allotments = {"S1": 4200}
        self.own_most_w = None  # owed to each, where it is not p_min_w that counts

    def owes_more(self, value_w):
        return value_w < (self.own_most_w or self.p_min_w)

    def set(self, value_w, source, now_ms):
        self.active = source != ""
        self.source = source
        self.limit_w = value_w
        if self.active:
            self.limit.say("dimmed", (value_w, self.p_min_w, source), value_w, None, now_ms)
        else:
            self.limit.clear(now_ms)


class Site:
    grid_id = "M1"

    def __init__(self):
        self.house = House()
        self.percent_limit = Limit("percent", "percent")
        self.percent_limit.clear(0)
        config = {
            "id": "E1",
            "priority": 0,
            "min_current_ma": 6000,
            "max_current_ma": 16000,
            "failsafe_current_ma": 6000,
            "phase_rotation": 0,
            "phases": 3,
        }
        self.evses = [Evse(config, 100)]
        self.dimming = Dimming()


class Device:
    com_error = False
    setpoint_ma = 16000
    sent_ma = 16000

    def __init__(self):
        self.readings = {"power_w": 7500}


class Operator:
    def __init__(self):
        self.limits = [
            OperatorLimit("C1", "dimming", "dimming"),
            OperatorLimit("http", "percent", "command"),
        ]
        for limit in self.limits:
            limit.clear(0)


class Inputs:
    def __init__(self):
        self.operator = Operator()


class Controller:
    """One that a test drives: dim(), percent(), run()."""

    cause = "power on"

    def __init__(self, folder, settings=None, clock=None, leave_bytes=65536):
        from controller.journal import Journal

        self.clock = clock or Clock()
        self.settings = Settings(settings or {"max_kb": 1500, "keep_days": 730})
        self.site = Site()
        self.devices = {"M1": Device(), "E1": Device()}
        self.operator = Inputs()
        self.faults = []
        self.journal = Journal(self, folder, leave_bytes)

    def fault(self, text):
        self.faults.append(text)

    def run(self, seconds):
        for _ in range(seconds):
            self.clock.ms += 1000
            self.journal.update(self.clock.ms)

    def dim(self, value_w, used_w=4000):
        """The contact dims to so many W; None: it releases."""
        limit = self.operator.operator.limits[0]
        dimming = self.site.dimming
        now_ms = self.clock.ms
        if value_w is None:
            limit.release(now_ms)
            dimming.set(None, "", now_ms)
        else:
            limit.hold(("dimming", value_w), "contact_level", ("C1",), now_ms)
            dimming.set(value_w, "C1", now_ms)
            dimming.drawn_w = used_w

    def percent(self, percent, code="channel_limit"):
        limit = self.operator.operator.limits[1]
        if percent is None:
            return limit.release(self.clock.ms)
        limit.hold(("percent", percent), code, ("http",), self.clock.ms)
        limit.phase_ma = (350 * percent,) * 3
        self.site.house.outer = [limit]


def folder(name):
    """A folder for a test: a new one; on the VM its own is new."""
    try:
        import tempfile
    except ImportError:
        return name + "/"
    return tempfile.mkdtemp() + "/" + name + "/"


def names(folder, series="m"):
    return sorted([name for name in os.listdir(folder[:-1]) if name[0] == series])


def each(folder, series="m"):
    """Generator over the rows of a series; raises reading.Broken."""
    reader = reading.Reader()
    for name in names(folder, series):
        size = os.stat(folder + name)[6]
        with open(folder + name, "rb") as file:
            yield from reading.rows(reader, file, size)
    if reader.fault:
        raise reader.fault


def rows(folder, series="m"):
    return list(each(folder, series))


def table(found):
    """The measures in rows: those that ended, then the others."""
    of = measures.Measures()
    done = []
    for row in found:
        done += of.take(row)
    return done + of.left()


def empty(folder):
    """Makes the folder (ending in "/"), without files."""
    try:
        os.mkdir(folder[:-1])
    except OSError:
        for name in os.listdir(folder[:-1]):
            os.remove(folder + name)


class _Asked:
    """A door, or a request to it."""

    def __init__(self, controller=None, args=None):
        self.controller = controller
        self.args = args


def export(controller, path, args):
    """The pieces of an answer of /api/journal."""
    from doors import journal_api

    function = journal_api.ROUTES["/api/journal" + path]["GET"]
    made, status, _ = function(_Asked(controller), _Asked(args=args))
    assert status == 200
    return made
