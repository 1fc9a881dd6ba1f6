"""What a person is shown of a Reason. Loaded when somebody looks."""

from controller import data


def left_s(until_ms, now_ms):
    """Seconds until then, rounded up; None where there is no end."""
    return None if until_ms is None else max(0, until_ms - now_ms + 999) // 1000


def reason_view(reason, lang, now_ms):
    """Since when and until when it holds, and its sentence; None without one."""
    if reason is None:
        return None
    return {
        "code": reason.code,
        "arguments": list(reason.arguments),
        "since_s": (now_ms - reason.since_ms) // 1000,
        "until_s": left_s(reason.until_ms, now_ms),
        "text": data.text("reasons", reason.code, reason.arguments, lang),
    }
