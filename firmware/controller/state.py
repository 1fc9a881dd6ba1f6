"""The state as one document: limits, EVSEs, meters, inputs, with reasons as code and text."""

import gc

from controller import data


def _reason(texts, reason, now_ms, lang):
    if reason is None:
        return None
    sentences = texts.get(reason.code)
    text = sentences[lang == "de"].format(*reason.arguments) if sentences else reason.code
    return {
        "code": reason.code,
        "arguments": list(reason.arguments),
        "since_s": (now_ms - reason.since_ms) // 1000,
        "text": text,
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


def _evse(evse, device, texts, now_ms, lang):
    document = _device(device, now_ms)
    document["state"] = evse.state
    document["setpoint_ma"] = evse.setpoint_ma
    document["sent_ma"] = device.sent_ma
    document["current_ma"] = list(evse.measured_ma)
    document["reason"] = _reason(texts, evse.reason, now_ms, lang)
    return document


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
    """Builds the document; see docs/settings.md for its keys."""
    gc.collect()
    now_ms = controller.clock.now_ms()
    texts = data.load_json("texts/reasons.json")
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
                "reason": _reason(texts, limit.reason, now_ms, lang),
            }
            for limit in site.limits
        ],
        "available_ma": list(site.available_ma),
        "grid_meter": _reason(texts, site.meter_reason, now_ms, lang),
        "evses": [
            _evse(evse, controller.devices[evse.id], texts, now_ms, lang) for evse in site.evses
        ],
        "meters": [
            _device(device, now_ms)
            for device in controller.devices.values()
            if device.id not in controller.evses
        ],
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
            "largest": _largest_block(),
        },
    }
