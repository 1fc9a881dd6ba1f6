"""/cnf: get_devices, set_device, del_device: the settings of devices by the names of the cFos
manager; docs/cnf.md. Settings that it does not know go by our own names.
"""

from controller.dev_types import ROLES, address, dev_type, template

# {key: our setting}, taken as they are
_BOTH = {"dev_id": "id", "name": "name", "id": "unit"}
_EVSE = {
    "prio": "priority",
    "min_charging_cur": "min_current_ma",
    "phase_rotation": "phase_rotation",
    "first_come_first_served": "first_come_first_served",
    "failsafe_cur": "failsafe_current_ma",
}
_METER = {
    "pulses_per_kwh": "pulses_per_kwh",
    "capacity_wh": "capacity_wh",
    "formulas": "formulas",
    "invert": "invert",
}
# What get_devices tells beside these: it may come back, and says nothing.
_SHOWN = "desc label number is_evse is_va invert"


def _names(id):
    return _EVSE if id[0] == "E" else _METER


def _get_devices(door, request):
    return _listed(door.controller.settings.doc), 200


def _listed(doc):
    for config in doc["evses"] + doc["meters"]:
        yield _shown(config)


def _shown(config):
    """A device by the names of the cFos manager."""
    evse = config["id"][0] == "E"
    entry = {
        "dev_type": dev_type(config),
        "device_enabled": int(config["enabled"]),
        "address": address(config),
        "desc": config["name"],
        "label": "",
        "number": int(config["id"][1:]),
        "is_evse": evse,
    }
    for names in (_BOTH, _names(config["id"])):
        for key in names:
            entry[key] = config[names[key]]
    if evse:
        limit = config["current_limit"]
        entry["max_charging_cur"] = config["max_current_ma"] if limit is None else limit
        entry["used_phases"] = 0 if config["detect_phases"] else (1 << config["phases"]) - 1
        entry["group"] = int(config["group"][1:]) if config["group"] else 0
        entry["attach"] = config["meter"] or ""
    else:
        entry["role"] = ROLES.index(config["role"])
        entry["used_phases"] = sum([1 << (phase - 1) for phase in config["phases"]])
        entry["is_va"] = False
    return entry


def _one_of(door, key, value, allowed):
    if not isinstance(value, int) or value not in allowed:
        known = ", ".join([str(number) for number in allowed])
        raise door.refusal(400, "device_value", key, known)
    return int(value)


def _place(door, config, text):
    """Sets where a device is, from what address() makes of it."""
    if not isinstance(text, str):
        raise door.refusal(400, "device_address", str(text)[:32])
    config["bus"] = config["host"] = None
    if config["id"][0] == "M":
        config["input"] = None
    host, colon, port = text.rpartition(":")
    if colon:
        if not port.isdigit():
            raise door.refusal(400, "device_address", text[:32])
        config["host"], config["port"] = host, int(port[:9])
    elif text[:5] == "input" and text[5:].isdigit():
        config["input"] = int(text[5:][:9])
    elif text:  # a bus, by its name
        config["bus"] = text


def _take(door, config, key, value):
    """Puts one value that a device was set to into its settings, which check it later."""
    evse = config["id"][0] == "E"
    names = _names(config["id"])
    if key in _BOTH:
        config[_BOTH[key]] = value
    elif key in names:
        config[names[key]] = value
    elif key == "dev_type":
        config["template"], measure = template(str(value))
        if not evse:
            config["measure"] = measure
    elif key == "device_enabled":
        config["enabled"] = bool(_one_of(door, key, value, (0, 1)))
    elif key == "address":
        _place(door, config, value)
    elif key == "used_phases" and evse:
        bits = _one_of(door, key, value, (0, 1, 3, 7))
        config["detect_phases"] = bits == 0
        if bits:
            config["phases"] = 1 + (bits > 1) + (bits > 3)
    elif key == "used_phases":
        bits = _one_of(door, key, value, range(1, 8))
        config["phases"] = [line for line in (1, 2, 3) if bits & 1 << line - 1]
    elif key == "max_charging_cur" and evse:
        if isinstance(value, str):
            config["current_limit"] = value
        else:
            config["current_limit"] = None
            config["max_current_ma"] = value
    elif key == "group" and evse:
        config["group"] = "G%d" % value if isinstance(value, int) and value else value or None
    elif key == "attach" and evse:
        config["meter"] = value or None
    elif key == "role" and not evse:
        config["role"] = ROLES[_one_of(door, key, value, range(len(ROLES)))]
    elif key not in _SHOWN.split() or value is True and key in ("invert", "is_va"):
        raise door.refusal(400, "device_key", str(key)[:32], config["id"])


def _free_id(letter, configs):
    """The first id that nobody has."""
    ids = [config["id"] for config in configs]
    number = 1
    while letter + str(number) in ids:
        number += 1
    return letter + str(number)


def _set_device(door, request):
    """Creates devices, or changes what is told of them; the rest of a device stays as it is."""
    body = request.data
    devices = body.get("devices") if isinstance(body, dict) else None
    if not isinstance(devices, list) or not devices or len(body) > 1:
        raise door.refusal(400, "devices_shape")
    doc = door.controller.settings.doc
    patch = {"evses": list(doc["evses"]), "meters": list(doc["meters"])}
    ids = []
    for device in devices:
        if not isinstance(device, dict):
            raise door.refusal(400, "devices_shape")
        ids.append(_set_one(door, device, patch))
    return _saved(door, request, patch, ids)


def _set_one(door, device, patch):
    """Puts one device into the lists of the patch; returns its id."""
    id = device.get("dev_id")
    kind = str(device.get("dev_type", ""))
    if id is None:
        letter = "E" if kind.startswith("evse_") else "M" if kind.startswith("meter_") else ""
    else:
        letter = str(id)[:1]
    if letter not in ("E", "M"):
        raise door.refusal(400, "device_id")
    configs = patch["evses" if letter == "E" else "meters"]
    known = [config for config in configs if config["id"] == id]
    config = dict(known[0]) if known else {"id": id or _free_id(letter, configs)}
    if kind and kind.partition("_")[0] != ("evse" if letter == "E" else "meter"):
        raise door.refusal(400, "device_type", config["id"], kind[:32])
    for key, value in device.items():
        _take(door, config, key, config["id"] if key == "dev_id" else value)
    if known:
        configs[configs.index(known[0])] = config
    else:
        if letter == "M":
            config.setdefault("role", "display")
        configs.append(config)
    return config["id"]


def _del_device(door, request):
    door.refuse_cross_site(request)
    id = request.args.get("dev_id")
    doc = door.controller.settings.doc
    for section in ("evses", "meters"):
        rest = [config for config in doc[section] if config["id"] != id]
        if len(rest) < len(doc[section]):
            return _saved(door, request, {section: rest}, [id])
    raise door.refusal(400, "no_device", str(id)[:8])


def _saved(door, request, patch, ids):
    """Takes the settings; the board restarts by itself where they need it."""
    controller = door.controller
    changed = controller.settings.apply(patch)
    restart = bool(changed) and controller.settings_changed(changed, request.who)
    if restart:
        controller.restart()
    return {"dev_ids": ids, "restart": restart}, 200


COMMANDS = {"get_devices": _get_devices, "set_device": _set_device, "del_device": _del_device}
