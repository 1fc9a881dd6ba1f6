"""/api/journal: the records as JSON, CSV or bytes, and the table of measures; docs/journal.md.

All of it is made while it is sent: the heap holds one record. An empty piece lets others have
their turn.
"""

import json
import os
import struct

from controller import journal_files
from journal import reading

MAX_BODY = 0
_MAGIC = b"RGJX1\n"
_JSON = "application/json; charset=utf-8"
_PAUSE = 8  # records between two turns of others


class _Range:
    """What of a journal is asked for. last: number and size of the last segment as it is now.

    known: names of the arguments that count.
    """

    def __init__(self, door, request, known="from to kinds series lang"):
        journal = door.controller.journal
        if not journal or not journal.boot:
            raise door.refusal(404, "journal_off")
        args = request.args
        for name in args:
            if name and name not in known.split():
                allowed = ", ".join(known.split())
                raise door.refusal(400, "journal_argument", name[:32], allowed)
        self.from_s = _time(door, args, "from")
        self.to_s = _time(door, args, "to")
        series = args.get("series", "measures")
        if series not in ("measures", "events"):
            raise door.refusal(400, "journal_series")
        known = [names.split()[0] for names in reading.NAMES]
        self.kinds = [kind for kind in args.get("kinds", "").split(",") if kind]
        for kind in self.kinds:
            if kind not in known:
                raise door.refusal(400, "journal_kind", kind[:32], ", ".join(known))
        if self.kinds:  # what is missing is never left out
            self.kinds.append("broken")
        journal.flush()
        self.journal = journal
        self.name = series
        self.series = journal.measures if series == "measures" else journal.events
        self.last = self.series.number, self.series.size
        self.end = self.series.seq, self.series.state
        self.lang = args.get("lang", "en")

    def segments(self):
        """Generator over (number, file, size) of the segments that may hold something of it, and
        None where others may have their turn."""
        there = journal_files.numbers(self.journal, self.series)
        first = 0
        if self.from_s is not None:
            for i in range(1, len(there)):
                yield None
                began_s = self._began_s(there[i])
                if began_s is not None and began_s > self.from_s:
                    break
                if began_s is not None:
                    first = i
        for number in there[first:]:
            if number > self.last[0]:
                return
            yield None
            name = self.journal.path(self.series, number)
            try:
                size = os.stat(name)[6] if number < self.last[0] else self.last[1]
                file = open(name, "rb")
            except OSError:
                continue  # the next one shows that it is missing
            with file:
                yield number, file, size

    def _began_s(self, number):
        try:
            with open(self.journal.path(self.series, number), "rb") as file:
                reader = reading.Reader()
                reader.take(reading.frame(file.read))
                return reader.utc_s()
        except (reading.Broken, reading.BadRecord, OSError):
            return None

    def rows(self, reader):
        """Generator over the rows of the range, and None where others may have their turn. The
        first one says what went before, the last one what the chain ends with; one of the kind
        "broken" stands for what can't be read."""
        before = end = None
        count = 0
        for segment in self.segments():
            if segment is None:
                yield None
                continue
            before = before or reader.context()
            for row in reading.through(reader, *segment):
                broken = row["kind"] == "broken"
                utc_s = row["to"] if broken else row["utc_s"]
                if end is None and (self.from_s is None or utc_s is None or utc_s >= self.from_s):
                    end = before
                    yield before
                if end and not broken and utc_s and self.to_s is not None and utc_s > self.to_s:
                    yield {"kind": "end", "seq": end["seq"], "raw": end["raw"][:64]}
                    return
                count += 1
                if end:
                    yield row
                if count % _PAUSE == 0:
                    yield None
                if broken or end is None or self.to_s is not None:
                    before = reader.context()
                    end = end and before
        if reader.fault:
            if end is None:
                yield before
            end = reader.broken()
            yield end
        if end:
            yield reader.end()


def _time(door, args, name):
    text = args.get(name)
    if text is None:
        return None
    from journal.shown import seconds

    try:
        return seconds(text)
    except ValueError:
        raise door.refusal(400, "journal_time", name, text[:32])


def _sentence(lang):
    from controller import data

    return lambda code, arguments: data.text("events", code, arguments, lang)


def _json_parts(asked):
    from journal.shown import shown

    whole = "false" if asked.kinds else "true"
    yield '{"series": "%s", "verifiable": %s, "records": [' % (asked.name, whole)
    sentence = _sentence(asked.lang)
    mark = "\n"
    for row in asked.rows(reading.Reader()):
        if row is None:
            yield ""
        elif not asked.kinds or row["kind"] in asked.kinds:
            yield mark + json.dumps(shown(row, sentence))
            mark = ",\n"
    yield "\n]}\n"


def _csv_parts(asked):
    from journal.shown import COLUMNS, csv_line, shown

    yield COLUMNS.replace(" ", ";") + "\r\n"
    sentence = _sentence(asked.lang)
    for row in asked.rows(reading.Reader()):
        if row is None:
            yield ""
        elif not asked.kinds or row["kind"] in asked.kinds:
            yield csv_line(shown(row, sentence))


def _bytes_parts(asked):
    """Magic; of each segment its number and size (4 bytes, low first) and its bytes; at the end
    number 0, how many records there are, and the state of the chain."""
    yield _MAGIC
    for segment in asked.segments():
        if segment is None:
            yield b""
            continue
        number, file, size = segment
        yield struct.pack(b"<II", number, size)
        while size:
            try:
                data = file.read(min(size, 256))
            except OSError:
                data = bytes(min(size, 256))  # the size of the segment has been told
            size -= len(data)
            yield data
    seq, state = asked.end
    yield struct.pack(b"<II", 0, seq) + state


def _summary_parts(asked):
    """How much there is, and the table of measures."""
    from journal.measures import Measures
    from journal.shown import shown

    table = Measures()
    first = last = broken = None
    records = samples = 0
    yield '{"measures": ['
    mark = "\n"
    for row in asked.rows(reading.Reader()):
        done = []
        if row is None:
            yield ""
        elif row["kind"] == "broken":
            broken = broken or shown(row)
            done = table.left()
            samples += table.samples
            table = Measures()
        elif "up_ms" in row:
            records += 1
            first = row["utc_s"] if first is None else first
            last = row["utc_s"] or last
            done = table.take(row)
        for measure in done:
            measure["ended"] = measure["ended"] or "broken"
            yield mark + json.dumps(_dated(measure))
            mark = ",\n"
    for measure in table.left():
        yield mark + json.dumps(_dated(measure))
        mark = ",\n"
    more = _described(asked, first, last)
    more.update(records=records, samples=samples + table.samples, broken=broken)
    yield "\n], " + json.dumps(more)[1:] + "\n"


def _described(asked, first, last):
    """What there is of a journal; first and last: Unix seconds of records, or None."""
    from journal.shown import iso

    journal = asked.journal
    return {
        "first": iso(first),
        "last": iso(last),
        "seq": asked.end[0],
        "state": reading.hexed(asked.end[1]),
        "problem": journal.problem,
        "keep_days": journal.keep_days,
        "series": {
            series.name: {
                "segments": series.count,
                "most": journal.most[series.name],
                "flash_writes": series.writes,
            }
            for series in (journal.measures, journal.events)
        },
        "segment_bytes": journal.segment_bytes,
    }


def _dated(measure):
    from journal.shown import iso

    measure["begin"] = iso(measure["begin"])
    measure["end"] = iso(measure["end"])
    return measure


def _get_json(door, request):
    return _json_parts(_Range(door, request)), 200, _JSON


def _get_csv(door, request):
    return _csv_parts(_Range(door, request)), 200, "text/csv; charset=utf-8"


def _get_bytes(door, request):
    return _bytes_parts(_Range(door, request, "from series lang")), 200, "application/octet-stream"


def _get_summary(door, request):
    return _summary_parts(_Range(door, request, "from to series lang")), 200, _JSON


ROUTES = {
    "/api/journal": {"GET": _get_json},
    "/api/journal.csv": {"GET": _get_csv},
    "/api/journal.bin": {"GET": _get_bytes},
    "/api/journal/summary": {"GET": _get_summary},
}
