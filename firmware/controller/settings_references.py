"""What the sections of the settings must be together, and whether there is room for what they ask.

Loaded when settings are read or change.
"""

from controller.settings_check import SettingsError

# Sections whose values must go with others, and the module that knows how.
_CHECKS = {
    "contact_sets": "operator_check",
    "channels": "operator_check",
    "dimming": "dimming_check",
    "steerables": "dimming_check",
    "outputs": "dimming_check",
    "sunspec_server": "sunspec_check",
    "tls": "tls_check",
    "gateway": "tls_check",
}
_DOORS = "http tls gateway sunspec_server"
_NEED_ROOM = "contact_sets channels dimming steerables outputs journal"


def check(doc, ports):
    """Raise SettingsError where a value does not go with another, or names what is not there.

    doc: all settings; ports: as of Settings.
    """
    meters = [meter["id"] for meter in doc["meters"]]
    grids = [meter["id"] for meter in doc["meters"] if meter["role"] == "grid"]
    if len(grids) > 1:
        raise SettingsError("meters", "one_grid", grids[0])
    parents = {group["id"]: group["parent"] for group in doc["groups"]}
    for section in ("evses", "groups"):
        for i in range(len(doc[section])):
            item = doc[section][i]
            for name, there in (("meter", meters), ("group", parents), ("parent", parents)):
                wanted = item.get(name)
                if wanted is not None and wanted not in there:
                    raise SettingsError("%s[%d].%s" % (section, i, name), "not_there", wanted)
    relays = [evse["phase_relay"] for evse in doc["evses"] if evse["phase_relay"]]
    for relay in relays:
        if relays.count(relay) > 1:
            raise SettingsError("evses", "twice", relay)
    for group in parents:
        at = parents[group]
        for _ in parents:
            at = parents.get(at)
        if at is not None:
            raise SettingsError("groups", "circle", group)
    power = doc["power_manager"]
    if power["excess_charging_enable"] or power["default_mode"] or doc["dynamic_load"]["enabled"]:
        from controller import power_check

        for error in power_check.faults(doc):
            raise error
    for name in set([_CHECKS[section] for section in _CHECKS if doc[section]]):
        module = __import__("controller." + name, None, None, ("faults",))
        more = (ports["inputs"],) if name == "operator_check" else ()
        for error in module.faults(doc, *more):
            raise error
    _check_doors(doc, ports["rs485"])


def _check_doors(doc, buses):
    """No two doors at the same port, and none on a bus that is not there."""
    # Not where its section is read: over TCP the server works all the same.
    bus = doc["sunspec_server"].get("bus")
    if bus is not None and bus not in buses:
        have = ", ".join(buses) or "-"
        raise SettingsError("sunspec_server.bus", "not_on_board", bus, have)
    ports = {}
    for name in _DOORS.split():
        port = doc[name].get("port")
        if port and doc[name].get("enabled", name == "http"):
            if port in ports:
                raise SettingsError("%s.%s" % (name, "port"), "port_taken", port, ports[port])
            ports[port] = name


def need_room(new, doc):
    """Raise an error where what changed sections switch on does not fit into the RAM.

    new: {section: value} that changes; doc: all settings with that.
    """
    if [name for name in new if name in _NEED_ROOM and new[name]]:
        from controller import grid_parts

        grid_parts.need_room(new, doc)
    if "power_manager" in new or "dynamic_load" in new:
        from controller import power_check

        power_check.need_room(new)
