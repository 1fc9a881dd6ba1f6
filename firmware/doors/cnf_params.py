"""/cnf: set_params, settings of the whole site by the names of the cFos manager; docs/cnf.md."""

# {key: the site's setting}
_SETTINGS = {
    "title": "title",
    "desc": "desc",
    "max_total_current": "max_total_current",
    "max_total_power": "max_total_power",
    "max_total_evse_current": "max_total_evse_current",
    "max_total_evse_power": "max_total_evse_power",
    "reserve_current": "reserve_current_ma",
    "lb_enabled": "load_management",
    "disable_policy": "disable_policy",
    "min_pause_time": "min_pause_s",
    "surplus_expr": "surplus",
}
# Settings that may be absent, and what says so.
_NONE = {
    "max_total_power": 0,
    "max_total_evse_current": 0,
    "max_total_evse_power": 0,
    "surplus_expr": "",
}
# What get_params tells beside these: its answer may be sent back.
_SHOWN = (
    "cycle_time max_evses shareware_mode version time vsn dev_meta grid_pwr cons_pwr "
    "surplus_power cons_evse_power avail_evse_power"
)


def _number(door, key, value, most):
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= most:
        return int(value)
    raise door.refusal(400, "param_number", key, most)


def _set_params(door, request):
    """Takes all or nothing; saves what is a setting, where it differs."""
    values = request.data
    if not isinstance(values, dict) or not values:
        raise door.refusal(400, "params_shape")
    controller = door.controller
    patch = {}
    percent = overdraft_ma = None
    for key, value in values.items():
        if key in _SETTINGS:
            none = key in _NONE and value == _NONE[key] and not isinstance(value, bool)
            patch[_SETTINGS[key]] = None if none else value
        elif key == "max_total_cur_prc":
            percent = _number(door, key, value, 100)
        elif key == "overdraft_cur":
            overdraft_ma = _number(door, key, value, 1000000)
        elif key not in _SHOWN.split():
            known = ", ".join(sorted(_SETTINGS) + ["max_total_cur_prc", "overdraft_cur"])
            raise door.refusal(400, "param_key", str(key)[:32], known)
    changed = controller.settings.apply({"site": patch})
    if changed:
        controller.settings_changed(changed, request.who)
    site = controller.site
    if overdraft_ma == 0:
        site.house.overdraft_max_ma = 0
    if percent is not None:
        site.percent = None if percent == 100 else percent
        controller.wake()
    return "ok", 200


COMMANDS = {"set_params": _set_params}
