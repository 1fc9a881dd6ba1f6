"""/cnf: override_device, set_cplan, get_cplan: what somebody wants of a wallbox; docs/cnf.md."""

_MAX_MA = 80000


def _evse_id(door, request):
    id = request.args.get("dev_id", "").upper()
    evses = door.controller.evses
    if id not in evses:
        raise door.refusal(400, "no_evse", id[:8], ", ".join(sorted(evses)) or "-")
    return id


def _override(door, request):
    """Until the car is unplugged."""
    door.refuse_cross_site(request)
    id = _evse_id(door, request)
    flags = request.args.get("flags", "")
    for flag in flags:
        if flag not in "CcEeUu":
            raise door.refusal(400, "override_flag", flag)
    mamps = request.args.get("mamps")
    if mamps is not None:
        whole, _, fraction = mamps.partition(".")  # some send 8000.0
        if not whole.isdigit() or fraction.strip("0") or int(whole[:9]) > _MAX_MA:
            raise door.refusal(400, "override_current", _MAX_MA)
        mamps = int(whole)
    elif not flags:
        raise door.refusal(400, "override_shape")
    controller = door.controller
    controller.need_wishes().override(id, flags, mamps)
    controller.wake()
    return "ok", 200


def _plan_id(door, request):
    """Whose plan: a wallbox's, or $G for the house connection's."""
    id = request.args.get("dev_id", "").upper()
    return id if id == "$G" else _evse_id(door, request)


def _set_plan(door, request):
    id = _plan_id(door, request)
    tmp = request.args.get("tmp", "0")
    if tmp not in ("0", "1"):
        raise door.refusal(400, "flag", "tmp")
    body = request.data
    if not isinstance(body, dict) or list(body) != ["cplan"]:
        raise door.refusal(400, "cplan_shape")
    controller = door.controller
    controller.need_wishes().set_plan(id, body["cplan"], tmp == "1")
    controller.wake()
    return "ok", 200


def _get_plan(door, request):
    id = _plan_id(door, request)
    wishes = door.controller.wishes
    return {"cplan": wishes.plan(id) if wishes else []}, 200


COMMANDS = {"override_device": _override, "set_cplan": _set_plan, "get_cplan": _get_plan}
