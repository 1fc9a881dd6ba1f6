"""/power_manager: the interface of the WARP power manager; docs/power-manager.md.

A write is answered as that one does: empty, or a line of plain text for each fault.
"""

from controller.unload import unload

MAX_BODY = 4096

_ROOT = "/power_manager/"
_UPDATE = "_update"
# What a whole object may leave out: what the published example of config does, and what is ours.
_OPTIONAL = {
    "power_manager": (
        "meter_slot_battery_power battery_mode battery_target_soc battery_inverted"
        " battery_deadzone hysteresis_s phase_wait_s"
    ),
    "dynamic_load": "fallback_current_ma",
}
_DEFAULT_MODE = 4


def _answer(request, found=()):
    """Answer in plain text, in place of the door's JSON: the faults found, or nothing."""
    text = ""
    if found:
        from controller import power_check

        accepted = request.headers.get("accept-language", "")
        lang = "de" if request.args.get("lang", accepted[:2]) == "de" else "en"
        text = power_check.sentences(found, lang)

    async def answer(body, status):
        request.begun = True
        data = body.encode()
        head = "HTTP/1.1 %d %s\r\nContent-Length: %d\r\nContent-Type: text/plain; charset=utf-8"
        head %= (status, "Refused" if data else "OK", len(data))
        head += "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        await request.send(head.encode() + data)

    request.answer = answer
    return text, 400 if text else 200


def _set_section(door, request, section):
    from controller import power_check

    controller = door.controller
    optional = _OPTIONAL[section].split()
    patch, found = power_check.section_faults(controller.settings, section, request.data, optional)
    del power_check
    if found:
        return _answer(request, found)
    changed = controller.settings.apply({section: patch})
    if changed:
        controller.settings_changed(changed, request.who)
    return _answer(request)


def _set_config(door, request):
    return _set_section(door, request, "power_manager")


def _set_dynamic_load(door, request):
    return _set_section(door, request, "dynamic_load")


def _set_mode(door, request):
    from controller import power_check

    mode, found = power_check.only_value("charge_mode", "mode", request.data)
    return _set_modes(door, request, {None: mode}, found)


def _set_charge_modes(door, request):
    from controller import power_check

    modes = request.data
    found = []
    if not isinstance(modes, dict):
        found.append(power_check.PowerError("charge_modes", "modes_shape"))
        modes = {}
    evses = door.controller.evses
    for id in sorted(modes):
        if id not in evses:
            have = ", ".join(sorted(evses)) or "-"
            found.append(power_check.PowerError("charge_modes." + id[:40], "no_evse", have))
        elif modes[id] is None:
            modes[id] = _DEFAULT_MODE
    return _set_modes(door, request, modes, found)


def _set_modes(door, request, modes, found):
    """modes: {id of an EVSE, or None for all: mode, or None to keep it}."""
    from controller import power_check

    controller = door.controller
    modes = {id: mode for id, mode in modes.items() if mode is not None}
    for id, mode in modes.items():
        field = "charge_modes." + id[:40] if id else "charge_mode.mode"
        fault = power_check.mode_fault(controller.settings, field, mode)
        if fault:
            found.append(fault)
    del power_check
    if modes and not found:
        unload()
        power = controller.need_power()
        for id, mode in modes.items():
            power.set_mode(mode, id)
        controller.wake()
    return _answer(request, found)


def _set_phases(door, request):
    from controller import power_check

    controller = door.controller
    phases, found = power_check.only_value("external_control", "phases_wanted", request.data)
    if phases is not None and not found:
        fault = power_check.phases_fault(controller, phases)
        if fault:
            found.append(fault)
        elif not controller.power.external_control:  # else it is on the way there
            controller.power.set_phases_wanted(phases)
            controller.wake()
    return _answer(request, found)


def _config(controller):
    doc = controller.settings.doc
    config = dict(doc["power_manager"])
    config["enabled"] = config["excess_charging_enable"] or doc["dynamic_load"]["enabled"]
    return config


def _dynamic_load(controller):
    return controller.settings.doc["dynamic_load"]


def _state(controller):
    from controller import power_state

    return power_state.state(controller)


def _low_level(controller):
    from controller import power_state

    return power_state.low_level(controller)


def _mode(controller):
    power = controller.power
    config = controller.settings.doc["power_manager"]
    return {"mode": power.mode if power else config["default_mode"]}


def _charge_modes(controller):
    power = controller.power
    default = controller.settings.doc["power_manager"]["default_mode"]
    return {id: power.mode_of(id) if power else default for id in controller.evses}


def _phases(controller):
    power = controller.power
    return {"phases_wanted": power.phases_wanted if power else 0}


# {object: (what reads it, what writes it or None)}
_OBJECTS = {
    "config": (_config, _set_config),
    "dynamic_load_config": (_dynamic_load, _set_dynamic_load),
    "state": (_state, None),
    "low_level_state": (_low_level, None),
    "charge_mode": (_mode, _set_mode),
    "charge_modes": (_charge_modes, _set_charge_modes),
    "external_control": (_phases, _set_phases),
}


def _get(door, request):
    """An object, or with more of a path a member of it."""
    parts = request.path[len(_ROOT) :].split("/")
    value = _OBJECTS[parts[0]][0](door.controller)
    for part in parts[1:]:
        try:
            value = value[int(part) if isinstance(value, (list, tuple)) else part]
        except (KeyError, IndexError, ValueError, TypeError):
            raise door.refusal(404, "not_found")
    return value, 200


class _Routes:
    """Takes the place of a dict: members of the objects have addresses, too."""

    def get(self, path):
        name, _, member = path[len(_ROOT) :].partition("/")
        update = name.endswith(_UPDATE) and not member
        known = _OBJECTS.get(name[: -len(_UPDATE)] if update else name)
        if not known or update and not known[1] or path.endswith("/"):
            return None
        methods = {} if update else {"GET": _get}
        if known[1] and not member:
            methods["POST"] = methods["PUT"] = known[1]
        return methods


ROUTES = _Routes()
