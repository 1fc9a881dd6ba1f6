"""Writes the journal: the operator's measures and, apart from them, events; docs/journal.md.

The site is looked at after each decision; records wait a moment, so that no setpoint waits for the
flash, and are written together. docs/decisions/journal.md says why all this is as it is.
"""

from micropython import const

from controller.unload import unload
from journal.records import CHECK, encode, follow

_SEGMENT = const(0)  # kinds of records, as in journal/records.py
_START = const(1)
_CLOCK = const(2)
_IN_FORCE = const(4)
_SAMPLE = const(8)
_EVENT = const(11)
_NOTE = const(12)
_WAIT_MS = const(500)  # so long a record waits for others
_RETRY_MS = const(60000)
_PENDING = const(48)  # records that wait where the flash can't be written
_DRIFT_S = const(3)  # so much the clock may drift until it is noted again
_EVENT_MS = const(60000)  # events of one code are no closer than this
_CODES = const(24)
_SEEN = const(32)
_START_MS = const(60000)
_SELDOM = ("controller.journal_files", "controller.journal_work", "journal.reading")
_UNKNOWN = ("contact_unknown", "formula_failed", "dimming_formula_failed")


class Series:
    """One chain of records, in segments: files in the folder that are only ever added to.

    name: "m" (measures) or "e" (events), the beginning of its files' names. number: of the last
    segment; size: its bytes; state, seq: of the chain after what is on the flash; count: segments;
    writes: to flash, over its life; pending: [(kind, hundredths of s since start, values)] to be
    written; in_force: (W, mA) as the chain knows it; reserve: only orders may still be written.
    """

    def __init__(self, name):
        self.name = name
        self.number = self.size = self.seq = self.count = self.writes = 0
        self.state = b""
        self.last_cs = 0
        self.boot = 0
        self.started = False
        self.utc_s = None  # UTC at the start of the board, as noted last
        self.in_force = (None, None)
        self.reserve = False
        self.pending = []
        self.due_ms = self.lost = 0


class Journal:
    """measures, events: Series; problem: code of texts/events.json of what keeps it from writing
    all that it should, or ""; folder: "" or ending in "/"; leave_bytes: of the flash, to the
    owner's documents; work: what is at work while the
    operator has a measure in force, or None; since it is `segment_bytes` and `most` ({name:
    segments}) that bound it.
    """

    def __init__(self, controller, folder="evidence/", leave_bytes=65536):
        self.controller = controller
        self.folder = folder
        self.leave_bytes = leave_bytes
        self.problem = ""
        self.work = None
        self.measures = Series("m")
        self.events = Series("e")
        self.free = {}  # source: (check value of its formula, highest value seen)
        self.passed_over = {}  # source: formula that is not the operator's
        self._seen = {}
        self._told = {}  # code: [when it was noted last, how often not since]
        self._trusted = False
        self._problem_text = None
        self.segment_bytes = self.keep_days = 0
        self.most = {}
        self.boot = 0  # number of this start; 0: the first cycle is still to read what is there
        self.event("restarted", (controller.cause,))

    def update(self, now_ms):
        """Looks at limits and dimming after a decision; writes what has waited long enough."""
        controller = self.controller
        if not self.boot:  # the start itself needs all the room there is
            from controller import journal_files

            journal_files.resume(self, now_ms)
            unload(_SELDOM)
        site = controller.site
        seen = self._seen
        changed = None
        operator = controller.operator
        if operator:
            for limit in operator.operator.limits:
                if seen.get(limit) is not limit.reason:
                    changed = self._changed(limit, changed)
        for limit in site.house.set_limits:
            if seen.get(limit) is not limit.reason:
                changed = self._changed(limit, changed)
        limit = site.percent_limit
        if seen.get(limit) is not limit.reason:
            changed = self._changed(limit, changed)
        if changed:
            self._at_work().changed(changed, now_ms)
        dimming = site.dimming
        if dimming:
            reason = dimming.limit.reason
            if seen.get(dimming.limit) is not reason and not self._starting(reason.code):
                seen[dimming.limit] = reason
                self._at_work().dimming_changed(now_ms)
        if self.work and self.work.update(now_ms):
            self.work = None
            unload(_SELDOM)
        there = len(operator.operator.limits) if operator else 0
        if not self.work and len(seen) > _SEEN + there:  # limits that are not there any more
            self._seen = {}
        if controller.clock.trusted is not self._trusted:
            self._trusted = controller.clock.trusted
            for series in (self.measures, self.events):
                if series.started:
                    self._date(series, now_ms)
        for series in (self.measures, self.events):
            if series.pending and now_ms >= series.due_ms:
                self.write(series, now_ms)

    def _at_work(self):
        if not self.work:
            from controller.journal_work import Work

            self.work = Work(self)
        return self.work

    def _starting(self, code):
        """True for what is not known yet after a start: no order, unless it stays so."""
        return code in _UNKNOWN and self.controller.clock.now_ms() < _START_MS

    def _changed(self, limit, others):
        """The list of limits that have to be looked at, with this one if it has to be."""
        reason = limit.reason
        code = reason.code if reason else "no_limit"
        if self._starting(code):
            return others
        self._seen[limit] = reason
        if code[:7] == "formula" and self.passed_over.get(limit.source) == reason.arguments[0]:
            return others
        if not self.work and code in ("no_limit", "set"):
            return others
        return (others or []) + [limit]

    def note(self, kind, values, now_ms):
        """A record of the measures."""
        self.add(self.measures, kind, values, now_ms)

    def event(self, code, arguments):
        """An event; of each code not more than one a minute, the others are counted."""
        now_ms = self.controller.clock.now_ms()
        told = self._told.get(code)
        if told and now_ms - told[0] < _EVENT_MS:
            told[1] += 1
            return
        unsaid = told[1] if told else 0
        if len(self._told) >= _CODES:
            for old in list(self._told):
                if now_ms - self._told[old][0] >= _EVENT_MS:
                    del self._told[old]
        self._told[code] = [now_ms, 0]
        self.add(self.events, _EVENT, (code, [str(a) for a in arguments][:3], unsaid), now_ms)

    def add(self, series, kind, values, now_ms):
        """A record of a series: after the start of the board, and the time where it is known."""
        if not series.started:
            series.started = True
            clock = self.controller.clock
            utc_s = clock.utc_s() if clock.trusted else None
            series.utc_s = None if utc_s is None else utc_s - now_ms // 1000
            self._queue(series, _START, (0, 0, utc_s, self.controller.cause), now_ms)
        else:
            self._date(series, now_ms)
        self._queue(series, kind, values, now_ms)

    def _date(self, series, now_ms):
        """Links control time to UTC where that is not known yet, or is something else now."""
        clock = self.controller.clock
        if not clock.trusted:
            return
        utc_s = clock.utc_s()
        began_s = utc_s - now_ms // 1000
        jump_s = None if series.utc_s is None else began_s - series.utc_s
        if jump_s is None or abs(jump_s) >= _DRIFT_S:
            series.utc_s = began_s
            self._queue(series, _CLOCK, (utc_s, clock.source, jump_s), now_ms)

    def _queue(self, series, kind, values, now_ms):
        pending = series.pending
        if kind == _SAMPLE and series.reserve:
            return
        if not pending:
            series.due_ms = now_ms + _WAIT_MS
        if len(pending) >= _PENDING:
            series.lost += 1
            # Orders and what came of them are worth more than minutes.
            for i in range(len(pending)):
                if pending[i][0] in (_SAMPLE, _EVENT):
                    del pending[i]
                    break
            else:
                return
        pending.append((kind, now_ms // 10, values))

    def write(self, series, now_ms):
        """Writes what waits. What the flash does not take goes on waiting."""
        try:
            if self._write(series):
                if self.problem == "journal_flash":
                    self.trouble("")
                return
            self.trouble("journal_full")
        except OSError as error:
            self.trouble("journal_flash", error)
            from controller import journal_files

            journal_files.again(self, series)
        series.due_ms = now_ms + _RETRY_MS

    def flush(self):
        """Writes all that waits, before the board is restarted."""
        for series in (self.measures, self.events):
            if series.pending and self.boot:
                self.write(series, self.controller.clock.now_ms())

    def _write(self, series):
        """False where there is no room."""
        data = bytearray()
        state = series.state
        seq = series.seq
        last_cs = series.last_cs
        in_force = series.in_force
        records = series.pending
        room = self.segment_bytes - series.size - 40 * len(records) >= 0
        if not room:
            from controller import journal_files

            if not journal_files.next_segment(self, series):
                return False
            free = journal_files.free_records(self, series, records[-1][1])
            records = [(_SEGMENT, records[0][1], None)] + records + free
        for kind, at_cs, values in records:
            if kind == _SEGMENT:
                values = (series.number + 1, seq, state, self.boot, at_cs)
                values += (self._utc_s(series, at_cs), series.writes) + in_force
                last_cs = at_cs
            elif kind == _START:
                values = (self.boot, at_cs) + values[2:]
                last_cs = at_cs
                in_force = (None, None)
            elif kind == _IN_FORCE:
                in_force = (values[0], values[2])
            at_cs = max(at_cs, last_cs)  # a note of a repair comes later, and first
            record = encode(kind, at_cs - last_cs, values)
            state = follow(state, record)
            data += record
            data += state[:CHECK]
            last_cs = at_cs
            seq += 1
        number = series.number if room else series.number + 1
        with open(self.path(series, number), "ab") as file:
            file.write(data)
        if not room:
            series.number = number
            series.size = 0
            series.count += 1
        series.size += len(data)
        series.state = state
        series.seq = seq
        series.last_cs = last_cs
        series.in_force = in_force
        series.writes += 1
        series.pending = []
        if series.lost:
            series.pending.append((_NOTE, last_cs, ("lost", series.lost, bytes(CHECK))))
            series.lost = 0
        return True

    def path(self, series, number):
        """Of the file of a segment."""
        return "%s%s%07d" % (self.folder, series.name, number)

    def _utc_s(self, series, at_cs):
        return None if series.utc_s is None else series.utc_s + at_cs // 100

    def trouble(self, code, *arguments):
        """Says what is wrong, once, where the owner sees it; "": nothing any more."""
        if code == self.problem:
            return
        faults = self.controller.faults
        if self._problem_text in faults:
            faults.remove(self._problem_text)
        self._problem_text = None
        self.problem = code
        if code:
            from controller import data

            text = data.text("events", code, [str(argument) for argument in arguments])
            self._problem_text = text
            self.controller.fault(text)
