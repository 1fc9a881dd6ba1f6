"""/cnf: the variables of the grid operator (cFos manager, "HTTP API for energy suppliers").

docs/cnf.md tells what it takes and answers.
"""

MAX_BODY = 4096


def _flag(door, request, name):
    value = request.args.get(name, "0")
    if value not in ("0", "1"):
        raise door.refusal(400, "flag", name)
    return value == "1"


def _get_cm_vars(door, request):
    controller = door.controller
    return {
        "vars": controller.variables.listing(controller.names.lookup),
        "flash_writes": controller.store.writes,
    }


async def _set_cm_vars(door, request):
    door.refuse_cross_site(request)
    clear = _flag(door, request, "clear")
    tmp = _flag(door, request, "tmp")
    if request.method == "GET":
        name = request.args.get("name")
        value = request.args.get("val")
        pairs = [(name, value)]
        if clear and name is None and value is None:
            pairs = ()
        elif name is None or value is None:
            raise door.refusal(400, "name_val")
    else:
        pairs, replace = _pairs(request.data)
        clear = clear or replace
        if pairs is None:
            raise door.refusal(400, "vars_shape")
    variables = door.controller.variables
    if variables.set_many(pairs, clear, tmp):
        door.controller.wake()
    await variables.saved()
    return "ok"


def _pairs(body):
    """([(name, expr)], replaces all) of a POST body in either shape, else (None, None)."""
    if not isinstance(body, dict):
        return None, None
    items = body.get("vars")
    if isinstance(items, list):
        # What get_cm_vars answered may be sent back.
        if all([key in ("vars", "flash_writes") for key in body]) and all(
            [isinstance(item, dict) and "name" in item and "expr" in item for item in items]
        ):
            return [(item["name"], item["expr"]) for item in items], False
        return None, None
    return list(body.items()), True


async def _cnf(door, request):
    command = request.args.get("cmd")
    if command == "get_cm_vars":
        return _get_cm_vars(door, request), 200
    if command == "set_cm_vars":
        return await _set_cm_vars(door, request), 200
    raise door.refusal(400, "command", "get_cm_vars, set_cm_vars")


ROUTES = {"/cnf": {"GET": _cnf, "POST": _cnf}}
