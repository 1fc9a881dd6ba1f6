"""State of dimming and of the relays with a task, for /api/state. Loaded when somebody looks."""

from chargecontrol.limits import Reason
from controller import data


def dimming(controller, lang, now_ms, document):
    """§14a: limit, budget, what each controllable device may draw; None: not configured.

    document(lang, reason, now_ms, value, source) makes what a Reason looks like.
    """
    known = controller.site.dimming
    if not known:
        return None
    own = known.own_code and Reason(known.own_code, (), now_ms, "grid_meter")
    allotments = known.allotments
    return {
        "active": known.active,
        "source": known.source,
        "limit_w": known.limit_w,
        "p_min_w": known.p_min_w,
        "own_w": known.own_w,
        "budget_w": known.budget_w,
        "used_w": known.used_w,
        "reason": document(lang, known.limit.reason, now_ms, known.limit_w, "dimming"),
        "own_reason": document(lang, own, now_ms, known.own_w),
        "devices": [
            {
                "id": device.id,
                "kind": device.kind,
                "power_w": device.power_w,
                "measured_w": device.measured_w,
                "allotted_w": allotments[device.id],
                "reduced": device.reduced,
                "code": device.code,
                "text": data.text("reasons", device.code, (), lang),
            }
            for device in known.devices
        ],
    }


def outputs(controller, lang, now_ms, document):
    """Relays with a task: closed or not, and why its fail-safe state holds."""
    found = []
    for part in controller.after:
        for relay in getattr(part, "relays", ()):
            error = relay.error
            since_ms = relay.since_ms
            found.append(
                {
                    "relay": relay.number,
                    "name": relay.name,
                    "closed": relay.closed,
                    "since_s": None if since_ms is None else (now_ms - since_ms) // 1000,
                    "device": relay.steerable and relay.steerable["id"],
                    "error": error and data.text("reasons", "output_failed", error, lang),
                }
            )
    return found
