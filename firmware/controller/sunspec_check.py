"""What the settings sunspec_server must not be together with others. Loaded for that only."""

from controller.settings_check import SettingsError, is_address


def faults(doc):
    """List of a SettingsError for each fault of the section."""
    config = doc["sunspec_server"]
    found = []
    if not config:
        return found
    for i in range(len(config["hosts"])):
        if not is_address(config["hosts"][i]):
            found.append(SettingsError("sunspec_server.hosts[%d]" % i, "pattern", "192.168.1.20"))
    devices = doc["meters"] + doc["evses"]
    there = [device["id"] for device in devices]
    known = []
    for i in range(len(config["devices"])):
        id = config["devices"][i]
        if id not in there or id in known:
            code = "twice" if id in known else "not_there"
            found.append(SettingsError("sunspec_server.devices[%d]" % i, code, id))
        known.append(id)
    if not config["enabled"]:
        return found
    bus = config["bus"]
    if bus is None and not config["port"]:
        found.append(SettingsError("sunspec_server.port", "sunspec_nowhere"))
    # A meter that is switched off is not asked; a wallbox still is told what is left to it.
    asked = [meter for meter in doc["meters"] if meter["enabled"]] + doc["evses"]
    here = [device["id"] for device in asked if device["bus"] == bus]
    if bus is not None and here:
        found.append(SettingsError("sunspec_server.bus", "sunspec_bus", bus, ", ".join(here)))
    return found
