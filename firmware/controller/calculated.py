"""Calculated meters, with the face of a Device: expression and virtual. docs/calculated-meters.md.

Loaded only where the settings name one.
"""

from chargecontrol.expression_meter import Average, ExpressionMeter
from controller.names import reading


class CalculatedMeter:
    """A meter of template "expression" or "virtual"; connect() it before the first sample().

    kept: what kept() gave before a restart, or None. readings: integers, None where a formula
    fails; then `problem` names the formula and the column.
    """

    sent_ma = setpoint_ma = complaint = template = None

    def __init__(self, config, kept):
        self.id = config["id"]
        self.config = config
        self.readings = {}
        self.read_ms = None
        self.com_error = True
        self.error_since_ms = None
        self.problem = None
        self._failed = None
        self._average = self._meter = None
        self._sources = ()
        if config["template"] == "expression":
            known = kept if isinstance(kept, dict) else None
            self._meter = ExpressionMeter(self.id.lower(), config["formulas"], known)
            names = self._meter.names
            self._sources = [name.upper() for name in {pair[0] for pair in names} if name]
        elif config["measure"][-4:] == "_avg":
            self._average = Average()

    def connect(self, controller):
        """Takes the controller whose readings it calculates with."""
        self._controller = controller

    def kept(self):
        """What has to outlive a restart."""
        return self._meter.kept() if self._meter else None

    def sample(self, now_ms):
        """Calculates anew; called in each cycle, in the order of the settings."""
        if self._meter:
            known = self._calculate(now_ms)
        else:
            known = self._copy(now_ms)
        if known:
            self.read_ms = self._oldest_ms(now_ms)
            self.com_error = False
            self.error_since_ms = None
        elif not self.com_error or self.error_since_ms is None:
            self.com_error = True
            self.error_since_ms = now_ms

    def _oldest_ms(self, now_ms):
        """When the oldest of the readings was read from which it is calculated."""
        for name in self._sources:
            device = self._controller.devices.get(name)
            if device and not device.com_error and device is not self:
                now_ms = min(now_ms, device.read_ms)
        return now_ms

    def _calculate(self, now_ms):
        meter = self._meter
        names = self._controller.names
        meter.update(now_ms, names.lookup, names.lookups)
        errors = meter.errors
        for field in meter.values:
            value = meter.values[field]
            self.readings[reading(field)] = None if field in errors else round(value)
        field = min(errors) if errors else None
        failed = field and (field, errors[field].column, errors[field].code)
        if failed != self._failed:  # put into words once: that loads the sentences
            self._failed = failed
            self.problem = failed and "%s, column %d: %s" % (failed[:2] + (errors[field],))
        return len(errors) < len(meter.values)

    def _copy(self, now_ms):
        from chargecontrol.balance import FIELDS

        balance = self._controller.balance()
        counter = self.config["measure"]
        if self._average:
            counter = counter[:-4]
        values = {}
        for field in FIELDS:
            values[reading(field)] = balance.value(counter, field)
        if self._average:
            energies = [values.pop(field) for field in ("import_wh", "export_wh")]
            values = self._average.update(now_ms, values)
            values["import_wh"], values["export_wh"] = energies
        self.readings = values
        known = values["power_w"] is not None
        self.problem = None if known else "%s is not known now" % counter
        return known
