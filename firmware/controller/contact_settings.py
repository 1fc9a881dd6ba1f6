"""Checks the settings of the contacts; needed only when they are taken over."""

from micropython import const

USUAL = (1000, 2000, True)  # on-delay and off-delay in ms, closed is active
_MAX_DELAY_MS = const(60000)


class ContactError(Exception):
    """A contact setting that can't be used; `code` names the sentence, `field` the setting."""

    def __init__(self, code, field, text):
        super().__init__(text)
        self.code = code
        self.field = field


def checked(count, entries):
    """{input: (on_delay_ms, off_delay_ms, closed_is_active)}; raises ContactError."""
    found = {}
    for place, entry in enumerate(entries):
        number = entry["input"]
        field = "contacts.%d." % place
        if not 1 <= number <= count or number in found:
            text = "%sinput must be one of 1 to %d, each at most once." % (field, count)
            raise ContactError("contact_input", field + "input", text)
        delays_ms = []
        for name, usual_ms in (("on_delay_ms", USUAL[0]), ("off_delay_ms", USUAL[1])):
            delays_ms.append(entry.get(name, usual_ms))
            if not 0 <= delays_ms[-1] <= _MAX_DELAY_MS:
                text = "%s must lie between 0 and %d." % (field + name, _MAX_DELAY_MS)
                raise ContactError("contact_delay", field + name, text)
        found[number] = (delays_ms[0], delays_ms[1], entry.get("closed_is_active", True))
    return found
