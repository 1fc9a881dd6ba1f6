"""/api/rules: the rules, the shipped sets and the schema; docs/rules.md."""

MAX_BODY = 16384


def _language(request):
    return "de" if request.args.get("lang") == "de" else "en"


def _get(door, request):
    from controller import rule_store

    return rule_store.document(door.controller), 200


def _set(door, request):
    from controller import rule_store

    return {"changed": rule_store.change(door.controller, request.data)}, 200


def _templates(lang):
    from controller import rule_store

    for id in rule_store.TEMPLATES.split():
        yield rule_store.template(id, lang)


def _get_templates(door, request):
    return {"templates": _templates(_language(request))}, 200


def _copy_template(door, request):
    from controller import rule_store

    return {"changed": rule_store.copy(door.controller, request.data)}, 200


def _get_schema(door, request):
    from controller import data

    return data.load_json("rules/schema.json"), 200


ROUTES = {
    "/api/rules": {"GET": _get, "POST": _set},
    "/api/rules/templates": {"GET": _get_templates, "POST": _copy_template},
    "/api/rules/schema": {"GET": _get_schema},
}
