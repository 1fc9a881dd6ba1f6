"""Rules: a small program for each wallbox, run in every cycle; its result is a wish, never more.

Source: reference/cfos.md sections 5.1 to 5.4. What is not said there and was decided here is in
docs/rules.md. rule_reader.py makes the tuples that run here:

rule: (id, number, options, start, stop, condition, undercut_ms, action, value, target)
    number: its own in the whole document, for its timers. options: bits 0..6 the weekdays
    (0 = Sunday), then "not" and "end". start, stop: minutes of the day, stop may be beyond
    midnight; None where the time does not matter. A number may be an Expression instead.
set: (rules without the PV option, rules with it, {parameter: number or Expression})
"""

from micropython import const

from formula import FormulaError

_ID = const(0)
_NUMBER = const(1)
_OPTIONS = const(2)
_START = const(3)
_STOP = const(4)
_CONDITION = const(5)
_UNDERCUT = const(6)
_ACTION = const(7)
_VALUE = const(8)
_TARGET = const(9)

_WEEKDAYS = const(127)
_NOT = const(128)
_END = const(256)

# The numbers of cFos; "deliver" is a value like any other by now. The last one has none there.
_SET = const(0)
_AND = const(1)
_OR = const(2)
_SET_VARIABLE = const(3)
_GOTO = const(5)
_TRIGGER = const(7)
_RETRIGGER = const(8)
_PARAMETER = const(22)
_RULE_SET = const(100)

_LATE = const(2)
_CIRCLE = const("the rules go round in a circle")
_MAX_STEPS = const(128)  # rules looked at in one run: five times the longest set
_MAX_MA = const(1000000)
_DAY = const(1440)
_DAY_S = const(86400)
_OWN_NAMES = const(
    "_rule_val _rule_id _rule_min _undercut _ma_per_w surplus_pcur surplus_wanted "
    "lb_cur lb_cur_l1 lb_cur_l2 lb_cur_l3"
)


def _number(value, lookup):
    return value if isinstance(value, (int, float)) else value.value(lookup)


class Scope:
    """What formulas of rules may ask for, one for all wallboxes: the names of the one that is just
    being asked, the rules' own and the parameters, and all that `world` knows (see Rules).
    """

    def __init__(self, world):
        self.own = {}
        for own in _OWN_NAMES.split():
            self.own[own] = 0
        self.parameters = {}
        self._device = ""
        self._ours = {"": 1, "cm": 1, "param": 1}
        self.lookups = [self._looking(world.lookups[i], world.known[i]) for i in range(3)]

    def enter(self, device, parameters):
        """The rules of a wallbox (its id in lower case) are asked next."""
        if self._device:
            del self._ours[self._device]
        self._device = device
        self._ours[device] = 1
        self.parameters = parameters

    def _looking(self, lookup, known):
        own = self.own
        ours = self._ours

        def look(name, field):
            if name in ours:
                if name == "param":
                    return _number(self.parameters[field], look)
                if field in own:
                    return own[field]
                if not name:
                    try:
                        return lookup(self._device, field)
                    except KeyError:
                        pass
                return lookup(name, field)
            try:
                return known[name][field]
            except KeyError:
                value = lookup(name, field)
                if name not in known:
                    known[name] = {}
                known[name][field] = value
                return value

        return look


class Rules:
    """The rules of one wallbox at work.

    evse: Evse; sets: {id: set}; name: the set to start with; parameters: {id: value} instead of
    the sets' own; by_phase: the program asks for something that differs from phase to phase.
    world: what is around: lookups (of the house's phases); known, a dict for each of them, to be
    emptied before each cycle and with each write: what was looked up; scope, None until the first
    Rules are made; now() -> (minute of the day,
    weekday Sunday = 0) or None while the clock is not trusted; write(object, field, value).

    After wish(): reason (code, arguments), and by_surplus: a rule with the PV option decided.
    """

    def __init__(self, evse, sets, name, parameters, by_phase, world):
        self._evse = evse
        self._sets = sets
        self._name = name
        self._by_phase = by_phase
        self._world = world
        merged = {}
        for other in sets.values():
            merged.update(other[2])
        merged.update(sets[name][2])
        merged.update(parameters)
        self._parameters = merged
        self._device = evse.id.lower()
        if not world.scope:
            world.scope = Scope(world)
        self._scope = world.scope
        self._own = world.scope.own
        self._undercuts = {}  # until when a rule goes on, by its number * 4 + line
        self._triggers = {}  # {rule's number: (until, variable)}
        self._text = (None, None)  # of the last failure, so that it is put into words once
        self._failure = None
        self.reason = None
        self.by_surplus = False

    def wish(self, now_ms, surplus_ma, ma_per_w):
        """The current wanted, mA on each phase in use; 0: pause.

        surplus_ma: PV surplus for each phase in use, None where it is not known; ma_per_w: what
        one watt is on each of them.
        """
        evse = self._evse
        own = self._own
        own["surplus_pcur"] = surplus_ma
        own["_ma_per_w"] = ma_per_w
        self._scope.enter(self._device, self._parameters)
        self._show_surplus(0, 0)
        self._now_ms = now_ms
        self._failure = None
        self._timeless = False
        if self._triggers:
            self._end_triggers()
        result = (_MAX_MA + 1, None, False)
        for line in range(3):
            if (evse.lines or 1) >> line & 1:
                found = self._of_line(line, self._scope.lookups[evse.house_phase(line)])
                if found[0] < result[0]:
                    result = found
                if not self._by_phase:
                    break
        value, decided, self.by_surplus = result
        if self._failure:
            self.reason = ("rule_failed", self._failure)
        elif decided:
            self.reason = ("rule", decided)
        else:
            self.reason = ("clock_not_set", ()) if self._timeless else ("rule_none", (self._name,))
        return value

    def _of_line(self, line, lookup):
        """(mA, (set, rule) or None, by surplus): what the normal rules say, else those for PV."""
        surplus_ma = 0
        by_surplus = None
        if self._sets[self._name][1]:
            self._show_surplus(0, 0)
            surplus_ma, by_surplus = self._run(1, line, lookup)
            self._show_surplus(max(0, surplus_ma), 1 if by_surplus and surplus_ma >= 0 else 0)
        value, decided = self._run(0, line, lookup)
        if decided or not by_surplus:
            return max(0, value), decided, False
        return max(0, surplus_ma), by_surplus, surplus_ma >= 0

    def _show_surplus(self, current_ma, wanted):
        own = self._own
        own["surplus_wanted"] = wanted
        own["lb_cur"] = own["lb_cur_l1"] = own["lb_cur_l2"] = own["lb_cur_l3"] = current_ma

    def _run(self, pv, line, lookup):
        """One run of the rules with or without the PV option: (mA, (set, rule id) or None)."""
        own = self._own
        own["_rule_val"] = own["_rule_id"] = own["_rule_min"] = own["_undercut"] = 0
        name = self._name
        rules = self._sets[name][pv]
        decided = None
        at = link = linked = 0
        left = _MAX_STEPS
        while at < len(rules):
            rule = rules[at]
            at += 1
            left -= 1
            if not left:
                self._fail(name, rule, _CIRCLE)
                own["_rule_val"] = 0
                break
            action = rule[_ACTION]
            # What a link has settled already is not looked at.
            if not (link == _AND and not linked or link == _OR and linked):
                true = self._true(name, rule, line, lookup)
                linked = max(true, linked) if true else 0
            if action == _AND or action == _OR:
                link = action
                continue
            true = linked
            link = linked = 0
            if not true:
                continue
            if true == _LATE:
                own["_undercut"] = 1
            value = rule[_VALUE]
            if not isinstance(value, int):
                value = self._value(name, rule, value, lookup)
            if action == _SET:
                # What can't be computed is no current, whatever an earlier rule said.
                own["_rule_val"] = 0 if value is None else value
                own["_rule_id"] = rule[_ID]
                decided = name
            elif value is None:
                continue
            elif action == _GOTO:
                for i in range(len(rules)):
                    if rules[i][_ID] == value:
                        at = i
                        break
            elif action == _RULE_SET:
                name = rule[_TARGET]
                rules = self._sets[name][pv]
                at = 0
            else:
                self._write(name, rule, action, value)
            if rule[_OPTIONS] & _END:
                break
        value = min(int(own["_rule_val"]), _MAX_MA)
        if own["_undercut"] > 0 and 0 <= value < self._evse.min_ma:
            value = self._evse.min_ma
        return value, (decided, own["_rule_id"]) if decided else None

    def _true(self, name, rule, line, lookup):
        """Whether a rule's condition holds: 0, 1, or _LATE where only its undercut time runs."""
        options = rule[_OPTIONS]
        true = 1
        try:
            if rule[_START] is not None or options & _WEEKDAYS != _WEEKDAYS:
                true = self._in_time(rule, options, lookup)
            if true is not None:
                if rule[_CONDITION]:
                    true = 1 if rule[_CONDITION].value(lookup) > 0 else 0
                if options & _NOT:
                    true ^= 1
        except FormulaError as error:
            self._fail(name, rule, error)
            true = 0
        undercut_ms = rule[_UNDERCUT]
        if undercut_ms:
            key = rule[_NUMBER] << 2 | line
            if true:
                self._undercuts[key] = self._now_ms + undercut_ms
            elif self._now_ms < self._undercuts.get(key, 0):
                return _LATE
        return true

    def _in_time(self, rule, options, lookup):
        """1 or 0 for the time of day; None on other weekdays, and where nobody knows the time."""
        now = self._world.now()
        if now is None:
            self._timeless = True
            return None
        minute, weekday = now
        true = 1
        if rule[_START] is not None:
            start = _number(rule[_START], lookup)
            long = _number(rule[_STOP], lookup) - start
            passed = (minute - start) % _DAY
            true = 1 if passed < (long if long >= 0 else long + _DAY) else 0
            if true and passed > minute:  # it began yesterday, and its weekday counts
                weekday += 6
        return true if options >> weekday % 7 & 1 else None

    def _value(self, name, rule, value, lookup):
        """The value of a rule's action, None where it can't be computed."""
        try:
            return _number(value, lookup)
        except FormulaError as error:
            self._fail(name, rule, error)

    def _fail(self, name, rule, error):
        """Keeps the first failure of a cycle: (set, rule id, column, text). error: or a text."""
        column = 0
        if not isinstance(error, str):
            if self._world.now() is None and "date." in str(error.values):
                self._timeless = True
                return
            column = max(0, error.column - 1)  # it was parsed with a bracket before it
        if self._failure is None:
            known = (name, rule[_ID], column, getattr(error, "code", error))
            if self._text[0] != known:  # to put it into words takes long
                self._text = (known, known[:3] + (str(error),))
            self._failure = self._text[1]

    def _write(self, name, rule, action, value):
        """Sets a variable or a parameter, or starts a trigger."""
        target = rule[_TARGET]
        if action == _PARAMETER:
            scope = self._scope
            if scope.parameters is self._parameters:
                scope.parameters = dict(self._parameters)
            scope.parameters[target] = value
            return
        if not target[0]:
            self._own[target[1]] = value
            return
        number = rule[_NUMBER]
        until = None
        if action != _SET_VARIABLE:
            until = (self._now_ms + int(max(0, min(value, _DAY_S)) * 1000), target)
            running = self._triggers.get(number)
            if running:
                if running[0] is not None and action == _RETRIGGER:
                    self._triggers[number] = until
                return
            value = 1
        try:
            self._world.write(target[0], target[1], value)
            if until:
                self._triggers[number] = until
        except KeyError:
            self._fail(name, rule, "%s.%s can't be set" % target)

    def _end_triggers(self):
        for number in list(self._triggers):
            until_ms, target = self._triggers[number]
            if until_ms is None:
                del self._triggers[number]
            elif self._now_ms >= until_ms:
                # 0 for a whole cycle, before it may start anew.
                self._triggers[number] = (None, target)
                self._world.write(target[0], target[1], 0)
