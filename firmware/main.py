"""Starts the controller, then the doors that the settings open; restarts the board if all ends."""

import asyncio
import gc

import machine
from micropython import const

from controller.unload import unload

_ROOM_BYTES = const(16384)  # to be free before a door more is opened


async def _main():
    from controller.app import Controller

    controller = Controller()
    await _first_password(controller)
    controller.start()
    _open_doors(controller)
    # The watchdog's feeder is also what keeps asyncio.run from ending early (1.25 does when only
    # Events are awaited).
    await controller.supervisor.watch()


async def _first_password(controller):
    # Nothing imported here stays in a frame that lives on: it could not be unloaded.
    from controller import password

    unload()
    gc.collect()
    await password.start(controller.login)


def _open_doors(controller):
    from doors.http import HttpDoor

    door = HttpDoor(controller)
    door.route("/cnf", "doors.cnf_api")
    door.route("/ui", "doors.cnf_api")
    door.route("/api/rules", "doors.rules_api")
    door.route("/api/journal", "doors.journal_api")
    door.route("/api/journal.csv", "doors.journal_api")
    door.route("/api/journal.bin", "doors.journal_api")
    door.route("/api/operator", "doors.operator_api")
    door.route("/api/certificates", "doors.certificates_api")
    door.route("/api", "doors.settings_api")
    door.route("/power_manager", "doors.power_manager_api")
    controller.supervisor.start("http", door.run)
    doc = controller.settings.doc
    https = doc["tls"].get("enabled")
    door.plain = not https or doc["tls"]["plain_http"]
    if https or doc["gateway"].get("enabled"):
        _start(controller, "tls", "doors.tls_listener", "TlsListeners", door, door)
    if doc["sunspec_server"].get("enabled"):
        _start(controller, "sunspec", "doors.sunspec_server", "SunSpecServer", door)
    gc.collect()
    controller.log("ready")


def _start(controller, name, module, kind, door, *arguments):
    """A door made in its task: where there is no room for it the board starts without it, and its
    owner can still reach the settings."""

    async def run(beat):
        made = getattr(controller, name)
        if not made:
            unload()
            gc.collect()
            if 0 < gc.mem_free() < _ROOM_BYTES:  # a PC says 0
                door.plain = True
                controller.fault("not enough memory for %s: it stays closed" % name)
                return
            made = getattr(__import__(module, None, None, (kind,)), kind)(controller, *arguments)
            setattr(controller, name, made)
            gc.collect()
        await made.run(beat)

    controller.supervisor.start(name, run)


asyncio.run(_main())
machine.reset()
