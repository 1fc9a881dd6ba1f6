"""Reads a document of rules: checks all of it, then makes the tuples that rules.py runs.

docs/rules.md describes it; rule_templates/schema.json is its JSON schema. Seldom loaded.
"""

import re

from micropython import const

from formula import FormulaError, parse

_MAX_SETS = const(8)
_MAX_RULES = const(24)  # of a set
_MAX_ALL_RULES = const(64)
_MAX_PARAMETERS = const(8)
_MAX_TEXT = const(3000)  # characters of all formulas: they stay in RAM, parsed
_MAX_NUMBER = const(1000000000)

_DAYS = "sun mon tue wed thu fri sat".split()
_LEVELS = "very_expensive expensive normal cheap very_cheap".split()  # -2 to -6
_NOT = const(128)
_END = const(256)
_PARAMETER = const(22)

# What flows: of one phase, and, for rules with the PV option, of all over those that a car uses.
_FLOWS = {
    "surplus": ("GM.surplus.current", "surplus_pcur"),
    "solar": ("GM.produced.current", "GM.produced.power_w*_ma_per_w"),
    "grid": ("GM.grid_demand.current", "GM.grid_demand.power_w*_ma_per_w"),
    "feed_in": ("-GM.grid_demand.current", "-GM.grid_demand.power_w*_ma_per_w"),
}
# Of each type: its fields, the formula that it is ({0}: the value), and the flow to end it with.
_CONDITIONS = {
    "always": ("",),
    "time": ("start duration_min",),
    "time_range": ("from to",),
    "surplus": ("value", "{0}<=", "surplus"),
    "solar": ("value", "{0}<=", "solar"),
    "grid_draw": ("value", "{0}<=", "grid"),
    "feed_in": ("value", "{0}<=", "feed_in"),
    "price": ("value", "{0}>=CM._price*100"),
    "price_level": ("value", "{0}>=CM._price_level"),
    "soc": ("value device?", "{0}<={1}soc"),
    "charging": ("value", "{0}<=CM._num_charging"),
    "input": ("device input", "{1}input{0}"),
    "formula": ("value", "{0}"),
}
# Of each type: its fields, the number of cFos, and the flow that the value multiplies.
_ACTIONS = {
    "set": ("value", 0),
    "and": ("", 1),
    "or": ("", 2),
    "set_variable": ("variable value", 3),
    "goto": ("rule", 5),
    "trigger": ("variable seconds", 7),
    "retrigger": ("variable seconds", 8),
    "deliver_surplus": ("factor?", 0, "surplus"),
    "deliver_solar": ("factor?", 0, "solar"),
    "deliver_grid": ("factor?", 0, "grid"),
    "deliver_feed_in": ("factor?", 0, "feed_in"),
    "parameter": ("parameter value", 22),
    "rule_set": ("set", 100),
}
_RULE_FIELDS = "id comment active weekdays pv not condition undercut_s action end".split()


class RuleError(Exception):
    """What a document of rules can't be taken for: field, code and arguments of the sentence."""

    def __init__(self, field, code, *arguments):
        super().__init__(field, code)
        self.field = field
        self.code = code
        self.arguments = arguments


def _object(value, field, needed, others=()):
    """Checks that a value is an object with these fields and no others."""
    if not isinstance(value, dict):
        raise RuleError(field, "must_object")
    for name in needed:
        if name not in value:
            raise RuleError(field + "." + name, "absent")
    for name in value:
        if name not in needed and name not in others:
            raise RuleError(field + "." + str(name)[:40], "unknown")


def _list(value, field, most):
    if not isinstance(value, list):
        raise RuleError(field, "must_list")
    if len(value) > most:
        raise RuleError(field, "too_many", most)
    return [(value[i], "%s[%d]" % (field, i)) for i in range(len(value))]


def _int(value, field, low, high):
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise RuleError(field, "must_int", low, high)
    return value


def _bool(value, field):
    if not isinstance(value, bool):
        raise RuleError(field, "must_bool")
    return value


def _text(value, field, most):
    if not isinstance(value, str) or len(value) > most:
        raise RuleError(field, "must_text", most)


def _name(value, field):
    if not isinstance(value, str) or not re.match("^[a-z][a-z0-9_]*$", value) or len(value) > 24:
        raise RuleError(field, "must_name")
    return value


def _parameter_id(value, field):
    if isinstance(value, int) and not isinstance(value, bool):  # param(7)
        value = str(value)
    if not isinstance(value, str) or not value:
        raise RuleError(field, "must_name")
    return _name("p" + value, field)[1:]


def _choice(value, field, values):
    if not isinstance(value, str) or value not in values:
        raise RuleError(field, "must_choice", ", ".join(sorted(values)))
    return value


class Reader:
    """Reads one document. template(id) gives a shipped set, or None."""

    def __init__(self, template):
        self._template = template
        self._numbers = 0
        self._characters = 0
        self._by_phase = False
        self._names = ()

    def read(self, document):
        """({id: set}, {EVSE id: (box, user)}) for rules.Rules; box and user are (set id,
        parameters, by_phase) or None. Only sets that are used are there. Raises RuleError."""
        _object(document, "rules", (), ("sets", "use"))
        sets = {}
        todo = []  # their ids in order: MicroPython's dicts have none
        for entry, field in _list(document.get("sets", []), "sets", _MAX_SETS):
            _object(entry, field, ("id", "rules"), ("name", "help", "parameters"))
            id = _name(entry["id"], field + ".id")
            if id in sets:
                raise RuleError(field + ".id", "twice", id)
            sets[id] = (entry, field)
            todo.append(id)
        uses = document.get("use", {})
        if not isinstance(uses, dict):
            raise RuleError("use", "must_object")
        found = {}
        for evse, use in uses.items():
            if not re.match("^E[1-9][0-9]?$", str(evse)):
                raise RuleError("use." + str(evse)[:40], "no_evse")
            field = "use." + evse
            _object(use, field, (), ("box", "user"))
            for kind in ("box", "user"):
                if use.get(kind) is not None:
                    place = field + "." + kind
                    _object(use[kind], place, ("set",), ("parameters",))
                    id = _name(use[kind]["set"], place + ".set")
                    if id not in sets:
                        sets[id] = (self._shipped(id, place + ".set"), id)
                        todo.append(id)
                    found[(evse, kind)] = (id, use[kind].get("parameters", {}), place)
        read = {}
        while todo:
            id = todo.pop(0)
            read[id] = self._set(sets[id][0], sets[id][1])
            for field, other in read[id][4]:
                if other not in sets:
                    sets[other] = (self._shipped(other, field), other)
                    todo.append(other)
        return self._used(read, found)

    def _shipped(self, id, field):
        entry = self._template(id)
        if entry is None:
            raise RuleError(field, "no_set", id)
        return entry

    def _used(self, read, found):
        uses = {}
        todo = []
        for (evse, kind), (id, parameters, place) in found.items():
            self._by_phase = False
            values = {}
            _object(parameters, place + ".parameters", (), read[id][2])
            for name in parameters:
                values[name] = self._parameter(
                    parameters[name], "%s.parameters.%s" % (place, name)
                )
            use = (id, values, self._by_phase or read[id][3])
            old = uses.get(evse, (None, None))
            uses[evse] = (use, old[1]) if kind == "box" else (old[0], use)
            todo.append(id)
        sets = {}
        while todo:
            id = todo.pop()
            if id not in sets:
                sets[id] = read[id][:3]
                todo.extend([other for _, other in read[id][4]])
        return sets, uses

    def _set(self, entry, field):
        """(rules, rules for PV, {parameter: value}, by phase, [(field, other set)])"""
        _text(entry.get("name", ""), field + ".name", 64)
        _text(entry.get("help", ""), field + ".help", 300)
        self._by_phase = False
        self._others = []
        parameters = {}
        self._names = ()
        listed = _list(entry.get("parameters", []), field + ".parameters", _MAX_PARAMETERS)
        for each, place in listed:
            _object(each, place, ("id", "default"), ("name", "help", "unit"))
            for name in ("name", "help", "unit"):
                _text(each.get(name, ""), place + "." + name, 120)
            id = _parameter_id(each["id"], place + ".id")
            if id in parameters:
                raise RuleError(place + ".id", "twice", id)
            parameters[id] = self._parameter(each["default"], place + ".default")
        self._names = parameters
        both = ([], [])
        for rule, place in _list(entry["rules"], field + ".rules", _MAX_RULES):
            self._numbers += 1
            if self._numbers > _MAX_ALL_RULES:
                raise RuleError(place, "too_many_rules", _MAX_ALL_RULES)
            done = self._rule(rule, place)
            if rule.get("active", True):
                both[rule.get("pv", False)].append(done)
        by_phase = self._by_phase or bool(self._others)  # another set may ask for a phase
        return tuple(both[0]), tuple(both[1]), parameters, by_phase, self._others

    def _rule(self, rule, field):
        _object(rule, field, ("condition", "action"), _RULE_FIELDS)
        id = _int(rule.get("id", 0), field + ".id", 0, 9999)
        _text(rule.get("comment", ""), field + ".comment", 120)
        _bool(rule.get("active", True), field + ".active")
        pv = _bool(rule.get("pv", False), field + ".pv")
        options = 127
        if "weekdays" in rule:
            for day, place in _list(rule["weekdays"], field + ".weekdays", 7):
                _choice(day, place, _DAYS)
            options = sum([1 << i for i in range(7) if _DAYS[i] in rule["weekdays"]])
        if _bool(rule.get("not", False), field + ".not"):
            options |= _NOT
        undercut_s = _int(rule.get("undercut_s", 0), field + ".undercut_s", 0, 86400)
        start, stop, condition = self._condition(rule["condition"], field + ".condition", pv)
        place = field + ".action"
        action, value, target = self._action(rule["action"], place, pv)
        if _bool(rule.get("end", False), field + ".end"):
            if action == 1 or action == 2:
                raise RuleError(field + ".end", "link_ends")
            options |= _END
        number = self._numbers
        undercut_ms = undercut_s * 1000
        return (id, number, options, start, stop, condition, undercut_ms, action, value, target)

    def _condition(self, entry, field, pv):
        """(start, stop, formula), None for what does not matter."""
        kind, _ = _kind(entry, field, _CONDITIONS)
        spec = _CONDITIONS[kind]
        if kind == "always":
            return None, None, None
        if kind == "time":
            text = entry["start"]
            if not isinstance(text, str) or not re.match("^[0-2][0-9]:[0-5][0-9]$", text):
                raise RuleError(field + ".start", "must_clock")
            start = int(text[:2]) * 60 + int(text[3:])
            if start >= 1440:
                raise RuleError(field + ".start", "must_clock")
            long = _int(entry["duration_min"], field + ".duration_min", 1, 1440)
            return start, start + long, None
        if kind == "time_range":
            return tuple([self._value(entry, name, field) for name in ("from", "to")]) + (None,)
        device = "CM._storage_home_"
        if "device" in entry:
            device = entry["device"]
            pattern = "^(PB|[ME][1-9][0-9]?)$" if kind == "input" else "^[ME][1-9][0-9]?$"
            if not isinstance(device, str) or not re.match(pattern, device):
                raise RuleError(field + ".device", "must_device")
            device += "."
        value = ""
        if kind == "input":
            value = _int(entry["input"], field + ".input", 1, 32)
        else:
            for i in range(5):
                if kind == "price_level" and entry["value"] == _LEVELS[i]:
                    entry = {"value": -2 - i}
            value = self._source(entry, "value", field)
        text = spec[1].format(value, device)
        if len(spec) > 2:
            text += _FLOWS[spec[2]][pv]
        return None, None, self._parse(text, field)

    def _action(self, entry, field, pv):
        """(number, value, target)"""
        kind, names = _kind(entry, field, _ACTIONS)
        spec = _ACTIONS[kind]
        number = spec[1]
        target = None
        if not names:
            return number, 0, None
        if kind == "rule_set":
            target = _name(entry["set"], field + ".set")
            self._others.append((field + ".set", target))
            return number, 0, target
        if number == _PARAMETER:
            target = _parameter_id(entry["parameter"], field + ".parameter")
            if target not in self._names:
                raise RuleError(field + ".parameter", "no_parameter", target)
        elif "variable" in entry:
            target = _variable(entry["variable"], field + ".variable", number == 3)
        name = names[-1]
        if name == "factor":
            entry = {name: entry.get(name, 1)}
        if len(spec) < 3:
            return number, self._value(entry, name, field), target
        text = self._source(entry, name, field) + "*" + _FLOWS[spec[2]][pv]
        return number, self._parse(text, field), target

    def _parameter(self, value, field):
        names = self._names
        self._names = ()  # so that none reads another
        value = self._value({"": value}, "", field)
        self._names = names
        return value

    def _value(self, entry, name, field):
        """A number or an Expression."""
        source = self._source(entry, name, field)
        value = entry[name]
        return self._parse(source, field) if isinstance(value, str) else value

    def _source(self, entry, name, field):
        """What the value of a field is in a formula: a number or a formula, in brackets."""
        value = entry[name]
        field = field + "." + name if name else field
        if isinstance(value, str):
            self._characters += len(value)
            if self._characters > _MAX_TEXT:
                raise RuleError(field, "too_long", _MAX_TEXT)
            try:
                for place, known in parse(value).names:
                    if place == "param" and known not in self._names:
                        raise RuleError(field, "no_parameter", known[:40])
            except FormulaError as error:
                raise RuleError(field, "formula", error.column, error)
        else:
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not -_MAX_NUMBER <= value <= _MAX_NUMBER:
                raise RuleError(field, "must_value")
        return "(%s)" % value

    def _parse(self, text, field):
        try:
            expression = parse(text)
        except FormulaError as error:
            raise RuleError(field, "formula", max(0, error.column - 1), error)
        for _, name in expression.names:
            if name == "current" or name[-8:] == ".current":
                self._by_phase = True
        return expression


def _kind(entry, field, known):
    """Checks that a condition or action is one that is known; returns type and names of fields."""
    if not isinstance(entry, dict):
        raise RuleError(field, "must_object")
    if "type" not in entry:
        raise RuleError(field + ".type", "absent")
    if entry["type"] == "eco":
        raise RuleError(field + ".type", "eco")
    kind = _choice(entry["type"], field + ".type", known)
    names = known[kind][0].split()
    needed = ["type"] + [name for name in names if name[-1] != "?"]
    names = [name.rstrip("?") for name in names]
    _object(entry, field, needed, names)
    return kind, names


def _variable(text, field, internal):
    """(object, field) of the name of a variable that a rule sets, in lower case."""
    if isinstance(text, str) and len(text) <= 40:
        if internal and text in ("_rule_id", "_rule_min", "_undercut"):
            return "", text
        if re.match("^(CM|[ME][1-9][0-9]?)\\.[A-Za-z_][A-Za-z0-9_]*$", text):
            place, _, name = text.lower().partition(".")
            return place, name
    raise RuleError(field, "variable")
