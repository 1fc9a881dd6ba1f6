"""/api: settings and their schema, state, log, password and restart; docs/settings.md."""

MAX_BODY = 16384


def _language(request):
    return "de" if request.args.get("lang") == "de" else "en"


def _get_settings(door, request):
    from controller import settings_view

    return settings_view.public(door.controller.settings), 200


def _set_settings(door, request):
    controller = door.controller
    if isinstance(request.data, dict) and "login" in request.data:
        raise door.refusal(400, "use_password")
    changed = controller.settings.apply(request.data)
    restart = bool(changed) and controller.settings_changed(changed, request.who)
    return {"changed": sorted(changed), "restart": restart}, 200


def _get_schema(door, request):
    from controller import settings_view

    sections = settings_view.described(door.controller.settings, _language(request))
    return {"sections": sections}, 200


def _get_state(door, request):
    return door.controller.state(_language(request)), 200


def _get_log(door, request):
    return {"log": list(door.controller.log.lines)}, 200


async def _set_password(door, request):
    from controller import password

    body = request.data
    if not isinstance(body, dict) or sorted(body) != ["new", "old"]:
        raise door.refusal(400, "password_shape")
    await password.change(door.controller.login, body["old"], body["new"])
    door.controller.event("password_changed", request.who)
    return "ok", 200


def _restart(door, request):
    door.controller.restart()
    return "ok", 202


ROUTES = {
    "/api/settings": {"GET": _get_settings, "POST": _set_settings},
    "/api/settings/schema": {"GET": _get_schema},
    "/api/state": {"GET": _get_state},
    "/api/log": {"GET": _get_log},
    "/api/login/password": {"POST": _set_password},
    "/api/restart": {"POST": _restart},
}
