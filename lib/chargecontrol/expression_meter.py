"""Meters that are calculated: formulas for their fields, and averages over a minute.

Pure: the time and the lookups come in, values go out. docs/calculated-meters.md.
"""

from micropython import const

from formula import FormulaError, parse

_UNITS = const(1073741824)  # of a sum in 1: multiplied by a power of two a float stays exact
_MOST = const(0x10000000000)
_AVERAGE_MS = const(60000)
_FINE = const(65536)


class ExpressionMeter:
    """The formulas of one meter: {field: formula or number}, fields named as in formulas.

    name: the meter's own id in lower case. kept: what kept() gave before a restart, or None.
    values {field: number} are not rounded and outlive an error; errors {field: FormulaError}.
    The order is that of the alphabet, fields in Wh last; a formula that reads a field which comes
    later gets its value of last time, 0 in the beginning.
    """

    def __init__(self, name, formulas: dict, kept):
        self._name = name
        self._formulas = []  # of (field, its phase or 0, Expression, what it adds up or None)
        self._sums = {}  # field: integer, in 1/_UNITS
        self.values = {}
        self.errors = {}
        for field in sorted(formulas, key=lambda field: (field[-3:] == "_wh", field)):
            self._add(field, parse(str(formulas[field])), kept)
        for phase in "23":  # one formula serves all phases
            if "current_l" + phase not in formulas and "current_l1" in formulas:
                self._add("current_l" + phase, parse(str(formulas["current_l1"])), kept)
        self._read_ms = None
        self._dt_s = 0
        self._phase = 0
        self._outer = self._lookup
        self._adding = None
        self._added = False

    def _add(self, field, expression, kept):
        phase = int(field[-1]) if field[-3:-1] == "_l" else 0
        own = [(name, field) for name in ("", self._name)]
        if field[:8] == "current_":
            own += [(name, "current") for name in ("", self._name)]
        adding = None
        if expression.adds_to(own):
            adding = field
            self._sums[field] = (kept or {}).get(field, 0)
        self._formulas.append((field, phase, expression, adding))
        self.values[field] = _whole(self._sums.get(field, 0))

    @property
    def names(self):
        """The (object, field) pairs of other things that the formulas ask for."""
        found = set()
        for _, _, expression, _ in self._formulas:
            found.update(expression.names)
        return found

    def kept(self):
        """What has to outlive a restart: the sums, {field: integer}."""
        return dict(self._sums)

    def update(self, now_ms, lookup, lookups):
        """Computes all fields. lookup: for names in formulas; lookups: one for each phase."""
        if self._read_ms is not None:
            self._dt_s = (now_ms - self._read_ms) / 1000
        self._read_ms = now_ms
        errors = self.errors
        for field, phase, expression, adding in self._formulas:
            self._phase = phase
            self._outer = lookups[phase - 1] if phase else lookup
            self._adding = adding
            self._added = False
            try:
                value = expression.value(self._lookup)
                if not -_MOST < value < _MOST:
                    raise FormulaError("too_large", 1)
            except FormulaError as error:
                errors[field] = error
                continue
            errors.pop(field, None)
            if adding:
                units = int(value * _UNITS)
                if self._added:
                    units += self._sums[field]
                self._sums[field] = units
                value = _whole(units)
            self.values[field] = value

    def _lookup(self, name, field):
        if not name or name == self._name:
            if field == "dt":
                return self._dt_s
            if field == "current" and self._phase:
                field = "current_l%d" % self._phase
            if field == self._adding:
                self._added = True
                return 0
            if field in self.values:
                return self.values[field]
        return self._outer(name, field)


def _whole(units):
    return (units + _UNITS // 2) // _UNITS


class Average:
    """Values that follow those taken in, over about a minute; integers."""

    def __init__(self):
        self._fine = {}
        self._read_ms = None

    def update(self, now_ms, values):
        """Takes {field: integer or None} and returns the averages; None stays None."""
        passed_ms = now_ms - self._read_ms if self._read_ms is not None else 0
        self._read_ms = now_ms
        averages = {}
        for field in values:
            value = values[field]
            if value is None:
                averages[field] = self._fine[field] = None
                continue
            fine = self._fine.get(field)
            value *= _FINE
            if fine is not None:
                value = fine + (value - fine) * passed_ms // (_AVERAGE_MS + passed_ms)
            self._fine[field] = value
            averages[field] = (value + _FINE // 2) // _FINE
        return averages
