"""State of the power manager for /power_manager; docs/power-manager.md says what each key means.

Loaded when somebody looks.
"""

from micropython import const

_PV = const(2)  # 3 is Min+PV
_EXTERNAL_DISABLED = const(1)
# By the stage of a Switch: monitoring, stopping, switching the contactor, waiting.
_SWITCHING = (0, 2, 4, 5)
_OF_ONE = (
    "overall_min_power threshold_3to1 threshold_1to3 is_3phase wants_3phase wants_3phase_last"
    " is_on_last wants_on_last switching_state phase_state_change_blocked"
    " phase_state_change_delay on_state_change_blocked on_state_change_delay"
)


def state(controller):
    power = controller.power
    return {
        "config_error_flags": power.config_error_flags if power else 0,
        "external_control": power.external_control if power else _EXTERNAL_DISABLED,
    }


def _ahead_s(until_ms, now_ms):
    return None if until_ms is None else max(0, until_ms - now_ms + 999) // 1000


def _evse(power, evse, now_ms):
    """What one EVSE is about to do."""
    waits = [
        {"code": code, "arguments": list(arguments), "until_s": _ahead_s(until_ms, now_ms)}
        for code, arguments, until_ms in power.waits(evse.id)
    ]
    return {
        "mode": power.mode_of(evse.id),
        "waits": waits,
        "phases": evse.box_phases or evse.phases,
        "switchings": power.switchings.get(evse.id, 0),
        "starts": power.starts.get(evse.id, 0),
    }


def _shown(power):
    """The EVSE that stands for all, as the power manager sees it: the first in a PV mode."""
    for point in power.points:
        if point.mode >= _PV:
            return point
    return power.points[0] if power.points else None


def _allocated_ma(evses):
    """The most that EVSEs have on one phase of the house."""
    phases_ma = [0, 0, 0]
    for evse in evses:
        for line in range(3):
            if evse.lines >> line & 1:
                phases_ma[evse.house_phase(line)] += evse.setpoint_ma
    return max(phases_ma)


def _least_limit_ma(site):
    """The least current that a limit of the whole house allows, None without one."""
    limits = [min(limit.phase_ma) for limit in site.house.limits if limit.phase_ma]
    return min(limits) if limits else None


def _powers(power, document, on):
    """What comes from the surplus; on: the highest of the window counts, else the least."""
    surplus = power and power.surplus
    grid_w = power.grid_w if power else None
    document["power_at_meter"] = grid_w
    available_w = surplus.available_w if surplus else None
    filtered_w = available_w
    if surplus:
        filtered_w = surplus.most_w if on else surplus.least_w
    document["power_available"] = available_w
    document["power_available_filtered"] = filtered_w
    if grid_w is not None and available_w is not None and filtered_w is not None:
        grid_w += available_w - filtered_w
    document["power_at_meter_filtered"] = grid_w


def _thresholds(power, point, now_ms, document):
    """W from which it charges, and where an automatic switching changes its phases."""
    document["overall_min_power"] = None
    document["threshold_3to1"] = document["threshold_1to3"] = None
    if power.surplus:
        from chargecontrol import charge_modes

        document["overall_min_power"] = charge_modes.least_w(power, point, now_ms)
        if point.switch and power.settings["phase_switching_mode"] == 0:
            up_w, down_w = charge_modes.thresholds(power, point)
            document["threshold_3to1"] = down_w
            document["threshold_1to3"] = up_w


def _blocks(power, evse, now_ms, document):
    """Until when its phases, and on and off, stay as they are: ms from now."""
    delays = {"phase": 0, "on": 0}
    for code, _, until_ms in power.waits(evse.id):
        if until_ms is not None:
            kind = "phase" if "phase" in code else "on"
            delays[kind] = max(delays[kind], until_ms - now_ms)
    for kind in delays:
        document[kind + "_state_change_blocked"] = delays[kind] > 0
        document[kind + "_state_change_delay"] = delays[kind]


def _of_one(power, point, now_ms, document):
    """The keys of which the WARP has one for all EVSEs."""
    evse = point.evse
    switch = point.switch
    _thresholds(power, point, now_ms, document)
    _blocks(power, evse, now_ms, document)
    three = (evse.box_phases or evse.phases) == 3
    document["is_3phase"] = three
    document["switching_state"] = _SWITCHING[switch.stage] if switch else 0
    wanted = switch.wanted == 3 if switch and switch.stage else three
    document["wants_3phase"] = document["wants_3phase_last"] = wanted
    document["is_on_last"] = evse.setpoint_ma > 0
    document["wants_on_last"] = evse.hold is None


def low_level(controller):
    """The keys of the WARP, and "evses": {id: what each is about to do}."""
    now_ms = controller.clock.now_ms()
    power = controller.power
    site = controller.site
    hysteresis_ms = controller.settings.doc["power_manager"]["hysteresis_s"] * 1000
    document: dict = {name: None for name in _OF_ONE.split()}
    document["charge_manager_available_current"] = min(site.available_ma)
    document["charge_manager_allocated_current"] = _allocated_ma(site.evses)
    document["max_current_limited"] = _least_limit_ma(site)
    document["uptime_past_hysteresis"] = now_ms >= hysteresis_ms
    document["charging_blocked"] = 0
    document["evses"] = {}
    point = _shown(power) if power else None
    _powers(power, document, bool(point and point.evse.setpoint_ma))
    if point:
        _of_one(power, point, now_ms, document)
        for evse in site.evses:
            document["evses"][evse.id] = _evse(power, evse, now_ms)
    return document
