"""/cnf: the variables of the grid operator (cFos manager, "HTTP API for energy suppliers")."""


def register(door, controller):
    """Add the route. docs/cnf.md tells what it takes and answers."""
    variables = controller.variables

    def flag(request, name):
        value = request.args.get(name, "0")
        if value not in ("0", "1"):
            raise door.refusal(400, "flag", name)
        return value == "1"

    def get_cm_vars(request):
        return {
            "vars": variables.listing(controller.names.lookup),
            "flash_writes": controller.store.writes,
        }

    async def set_cm_vars(request):
        door.refuse_cross_site(request)
        clear = flag(request, "clear")
        tmp = flag(request, "tmp")
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
        if variables.set_many(pairs, clear, tmp):
            controller.wake()
        await variables.saved()
        return "ok"

    commands = {"get_cm_vars": get_cm_vars, "set_cm_vars": set_cm_vars}

    async def cnf(request):
        command = commands.get(request.args.get("cmd"))
        if not command:
            known = ", ".join(sorted(commands))
            raise door.refusal(400, "command", known)
        answer = command(request)
        if hasattr(answer, "send"):
            answer = await answer
        return answer, 200

    door.route("/cnf", ["GET", "POST"], cnf)


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
