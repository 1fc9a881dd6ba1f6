"""What the settings power_manager and dynamic_load must not be together. Loaded when one is set.

Rules of the WARP power manager's config and dynamic_load_config; slots as in power_inputs.py.
"""

import sys

from micropython import const

from controller.settings_check import Check, SettingsError

_NO_METER = const(255)
_EXTERNAL = const(3)  # phase_switching_mode
_SWITCHING = const(3)  # external_control
_PV = const(2)  # 3 is Min+PV
_DEFAULT_MODE = const(4)
_LEAST_LIMIT_MA = const(16000)
_MAX_LINES = const(20)
# (section, module that it needs, setting that switches it on)
_PARTS = (
    ("power_manager", "surplus", "excess_charging_enable"),
    ("dynamic_load", "dynamic_load", "enabled"),
)


class PowerError(SettingsError):
    """A value that does not go with another one, or not now."""

    area = "power_manager"


def _meter(doc, slot):
    """The id of a slot's meter, whether there is one or not; None for no meter."""
    if slot:
        return None if slot == _NO_METER else "M%d" % slot
    for meter in doc["meters"]:
        if meter["role"] == "grid":
            return meter["id"]
    return "M0"


def faults(doc):
    """Generator of a PowerError for each fault of the whole document."""
    power = doc["power_manager"]
    excess = power["excess_charging_enable"]
    if excess and power["phase_switching_mode"] == _EXTERNAL:
        yield PowerError("power_manager.phase_switching_mode", "external_and_excess")
    battery = _meter(doc, power["meter_slot_battery_power"])
    if excess and battery and battery == _meter(doc, power["meter_slot_grid_power"]):
        yield PowerError("power_manager.meter_slot_battery_power", "same_slot")
    if not excess and power["default_mode"] >= _PV:
        yield PowerError("power_manager.default_mode", "needs_excess", power["default_mode"])
    load = doc["dynamic_load"]
    if load["enabled"]:
        limit_ma = load["current_limit"]
        if limit_ma < _LEAST_LIMIT_MA:
            yield PowerError("dynamic_load.current_limit", "limit_low", _LEAST_LIMIT_MA)
        if load["largest_consumer_current"] > limit_ma:
            field = "dynamic_load.largest_consumer_current"
            yield PowerError(field, "consumer_large", limit_ma)


def need_room(new):
    """Raise PowerError where what sections switch on is not in RAM and would not fit into it."""
    wanted = [
        name
        for name, module, switch in _PARTS
        if name in new and new[name][switch] and "chargecontrol." + module not in sys.modules
    ]
    if wanted:
        from controller import power_room

        names = power_room.modules("power_manager" in wanted, "dynamic_load" in wanted)
        if not power_room.load(names, power_room.CHANGE_BYTES):
            raise PowerError(wanted[0], "no_room")


def section_faults(settings, section, body, optional):
    """(patch, [SettingsError]): what a whole object changes, and each of its faults.

    A None keeps the value; names in `optional` may be absent. `enabled` is taken and forgotten
    where the section has none.
    """
    if not isinstance(body, dict):
        return {}, [SettingsError(section, "must_object")]
    old = settings.doc[section]
    found = []
    for name in sorted(list(old) + ["enabled"] if "enabled" not in old else old):
        if name not in body and name not in optional:
            found.append(SettingsError(section + "." + name, "absent"))
    patch = {}
    for name, value in body.items():
        if name == "enabled" and name not in old:
            if value is not None and not isinstance(value, bool):
                found.append(SettingsError(section + ".enabled", "must_bool"))
        elif value is not None or name not in old:
            patch[name] = value
    check = Check(settings)
    try:
        new = check.section(section, old, patch)
    except SettingsError:  # that is the first of them; now all
        for name in sorted(patch):
            try:
                check.section(section, old, {name: patch[name]})
            except SettingsError as error:
                found.append(error)
        return patch, found
    if not found:
        whole = dict(settings.doc)
        whole[section] = new
        found = list(faults(whole))
    if not found:
        try:
            need_room({section: new})
        except PowerError as error:
            found.append(error)
    return patch, found


def only_value(object, key, body):
    """(value, [SettingsError]) of an object with one key, which may be written as a bare value."""
    if body is not None and not isinstance(body, dict):
        return body, []
    body = body or {}
    found = [] if key in body else [SettingsError(object + "." + key, "absent")]
    for name in sorted(body):
        if name != key:
            found.append(SettingsError("%s.%s" % (object, name[:40]), "unknown"))
    return body.get(key), found


def mode_fault(settings, field, mode):
    """What is wrong with a charge mode, None if nothing; 4 is the default mode."""
    if not isinstance(mode, int) or isinstance(mode, bool) or not 0 <= mode <= _DEFAULT_MODE:
        return SettingsError(field, "must_int", 0, _DEFAULT_MODE, "")
    power = settings.doc["power_manager"]
    if mode in (_PV, _PV + 1) and not power["excess_charging_enable"]:
        return PowerError(field, "needs_excess", mode)
    return None


def phases_fault(controller, phases):
    """What is wrong with an order of external control, None if nothing."""
    field = "external_control.phases_wanted"
    if phases not in (0, 1, 3) or not isinstance(phases, int) or isinstance(phases, bool):
        return PowerError(field, "phases_values")
    if controller.settings.doc["power_manager"]["phase_switching_mode"] != _EXTERNAL:
        return PowerError(field, "external_control_disabled")
    power = controller.need_power()
    state = power.external_control
    if state and (state != _SWITCHING or phases != power.phases_wanted):
        why = ("disabled", "unavailable", "switching")[state - 1]
        return PowerError(field, "external_control_" + why)
    return None


def sentences(found, lang):
    """One line for each fault."""
    lines = [error.text(lang) for error in found[:_MAX_LINES]]
    if len(found) > _MAX_LINES:
        lines.append(PowerError("", "more", len(found) - _MAX_LINES).text(lang).strip())
    return "\n".join(lines)
