"""The table of measures out of the rows of a journal: each order of the grid operator, what came
of it, and whether it was obeyed.
"""

from micropython import const

LATE_S = const(300)  # BK6-22-300 annex 1, 4.2 sentence 5: five minutes count as without delay


class Measures:
    """take(row) of every row returns the measures that end with it; left() those still open.

    A measure: source, class, limit, value, begin and end (utc_s, or None), boot, begin_ms, end_ms
    (time since the start of the board), code, below_minimum, after_ms (until all setpoints were
    sent), within_ms (until the draw was within the limit), minutes, minutes_over, over, flags,
    obeyed (True, False, None: not judged, or not over yet), ended ("released", "changed",
    "restart", "").
    """

    def __init__(self):
        self._open = {}
        self.samples = 0
        self.pmin_w = None
        self._last = (None, 0)

    def take(self, row):
        kind = row["kind"]
        done = []
        if kind == "start":
            done = self._interrupted()
        elif kind == "command":
            self._open[row["source"]] = self._begun(row)
        elif kind == "in_force":
            self.pmin_w = row["pmin_w"]
            for measure in self._open.values():
                if measure["limit"] == "dimming":
                    measure["pmin_w"] = self.pmin_w
        elif kind in ("applied", "within"):
            measure = self._open.get(row["source"])
            if measure:
                measure["after_ms" if kind == "applied" else "within_ms"] = row["after_ms"]
        elif kind == "clock":
            self._date(row)
        elif kind == "release":
            measure = self._open.pop(row["source"], None)
            if measure:
                done.append(self._released(measure, row))
        elif kind == "sample":
            self.samples += 1
        if "up_ms" in row:
            self._last = (row["utc_s"], row["up_ms"])
        return done

    def left(self):
        """Those that had not ended."""
        return list(self._open.values())

    def _begun(self, row):
        taken_ms = row["taken_ms"]
        utc_s = row["utc_s"]
        return {
            "source": row["source"],
            "class": row["class"],
            "limit": row["limit"],
            "value": row["value"],
            "code": row["code"],
            "pmin_w": None,
            "seq": row["seq"],
            "boot": row["boot"],
            "begin": None if utc_s is None else utc_s - taken_ms // 1000,
            "begin_ms": row["up_ms"] - taken_ms,
            "end": None,
            "end_ms": None,
            "after_ms": None,
            "within_ms": None,
            "minutes": 0,
            "minutes_over": 0,
            "over": None,
            "flags": [],
            "obeyed": None,
            "ended": "",
        }

    def _date(self, row):
        """What began before the clock was known gets its date."""
        for measure in self._open.values():
            if measure["begin"] is None:
                measure["begin"] = row["utc_s"] - (row["up_ms"] - measure["begin_ms"]) // 1000

    def _interrupted(self):
        """A restart ends what is open; the last record before it is the last that is known."""
        done = self.left()
        self._open = {}
        for measure in done:
            measure["end"], measure["end_ms"] = self._last
            measure["ended"] = "restart"
        return done

    def _released(self, measure, row):
        for name in ("minutes", "minutes_over", "over", "flags"):
            measure[name] = row[name]
        flags = row["flags"]
        measure["end"] = row["utc_s"]
        measure["end_ms"] = row["up_ms"]
        measure["ended"] = "changed" if "changed" in flags else "released"
        if "not_judged" not in flags:
            measure["obeyed"] = "late" not in flags and not row["minutes_over"]
        return measure
