"""/cnf: the variables of the grid operator (cFos manager, "HTTP API for energy suppliers").

docs/cnf.md tells what it takes and answers. The other commands have modules of their own beside
this one, with COMMANDS: {name: function(door, request) -> (body, status), plain or async}.
"""

MAX_BODY = 4096

# What is loaded for which command.
_OTHERS = (
    "cnf_info get_dev_info get_params;"
    "cnf_params set_params;"
    "cnf_devices get_devices set_device del_device;"
    "cnf_wishes override_device set_cplan get_cplan;"
    "cnf_push set_ajax_meter set_ajax_evse"
)


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
    }, 200


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
    if door.controller.operator:
        door.controller.operator.touch("http")
    await variables.saved()
    return "ok", 200


def _pairs(body):
    """(entries for set_many, replaces all) of a POST body in either shape, else (None, None)."""
    if not isinstance(body, dict):
        return None, None
    items = body.get("vars")
    if isinstance(items, list):
        # What get_cm_vars answered may be sent back.
        if all([key in ("vars", "flash_writes") for key in body]) and all(
            [isinstance(item, dict) and "name" in item and "expr" in item for item in items]
        ):
            return [_entry(item) for item in items], False
        return None, None
    return list(body.items()), True


def _entry(item):
    return item["name"], item["expr"], item.get("trigger_s"), item.get("retrigger", False)


def _cnf(door, request):
    command = request.args.get("cmd")
    if command == "get_cm_vars":
        return _get_cm_vars(door, request)
    if command == "set_cm_vars":
        return _set_cm_vars(door, request)
    known = "get_cm_vars, set_cm_vars"
    for part in _OTHERS.split(";"):
        names = part.split(" ")
        if command in names[1:]:
            module = __import__("doors." + names[0], None, None, ("COMMANDS",))
            return module.COMMANDS[command](door, request)
        known += ", " + ", ".join(names[1:])
    raise door.refusal(400, "command", known)


def _page(door, request):
    """Where clients of the cFos manager find out whether their password is right."""
    return "ok", 200


ROUTES = {"/cnf": {"GET": _cnf, "POST": _cnf}, "/ui/en/sim.htm": {"GET": _page}}
