"""What the settings dimming, steerables and outputs must not be together. Loaded for that only."""

from controller.settings_check import SettingsError


def faults(doc):
    """List of a SettingsError for each fault of the whole document."""
    found = []
    dimming = doc["dimming"]
    steerables = doc["steerables"]
    if dimming.get("enabled") and not steerables:
        found.append(SettingsError("dimming.enabled", "dimming_no_devices"))
    if dimming.get("limit") is not None and dimming["active"] is None:
        found.append(SettingsError("dimming.limit", "dimming_needs_active"))
    there = [item["id"] for item in doc["meters"] + doc["evses"]]
    devices = []
    for i in range(len(steerables)):
        item = steerables[i]
        field = "steerables[%d]" % i
        device = item["device"]
        if device is not None:
            if device not in there:
                found.append(SettingsError(field + ".device", "not_there", device))
            elif device in devices:
                found.append(SettingsError(field + ".device", "twice", device))
            elif device[0] == "E" and item["kind"] != "evse":
                found.append(SettingsError(field + ".kind", "steerable_kind", device))
            devices.append(device)
        elif item["relay"] is None and item["kind"] == "evse":
            found.append(SettingsError(field + ".device", "steerable_device"))
        if item["relay"] is not None and device is not None and device[0] == "E":
            found.append(SettingsError(field + ".relay", "steerable_relay", device))
        if item["relay"] is not None and item["reduced_w"] > item["power_w"]:
            found.append(SettingsError(field + ".reduced_w", "steerable_power", item["power_w"]))
    return found + _relays(doc)


def _relays(doc):
    """Each relay has one task."""
    found = []
    taken = {}
    for section, name in (("evses", "phase_relay"), ("steerables", "relay"), ("outputs", "relay")):
        for i in range(len(doc[section])):
            relay = doc[section][i][name]
            if relay is not None:
                field = "%s[%d].%s" % (section, i, name)
                if relay in taken:
                    found.append(SettingsError(field, "relay_taken", relay, taken[relay]))
                taken[relay] = field
    return found
