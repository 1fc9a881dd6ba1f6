"""A meter that counts the other way round: setting `invert`. In RAM only where one does."""


class Inverted:
    """A template whose readings are turned: powers and currents change their sign, import and
    export their places."""

    kind = "meter"
    watchdog = None
    init = (b"", "")
    phase_switch = b""

    def __init__(self, template):
        self.template = template
        self.blocks = template.blocks
        self.quiet_ms = template.quiet_ms

    def decode(self, i, buf, off, readings):
        """As Template.decode. What the meter itself says is restored for it: its values may
        depend on those of other blocks."""
        turn(readings)
        self.template.decode(i, buf, off, readings)
        turn(readings)


def turn(readings):
    """Turns all readings; a current without a sign gets that of its phase's power."""
    for name in list(readings):
        value = readings[name]
        if value and (name.startswith("power_") or name.startswith("reactive_")):
            readings[name] = -value
    for name in list(readings):
        if name.startswith("current_") and readings[name]:
            power_w = readings.get("power_" + name[8:10] + "_w")
            if power_w:
                readings[name] = abs(readings[name]) * (1 if power_w > 0 else -1)
            else:
                readings[name] = -readings[name]
    if "import_wh" in readings or "export_wh" in readings:
        into, out = readings.pop("import_wh", None), readings.pop("export_wh", None)
        if into is not None:
            readings["export_wh"] = into
        if out is not None:
            readings["import_wh"] = out
