"""A controller with what the doors ask of one, for tests of the doors on CPython."""

import asyncio
import socket

from controller.store import Store
from tools import certificates


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def taken(port=0):
    """A socket that listens at a port, and so has it."""
    return socket.create_server(("0.0.0.0", port))


def listens(port):
    """Whether somebody does, found without a connection."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return True
        return False


class Clock:
    """Its hands are moved by the test."""

    def __init__(self):
        self.ms = 0
        self.s = 1764000000
        self.trusted = True

    def now_ms(self):
        return self.ms

    def utc_s(self):
        return self.s


class Settings:
    def __init__(self, doc):
        self.doc = doc


class Supervisor:
    """Keeps {name: function}; the test runs them."""

    def __init__(self):
        self.tasks = {}

    def start(self, name, function, vital=False, stuck_ms=0):
        self.tasks[name] = function


class Controller:
    """Doors of the settings given: "tls", "gateway", "sunspec_server", each on a free port."""

    journal = tls = sunspec = None

    def __init__(self, folder, *doors, **tls):
        self.store = Store(str(folder) + "/")
        self.clock = Clock()
        self.faults = []
        self.lines = []
        self.events = []
        self.log = self.lines.append
        self.supervisor = Supervisor()
        self.ports = {name: free_port() for name in ("http", *doors)}
        doc = {name: {"enabled": name in doors} for name in ("tls", "gateway", "sunspec_server")}
        doc["tls"]["plain_http"] = True
        doc["tls"].update(tls)
        doc["gateway"].update(rights="utility", address="127.0.0.1")
        doc["sunspec_server"].update(hosts=[], idle_s=60, bus=None)
        for name, port in self.ports.items():
            doc.setdefault(name, {})["port"] = port
        self.settings = Settings(doc)

    def fault(self, text):
        self.faults.append(text)

    def event(self, code, *arguments):
        self.events.append((code, *arguments))

    def write(self, kind, pem):
        """Puts a certificate on the flash."""
        with open(self.store.folder + "tls_%s.json" % kind, "wb") as file:
            file.write(certificates.flash_file(kind, pem))


class Values:
    """In place of what the SunSpec server shows."""

    def __init__(self, controller):
        self.saves = 0

    def save_due(self, now_ms):
        self.saves += 1


async def until(condition, what, within_s=5):
    for _ in range(int(within_s * 100)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(what)
