"""Opens the doors that the settings ask for. Loaded at the start only."""

import gc

from doors.http import HttpDoor


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
        from doors import late

        late.start(controller, "tls", "doors.tls_listener", "TlsListeners", door)
    if doc["sunspec_server"].get("enabled"):
        from doors import late

        late.start(controller, "sunspec", "doors.sunspec_server", "SunSpecServer", door)
    gc.collect()
    controller.log("ready")
