"""The operator's measures while they are in force: what the journal says of each of them.

Loaded when the first one begins, gone when the last one ends. What counts as a measure, and when
it was obeyed: docs/journal.md.
"""

import binascii

from micropython import const

_COMMAND = const(3)  # kinds of records, as in journal/records.py
_IN_FORCE = const(4)
_APPLIED = const(5)
_WITHIN = const(6)
_ALLOTTED = const(7)
_SAMPLE = const(8)
_RELEASE = const(9)
_FREE = const(10)
_OPERATOR = const(0)  # classes, as in journal/reading.py
_FAILSAFE = const(1)
_TEST = const(2)
_FORMULA = const(3)
_KINDS = ("none", "percent", "current", "power", "dimming", "feed_in")
_CURRENT = const(2)
_DIMMING = const(4)
_FEED_IN = const(5)
_LATE = const(1)  # flags of a release
_BELOW_MINIMUM = const(2)
_NOT_WITHIN = const(4)
_NOT_JUDGED = const(8)
_CHANGED = const(16)
_ALL_STOPPED = const(32)
_MINUTE_MS = const(60000)
_LATE_MS = const(300000)  # BK6-22-300 annex 1, 4.2 sentence 5
_ALLOTTED_MS = const(1800000)  # what devices may draw is noted again so often, where it changed
_TOLERANCE_W = const(50)  # or 1 %, what a meter of class B may be wrong
_TOLERANCE_MA = const(200)
_MANY = const(16)


class Measure:
    """One order of one source that is in force. key: (kind, value, class)."""

    def __init__(self, key, now_ms):
        self.key = key
        self.since_ms = now_ms
        self.applied = False
        self.within_ms = None
        self.flags = 0
        self.minutes = self.over = 0
        self._over_most = None


class _Mean:
    """Mean of what was seen in a minute, None where nothing was."""

    def __init__(self):
        self.sum = self.count = 0

    def add(self, value):
        if value is not None:
            self.sum += value
            self.count += 1

    def take(self):
        value = self.sum // self.count if self.count else None
        self.sum = self.count = 0
        return value


class Work:
    """update(now_ms) each cycle; it returns True when there is nothing left to do."""

    def __init__(self, journal):
        self._journal = journal
        self._controller = journal.controller
        self._site = journal.controller.site
        self._open = {}  # source: Measure
        self._limits = {}  # source: Limit
        self._in_force = None
        self._allotted = None
        self._dimming = ""  # source of a dimming that no door ordered
        self._allotted_ms = self._minute_ms = 0
        self._net = _Mean()
        self._used = _Mean()
        self._own = _Mean()
        self._phase = _Mean()

    def dimming_changed(self, now_ms):
        """The limit of the dimming: an order itself where none of the doors' limits is."""
        dimming = self._site.dimming
        key = None
        if dimming.active and dimming.source not in [one.source for one in self._of_doors()]:
            failed = dimming.limit.reason.code == "dimming_formula_failed"
            key = (_DIMMING, dimming.limit_w, _FAILSAFE if failed else _FORMULA)
        self._order(dimming.source if key else self._dimming, dimming.limit, key, now_ms)
        self._dimming = dimming.source if key else ""

    def _of_doors(self):
        operator = self._controller.operator
        return operator.operator.limits if operator else ()

    def changed(self, limits, now_ms):
        """Limits have another value or reason."""
        orders = [(limit, self._key(limit, now_ms)) for limit in limits]
        for begins in (False, True):  # a contact set leaves one limit for another: in this order
            for limit, key in orders:
                if (key is not None) == begins:
                    self._order(_name(limit), limit, key, now_ms)

    def _end_gone(self, now_ms):
        """Ends what a limit ordered that is not there any more: a test, a channel taken out."""
        there = list(self._of_doors()) + self._site.house.set_limits
        there += [self._site.percent_limit]
        if self._site.dimming:
            there.append(self._site.dimming.limit)
        for name, limit in list(self._limits.items()):
            if limit not in there:
                self._release(name, self._open[name], now_ms, False)

    def _key(self, limit, now_ms):
        """What it orders: (kind, value, class), None for nothing."""
        code = limit.reason.code if limit.reason else "no_limit"
        value = limit.value
        if code[:7] == "formula":
            return self._formula(limit, code, now_ms)
        if code in ("no_limit", "set") or limit.kind not in _KINDS:
            return None
        kind = _KINDS.index(limit.kind)
        if value is None:
            if kind != _DIMMING:
                return None
        elif limit.kind in ("percent", "feed_in") and value >= 100:
            return None
        part = getattr(limit, "part", "")
        if limit.source == "test":
            return kind, value, _TEST
        # A pattern that is not in the table says nothing of what is wanted.
        lost = part == "failsafe" or (code[:8] == "contact_" and code != "contact_level")
        return kind, value, _FAILSAFE if lost else _OPERATOR

    def _formula(self, limit, code, now_ms):
        """A formula of the connection is the operator's if it reads only contacts and variables;
        its highest value is the one without an order."""
        journal = self._journal
        source = limit.source
        text = limit.reason.arguments[0]
        kind = _KINDS.index(limit.kind)
        mark = binascii.crc32(text.encode())
        value = limit.value
        known = journal.free.get(source, (None,))[0] == mark
        if not known and not _of_operator(text):
            journal.passed_over[source] = text
            return None
        if code == "formula_failed":
            return _CURRENT, limit.phase_ma[0], _FAILSAFE
        if not known:
            journal.free[source] = (mark, value)
            journal.note(_FREE, (source, mark, value), now_ms)
        free = journal.free[source][1]
        if value > free:
            journal.free[source] = (mark, value)
            journal.note(_FREE, (source, mark, value), now_ms)
        return (kind, value, _FORMULA) if value < free else None

    def _order(self, source, limit, key, now_ms):
        measure = self._open.get(source)
        if (measure.key if measure else None) == key:
            if measure:
                self._limits[source] = limit  # maybe another of the same name: a test begun anew
            return
        if measure:
            self._release(source, measure, now_ms, key is not None)
        if not key:
            return
        if not self._open:
            self._minute_ms = now_ms + _MINUTE_MS
        journal = self._journal
        kind, value, what = key
        since_ms = min(limit.reason.since_ms, now_ms)
        ago_cs = (now_ms - since_ms) // 10
        site = self._site
        code = limit.reason.code if what == _FAILSAFE else ""
        net_w = self._net_w()
        values = (source, what, kind, value, ago_cs, code, net_w, self._used_w())
        journal.note(_COMMAND, values, now_ms)
        measure = Measure(key, since_ms)
        dimming = site.dimming
        if kind == _DIMMING and value is not None and dimming and _below(dimming, value, what):
            measure.flags |= _BELOW_MINIMUM
        self._open[source] = measure
        self._limits[source] = limit
        self._allotted_ms = 0

    def _release(self, source, measure, now_ms, changed):
        flags = measure.flags
        if changed:
            flags |= _CHANGED
        if measure.key[0] == _FEED_IN:
            flags |= _NOT_JUDGED
        elif measure.within_ms is None:
            long = now_ms - measure.since_ms > _LATE_MS
            flags |= _NOT_WITHIN | (_LATE if long else _NOT_JUDGED)
        lasted_cs = (now_ms - measure.since_ms) // 10
        values = (source, lasted_cs, flags, measure.minutes, measure.over, measure._over_most)
        self._journal.note(_RELEASE, values, now_ms)
        del self._open[source]
        del self._limits[source]

    def update(self, now_ms):
        """Looks at what devices were told and draw; a sample each minute."""
        journal = self._journal
        site = self._site
        dimming = site.dimming
        self._end_gone(now_ms)
        if not self._open:
            return True
        in_force = [min(one.phase_ma) for one in site.house.limits if one.phase_ma]
        in_force = (None, None, min(in_force) if in_force else None)
        if dimming and dimming.active:
            in_force = (dimming.limit_w, dimming.p_min_w, in_force[2])
        if in_force != self._in_force:
            self._in_force = in_force
            journal.note(_IN_FORCE, in_force, now_ms)
        self._observe(now_ms)
        sent = None
        for source, measure in self._open.items():
            if not measure.applied:
                if sent is None:
                    sent = self._all_sent()
                if sent:
                    measure.applied = True
                    after_cs = (now_ms - measure.since_ms) // 10
                    journal.note(_APPLIED, (source, after_cs), now_ms)
                    self._note_allotted(now_ms)
            if measure.within_ms is None and measure.applied:
                over = self._over(source, measure, self._used_w(), None)
                if over is not None and over[0] <= over[1]:
                    measure.within_ms = now_ms
                    after_ms = now_ms - measure.since_ms
                    if after_ms > _LATE_MS:
                        measure.flags |= _LATE
                    journal.note(_WITHIN, (source, after_ms // 10, over[2]), now_ms)
        if now_ms >= self._minute_ms:
            self._minute_ms = max(self._minute_ms + _MINUTE_MS, now_ms + _MINUTE_MS // 2)
            self._sample(now_ms)
        return False

    def _observe(self, now_ms):
        dimming = self._site.dimming
        self._net.add(self._net_w())
        self._used.add(self._used_w())
        if dimming and dimming.active:
            self._own.add(dimming.own_w)
        if [measure for measure in self._open.values() if measure.key[0] < _DIMMING]:
            self._phase.add(self._phase_ma())

    def _sample(self, now_ms):
        journal = self._journal
        used_w = self._used.take()
        own_w = self._own.take()
        phase_ma = self._phase.take()
        phase = None if phase_ma is None else phase_ma // 10
        spare_w = None
        if used_w is not None:  # as the reader has it: of the limit in force now
            dim_w = self._in_force[0]
            spare_w = -used_w
            if own_w is not None and dim_w is not None:
                spare_w += dim_w + own_w
        journal.note(_SAMPLE, (self._net.take(), spare_w, own_w, phase), now_ms)
        for source, measure in self._open.items():
            over = self._over(source, measure, used_w, own_w, phase_ma)
            if over is None:
                continue
            measure.minutes += 1
            if measure._over_most is None or over[0] > measure._over_most:
                measure._over_most = over[0]
            # From when it was obeyed, or had to be at the latest; the minute has to lie behind.
            from_ms = measure.within_ms or measure.since_ms + _LATE_MS
            if over[0] > over[1] and now_ms - _MINUTE_MS >= from_ms:
                measure.over += 1
        if now_ms - self._allotted_ms >= _ALLOTTED_MS:
            self._note_allotted(now_ms)

    def _over(self, source, measure, used_w, own_w, phase_ma=None):
        """(by how much the draw is above what the measure allows, tolerance, draw), W or mA; None
        where that is not known or not to be judged."""
        kind = measure.key[0]
        dimming = self._site.dimming
        if kind == _FEED_IN or used_w is None:
            return None
        if kind == _DIMMING:
            if not dimming or not dimming.active or dimming.limit_w is None:
                return None
            limit_w = dimming.limit_w + (dimming.own_w if own_w is None else own_w)
            return used_w - limit_w, max(_TOLERANCE_W, limit_w // 100), used_w
        if phase_ma is None:
            phase_ma = self._phase_ma()
        limit = self._limits[source].phase_ma
        if phase_ma is None or not limit:
            return None
        most_ma = min(limit)
        over_ma = phase_ma - most_ma
        if used_w <= _TOLERANCE_W:  # there is nothing more to take off
            measure.flags |= _ALL_STOPPED if over_ma > 0 else 0
            over_ma = min(over_ma, 0)
        return over_ma, max(_TOLERANCE_MA, most_ma // 100), phase_ma

    def _net_w(self):
        """What the connection draws, negative where it feeds in; None without a grid meter."""
        site = self._site
        meter = self._controller.devices.get(site.grid_id)
        return None if meter is None or meter.com_error else meter.readings.get("power_w")

    def _used_w(self):
        """What the controllable devices draw: the limit and the own surplus are its ceiling."""
        site = self._site
        dimming = site.dimming
        if dimming and dimming.active:
            return dimming.drawn_w
        drawn_ma = 0
        for evse in site.evses:
            drawn_ma += sum(evse.measured_ma)
        return drawn_ma * site.house.voltage_v // 1000

    def _phase_ma(self):
        """The highest current of the connection's phases; without a meter that of the boxes."""
        site = self._site
        house = site.house
        if house.meter_id is not None:
            meter = self._controller.devices.get(house.meter_id)
            silent = meter is None or meter.com_error  # its last reading says nothing any more
            return None if silent or not house.reading_ma else max(house.reading_ma)
        phases_ma = list(house.load_ma)
        for evse in site.evses:
            for line in range(3):
                phases_ma[evse.house_phase(line)] += evse.measured_ma[line]
        return max(phases_ma)

    def _all_sent(self):
        """True where each box that answers has confirmed its setpoint."""
        devices = self._controller.devices
        for evse in self._site.evses:
            device = devices[evse.id]
            sent_ma = device.sent_ma
            if device.com_error or device.setpoint_ma is None:
                continue
            if sent_ma is None or sent_ma > device.setpoint_ma:
                return False
        return True

    def _note_allotted(self, now_ms):
        """What each device may draw now, where that is news."""
        site = self._site
        if site.dimming and site.dimming.active:
            unit = 1
            allotments = site.dimming.allotments
            pairs = [(id, allotments[id]) for id in sorted(allotments)]
        else:
            unit = 0
            pairs = [(evse.id, evse.setpoint_ma) for evse in site.evses]
        self._allotted_ms = now_ms
        if (unit, pairs) != self._allotted:
            self._allotted = (unit, pairs)
            self._journal.note(_ALLOTTED, (unit, pairs[:_MANY]), now_ms)


def _below(dimming, value, what):
    # A formula's measure has the whole limit as its value, a door's what was commanded.
    return value < dimming.p_min_w if what == _FORMULA else dimming.owes_more(value)


def _name(limit):
    """Its source; a channel's command and its fail-safe limit may hold at the same time."""
    part = getattr(limit, "part", "")
    if part == "failsafe":
        return limit.source + " failsafe"
    return "test " + part if limit.source == "test" else limit.source


def _of_operator(text):
    """True for a formula that reads contacts and variables only."""
    from formula import parse

    names = parse(text).names
    for name, field in names:
        if name not in ("", "cm") and str(field)[:5] != "input":
            return False
    return bool(names)
