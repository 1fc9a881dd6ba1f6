"""Limits: who may say how much, each with its source, value, start and reason.

The smallest wins; every one is kept and shown, also when it does not bind.
"""

from formula import FormulaError, parse


class Reason:
    """Why something is as it is: a code for the texts and its arguments.

    since_ms: since when; source: what says so (a limit, a wish), "" for the site itself;
    until_ms: when it ends, None where that is not known.
    """

    def __init__(self, code, arguments, since_ms, source="", until_ms=None):
        self.code = code
        self.arguments = arguments
        self.since_ms = since_ms
        self.source = source
        self.until_ms = until_ms


def keep_or_new(reason, code, arguments, now_ms, source="", until_ms=None):
    """The same Reason while nothing changed, so that its `since_ms` stays; else a new one."""
    if reason and reason.code == code and reason.arguments == arguments:
        reason.source = source
        reason.until_ms = until_ms
        return reason
    return Reason(code, arguments, now_ms, source, until_ms)


class Limit:
    """What one source allows on a feeder.

    source: its name for texts and APIs; kind: "current" (mA per phase), "power" (W), or "percent"
    (of the connection); value: in that unit, or None for "no limit"; phase_ma: the same as mA for
    each phase, or None; until_ms: end, or None while it holds until changed.
    """

    def __init__(self, source, kind):
        self.source = source
        self.kind = kind
        self.value = None
        self.phase_ma = None
        self.until_ms = None
        self.reason = None

    def say(self, code, arguments, value, phase_ma, now_ms):
        """Takes a value, the mA of each phase that it means, and the reason."""
        changed = value != self.value
        self.value = value
        self.phase_ma = phase_ma
        if changed:
            self.reason = None
        self.reason = keep_or_new(self.reason, code, arguments, now_ms, self.source, self.until_ms)

    def clear(self, now_ms):
        """No limit."""
        self.until_ms = None
        self.say("no_limit", (), None, None, now_ms)

    def fix(self, value_ma, code, now_ms):
        """Holds `value_ma` per phase for the reason `code`."""
        self.say(code, (), value_ma, (value_ma, value_ma, value_ma), now_ms)


class SetLimit(Limit):
    """A limit from the settings: a number, a formula, or None.

    voltage_v: spreads a power over the three phases; None: the power is a total of its own, and
    phase_ma stays None. A formula that can't be evaluated yields the fail-safe current, and the
    reason names the formula and the column (never a number by accident).
    """

    def __init__(self, source, kind, setting, failsafe_ma, voltage_v):
        super().__init__(source, kind)
        self._setting = setting
        self._failsafe_ma = failsafe_ma
        self._voltage_v = voltage_v
        self._expression = parse(setting) if isinstance(setting, str) else None
        names = self._expression.names if self._expression else ()
        self._by_phase = any(field == "current" for _, field in names)

    def evaluate(self, lookups, now_ms):
        """Takes the value anew. lookups: one lookup for each phase (they differ in `.current`)."""
        if self._setting is None:
            return self.clear(now_ms)
        try:
            values = [self._number(lookup) for lookup in lookups[: 3 if self._by_phase else 1]]
        except FormulaError as error:
            safe = self._failsafe_ma
            arguments = (self._setting, error.column, str(error))
            return self.say("formula_failed", arguments, None, (safe, safe, safe), now_ms)
        value = min(values)
        while len(values) < 3:
            values.append(value)
        phase_ma = tuple(values)
        if self.kind == "power":
            voltage_v = self._voltage_v
            phase_ma = voltage_v and tuple([w * 1000 // (3 * voltage_v) for w in values])
        code = "formula" if self._expression else "set"
        arguments = (self._setting,) if self._expression else ()
        self.say(code, arguments, value, phase_ma, now_ms)

    def _number(self, lookup):
        value = self._expression.value(lookup) if self._expression else self._setting
        return max(0, int(value))


def smallest(limits, phase):
    """The limit that binds on a phase (0..2), or None where none limits it."""
    binding = None
    for limit in limits:
        if limit.phase_ma and (binding is None or limit.phase_ma[phase] < binding.phase_ma[phase]):
            binding = limit
    return binding
