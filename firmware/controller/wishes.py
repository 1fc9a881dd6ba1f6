"""What is wanted of each wallbox: the smallest of its own limit, override, plan and rules.

Made by controller.need_wishes() only where something is to be looked at. A wish is an upper bound:
load management gives what there is of it.
"""

from micropython import const

from chargecontrol.limits import SetLimit
from formula import FormulaError

_NO_ROOM = const("not enough memory to switch phases as a rule asks (switch_phases)")
_MARGIN_MA = const(1500)  # on top of what a car draws that uses less than the surplus it was given


class _Wish:
    """What is set for one EVSE. rules: [(flag that disables them, Rules)] of box and user."""

    def __init__(self, evse):
        self.evse = evse
        self.limits = []  # one SetLimit or none
        self.rules = []
        self.end()

    def end(self):
        """Takes the overrides back."""
        self.plugged = False
        self.flags = ""  # of C, E, U
        self.mamps = None

    def take(self, wanted_ma, code, arguments, until_ms=None):
        """Takes a wish if it is the smallest."""
        evse = self.evse
        if evse.wish_ma is None or wanted_ma < evse.wish_ma:
            evse.wish_ma = wanted_ma
            evse.wish_reason = (code, arguments, until_ms)


class Wishes:
    """Sets evse.wish_ma and wish_reason of all, and the site's plan_limit.

    For rules.Rules it is the world: lookups, known, scope, now(), write().
    """

    def __init__(self, controller):
        from controller import plan_store, rule_store

        self._controller = controller
        self.lookups = controller.names.lookups
        self.known = ({}, {}, {})
        self.scope = None
        self._wishes = [_Wish(evse) for evse in controller.site.evses]
        self._configs = None
        self._rules = False
        self._phases = []  # ids, lower case, for which a rule wrote switch_phases
        self._plans = plan_store.load(controller)
        self.take_rules(self.made(*rule_store.load(controller)))

    def made(self, sets, uses):
        """Makes of what rule_reader.Reader read the rules of each EVSE, for take_rules()."""
        found = []
        for wish in self._wishes:
            rules = []
            flags = "EU"
            for use in uses.get(wish.evse.id, ()):
                if use:
                    from chargecontrol.rules import Rules

                    name, parameters, by_phase = use
                    made = Rules(wish.evse, sets, name, parameters, by_phase, self)
                    rules.append((flags[0], made))
                flags = flags[1:]
            found.append(rules)
        return found

    def take_rules(self, made):
        """Takes other rules; at once, so that none can be taken half."""
        self._rules = False
        for i in range(len(made)):
            self._wishes[i].rules = made[i]
            self._rules = self._rules or bool(made[i])

    def now(self):
        """(minute of the day, weekday Sunday = 0), None while the clock is not trusted."""
        clock = self._controller.clock
        if clock.trusted:
            local = clock.local()
            return local[3] * 60 + local[4], local[6]
        return None

    def write(self, place, field, value):
        """Sets a variable; KeyError where it can't be set."""
        self._forget()
        self._controller.get_specials().set(place + "." + field, value)
        if field == "switch_phases" and place not in self._phases:
            self._phases.append(place)

    def _forget(self):
        for known in self.known:
            known.clear()

    def override(self, id, flags="", mamps=None):
        """Overrides until the car is unplugged (reference/cfos.md 2.2, override_device).

        flags: C stops charging, E disables the rules of the box, U those of the user; in lower
        case they are back. mamps: mA that are not to be exceeded, None: as before.
        """
        wish = self._find(id)
        for flag in flags:
            wish.flags = wish.flags.replace(flag.upper(), "")
            if flag in "CEU":
                wish.flags += flag
        if mamps is not None:
            wish.mamps = mamps

    def overridden(self, id):
        """{"flags": those of C, E, U that hold, "mamps": mA or None}."""
        wish = self._find(id)
        return {"flags": wish.flags, "mamps": wish.mamps}

    def _find(self, id):
        for wish in self._wishes:
            if wish.evse.id == id:
                return wish
        raise KeyError(id)

    def set_plan(self, id, entries, tmp=False):
        """Sets the charging plan of a wallbox, or of the house ("$G"); tmp: until the next start.

        An empty one ends it. Raises PlanError, StoreError.
        """
        from controller import plan_store

        plan = plan_store.check(entries)
        if not tmp:
            plan_store.save(self._controller, id, plan)
        self._plans[id] = plan

    def plan(self, id):
        """The entries of a charging plan."""
        from controller import plan_store

        return plan_store.entries(self._plans.get(id, ()))

    def _plan_now(self, id, now_ms):
        """(mA, code, until_ms) of what a plan allows now, or None."""
        from chargecontrol import plans

        plan = self._plans.get(id)
        if not plan:
            return None
        now = self.now()
        if now is None:  # the time of the smallest limit may be now
            return plans.least(plan), "clock_not_set", None
        found = plans.limit(plan, now[0])
        if found is None:
            return None
        second = self._controller.clock.local()[5]
        return found[0], "plan", now_ms + (found[1] * 60 - second) * 1000

    def update(self, now_ms):
        """Once in each cycle, before the site decides."""
        controller = self._controller
        if controller.settings.doc["evses"] is not self._configs:
            self._configure()
        if "$G" in self._plans:
            limit = controller.site.plan_limit
            found = self._plan_now("$G", now_ms)
            if found:
                limit.until_ms = found[2]
                limit.fix(found[0], found[1], now_ms)
            else:
                limit.clear(now_ms)
        surplus_w = None
        if self._rules:
            self._forget()
            surplus_w = self._surplus_w()
        for wish in self._wishes:
            wish.evse.wish_ma = wish.evse.wish_reason = None
            for limit in wish.limits:
                limit.evaluate(self.lookups, now_ms)
                self._own_limit(wish, limit.reason, limit.phase_ma)
            self._override(wish)
            found = self._plan_now(wish.evse.id, now_ms) if self._plans else None
            if found:
                wish.take(found[0], found[1], (), found[2])
            if wish.rules:
                surplus_w = self._ask_rules(wish, now_ms, surplus_w)
        if self._phases and not controller.power:
            self._need_phases()

    def _need_phases(self):
        """The power manager switches phases: not before a rule asks a box that can."""
        controller = self._controller
        for id in self._phases:
            device = controller.devices[id.upper()]
            wanted = controller.specials.of_device(id, "switch_phases")
            if device.switchable and wanted and wanted > 0:
                try:
                    controller.need_power()
                except MemoryError:
                    self._phases = []  # until a rule asks again
                    if _NO_ROOM not in controller.faults:
                        controller.fault(_NO_ROOM)
                return

    def _configure(self):
        controller = self._controller
        self._configs = controller.settings.doc["evses"]
        voltage_v = controller.settings.doc["site"]["voltage_v"]
        limits = {config["id"]: config.get("current_limit") for config in self._configs}
        for wish in self._wishes:
            evse = wish.evse
            limit = limits.get(evse.id)
            wish.limits = []
            if limit is not None:
                wish.limits.append(SetLimit("", "current", limit, evse.failsafe_ma, voltage_v))
        # The PV surplus goes to them in this order.
        at = controller.site.evses.index
        self._wishes.sort(key=lambda wish: at(wish.evse) - 100 * wish.evse.priority)

    def _own_limit(self, wish, reason, phase_ma):
        evse = wish.evse
        code = "current_limit_failed" if reason.code == "formula_failed" else "current_limit"
        for line in range(3):
            if evse.lines >> line & 1:
                wish.take(phase_ma[evse.house_phase(line)], code, reason.arguments)

    def _override(self, wish):
        plugged = wish.evse.plugged_ms is not None
        if wish.plugged and not plugged:
            wish.end()
        wish.plugged = plugged
        if "C" in wish.flags:
            wish.take(0, "override_stop", ())
        if wish.mamps is not None:
            wish.take(wish.mamps, "override", (wish.mamps,))

    def _surplus_w(self):
        try:
            return self._controller.names.lookup("cm", "_surplus")
        except (KeyError, FormulaError):
            return None

    def _ask_rules(self, wish, now_ms, surplus_w):
        """Takes what the rules want; returns the surplus that is left for others."""
        evse = wish.evse
        phases_v = self._controller.settings.doc["site"]["voltage_v"] * (evse.phases or 1)
        surplus_ma = None if surplus_w is None else int(surplus_w * 1000 // phases_v)
        taken_ma = 0
        for flag, rules in wish.rules:
            if flag not in wish.flags:
                wanted_ma = rules.wish(now_ms, surplus_ma, 1000 / phases_v)
                code, arguments = rules.reason
                wish.take(wanted_ma, code, arguments)
                if rules.by_surplus:
                    taken_ma = evse.wish_ma
        if surplus_w is None or not taken_ma:
            return surplus_w
        if evse.state == "C" or evse.state == "D":
            taken_ma = min(taken_ma, max(evse.measured_ma) + _MARGIN_MA)
        elif evse.state == "B" and not (evse.reason and evse.reason.code == "not_drawing"):
            taken_ma = min(taken_ma, evse.min_ma)  # it is about to begin
        else:
            taken_ma = 0
        return max(0, surplus_w - taken_ma * phases_v // 1000)
