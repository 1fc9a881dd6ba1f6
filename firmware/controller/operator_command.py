"""Checks what a client sends to /api/operator. Loaded for that only."""

from chargecontrol import levels
from controller.refusal import Refusal


class CommandError(Refusal):
    """A command that can't be taken; .field names what of it; sentences in texts/operator.json."""

    area = "operator"

    def __init__(self, field, code, *arguments):
        super().__init__(code, *arguments)
        self.field = field

    def text(self, lang="en"):
        return self.field + " " + super().text(lang)


def level_code(doc, text):
    """None, or the code of what is wrong with a level: it is none, or nobody could obey it."""
    try:
        kind = levels.parse(text)[0]
    except ValueError:
        return "level"
    return "level_dim" if kind == "dimming" and not doc["dimming"].get("enabled") else None


def command(doc, body, names, seconds_max, seconds_null):
    """(level or None, seconds or None) of the body of a POST. Raises CommandError.

    names: the keys that it may have; "level" is needed, null means the end.
    """
    if not isinstance(body, dict):
        raise CommandError("body", "body", ", ".join(names))
    for name in body:
        if name not in names:
            raise CommandError(str(name)[:40], "body_key", ", ".join(names))
    if "level" not in body:
        raise CommandError("level", "level_absent")
    text = body["level"]
    if text is not None:
        code = level_code(doc, text)
        if code:
            raise CommandError("level", code, str(text)[:32])
    seconds = body.get("seconds")
    if seconds is None and (seconds_null or text is None):
        return text and levels.parse(text), None
    if not isinstance(seconds, int) or seconds is True or not 1 <= seconds <= seconds_max:
        raise CommandError("seconds", "seconds", seconds_max)
    return text and levels.parse(text), seconds
