"""A door of /power_manager in this process, with a power manager that does what a test says."""

import asyncio
import json
import subprocess
import threading

from controller import data
from controller.login import Login
from controller.settings import Settings
from doors.http import HttpDoor


class Store:
    document = None
    saves = 0

    def load(self, name):
        return self.document, None

    def save(self, name, document):
        self.saves += 1
        self.document = json.loads(json.dumps(document))


class Evse:
    setpoint_ma = 9000
    lines = phases = box_phases = 1
    switchable = True
    hold = ordered_phases = None

    def __init__(self, id):
        self.id = id

    def house_phase(self, line):
        return line


class Limit:
    phase_ma = (35000, 34000, 35000)


class Site:
    available_ma = (20000, 19000, 21000)
    house = Limit()
    house.limits = [house]

    def __init__(self):
        self.evses = [Evse("E1"), Evse("E2")]


class Surplus:
    available_w, least_w, most_w = 2000, 1500, 2600


class Switch:
    stage = 0


class Point:
    mode = 0

    def __init__(self, evse):
        self.evse = evse
        self.switch = Switch()


class Power:
    """A PowerManager's interface."""

    external_control = 0
    config_error_flags = 0x04
    phases_wanted = 1
    grid_w = -400
    switchings = {"E1": 3}
    starts = {"E1": 2}

    def __init__(self, site):
        self.mode = 0
        self.modes = {}
        self.surplus = Surplus()
        self.points = [Point(evse) for evse in site.evses]

    def configure(self, settings, dynamic):
        self.settings = settings
        self.configured = (dict(settings), dict(dynamic))

    def set_mode(self, mode, id=None):
        if id is None:
            self.mode = mode
            self.modes = {}
        else:
            self.modes[id] = mode
        for point in self.points:
            point.mode = self.mode_of(point.evse.id)

    def mode_of(self, id):
        return self.modes.get(id, self.mode)

    def set_phases_wanted(self, phases):
        assert self.external_control == 0
        self.phases_wanted = phases

    def waits(self, id):
        if id != "E1":
            return []
        return [("pv_filter", (2,), 5500), ("phase_hysteresis", (), 61000), ("pv_minimum", (), 0)]


class Controller:
    """What the door asks for, in this process."""

    power = None

    def __init__(self):
        self.clock = self
        self.store = Store()
        self.settings = Settings(self.store, data.load_json, {})
        self.login = self
        self.site = Site()
        self.evses = {"E1": self.site.evses[0], "E2": self.site.evses[1]}
        self.log = print
        self.wakes = 0
        self.real_login = Login(self.settings, self.now_ms)

    def now_ms(self):
        return 1000

    async def check(self, authorization):
        if not authorization:
            await self.real_login.check(None)

    def need_power(self):
        self.power = self.power or Power(self.site)
        return self.power

    def settings_changed(self, sections, who="admin"):
        doc = self.settings.doc
        self.need_power().configure(doc["power_manager"], doc["dynamic_load"])

    def wake(self):
        self.wakes += 1


class Door:
    """A door in a thread of its own."""

    def __init__(self):
        self.controller = Controller()
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._started.wait(10)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        door = HttpDoor(self.controller)
        door.route("/power_manager", "doors.power_manager_api")
        server = self._loop.run_until_complete(asyncio.start_server(door.serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()

    def close(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def curl(self, path, *arguments, user="admin:x"):
        """(status, body as text, kind of content)."""
        done = subprocess.run(
            ["curl", "-s", "-m", "20", "-w", "\n%{http_code} %{content_type}"]
            + (["--user", user] if user else [])
            + [*arguments, "http://127.0.0.1:%d/power_manager/%s" % (self.port, path)],
            capture_output=True,
            text=True,
        )
        body, _, last = done.stdout.rpartition("\n")
        status, _, kind = last.partition(" ")
        return int(status), body, kind

    def get(self, path):
        status, body, _ = self.curl(path)
        assert status == 200, body
        return json.loads(body)

    def write(self, path, body, *arguments):
        """The lines that refuse it, [] where it was taken."""
        text = body if isinstance(body, str) else json.dumps(body)
        status, answer, kind = self.curl(path, *arguments, "-d", text)
        assert (status, bool(answer)) in ((200, False), (400, True)), (status, answer)
        if kind == "application/json":
            return [json.loads(answer)["error"]]
        return answer.split("\n") if answer else []
