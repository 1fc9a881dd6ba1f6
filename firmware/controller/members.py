"""What formulas may ask of a wallbox beside its readings: Ex.state, Ex.txn_energy and so on.

Loaded where a formula names a wallbox. Source: the cFos formula documentation, members of devices.
"""

_STATES = {"A": 1, "B": 2, "C": 3, "D": 4, "E": 5, "F": 5}


def member(controller, device, field):
    """An integer, or None where the field is something else."""
    evse = controller.evses.get(device.id)
    if evse is None:  # one that is switched off: readings only
        return None
    if field == "offered":
        return evse.setpoint_ma
    if field == "min_current":
        return evse.min_ma
    if field == "max_current":
        return evse.config_max_ma
    if field == "state":
        return 6 if device.com_error else _STATES.get(evse.state, 6)
    if field == "import_wh":
        return evse.energy_wh if device.read_ms is not None else None
    if field == "cphases":
        return evse.cphases
    if field == "pphases":
        return evse.phases
    if field == "charging_dur":
        return evse.charging_ms // 1000
    if field == "txn_energy" or field == "plugin_energy":
        return evse.energy_wh - evse.plugged_wh if evse.plugged_ms is not None else 0
    if field == "txn_duration" or field == "plugin_start":
        return _since_plug_in(controller, evse.plugged_ms, field)
    if field == "surplus_pcur":
        surplus_w = controller.balance().value("surplus", "power_w")
        voltage_v = controller.settings.doc["site"]["voltage_v"]
        return surplus_w and surplus_w * 1000 // (voltage_v * max(1, evse.phases))
    if field == "switch_phases" and not controller.specials:
        return -1
    if field == "surplus_wanted" and hasattr(controller.wishes, "by_surplus"):
        return int(controller.wishes.by_surplus(device.id))
    if field[:6] == "lb_cur" or field in ("surplus_wanted", "departure", "req_energy"):
        return 0  # rules have values of their own; boxes with ISO 15118 are not known
    return None


def _since_plug_in(controller, plugged_ms, field):
    clock = controller.clock
    seconds = (clock.now_ms() - plugged_ms) // 1000 if plugged_ms is not None else 0
    if field == "txn_duration":
        return seconds
    if plugged_ms is None:
        return 0
    return clock.utc_s() - seconds if clock.trusted else None
