"""The state as one document: limits, EVSEs, meters, inputs, with reasons as code and text."""

import gc

from chargecontrol.limits import Reason
from controller.reason_view import reason_view


def _reason(lang, reason, now_ms, value=None, source="site"):
    """What a limit or setpoint is, where it comes from, since when and until when."""
    document = reason_view(reason, lang, now_ms)
    if document:
        document["value"] = value
        document["source"] = reason.source or source
    return document


def _limits(site, lang, now_ms):
    for limit in site.limits:
        yield {
            "source": limit.source,
            "kind": limit.kind,
            "value": limit.value,
            "phase_ma": limit.phase_ma,
            "reason": _reason(lang, limit.reason, now_ms, limit.value, limit.source),
        }


def _feeders(site, lang, now_ms):
    for feeder in site.feeders:
        yield {
            "id": feeder.id,
            "evses": [evse.id for evse in feeder.evses],
            "available_ma": list(feeder.available_ma),
            "meter": feeder.meter_id,
            "meter_reason": _reason(lang, feeder.meter_reason, now_ms),
            "overdraft_ma": feeder.overdraft_ma,
            "overdraft_max_ma": feeder.overdraft_max_ma,
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


def _evses(controller, lang):
    power = controller.power
    for evse in controller.site.evses:
        now_ms = controller.clock.now_ms()
        device = controller.devices[evse.id]
        document = _device(device, now_ms)
        document["state"] = evse.state
        document["setpoint_ma"] = evse.setpoint_ma
        document["sent_ma"] = device.sent_ma
        document["current_ma"] = list(evse.measured_ma)
        document["phases"] = evse.phases
        document["group"] = evse.group
        document["wish_ma"] = evse.wish_ma
        document["reason"] = _reason(lang, evse.reason, now_ms, evse.setpoint_ma)
        if power:
            document["mode"] = power.mode_of(evse.id)
            document["waits"] = [
                _reason(lang, Reason(code, arguments, now_ms, "power_manager", until_ms), now_ms)
                for code, arguments, until_ms in power.waits(evse.id)
            ]
        yield document
    for id in controller.disabled:
        device = controller.devices[id]
        document = _device(device, controller.clock.now_ms())
        document["setpoint_ma"] = device.setpoint_ma
        reason = Reason("disabled", (), 0)
        document["reason"] = _reason(lang, reason, 0, device.setpoint_ma, "disable_policy")
        yield document


def _meters(controller):
    for device in controller.devices.values():
        if device.id[0] == "M":
            yield _device(device, controller.clock.now_ms())


def _surplus_error(controller):
    """What is wrong with the owner's formula of the solar surplus, or None."""
    error = controller.counters and controller.counters.surplus_error
    return str(error) if error else None


def _power(power, lang, now_ms):
    """What the power manager knows of grid, battery and surplus, None where there is none."""
    if not power:
        return None
    surplus = power.surplus
    wrong = None
    if surplus and surplus.battery_sign:
        wrong = Reason("battery_sign_wrong", (), now_ms, "battery_inverted")
    return {
        "mode": power.mode,
        "grid_w": power.grid_w,
        "battery_w": power.battery_w,
        "soc": power.soc,
        "available_w": surplus and surplus.available_w,
        "least_w": surplus and surplus.least_w,
        "most_w": surplus and surplus.most_w,
        "battery_sign": _reason(lang, wrong, now_ms),
        "config_error_flags": power.config_error_flags,
    }


def _grid(controller, part, lang, now_ms):
    """What serves the grid operator, where it is configured."""
    if not controller.dimming and not controller.after:
        return None
    from controller import dimming_state

    return getattr(dimming_state, part)(controller, lang, now_ms, _reason)


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
        "limits": _limits(site, lang, now_ms),
        "feeders": _feeders(site, lang, now_ms),
        "available_ma": list(site.available_ma),
        "power_manager": _power(controller.power, lang, now_ms),
        "dimming": _grid(controller, "dimming", lang, now_ms),
        "outputs": _grid(controller, "outputs", lang, now_ms),
        "surplus_error": _surplus_error(controller),
        "grid_meter": _reason(lang, site.meter_reason, now_ms),
        "evses": _evses(controller, lang),
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
