"""CM._* of formulas, and what rules write: flags, prices, variables of devices. Kept in RAM only.

Loaded where a formula, a rule or a trigger asks. Source: the cFos formula documentation, CM
variables, and writing variables.
"""

from micropython import const

from controller.refusal import Refusal
from formula import FormulaError

_MAX_VARIABLES = const(32)  # of all devices together
_MAX_LENGTH = const(32)  # characters of a name
_SHARE = const("_max_total_current_prc")


class Specials:
    """Values for Names, what rules may write, and the triggers among the variables."""

    def __init__(self, controller):
        self._controller = controller
        self._written = {}  # "_flag3" or "e1.name": number

    def lookup(self, field):
        """CM.<field>, which begins with "_"; None: it has no value now. KeyError: no such name."""
        controller = self._controller
        site = controller.site
        if field == "_num_charging" or field == "_num_charging1":
            answering = [evse for evse in site.evses if evse.silent_since_ms is None]
            number = len([evse for evse in answering if evse.state in ("C", "D")])
            return max(number, 1) if field[-1] == "1" else number
        if field == "_max_total_current" or field == "_max_total_evse_current":
            for limit in site.limits:
                if limit.source == field[1:] and limit.phase_ma:
                    return min(limit.phase_ma)
            return None
        if field == "_surplus" or field == "_org_surplus":
            return controller.balance().value(field[1:], "power_w")
        if field == "_dt":
            return controller.balance().passed_ms / 1000
        if field == _SHARE:
            return 100 if site.percent is None else site.percent
        if field[:5] == "_flag" and field[5:].isdigit() and 1 <= int(field[5:]) <= 32:
            return self._written.get(field, 0)
        if field[:9] == "_storage_":
            role, _, what = field[9:].partition("_")
            return self._storage("storage_" + role, what)
        if field[:6] == "_p14a_":
            return self._dimming(field[6:])
        if field == "_feed_in_pct":
            percent = site.operator and site.operator.feed_in()
            return 100 if percent is None else percent
        if field[:4] != "_set":
            field = "_set" + field
        if field == "_set_price":
            return self._variable(field)
        if field == "_set_price_level":
            level = self._variable(field)
            return level if level is not None and -6 <= level <= -2 else None
        raise KeyError(field)

    def _dimming(self, what):
        """CM._p14a_<what> (§14a): pmin_w and used_w where it is configured, else while dimmed."""
        if what not in ("active", "limit_w", "pmin_w", "budget_w", "used_w"):
            raise KeyError(what)
        dimming = self._controller.site.dimming
        if what == "active":
            return int(bool(dimming and dimming.active))
        return dimming and getattr(dimming, "p_min_w" if what == "pmin_w" else what)

    def _variable(self, name):
        variables = self._controller.variables
        if name in variables.by_name:
            return variables.value(name, self._controller.names.lookup)
        return None

    def _storage(self, role, what):
        """Capacities in Wh, soc in %: weighted by capacity where all are known, else the first."""
        controller = self._controller
        most_wh = 0
        full = 0  # Wh * %
        soc = first = None
        weighted = True
        for config in controller.settings.doc["meters"]:
            device = controller.devices.get(config["id"])
            if not device or config["role"] != role or config["template"] == "virtual":
                continue
            soc = None if device.com_error else device.readings.get("soc")
            first = first or (soc,)
            capacity_wh = config["capacity_wh"]
            if not capacity_wh:
                weighted = False
                continue
            most_wh += capacity_wh
            full = None if soc is None or full is None else full + capacity_wh * soc
        if what == "max_capacity":
            return most_wh or None
        if what == "capacity":
            return full and full // 100 if most_wh else None
        if what == "soc":
            if weighted and most_wh:
                return full and full // most_wh
            return first and first[0]
        raise KeyError(what)

    def of_device(self, name, field):
        """What a rule wrote to a variable of a device, None where none did."""
        value = self._written.get(name + "." + field)
        return -1 if value is None and field == "switch_phases" and name[0] == "e" else value

    def set(self, name, value):
        """Write "e1.name", "m1.name", "cm.name" or "_flag1", lower case; None deletes it.

        KeyError where it can't be written: no such device, a name or value that is none, too many.
        """
        controller = self._controller
        owner, _, field = name.rpartition(".")
        written = self._written
        if owner and owner != "cm":
            if owner.upper() not in controller.devices or len(field) > _MAX_LENGTH or not field:
                raise KeyError(name)
            if field == "switch_phases" and value not in (1, 2, 3, -1, None):
                raise KeyError(name)
            if name not in written and len(written) >= _MAX_VARIABLES:
                raise KeyError(name)
        elif field == _SHARE:
            controller.site.percent = None if value is None else max(0, min(100, int(value)))
            return
        elif field[:5] == "_flag":
            self.lookup(field)
            name = field
        else:
            return self._set_variable(field, value)
        if value is None:
            written.pop(name, None)
        else:
            written[name] = value

    def _set_variable(self, name, value):
        variables = self._controller.variables
        known = variables.by_name.get(name)
        if known and known[1:3] == (value, None) and not known[4]:
            return
        try:
            variables.set_many([(name, value)], False, True)
        except Refusal:
            raise KeyError(name)

    def update(self, now_ms):
        """Called each cycle while variables.watched has something: triggers, a new share."""
        variables = self._controller.variables
        for entry in variables.watched:
            if entry[4]:
                self._trigger(entry[2], entry[4], now_ms)
            else:
                self.set(_SHARE, entry[1])
        variables.watched = [entry for entry in variables.watched if entry[4]]

    def _trigger(self, condition, trigger, now_ms):
        """trigger: [s, retrigger, until_ms or None, whether its condition held]."""
        seconds, again, until_ms, held = trigger
        try:
            holds = bool(condition.value(self._controller.names.lookup))
        except FormulaError:
            holds = False
        if until_ms is not None and now_ms >= until_ms:
            until_ms = None
        if holds and (again or until_ms is None and not held):
            until_ms = now_ms + seconds * 1000
        trigger[2] = until_ms
        trigger[3] = holds
