"""What names mean in formulas: PB.inputN, Mx.*, Ex.*, date.*, CM.* and bare variables.

Source of the names: the cFos formula documentation (objects and members), see docs/formulas.md.
"""

_STATES = {"A": 1, "B": 2, "C": 3, "D": 4, "E": 5, "F": 5}


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
            return self.lookup(name, "current_l%d" % phase if field == "current" else field)

        return lookup

    def lookup(self, name, field):
        """Value of a name in lower case; KeyError where there is none now."""
        controller = self._controller
        if name == "pb":
            return controller.contacts.field(field)
        if name == "date":
            return controller.clock.date_field(field)
        if name == "" or name == "cm":
            return controller.variables.value(field, self.lookup)
        device = controller.devices.get(name.upper())
        if device is None:
            raise KeyError(name)
        if field == "id":
            return device.config.get("unit", 0)
        if field == "com_err":
            return int(device.com_error)
        if field == "com_err2":
            since_ms = device.error_since_ms
            now_ms = controller.clock.now_ms()
            return int(device.com_error and (since_ms is None or now_ms - since_ms > 12000))
        evse = controller.evses.get(name.upper())
        if evse:
            value = self._evse(evse, device, field)
            if value is not None:
                return value
        if device.com_error:  # an old reading is no value
            raise KeyError(field)
        if field[:9] == "current_l":  # kept under a name with the unit in it
            field += "_ma"
        elif field[:9] == "voltage_l":
            field += "_v"
        return device.readings[field]

    @staticmethod
    def _evse(evse, device, field):
        if field == "offered":
            return evse.setpoint_ma
        if field == "min_current":
            return evse.min_ma
        if field == "max_current":
            return evse.config_max_ma
        if field == "state":
            return 6 if device.com_error else _STATES.get(evse.state, 6)
        if field == "import_wh":
            return device.readings.get("energy_wh")
        if field == "cphases":
            return sum(1 for current_ma in evse.measured_ma if current_ma >= 1000)
        return None
