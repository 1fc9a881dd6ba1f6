"""A HTTP door with a bare controller behind it, for the tests; runs on both interpreters.

Arguments: the port, and "site" for a controller with the site of the settings (whole_site.py).
The documents lie in the current folder. Prints the password where it makes one, then "listening".
The answer of /api/state holds the worst lag of the loop.
"""

import asyncio
import gc
import sys
import time

if sys.implementation.name == "cpython":
    import compat  # noqa: F401

from controller import data
from controller.login import Login
from controller.settings import Settings
from controller.store import Store
from controller.unload import unload
from controller.variables import Variables
from doors.http import HttpDoor


class Machine:
    """What modules of the firmware import of the chip."""

    Pin = UART = None

    @staticmethod
    def unique_id():
        return b"\x24\x0a\xc4\x00\x01\x02"


sys.modules["machine"] = Machine

BOARD = {"inputs": [{"id": 1}, {"id": 2}], "rs485": [{"id": "rs485_1"}]}


class Clock:
    """Control time that never wraps, and the time of day: 12:00 of a Wednesday."""

    trusted = True

    def __init__(self):
        self._last = time.ticks_ms()
        self._ms = 0

    def now_ms(self):
        now = time.ticks_ms()
        self._ms += time.ticks_diff(now, self._last)
        self._last = now
        return self._ms

    def utc_s(self):
        return 1735732800

    def set_zone(self, tz):
        pass

    def local(self):
        return 2025, 1, 1, 12, 0, 0, 3, 0


class Names:
    def __init__(self, controller):
        self.variables = controller.variables

    def lookup(self, name, field):
        if name == "pb" and field == "input1":
            return 1
        if name in ("", "cm"):
            return self.variables.value(field, self.lookup)
        raise KeyError(name)


class NoSite:
    def configure(self, settings, groups):
        pass


class Log:
    def __init__(self):
        self.lines = ["started"]

    def __call__(self, text):
        self.lines.append(text)


class Controller:
    wishes = counters = specials = power = None
    operator = dimming = journal = tls = None
    deaf = False
    before = after = ()
    version = "0.1.0"

    def __init__(self):
        self.clock = Clock()
        self.store = Store()
        self.settings = Settings(self.store, data.load_json, BOARD)
        self.variables = Variables(self.store, self.clock.now_ms)
        self.login = Login(self.settings, self.clock.now_ms)
        self.names = Names(self)
        self.log = Log()
        self.site = NoSite()
        self.devices = {}
        self.evses = {}
        self.worst_lag_ms = 0
        self.wakes = 0

    def state(self, lang):
        return {
            "lang": lang,
            "worst_lag_ms": self.worst_lag_ms,
            "wakes": self.wakes,
            "live": gc.mem_alloc(),
            "list": [{"n": i} for i in range(200)],
        }

    def wake(self):
        self.wakes += 1
        if hasattr(self, "cycle"):
            self.cycle.wake()

    def settings_changed(self, sections, who="admin"):
        from controller import reconfigure

        restart = reconfigure.take(self, sections)
        self.wake()
        return restart

    def balance(self):
        from chargecontrol.balance import Balance

        self.counters = self.counters or Balance()
        return self.counters

    def get_specials(self):
        from controller.specials import Specials

        self.specials = self.specials or Specials(self)
        return self.specials

    def need_wishes(self):
        from controller.wishes import Wishes

        self.wishes = self.wishes or Wishes(self)
        return self.wishes

    def power_wanted(self):
        return self.settings.doc["power_manager"]["excess_charging_enable"]

    def need_power(self):
        from chargecontrol.power_manager import PowerManager

        doc = self.settings.doc
        if not self.power:
            self.power = PowerManager(self.site, doc["power_manager"], doc["dynamic_load"])
        return self.power

    def restart(self):
        self.log.lines.append("restart")

    def event(self, code, *arguments):
        self.log.lines.append(" ".join([code] + [str(argument) for argument in arguments]))

    async def tick(self):
        while True:
            unload()  # at any moment: nothing may depend on what is loaded
            due_ms = self.clock.now_ms() + 10
            await asyncio.sleep_ms(10)
            self.worst_lag_ms = max(self.worst_lag_ms, self.clock.now_ms() - due_ms)


def fail(door, request):
    raise RuntimeError("secret inside")


hog = []


async def fill(door, request):
    """Leaves so many bytes of the heap for some seconds."""
    door.emptying = asyncio.create_task(empty(int(request.args["seconds"])))
    await asyncio.sleep_ms(0)
    unload()
    gc.collect()
    for size in (4096, 256, 16):
        try:
            while True:
                hog.append(bytearray(size))
        except MemoryError:
            pass
    left = int(request.args["leave"])
    while left > 0 and hog:
        left -= len(hog.pop(0)) + 16
    return "full", 200


async def empty(seconds):
    await asyncio.sleep_ms(1000 * seconds)
    hog.clear()
    gc.collect()


MAX_BODY = 4096
ROUTES = {
    "/test/open": {"GET": lambda door, request: ("open", 200)},
    "/test/fail": {"GET": fail},
    "/test/fill": {"GET": fill},
}


async def first_password(login):
    from controller import password

    await password.start(login)


async def main(port, whole=False):
    controller = Controller()
    if whole:
        import whole_site

        whole_site.add(controller)
    ticker = asyncio.create_task(controller.tick())
    await first_password(controller.login)
    door = HttpDoor(controller)
    door.route("/test/open", "__main__", open=True)
    door.route("/test", "__main__")
    door.route("/cnf", "doors.cnf_api")
    door.route("/ui", "doors.cnf_api")
    door.route("/api/rules", "doors.rules_api")
    door.route("/api/certificates", "doors.certificates_api")
    door.route("/api", "doors.settings_api")
    await door.start(port)
    print("listening")
    if hasattr(sys.stdout, "flush"):
        sys.stdout.flush()
    await door.run()
    ticker.cancel()


asyncio.run(main(int(sys.argv[1]), len(sys.argv) > 2))
