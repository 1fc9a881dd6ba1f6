"""/cnf: get_dev_info and get_params, as clients of the cFos manager read them; docs/cnf.md.

Such clients index keys without asking and calculate with numbers: none is absent or null, and
what is not known is 0.
"""

from binascii import hexlify

from machine import unique_id

from controller import data
from controller.dev_types import ROLES, address, dev_type

_STATES = {"A": 1, "B": 2, "C": 3, "D": 4, "E": 5, "F": 5}
_LIMITS = (
    "max_total_current",
    "max_total_power",
    "max_total_evse_current",
    "max_total_evse_power",
)
_CP_STATES = ("", "Standby", "Vehicle detected", "Charging", "Charging, ventilation", "Error", "")


def _limit(controller, name):
    """What a limit of the site is just now in mA or W; 0: there is none."""
    for limit in controller.site.limits:
        if limit.source == name:
            value = limit.value
            if value is None and limit.phase_ma:  # its formula failed: the fail-safe current
                value = min(limit.phase_ma)
                if limit.kind == "power":
                    value = value * 3 * controller.settings.doc["site"]["voltage_v"] // 1000
            return value or 0
    return 0


def _params(controller):
    """Settings and measurements of the whole site."""
    site = controller.settings.doc["site"]
    balance = controller.balance()
    parts = [int(part) for part in controller.version.split(".")]
    params = {
        "title": site["title"],
        "desc": site["desc"],
        "reserve_current": site["reserve_current_ma"],
        "overdraft_cur": controller.site.house.overdraft_max_ma,
        "lb_enabled": site["load_management"],
        "disable_policy": site["disable_policy"],
        "min_pause_time": site["min_pause_s"],
        "max_total_cur_prc": 100 if controller.site.percent is None else controller.site.percent,
        "surplus_expr": "" if site["surplus"] is None else site["surplus"],
        "cycle_time": controller.cycle.took_ms,
        "max_evses": 16,
        "shareware_mode": False,
        "version": controller.version,
        "time": controller.clock.utc_s() or 0,
        "vsn": {
            "vendorid": 0,
            "productid": 0,
            "version": (parts[0] << 24) + (parts[1] << 16) + parts[2],
            "serialno": hexlify(unique_id()).decode(),
        },
    }
    for name, counter in (
        ("grid_pwr", "grid_demand"),
        ("cons_pwr", "consumed"),
        ("surplus_power", "surplus"),
        ("cons_evse_power", "consumed_evse"),
        ("avail_evse_power", "available_evse"),
    ):
        params[name] = balance.value(counter, "power_w") or 0
    return params


def _get_params(door, request):
    """The settings as they were set: what this answers may be sent back with set_params."""
    controller = door.controller
    params = _params(controller)
    site = controller.settings.doc["site"]
    for name in _LIMITS:
        params[name] = 0 if site[name] is None else site[name]
    lang = request.args.get("lang", "en")
    params["dev_meta"] = names = {}
    for config in _configs(controller):
        kind = dev_type(config)
        names[kind] = data.text("dev_types", kind, (), lang)
    return params, 200


def _get_dev_info(door, request):
    controller = door.controller
    params = _params(controller)
    params["title"] = params["title"] or "RippleGate"  # clients name what they make by it
    for name in _LIMITS:
        params[name] = _limit(controller, name)
    return {
        "params": params,
        "devices": _devices(controller),
        "loadmgr_disabled": not params["lb_enabled"],
    }, 200


def _configs(controller):
    """The settings of all devices, also of those that are switched off or not made yet."""
    return controller.settings.doc["evses"] + controller.settings.doc["meters"]


def _devices(controller):
    for config in _configs(controller):
        yield (_evse if config["id"][0] == "E" else _meter)(controller, config)


def _device(controller, config):
    """(Device or None, what all devices have)."""
    device = controller.devices.get(config["id"])
    meter = controller.devices.get(config.get("meter")) or device  # a wallbox may have its own
    readings = meter.readings if meter else {}
    silent = not device or device.com_error
    since_ms = device.error_since_ms if device else None
    kind = dev_type(config)
    entry = {
        "dev_type": kind,
        "dev_id": config["id"],
        "device_enabled": int(config["enabled"]),
        "number": int(config["id"][1:]),
        "name": config["name"] or config["id"],
        "desc": config["name"],
        "label": "",
        "address": address(config),
        "id": config.get("unit", 0),
        "com_err": silent,
        "com_err_secs": 0,
        "com_errors": device.link.errors if hasattr(device, "link") else 0,
        "last_error": (device.problem or device.complaint or "") if device else "",
        "is_mock": False,
        "model": getattr(device, "model", "") or data.text("dev_types", kind),
        "power_w": readings.get("power_w") or 0,
    }
    if silent and since_ms is not None:
        entry["com_err_secs"] = (controller.clock.now_ms() - since_ms) // 1000
    for line in ("1", "2", "3"):
        entry["current_l" + line] = readings.get("current_l%s_ma" % line) or 0
        entry["voltage_l" + line] = readings.get("voltage_l%s_v" % line) or 0
    return device, entry


def _meter(controller, config):
    device, entry = _device(controller, config)
    readings = device.readings if device else {}
    entry["is_evse"] = False
    entry["is_va"] = getattr(device, "is_va", False)
    entry["invert"] = config["invert"]
    entry["role"] = ROLES.index(config["role"])
    entry["used_phases"] = sum([1 << (phase - 1) for phase in config["phases"]])
    entry["power"] = entry["power_w"]
    entry["import"] = readings.get("import_wh") or 0
    entry["export"] = readings.get("export_wh") or 0
    if readings.get("soc") is not None:
        entry["soc"] = readings["soc"]
    return entry


def _evse(controller, config):
    device, entry = _device(controller, config)
    evse = controller.evses.get(config["id"])
    min_pause_s = controller.settings.doc["site"]["min_pause_s"]
    entry["is_evse"] = True
    entry["used_phases"] = 0 if config["detect_phases"] else (1 << config["phases"]) - 1
    entry["prio"] = config["priority"]
    entry["attach"] = config["meter"] or ""
    entry["cur_charging_power"] = entry["power_w"]
    entry["min_charging_cur"] = config["min_current_ma"]
    entry["max_charging_cur"] = config["max_current_ma"]
    entry["pause_time"] = entry["pause_min_time"] = min_pause_s
    entry["pause_reason"] = entry["ta_en"] = entry["charging_dur"] = entry["phases"] = 0
    sent_ma = device.sent_ma if device else None
    entry["last_set_charging_cur"] = -1 if sent_ma is None else sent_ma
    readings = device.readings if device else {}
    state = 6 if entry["com_err"] else _STATES.get(readings.get("state") or "", 6)
    entry["state"] = state
    entry["total_energy"] = readings.get("energy_wh") or 0
    entry["charging_enabled"] = False
    if evse:
        _charging(controller, evse, entry, min_pause_s)
    entry["paused"] = entry["pause_reason"] > 0
    entry["evse"] = {
        "cp_state": _CP_STATES[state],
        "charging": state in (3, 4),
        "current": max(0, entry["last_set_charging_cur"]),
        "enabled": entry["charging_enabled"],
    }
    return entry


def _charging(controller, evse, entry, min_pause_s):
    """What the control of an EVSE knows."""
    now_ms = controller.clock.now_ms()
    entry["min_charging_cur"] = evse.min_ma
    entry["max_charging_cur"] = evse.config_max_ma
    entry["total_energy"] = evse.energy_wh
    entry["charging_enabled"] = evse.wish_ma is None or evse.wish_ma >= evse.min_ma
    if entry["state"] in (3, 4):
        entry["phases"] = evse.lines
    if evse.plugged_ms is not None:
        entry["ta_en"] = evse.energy_wh - evse.plugged_wh
        entry["charging_dur"] = evse.charging_ms // 1000
        if evse.setpoint_ma == 0:
            entry["pause_reason"] = _pause_reason(evse)
            if evse.paused_until_ms is not None:
                left_s = max(0, evse.paused_until_ms - now_ms) // 1000
                entry["pause_time"] = max(0, min_pause_s - left_s)
    if controller.wishes:
        override = controller.wishes.overridden(evse.id)
        entry["overrides"] = sum([{"C": 1, "E": 2, "U": 4}[flag] for flag in override["flags"]])
        if override["mamps"] is not None:
            entry["ov_cur"] = override["mamps"]


def _pause_reason(evse):
    """1 current limit, 2 rules, 3 manual, 5 error, by the first word of the reason's code."""
    code = evse.reason.code if evse.reason else ""
    if code == "below_minimum" and evse.wish_reason:
        code = evse.wish_reason[0]
    word = code.partition("_")[0]
    if word == "override":
        return 3
    if word == "evse":  # its error or its silence
        return 5
    return 2 if word in ("rule", "plan", "current", "clock") else 1


COMMANDS = {"get_dev_info": _get_dev_info, "get_params": _get_params}
