"""The state as one document: limits, EVSEs, meters, inputs, with reasons as code and text."""

import gc

from controller import data


def _texts(lang):
    """The sentences of the reasons in one language."""
    texts = data.load_json("texts/reasons.json")
    return {code: texts[code][lang == "de"] for code in texts}


def _reason(texts, reason, now_ms):
    if reason is None:
        return None
    return {
        "code": reason.code,
        "arguments": list(reason.arguments),
        "since_s": (now_ms - reason.since_ms) // 1000,
        "text": texts.get(reason.code, reason.code).format(*reason.arguments),
    }


def _device(device, now_ms):
    return {
        "id": device.id,
        "name": device.config.get("name", ""),
        "template": device.config["template"],
        "readings": device.readings,
        "age_ms": None if device.read_ms is None else now_ms - device.read_ms,
        "com_error": device.com_error,
        "problem": device.problem,
        "complaint": device.complaint,
    }


def _evses(controller, texts):
    for evse in controller.site.evses:
        now_ms = controller.clock.now_ms()
        device = controller.devices[evse.id]
        document = _device(device, now_ms)
        document["state"] = evse.state
        document["setpoint_ma"] = evse.setpoint_ma
        document["sent_ma"] = device.sent_ma
        document["current_ma"] = list(evse.measured_ma)
        document["reason"] = _reason(texts, evse.reason, now_ms)
        yield document


def _meters(controller):
    for device in controller.devices.values():
        if device.id not in controller.evses:
            yield _device(device, controller.clock.now_ms())


def _largest_block():
    """Largest free block of the heap in bytes, to 1 kB: found by trying."""
    low, high = 0, gc.mem_free() >> 10
    while low < high:
        middle = (low + high + 1) >> 1
        try:
            bytearray(middle << 10)
            low = middle
        except MemoryError:
            high = middle - 1
    return low << 10


def state(controller, lang):
    """Builds the document; see docs/settings.md for its keys.

    Its devices are generators: each is made when it is sent, so the heap need not hold them all.
    """
    gc.collect()
    largest = _largest_block()  # before this document takes its room
    texts = _texts(lang)
    now_ms = controller.clock.now_ms()
    site = controller.site
    supervisor = controller.supervisor
    return {
        "version": controller.version,
        "board": controller.board_name,
        "uptime_s": now_ms // 1000,
        "cause": controller.cause,
        "time": {
            "utc_s": controller.clock.utc_s(),
            "trusted": controller.clock.trusted,
            "problem": controller.timekeeper.problem,
        },
        "faults": controller.faults,
        "limits": [
            {
                "source": limit.source,
                "kind": limit.kind,
                "value": limit.value,
                "phase_ma": limit.phase_ma,
                "until_ms": limit.until_ms,
                "reason": _reason(texts, limit.reason, now_ms),
            }
            for limit in site.limits
        ],
        "available_ma": list(site.available_ma),
        "grid_meter": _reason(texts, site.meter_reason, now_ms),
        "evses": _evses(controller, texts),
        "meters": _meters(controller),
        "inputs": controller.contacts.state(),
        "links": [
            {"id": name, "busy_ms": link.busy_ms, "errors": link.errors}
            for name, link, _ in controller.links
        ],
        "tasks": [
            {"name": task.name, "restarts": task.restarts, "error": task.error}
            for task in supervisor.tasks
        ],
        "cycle": {
            "count": controller.cycle.count,
            "took_ms": controller.cycle.took_ms,
            "late_max_ms": controller.cycle.late_max_ms,
        },
        "flash_writes": controller.store.writes,
        "heap": {
            "free": gc.mem_free(),
            "live": controller.live_bytes,
            "largest": largest,
        },
    }
