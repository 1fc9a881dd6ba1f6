"""Opens the doors that the settings ask for. Loaded at the start only."""

import gc

from micropython import const

from controller.unload import unload
from doors.http import HttpDoor

_ROOM_BYTES = const(16384)  # to be free before a door more is opened


def open_all(controller):
    """HTTP, and in tasks of their own HTTPS, the gateway's port and the SunSpec server."""
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
