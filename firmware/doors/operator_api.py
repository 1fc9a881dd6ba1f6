"""/api/operator: what the grid operator's contacts and channels say, a test, a limit over HTTP.

docs/grid-operator.md has the keys.
"""

from micropython import const

from chargecontrol import levels
from controller.reason_view import left_s, reason_view

MAX_BODY = 512

_TEST_MAX_S = const(600)
_LIMIT_MAX_S = const(604800)


def _operator(door):
    """The OperatorInputs; refuses where nothing is configured."""
    if not door.controller.operator:
        from controller.operator_command import CommandError

        raise CommandError("operator", "not_configured")
    return door.controller.operator


def _limits(operator, now_ms, lang):
    for limit in operator.limits:
        yield {
            "source": limit.source,
            "part": limit.part,
            "level": levels.text(limit.level) if limit.level else "none",
            "kind": limit.kind,
            "value": limit.value,
            "phase_ma": limit.phase_ma and list(limit.phase_ma),
            "reason": reason_view(limit.reason, lang, now_ms),
        }


def _sets(controller, now_ms):
    operator = controller.operator.operator
    for config in controller.settings.doc["contact_sets"]:
        one = operator.sets.get(config["id"])
        if one:
            yield {
                "id": one.id,
                "name": config["name"],
                "form": config["form"],
                "inputs": controller.operator.inputs_state(one.inputs),
                "pattern": one.shown,
                "pattern_s": (now_ms - one.since_ms) // 1000,
                "settled": one.settled,
                "fault": one.fault and one.fault[0],
                "number": operator.number(one.id),
                "levels": [levels.text(level) for level in one.levels],
                "in_force": [
                    levels.text(one.levels[n])
                    for n in range(len(one.levels))
                    if one.in_force >> n & 1
                ],
            }


def _channels(operator, now_ms):
    for channel in operator.channels.values():
        heard_ms = channel.heard_ms
        yield {
            "channel": channel.name,
            "state": channel.state,
            "since_s": (now_ms - channel.since_ms) // 1000,
            "until_s": left_s(channel.end_ms, now_ms),
            "heard_s": None if heard_ms is None else (now_ms - heard_ms) // 1000,
            "level": levels.text(channel.level),
            "failsafe": levels.text(channel.failsafe),
            "timeout_s": channel.timeout_ms // 1000,
        }


def _dimming(dimming):
    if not dimming:
        return None
    return {
        "active": dimming.active,
        "source": dimming.source,
        "limit_w": dimming.limit_w,
        "p_min_w": dimming.p_min_w,
        "budget_w": dimming.budget_w,
        "used_w": dimming.used_w,
    }


def _get(door, request):
    controller = door.controller
    inputs = _operator(door)
    operator = inputs.operator
    now_ms = controller.clock.now_ms()
    lang = "de" if request.args.get("lang") == "de" else "en"
    test = operator.tested
    return {
        "ready": operator.ready,
        "limits": _limits(operator, now_ms, lang),
        "sets": _sets(controller, now_ms),
        "channels": _channels(operator, now_ms),
        "dimming": _dimming(controller.site.dimming),
        "feed_in_pct": operator.feed_in(),
        "test": test
        and {
            "source": test.part,
            "level": levels.text(test.level),
            "until_s": left_s(test.until_ms, now_ms),
        },
    }, 200


def _test(door, request):
    controller = door.controller
    operator = _operator(door).operator
    from controller import operator_command

    names = ("source", "level", "seconds")
    body = request.data
    doc = controller.settings.doc
    level, seconds = operator_command.command(doc, body, names, _TEST_MAX_S, False)
    source = body.get("source")
    have = sorted(operator.sets) + sorted(operator.channels)
    if source not in have:
        text = ", ".join(have)
        raise operator_command.CommandError("source", "source", str(source)[:16], text)
    one = operator.sets.get(source)
    if level and one and level not in one.levels:
        text = ", ".join([levels.text(known) for known in one.levels])
        raise operator_command.CommandError("level", "level_of_set", source, text)
    now_ms = controller.clock.now_ms()
    if level and seconds:
        operator.test(source, level, now_ms, now_ms + seconds * 1000)
    else:
        operator.end_test(now_ms)
    controller.wake()
    return {"test": {"source": source, "level": body["level"], "seconds": seconds}}, 200


def _limit(door, request):
    controller = door.controller
    inputs = _operator(door)
    from controller import operator_command

    if "http" not in inputs.operator.channels:
        raise operator_command.CommandError("channels", "channel_http")
    names = ("level", "seconds")
    doc = controller.settings.doc
    level, seconds = operator_command.command(doc, request.data, names, _LIMIT_MAX_S, True)
    if level is None:
        raise operator_command.CommandError("level", "level", "null")
    now_ms = controller.clock.now_ms()
    inputs.write("http", level, None if seconds is None else now_ms + seconds * 1000)
    return {"state": inputs.operator.channels["http"].state, "level": levels.text(level)}, 200


ROUTES = {
    "/api/operator": {"GET": _get},
    "/api/operator/test": {"POST": _test},
    "/api/operator/limit": {"POST": _limit},
}
