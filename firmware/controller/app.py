"""The controller: start-up, and the one place that knows all its parts."""

import asyncio
import gc
import json

import machine
from chargecontrol.site import Site
from controller import data
from controller.board import Board, BoardError
from controller.clock import Clock
from controller.contacts import Contacts
from controller.cycle import Cycle
from controller.device import serve
from controller.installation import Installation
from controller.log import Log
from controller.login import Login
from controller.names import Names
from controller.settings import Settings
from controller.store import Store
from controller.supervisor import Supervisor
from controller.variables import Variables
from micropython import const

_VERSION = "0.1.0"
_STUCK_MS = const(5000)
_LINK_STUCK_MS = const(20000)
_GARBAGE_BYTES = const(16384)
_BUTTON_S = const(10)
_CAUSES = {1: "power on", 2: "reset", 3: "watchdog", 4: "deep sleep", 5: "soft reset"}


def _board_document():
    """board.json as a dict; empty, with a fault, where it is not usable."""
    try:
        with open("board.json") as file:
            return json.load(file), None
    except (OSError, ValueError) as error:
        return {"name": "no board.json"}, "board.json can't be read (%s): deploy again" % error


class Controller:
    """All parts of a running controller. Doors use settings, variables, names, clock, state(),
    wake(), restart() and log; faults are sentences for the owner."""

    def __init__(self):
        self.version = _VERSION
        self.live_bytes = 0  # what was left of the heap in use after the last collection
        gc.threshold(_GARBAGE_BYTES)
        self.log = Log(lambda: self.clock.now_ms())
        self.clock = Clock("CET-1CEST,M3.5.0,M10.5.0/3", machine.RTC())
        cause = machine.reset_cause()
        self.cause = _CAUSES.get(cause, str(cause))
        self.log("RippleGate %s starts (%s)" % (_VERSION, self.cause))
        board_doc, fault = _board_document()
        self.faults = [fault] if fault else []
        self.board = self._try_board(board_doc)
        self.store = Store()
        ports = {  # all that settings need of the board: the rest of the document may go
            kind: [{"id": part["id"]} for part in board_doc.get(kind, ())]
            for kind in ("inputs", "rs485")
        }
        self.settings = Settings(self.store, data.load_json, ports)
        self.variables = Variables(self.store, self.clock.now_ms)
        for part in (self.settings, self.variables):
            if part.problem:
                self._fault(str(part.problem))
        self.login = Login(self.settings, self.clock.now_ms)
        self.supervisor = Supervisor(self.clock.now_ms, self.log)
        self._build()

    def _fault(self, text):
        self.faults.append(text)
        self.log(text)

    def _try_board(self, document):
        try:
            board = Board(document)
        except BoardError as error:
            self._fault(str(error))
            board = Board({"name": document.get("name", "?")})
        for error in board.faults:
            self._fault(str(error))
        return board

    def _build(self):
        doc = self.settings.doc
        self.clock.set_zone(doc["clock"]["tz"])
        installation = Installation(doc, self.board)
        for fault in installation.faults:
            self._fault(fault)
        self.devices = installation.devices
        self.evses = installation.evses
        self.links = installation.links
        self.pulse_meters = [d for d in self.devices.values() if hasattr(d, "sample")]
        self.contacts = Contacts(
            self.board.inputs, doc["contacts"], self.clock, self._contact, installation.pulse_meters
        )
        self.names = Names(self)
        evses = [self.evses[config["id"]] for config in doc["evses"] if config["id"] in self.evses]
        self._evse_list = evses
        self._grid_id = installation.grid_id
        self.site = Site(doc["site"], evses, self._grid_id)
        self.cycle = Cycle(self, self._ready)

    def settings_changed(self, sections):
        """Takes changed settings that need no restart."""
        if "site" in sections:
            self.site = Site(self.settings.doc["site"], self._evse_list, self._grid_id)
        if "clock" in sections:
            self.clock.set_zone(self.settings.doc["clock"]["tz"])
        self.wake()

    def wake(self):
        """Starts a cycle at once."""
        self.cycle.wake()

    def restart(self):
        """Restarts the board shortly, so that the answer to who asked for it still gets out."""
        self.log("restart asked for")
        self.supervisor.start("restart", self._reset)

    @staticmethod
    async def _reset(beat):
        await asyncio.sleep_ms(500)
        machine.reset()

    def _ready(self):
        return self.contacts.stable

    def _contact(self, number, contact):
        known = ("active" if contact.active else "inactive") if contact.stable else "unknown"
        self.log("contact %d %s" % (number, known))
        self.wake()

    def start(self):
        """Starts the tasks; call it in the running loop."""
        supervisor = self.supervisor
        doc = self.settings.doc
        supervisor.start("cycle", self.cycle.run, True, _STUCK_MS)
        supervisor.start("contacts", self.contacts.run, True, _STUCK_MS)
        if self.board.inputs.polled:
            supervisor.start("expander", lambda beat: self.board.inputs.run())
        for name, _, devices in self.links:
            supervisor.start("link " + name, self._server(devices), False, _LINK_STUCK_MS)
        from controller.net import Network

        self.network = Network(self.board, doc["network"], self.clock, self.log)
        supervisor.start("network", self.network.run, False, _LINK_STUCK_MS)
        if doc["clock"]["ntp_host"]:
            from controller.ntp import Ntp

            ntp = Ntp(self.clock, self.network, doc["clock"]["ntp_host"])
            supervisor.start("time", ntp.run, False, _LINK_STUCK_MS)
        supervisor.start("housekeeping", self._keep_house)

    def _server(self, devices):
        return lambda beat: serve(devices, self.clock.now_ms, beat)

    async def _keep_house(self, beat):
        """Each second: the status LED, the button for a new password, garbage."""
        led = self.board.leds.get("status")
        button = self.board.button
        pin = machine.Pin(button["pin"], machine.Pin.IN, machine.Pin.PULL_UP) if button else None
        held_s = 0
        lit = False
        while True:
            lit = not lit
            if led:
                led.value(lit)
            pressed = pin and bool(pin.value()) != button.get("active_low", True)
            held_s = held_s + 1 if pressed else 0
            if held_s == _BUTTON_S:
                await self.login.reset()
            gc.collect()
            self.live_bytes = gc.mem_alloc()
            await asyncio.sleep_ms(1000)

    def state(self, lang="en"):
        """One document of everything a person wants to see; texts in "en" or "de"."""
        from controller.state import state

        return state(self, lang)
