"""What the power manager is told in each cycle: grid, battery, currents, from the meters.

Loaded where there is a power manager. Meters are named by slots, as in the API of the WARP power
manager: slot n is the meter Mn, slot 0 the site's grid meter, 255 none.
"""

from micropython import const

from controller.cycle import phase_currents

_NONE = const(255)


def meter(controller, slot):
    """The device of a slot, or None."""
    if slot == _NONE:
        return None
    id = "M%d" % slot if slot else controller.site.grid_id
    return controller.devices.get(id)


def _power_w(readings):
    power_w = readings.get("power_w")
    if power_w is None:
        lines = [readings.get("power_l%d_w" % line) for line in (1, 2, 3)]
        power_w = None if None in lines else sum(lines)
    return power_w


def _wanted(specials, id):
    """1 or 3 where a rule asked for phases: nothing has two, so one for two; else None."""
    phases = specials.of_device(id.lower(), "switch_phases") if specials else None
    return 3 if phases == 3 else 1 if phases in (1, 2) else None


def update(controller, now_ms):
    """Hands the latest readings to the power manager; it looks at their age itself."""
    doc = controller.settings.doc
    config = doc["power_manager"]
    grid = battery = currents = None
    device = meter(controller, config["meter_slot_grid_power"])
    if device and device.read_ms is not None:
        power_w = _power_w(device.readings)
        grid = None if power_w is None else (power_w, device.read_ms)
    device = meter(controller, config["meter_slot_battery_power"])
    if device and device.read_ms is not None:
        power_w = _power_w(device.readings)
        if power_w is not None:
            battery = (power_w, device.readings.get("soc"), device.read_ms)
    if doc["dynamic_load"]["enabled"]:
        device = meter(controller, doc["dynamic_load"]["meter_slot_grid_currents"])
        if device and device.read_ms is not None:
            phases_ma = phase_currents(device.readings)
            currents = None if phases_ma is None else (phases_ma, device.read_ms)
    for evse in controller.site.evses:
        device = controller.devices[evse.id]
        evse.switchable = device.switchable
        evse.box_phases = device.sent_phases
        evse.wanted_phases = _wanted(controller.specials, evse.id)
    controller.power.update(now_ms, grid, battery, currents)
