"""The controller: the one object that knows all parts; controller/startup.py makes them."""

import asyncio
import gc

import machine
from micropython import const

from controller import data
from controller.clock import Clock
from controller.log import Log
from controller.login import Login
from controller.store import Store, StoreError
from controller.supervisor import Supervisor
from controller.unload import unload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chargecontrol.site import Site
    from controller.cycle import Cycle
    from controller.settings import Settings
    from controller.variables import Variables

_VERSION = "0.1.0"
_START_GARBAGE_BYTES = const(2048)
_GARBAGE_BYTES = const(8192)
_BUTTON_S = const(10)
_UNLOAD_S = const(30)
_SPARE_BYTES = const(24576)
_COUNTS_S = const(900)
_CAUSES = {1: "power on", 2: "reset", 3: "watchdog", 4: "deep sleep", 5: "soft reset"}


class Controller:
    """All parts of a running controller; faults are sentences for the owner.

    Doors use settings, variables, names, clock, login, store, supervisor, state(), wake(),
    settings_changed(), restart() and log.
    """

    # Made by startup.build; the annotations are for readers and checkers only.
    settings: "Settings"
    variables: "Variables"
    site: "Site"
    cycle: "Cycle"
    devices: dict
    sampled: list
    consumers: list
    disabled: dict
    leds: dict
    button: dict
    kept: "dict | None"
    counters = specials = wishes = power = None
    operator = dimming = journal = tls = sunspec = None
    unsaved = None  # has save(): what waits to be written to flash
    deaf = False  # there was no room for what the operator asks for
    _lost = ()  # ids of the devices that do not answer
    before = after = ()  # parts with update(now_ms), called before and after each decision

    def __init__(self):
        # What lives long is made now: often collected, it lies close together.
        gc.threshold(_START_GARBAGE_BYTES)
        self.version = _VERSION
        self.live_bytes = 0  # what was left of the heap in use after the last collection
        self.faults = []
        self.clock = Clock("UTC0", machine.RTC())
        self.log = Log(self.clock.now_ms)
        cause = machine.reset_cause()
        self.cause = _CAUSES.get(cause, str(cause))
        self.log("RippleGate %s starts (%s)" % (_VERSION, self.cause))
        self.load_json = data.load_json
        self.store = Store()
        self.supervisor = Supervisor(self.clock.now_ms, self.event)
        from controller import startup

        startup.build(self)
        self.login = Login(self.settings, self.clock.now_ms)

    def start(self):
        """Starts the tasks; call it in the running loop."""
        from controller import startup

        startup.start(self)
        del startup
        unload()
        gc.collect()
        gc.threshold(_GARBAGE_BYTES)

    def fault(self, text):
        """Notes what the owner has to see to."""
        self.faults.append(text)
        self.log(text)
        if self.journal:
            self.journal.event("fault", (text,))

    def settings_changed(self, sections, who):
        """Takes changed settings; True where some of them need a restart. who: None, no event."""
        from controller import reconfigure

        if who:
            self.event("settings_changed", who, ", ".join(sorted(sections)))

        restart = reconfigure.take(self, sections)
        self.wake()
        return restart

    def wake(self):
        """Starts a cycle at once."""
        self.cycle.wake()

    # What follows exists only where somebody asks for it: it costs RAM.

    def balance(self):
        """The site's counters, GM.* of formulas; kept up by each cycle from now on."""
        if not self.counters:
            from chargecontrol.balance import Balance

            self.counters = Balance(self.kept)
        return self.counters

    def get_specials(self):
        """CM._* of formulas, and what rules write."""
        if not self.specials:
            from controller.specials import Specials

            self.specials = Specials(self)
        return self.specials

    def need_wishes(self):
        """Rules, plans, overrides and limits of the EVSEs; looked at in each cycle from now on."""
        if not self.wishes:
            from controller.wishes import Wishes

            self.wishes = Wishes(self)
        return self.wishes

    def power_wanted(self):
        """True where the settings ask for the power manager from the start."""
        config = self.settings.doc["power_manager"]
        return bool(
            config["excess_charging_enable"]
            or config["default_mode"]
            or config["phase_switching_mode"]
            or self.settings.doc["dynamic_load"]["enabled"]
        )

    def need_power(self):
        """The power manager: charge modes, surplus, phases, dynamic load; asked in each cycle.

        MemoryError where there is no room for it.
        """
        if not self.power:
            from controller import power_room

            self.power = power_room.make(self)
            unload(("controller.power_room",))
        return self.power

    def event(self, code, *arguments):
        """Something that the owner may want to know later; code of texts/events.json."""
        if self.journal:
            self.journal.event(code, arguments)
        self.log(data.text("events", code, arguments))

    def contact_changed(self, number, contact):
        """A contact's stable state changed."""
        known = ("active" if contact.active else "inactive") if contact.stable else "unknown"
        self.log("contact %d %s" % (number, known))
        self.wake()

    def restart(self):
        """Restarts the board shortly, so that the answer to who asked for it still gets out."""
        self.event("restart_asked")
        self.supervisor.start("restart", self._reset)

    async def _reset(self, beat):
        if self.unsaved:
            self.unsaved.save()
        if self.operator:
            self.operator.flush()
        if self.journal:
            self.journal.flush()
        self._save_counts()
        await asyncio.sleep_ms(500)
        machine.reset()

    async def keep_house(self, beat):
        """Task: each second the status LED, the button for a new password, garbage."""
        led = self.leds.get("status")
        button = self.button
        pin = machine.Pin(button["pin"], machine.Pin.IN, machine.Pin.PULL_UP) if button else None
        held_s = second = 0
        while True:
            second += 1
            if led:
                led.value(second & 1)
            pressed = pin and bool(pin.value()) != button.get("active_low", True)
            held_s = held_s + 1 if pressed else 0
            if held_s == _BUTTON_S:
                await self.login.reset()
                self.event("password_reset")
            self._watch_devices()
            self._save(second)
            gc.collect()
            # What is seldom used stays while there is room for it.
            if second % _UNLOAD_S == 0 or gc.mem_free() < _SPARE_BYTES:
                unload()
                gc.collect()
            self.live_bytes = gc.mem_alloc()
            await asyncio.sleep_ms(1000)

    def _watch_devices(self):
        """Tells which devices fell silent, and which answer again."""
        lost = []
        for id, device in self.devices.items():
            if device.com_error and device.error_since_ms is not None:
                lost.append(id)
                if id not in self._lost:
                    self.event("device_lost", id, device.problem)
            elif id in self._lost:
                self.event("device_back", id)
        self._lost = lost

    def _save(self, second):
        """Writes to flash what is due: variables that could not be written when they were set,
        and now and then what the S0 meters counted."""
        try:
            self.variables.flush_due()
            if second % _COUNTS_S == 0:
                self._save_counts()
        except StoreError as error:
            text = str(error)
            if text not in self.faults:
                self.fault(text)
        except MemoryError:
            unload()  # there will be room in the next second

    def _save_counts(self):
        """Keeps over a restart what meters counted, and the overdraft. Raises StoreError."""
        counts = {device.id: device.kept() for device in self.sampled}
        counts["GM"] = self.counters.kept() if self.counters else self.kept
        counts["overdraft_ma"] = self.site.house.overdraft_max_ma or None
        counts = {name: count for name, count in counts.items() if count is not None}
        if counts:
            self.store.save("counts.json", counts)

    def state(self, lang="en"):
        """One document of everything a person wants to see; texts in "en" or "de"."""
        from controller.state import state

        return state(self, lang)
