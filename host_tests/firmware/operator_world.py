"""The real controller on CPython in faked time, as fast as it will go: no tasks, no wires.

Contacts are levels on the pins of the simulated chip, meters and wallboxes are pushed, commands
come through the code of the doors. `restart` is a power cut: only what lies on the flash is left.
"""

import asyncio
import io
import json
import os
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools" / "chip"))

import machine  # noqa: E402

from chargecontrol import levels  # noqa: E402
from controller.app import Controller  # noqa: E402
from controller.clock import Clock  # noqa: E402
from journal import reading  # noqa: E402

PINS = {1: 32, 2: 33, 3: 25, 4: 26}
BEGAN_S = 1780000000
BOARD = {
    "name": "test",
    "inputs": [
        {"id": n, "name": "IN%d" % n, "pin": pin, "pull": "up", "active_low": True}
        for n, pin in PINS.items()
    ],
    "expanders": [],
    "rs485": [],
    "relays": [{"id": 1, "pin": 27}, {"id": 2, "pin": 13}],
    "leds": [],
    "wlan": True,
}


class Door:
    """What the functions of a door need of doors/http.py."""

    def __init__(self, controller):
        self.controller = controller

    def refuse_cross_site(self, request):
        """Nobody comes from another site here."""


class Request:
    args = {}
    method = "POST"
    path = ""

    def __init__(self, data):
        self.data = data


class World:
    """controller: the real one; s: seconds since the test began."""

    def __init__(self, folder, settings, patch):
        self.ms = 0
        self._boot_ms = 0
        self.boots = 0
        self.console = io.StringIO()
        patch.chdir(folder)
        patch.setattr(Clock, "now_ms", lambda clock: self.ms - self._boot_ms)
        patch.setattr(Clock, "utc_s", lambda clock: BEGAN_S + self.ms // 1000)
        patch.setattr("builtins.print", self._print)
        (folder / "board.json").write_text(json.dumps(BOARD))
        (folder / "settings.json").write_text(json.dumps(settings))
        for n in PINS:
            self.contact(n, False)
        self.restart()

    def _print(self, *words, **_):
        self.console.write(" ".join(map(str, words)) + "\n")

    @property
    def s(self):
        return self.ms // 1000

    def contact(self, number, closed):
        """A contact moves, with its interrupt."""
        pin = PINS[number]
        machine.channel.levels[pin] = int(not closed)
        if pin in machine.channel.pins:
            machine.channel.pins[pin]._changed()

    def restart(self):
        """Power off and on."""
        machine.channel.pins.clear()
        self._boot_ms = self.ms
        self.boots += 1
        self.controller = Controller()
        assert self.controller.faults == [], self.controller.faults
        self.controller.clock.trusted = True
        self.controller.clock.source = "ntp"
        self._sunspec = None
        if self.controller.settings.doc["sunspec_server"]:
            from controller.sunspec_values import Values

            self._sunspec = Values(self.controller)
        self.cycle()

    def cycle(self):
        """One round of the tasks: devices report, contacts are read, the cycle decides."""
        controller = self.controller
        now_ms = controller.clock.now_ms()
        for id, device in controller.devices.items():
            values = {"power_w": 600, "import_wh": 1000}
            values.update(("current_l%d_ma" % line, 900) for line in (1, 2, 3))
            if id[0] == "E":
                values = dict(values, state="C", energy_wh=1000)
            device.push(values, now_ms)
        controller.contacts.read()
        controller.cycle.once(now_ms)
        controller.variables.flush_due()

    def step(self, seconds):
        """Time passes, and one cycle."""
        self.ms += seconds * 1000
        self.cycle()

    def write_sunspec(self, percent):
        """Writes 40968 as a Modbus master does; the code of the exception, or 0."""
        pdu = struct.pack(">BHHBf", 16, 40968, 2, 4, percent)
        out = bytearray(300)
        sunspec = self._sunspec
        sunspec.serve(sunspec.unit, bytearray(pdu), len(pdu), out, 0, 0)
        return out[1] if out[0] & 0x80 else 0

    def write_http(self, level, seconds):
        """POST /api/operator/limit."""
        from doors.operator_api import ROUTES

        body = {"level": level} if seconds is None else {"level": level, "seconds": seconds}
        answer, status = ROUTES["/api/operator/limit"]["POST"](
            Door(self.controller), Request(body)
        )
        assert status == 200 and answer["level"] == level
        return answer

    def test(self, source, level, seconds):
        """POST /api/operator/test."""
        from doors.operator_api import ROUTES

        body = {"source": source, "level": level, "seconds": seconds}
        answer = ROUTES["/api/operator/test"]["POST"](Door(self.controller), Request(body))
        assert answer[1] == 200

    def set_variable(self, name, value):
        """POST /cnf?cmd=set_cm_vars."""
        from doors.cnf_api import ROUTES

        request = Request({"vars": [{"name": name, "expr": value}]})
        request.args = {"cmd": "set_cm_vars"}
        answer = ROUTES["/cnf"]["POST"](Door(self.controller), request)
        assert asyncio.run(asyncio.wait_for(answer, 1)) == ("ok", 200)

    def effective(self):
        """(mA per phase, W or None) that the site holds to, and by which limit."""
        site = self.controller.site
        held = [(min(one.phase_ma), one.source) for one in site.house.limits if one.phase_ma]
        dimming = site.dimming
        return min(held)[0], dimming.limit_w if dimming and dimming.active else None

    def states(self):
        """{channel: its state}"""
        operator = self.controller.operator.operator
        return {name: channel.state for name, channel in operator.channels.items()}

    def journal(self, series="m"):
        """All rows of a series of the journal, after its chain was followed to its end."""
        reader, found = reading.Reader(), []
        for path in sorted((Path(os.getcwd()) / "evidence").glob(series + "*")):
            with path.open("rb") as file:
                found += reading.through(reader, int(path.name[1:]), file, path.stat().st_size)
        assert reader.fault is None
        assert [row for row in found if row["kind"] == "broken"] == []
        return found


def level_of(text):
    """(kind, value) of a level's text, None for none."""
    level = levels.parse(text)
    return None if level[0] == "none" else level
