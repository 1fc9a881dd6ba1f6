"""What names mean in formulas: PB.inputN, Mx.*, Ex.*, date.*, GM.*, CM.*, Cx.level, variables.

Source of the names: the cFos formula documentation (objects and members), see docs/formulas.md.
What few installations ask for is in modules of its own: members.py, specials.py, balance.py.
"""


class Names:
    """Looks names up in the controller's present readings.

    lookup(object, field) is for formulas that know no phase; `lookups` holds one for each phase
    of the house, which differ in what `.current` means.
    """

    def __init__(self, controller):
        self._controller = controller
        self.lookups = (self._for_phase(1), self._for_phase(2), self._for_phase(3))

    def _for_phase(self, phase):
        def lookup(name, field):
            # M1.current, GM.x.current
            if field[-1] == "t" and field[-7:] == "current" and field[-8:-7] in ("", "."):
                evse = self._controller.evses.get(name.upper())
                turned = evse.phase_rotation // 120 if evse else 0  # its lines are its own
                field += "_l%d" % ((phase - 1 - turned) % 3 + 1)
            return self.lookup(name, field)

        return lookup

    def lookup(self, name, field):
        """Value of a name in lower case; KeyError where there is none now."""
        controller = self._controller
        if name == "pb":
            return controller.contacts.field(field)
        if name == "date":
            return controller.clock.date_field(field)
        if name == "" or name == "cm":
            if field[0] == "_":
                return controller.get_specials().lookup(field)
            return controller.variables.value(field, self.lookup)
        if name == "gm":
            counter, _, field = field.partition(".")
            return controller.balance().value(counter, field)
        device = controller.devices.get(name.upper())
        if device is None:
            if field == "level" and controller.operator:
                return controller.operator.operator.number(name.upper())
            raise KeyError(name)
        if field == "id":
            return device.config.get("unit", 0)
        if field == "com_err":
            return int(device.com_error)
        if field == "com_err2":
            since_ms = device.error_since_ms
            now_ms = controller.clock.now_ms()
            return int(device.com_error and (since_ms is None or now_ms - since_ms > 12000))
        if field == "dt":
            since_ms = device.read_ms
            return None if since_ms is None else (controller.clock.now_ms() - since_ms) / 1000
        if name[0] == "e":
            from controller.members import member

            value = member(controller, device, field)
            if value is not None:
                return value
            meter = controller.devices.get(device.config["meter"])
            if meter and not meter.com_error:  # its readings replace the box's own
                device = meter
        if controller.specials:
            value = controller.specials.of_device(name, field)
            if value is not None:
                return value
        if device.com_error:  # an old reading is no value
            raise KeyError(field)
        return device.readings[reading(field)]


def reading(field):
    """The key in a device's readings of what formulas call `field`: it has the unit in it."""
    if field[:9] == "current_l":
        return field + "_ma"
    if field[:9] == "voltage_l":
        return field + "_v"
    return "reactive_power_var" if field == "reactive_power" else field
