"""What the dimming is told in each cycle: who dims, what the meters of grid and devices say.

Loaded where the section "dimming" is enabled.
"""

from micropython import const

from chargecontrol.dimming import Dimming
from formula import FormulaError, parse

_START_MS = const(10000)
_FORMULA = "dimming.active"  # as the source of a dimming


class DimmingInputs:
    """Part of the cycle before the site decides. dimming: the site's Dimming."""

    def __init__(self, controller):
        self._controller = controller
        self._active = self._limit = None
        self._began = False  # contacts have been known once, or had their time
        self._first_ms = None
        self.dimming = Dimming()

    def configure(self, doc):
        """Takes other settings while the board runs."""
        settings = doc["dimming"]
        site = self._controller.site
        self._active = _parsed(settings["active"])
        self._limit = _parsed(settings["limit"])
        self._settings = settings
        evses = self._controller.evses
        self.dimming.configure(settings, doc["steerables"], evses, doc["site"]["voltage_v"])
        # By the list, since each device reads another one: (device of the list, id to read).
        sources = {config["id"]: config["device"] for config in doc["steerables"]}
        self._sources = [(device, sources[device.id]) for device in self.dimming.devices]
        site.dimming = self.dimming

    def update(self, now_ms):
        """Once in each cycle, before the site decides."""
        controller = self._controller
        devices = controller.devices
        for device, id in self._sources:
            source = devices.get(id)
            meter = devices.get(source.config.get("meter")) if source else None
            if meter and not meter.com_error:
                source = meter
            reading = power(source)
            device.measured_w = reading and reading[0]
        self._began = self._began or self._begins(now_ms)
        self.dimming.voltage_v = controller.site.house.voltage_v
        # Before, the site's limit of the start holds, and no relay moves.
        wanted, failed = self._wanted() if self._began else ([], None)
        grid = power(devices.get(controller.site.grid_id))
        self.dimming.update(now_ms, wanted, grid, failed)

    def _begins(self, now_ms):
        """True when all contacts are known; a device that does not say its own is waited for a
        little."""
        controller = self._controller
        if self._first_ms is None:
            self._first_ms = now_ms
        operator = controller.site.operator
        sets = operator.sets.values() if operator else ()
        known = controller.contacts.stable and not [one for one in sets if not one.settled]
        return known or now_ms - self._first_ms >= _START_MS

    def _wanted(self):
        """(who dims, as Dimming.update takes it; what is wrong with a formula, or None)."""
        operator = self._controller.site.operator
        wanted = operator.dimming() if operator else []
        failed = None
        lookup = self._controller.names.lookup
        text = self._settings["active"]
        try:
            if self._active and self._active.value(lookup):
                text = self._settings["limit"]
                value_w = self._limit and max(0, int(self._limit.value(lookup)))
                wanted.append((value_w, _FORMULA))
        except FormulaError as error:  # never a number by accident: what is owed holds
            failed = (text, error.column, str(error))
            wanted.append((None, _FORMULA))
        return wanted, failed


def _parsed(setting):
    return None if setting is None else parse(str(setting))


def power(device):
    """(W, when it was read) by a device's meter, None where there is none or it is silent."""
    if device is None or device.com_error or device.read_ms is None:
        return None
    readings = device.readings
    power_w = readings.get("power_w")
    if power_w is None:
        lines = [readings.get("power_l%d_w" % line) for line in (1, 2, 3)]
        if None in lines:
            return None
        power_w = sum(lines)
    return int(power_w), device.read_ms
