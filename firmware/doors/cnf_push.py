"""/cnf: values pushed into meters and wallboxes of the template http_input; docs/cnf.md.

Values come as JSON or, with GET, as text. Texts in JSON and numbers with a fraction are taken too:
clients send them. null is as good as no key.
"""

import asyncio

_VOLTAGE_V = 230  # where none was pushed
_STATES = "ABCDE"  # 1..5
# {key: (what the readings call it, least, most)}
_METER = {
    "import_wh": ("import_wh", 0, 10**12),
    "import_vah": ("import_wh", 0, 10**12),  # so in one of the documents
    "export_wh": ("export_wh", 0, 10**12),
    "power_va": ("power_w", -1000000, 1000000),
    "power_w": ("power_w", -1000000, 1000000),
    "soc": ("soc", 0, 100),
}
_EVSE = {
    "state": ("state", 1, 5),
    "total_energy": ("energy_wh", 0, 10**12),
    "power_w": ("power_w", -1000000, 1000000),
    "max_charging_current": ("max_ma", 0, 80000),
}


def _whole(door, name, value, least, most):
    """A whole number; fractions are cut off, without a float where it is text."""
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError
        if isinstance(value, str):
            whole, _, fraction = value.strip().partition(".")
            if fraction and not fraction.isdigit():
                raise ValueError
            value = whole
        value = int(value)
        if least <= value <= most:
            return value
    except ValueError:
        pass
    raise door.refusal(400, "push_value", name, least, most)


def _lines(door, name, value, most):
    """One to three numbers, for L1 and on."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or not 1 <= len(value) <= 3:
        raise door.refusal(400, "push_lines", name)
    return [_whole(door, name, item, -most, most) for item in value]


def _values(request):
    """The keys pushed, without those that say nothing."""
    values = request.data if request.method == "POST" else request.args
    if isinstance(values, dict):
        other = ("rfid",) if request.method == "POST" else ("", "cmd", "dev_id", "lang", "rfid")
        return {
            key: value for key, value in values.items() if key not in other and value is not None
        }


def _readings(door, request, device, known):
    """Readings of what was pushed. Raises the door's refusal; then nothing has been taken."""
    door.refuse_cross_site(request)
    values = _values(request)
    if not values:
        raise door.refusal(400, "push_shape", ", ".join(sorted(known) + ["current", "model"]))
    readings = {}
    model = device.model
    is_va = device.is_va
    for key in sorted(values):  # power_w comes after power_va, and is the better one
        value = values[key]
        if key in known:
            name, least, most = known[key]
            readings[name] = _whole(door, key, value, least, most)
        elif key == "current":
            currents = _lines(door, key, value, 1000000) + [0, 0]
            for line in range(3):
                readings["current_l%d_ma" % (line + 1)] = currents[line]
        elif key == "voltage":
            volts = _lines(door, key, value, 1000)
            for line in range(len(volts)):
                readings["voltage_l%d_v" % (line + 1)] = abs(volts[line])
        elif key == "model" and isinstance(value, str) and len(value) <= 64:
            model = value
        elif key == "is_va" and str(value).lower() in ("true", "false", "1", "0"):
            is_va = str(value).lower() in ("true", "1")
        else:
            raise door.refusal(400, "push_key", str(key)[:32])
    device.model = model
    device.is_va = is_va
    return readings


def _complete(readings, device, phases):
    """Power and currents of a moment come together: one is made of the other where it is absent.

    A power alone is taken to spread evenly over the phases.
    """
    volts = []
    for line in (1, 2, 3):
        name = "voltage_l%d_v" % line
        volts.append(readings.get(name) or device.readings.get(name) or _VOLTAGE_V)
    if "current_l1_ma" in readings:
        if "power_w" not in readings:
            parts = [readings["current_l%d_ma" % (n + 1)] * volts[n] for n in range(3)]
            readings["power_w"] = sum(parts) // 1000
    elif "power_w" in readings:
        total_v = sum([volts[line - 1] for line in phases])
        for line in (1, 2, 3):
            share = readings["power_w"] * 1000 // total_v if line in phases else 0
            readings["current_l%d_ma" % line] = share


def _device(door, request, section):
    """(device, its settings) that values may be pushed into."""
    id = request.args.get("dev_id", "").upper()
    controller = door.controller
    for config in controller.settings.doc[section]:
        device = controller.devices.get(id)
        if config["id"] == id and hasattr(device, "push"):
            return device, config
    ids = [c["id"] for c in controller.settings.doc[section] if c["template"] == "http_input"]
    raise door.refusal(400, "push_device", id[:8], ", ".join(ids) or "-")


def _set_meter(door, request):
    device, config = _device(door, request, "meters")
    readings = _readings(door, request, device, _METER)
    _complete(readings, device, config["phases"])
    if readings:
        device.push(readings, door.controller.clock.now_ms())
    return "ok", 200


async def _set_evse(door, request):
    controller = door.controller
    device, config = _device(door, request, "evses")
    readings = _readings(door, request, device, _EVSE)
    evse = controller.evses.get(device.id)
    most_ma = readings.pop("max_ma", 0)
    if evse and most_ma:  # of its cable, for example
        evse.config_max_ma = max(evse.min_ma, min(config["max_current_ma"], most_ma))
    state = readings.get("state")
    if state:
        readings["state"] = _STATES[state - 1]
        if state not in (3, 4):  # nobody charges
            readings.setdefault("power_w", 0)
    _complete(readings, device, range(1, config["phases"] + 1))
    changed = state and readings["state"] != device.readings.get("state")
    if readings:
        device.push(readings, controller.clock.now_ms())
    if changed:  # the answer is to have what follows from it
        before = controller.cycle.count
        controller.wake()
        for _ in range(20):
            if controller.cycle.count != before:
                break
            await asyncio.sleep_ms(10)
    device.sent_ma = device.setpoint_ma
    return _answer(controller, device, config, evse), 200


def _answer(controller, device, config, evse):
    """What the driver of a wallbox has to do."""
    setpoint_ma = device.setpoint_ma
    if setpoint_ma is None:  # observed only
        setpoint_ma = config["max_current_ma"]
    plugged = device.readings.get("state", "A") in "BCD"
    return {
        "device_enabled": config["enabled"],
        "charging_enabled": bool(evse) and (evse.wish_ma is None or evse.wish_ma >= evse.min_ma),
        "paused": bool(evse) and plugged and setpoint_ma == 0,
        "charging_current": setpoint_ma,
    }


COMMANDS = {"set_ajax_meter": _set_meter, "set_ajax_evse": _set_evse}
