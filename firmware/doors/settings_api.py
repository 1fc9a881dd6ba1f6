"""/api: settings and their schema, state, log, password and restart; docs/settings.md."""

from micropython import const

from controller import data

_MAX_BODY = const(16384)


def register(door, controller):
    """Add the routes."""
    settings = controller.settings

    def language(request):
        return "de" if request.args.get("lang") == "de" else "en"

    def get_settings(request):
        return settings.public(), 200

    def set_settings(request):
        if isinstance(request.data, dict) and "login" in request.data:
            raise door.refusal(400, "use_password")
        changed = settings.apply(request.data)
        restart = bool([name for name in changed if settings.schema(name)["restart"]])
        if changed:
            controller.settings_changed(changed)
        return {"changed": sorted(changed), "restart": restart}, 200

    def get_schema(request):
        return {"sections": _sections(settings, language(request))}, 200

    def get_state(request):
        return controller.state(language(request)), 200

    def get_log(request):
        return {"log": list(controller.log.lines)}, 200

    async def set_password(request):
        body = request.data
        if not isinstance(body, dict) or sorted(body) != ["new", "old"]:
            raise door.refusal(400, "password_shape")
        await controller.login.change_password(body["old"], body["new"])
        return "ok", 200

    def restart(request):
        controller.restart()
        return "ok", 202

    door.route("/api/settings", ["GET"], get_settings)
    door.route("/api/settings", ["POST"], set_settings, _MAX_BODY)
    door.route("/api/settings/schema", ["GET"], get_schema)
    door.route("/api/state", ["GET"], get_state)
    door.route("/api/log", ["GET"], get_log)
    door.route("/api/login/password", ["POST"], set_password)
    door.route("/api/restart", ["POST"], restart)


def _sections(settings, lang):
    """The sections that may be set, one at a time, with the text of each field."""
    texts = data.load_json("texts/settings.json")
    for name in settings.sections():
        if name != "login":
            schema = settings.schema(name)
            for spec in schema["fields"]:
                spec["text"] = texts["%s.%s" % (name, spec["name"])][lang == "de"]
            yield schema
