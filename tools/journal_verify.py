"""Checks a journal: an exported file (bytes, JSON or CSV), or that of a controller.

python tools/journal_verify.py journal.bin
python tools/journal_verify.py --user admin:PASSWORD http://192.168.0.20
python tools/journal_verify.py --user admin:PASSWORD --cacert board.crt https://192.168.0.20

Prints the measures and says whether the chain of check values is whole. Ends with 0 where it is, 1
where it is broken or its end is missing, 2 where there is nothing to check. What the chain proves:
docs/decisions/journal.md.
"""

import argparse
import base64
import binascii
import hashlib
import http.client
import io
import json
import ssl
import struct
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "lib"), str(ROOT / "tools" / "cpython")]

import compat  # noqa: E402,F401

from journal import measures, reading  # noqa: E402
from journal.shown import COLUMNS, csv_line, iso, shown  # noqa: E402

MAGIC = b"RGJX1\n"
TEXTS = ROOT / "firmware" / "texts" / "events.json"
WHAT = {
    "check": "its check value is wrong: the record or one before it was changed or removed",
    "segment": "the segment does not continue the one before: records or a segment are missing",
    "unreadable": "it is not a record",
    "cut_off": "it ends in the midst of a record",
    "torn": "a note of a restart does not fit to what was torn off",
    "no_segment": "the beginning of the segment is missing",
    "begin": "the row that says what went before was changed",
    "end": "the end of the export is missing or does not fit: records may be missing",
    "shown": "what is shown is not what the record says",
    "magic": "the file does not begin as an export",
    "number": "the number of a segment was changed",
    "state": "the state noted earlier is not in this chain: it is another one, or a part of it",
    "rest": "there is something behind the end",
    "filtered": "it was exported with kinds=...: such a choice can't be checked",
    "broken": "the controller itself found its journal broken here; the rest is in the export",
}


ENDS = {
    "restart": "ended by a restart",
    "broken": "its end can't be read",
    "": "in force",
}


class Result:
    """faults: [(number of the record, code, where)]; records: rows; measures: the table."""

    def __init__(self):
        self.faults = []
        self.records = 0
        self.torn = []
        self.first = self.last = None
        self.state = ""
        self.states = set()
        self._table = measures.Measures()
        self.measures = []

    def fault(self, seq, code, where=""):
        self.faults.append((seq, code, where))

    def broken(self, seq, code, where=""):
        """A fault behind which the journal is read for itself."""
        self.fault(seq, code, where)
        for measure in self._table.left():
            self.measures.append(dict(measure, ended="broken"))
        self._table = measures.Measures()

    def take(self, row, state):
        self.records += 1
        self.states.add(reading.hexed(state))
        self.first = self.first or row["utc_s"]
        self.last = row["utc_s"] or self.last
        if row["kind"] == "note" and row["code"] == "torn":
            self.torn.append((row["seq"], row["number"]))
        self.measures += self._table.take(row)

    def all_measures(self):
        return self.measures + self._table.left()


def verify(data):
    """The Result for the bytes of an export."""
    result = Result()
    if data[:5] == MAGIC[:5] or data[:1] not in (b"{", b"a"):
        _bytes(data, result)
    elif data[:1] == b"{":
        _json(data, result)
    else:
        _csv(data, result)
    return result


def _bytes(data, result):
    if data[: len(MAGIC)] != MAGIC:
        return result.fault(0, "magic")
    file = io.BytesIO(data)
    file.seek(len(MAGIC))
    reader = reading.Reader()
    while True:
        head = file.read(8)
        if len(head) < 8:
            return result.fault(reader.seq, "end")
        number, size = struct.unpack("<II", head)
        if not number:
            break
        segment = file.read(size)
        if len(segment) < size:
            return result.fault(reader.seq, "end")
        for row in reading.through(reader, number, io.BytesIO(segment), size):
            if row["kind"] == "broken":
                result.broken(row["seq"], row["code"], _where(shown(row)))
                continue
            if row["kind"] == "segment" and row["number"] != number:
                result.fault(row["seq"], "number")
            result.take(row, reader.state)
    state = file.read(32)
    if reader.fault:
        row = reader.broken()
        result.broken(row["seq"], row["code"], _where(shown(row)))
    elif (size, state) != (reader.seq, reader.state or state) or len(state) < 32:
        result.fault(reader.seq, "end")
    elif file.read(1):
        result.fault(reader.seq, "rest")
    result.state = reading.hexed(state)


def _where(row):
    """Of what a row of the kind "broken" says."""
    return "segment %s, %s to %s" % (row["segment"], row["at"] or "?", row["to"] or "?")


def _sentences():
    return json.loads(TEXTS.read_text())


def _choices(code, arguments, sentences):
    """What an event may be in either language, or its code where its sentence is not known."""
    bare = " ".join([code, *arguments])
    try:
        return [text.format(*arguments) for text in sentences[code]] + [bare]
    except (KeyError, IndexError):
        return [bare]


def _rows(rows, result, same):
    """rows: those of an export, as dicts; same(expected row, index): is that what is shown?

    After a fault it goes on with the next segment.
    """
    reader = reading.Reader()
    sentences = _sentences()
    ended = lost = False
    for i, row in enumerate(rows):
        kind = row.get("kind") if isinstance(row, dict) else None
        if ended:
            return result.fault(reader.seq, "rest")
        if lost and kind not in ("segment", "broken", "end"):
            continue
        try:
            if i == 0:
                if kind != "begin":
                    raise reading.Broken(0, "begin")
                reader.resume(row)
                expected = [shown(reader.context())]
            elif kind == "end":
                ended = True
                if lost:
                    continue
                expected = [shown(reader.end())]
                result.state = reading.hexed(reader.state or b"")
            elif kind == "broken":
                result.broken(row["seq"], "broken", _where(row))
                reader = reading.Reader()
                lost = False
                continue
            else:
                lost = False
                expected = _expected(reader, row, result, sentences)
            if not any(same(one, i) for one in expected):
                raise reading.Broken(reader.seq - (kind not in ("begin", "end")), "shown")
            continue
        except reading.Broken as error:
            result.broken(error.seq, error.code)
        except (binascii.Error, TypeError, ValueError, KeyError):
            result.broken(reader.seq, "unreadable")
        reader = reading.Reader()
        lost = True
    if not ended:
        result.fault(reader.seq, "end")


def _expected(reader, row, result, sentences):
    """What may be shown for the record."""
    data = binascii.unhexlify(row["raw"])
    file = io.BytesIO(data)
    try:
        if reading.frame(file.read) != data:
            raise reading.Broken(reader.seq, "unreadable")
    except reading.BadRecord:
        raise reading.Broken(reader.seq, "unreadable") from None
    new = reader.take(data)
    result.take(dict(new), reader.state)
    if new["kind"] != "event":
        return [shown(new)]
    texts = _choices(new["code"], new["arguments"], sentences)
    return [shown(dict(new), lambda code, arguments, text=text: text) for text in texts]


def _json(data, result):
    try:
        document = json.loads(data)
        rows = document["records"]
        known = sorted(document) == ["records", "series", "verifiable"]
        if not known or document["series"] not in ("measures", "events"):
            raise ValueError
        if document["verifiable"] is not True:
            return result.fault(0, "filtered")
        if not rows and rows == []:
            return None  # nothing in that time
        rows = list(rows)
    except (ValueError, KeyError, TypeError):
        return result.fault(0, "unreadable")
    _rows(rows, result, lambda expected, i: expected == rows[i])


def _csv(data, result):
    try:
        lines = data.decode().split("\r\n")
    except UnicodeDecodeError as error:
        return result.fault(data[: error.start].count(b"\n"), "unreadable")
    if lines[0] != COLUMNS.replace(" ", ";") or lines.pop() != "":
        return result.fault(0, "begin" if len(lines) < 2 else "end")
    lines = lines[1:]
    if not lines:
        return None
    rows = []
    for line in lines:
        cells = line.split(";")
        columns = COLUMNS.split()
        row = {"kind": cells[1] if len(cells) > 1 else "", "raw": cells[-1], "at": ""}
        if row["kind"] in ("begin", "broken") and len(cells) == len(columns):
            cell = dict(zip(columns, cells, strict=True))
            row["at"] = cell["at"]
            row.update(
                {name: _number(cell[name]) for name in ("seq", "boot", "dim_w", "phase_ma")}
            )
            for pair in cell["more"].split(" "):
                name, _, value = pair.partition("=")
                row[name] = _number(value)
        rows.append(row)
    _rows(rows, result, lambda expected, i: csv_line(expected) == lines[i] + "\r\n")


def _number(text):
    return None if text in ("", "None") else int(text) if text.isdigit() else text


def fetch(url, user, series, cacert=None):
    """The bytes of the journal of a controller; cacert: file with the certificate to trust."""
    if "/api/journal" not in url:
        url = url.rstrip("/") + "/api/journal.bin?series=" + series
    request = urllib.request.Request(url)
    if user:
        token = base64.b64encode(user.encode()).decode()
        request.add_header("Authorization", "Basic " + token)
    context = ssl.create_default_context(cafile=cacert) if cacert else None
    with urllib.request.urlopen(request, timeout=60, context=context) as answer:
        return answer.read()


def _when(utc_s, ms):
    if utc_s is not None:
        return iso(utc_s)
    return "" if ms is None else "start + %d s" % (ms // 1000)


def table(found):
    """The measures as lines of text."""
    lines = [
        "%-20s  %-20s  %-17s %-9s %-16s %8s %8s  %s"
        % ("begin", "end", "source", "class", "limit", "sent s", "held s", "obeyed")
    ]
    for one in found:
        unit = {"percent": "%", "feed_in": "%", "current": "mA"}.get(one["limit"], "W")
        value = "Pmin" if one["value"] is None else "%s %s" % (one["value"], unit)
        obeyed = {True: "yes", False: "NO", None: "-"}[one["obeyed"]]
        details = list(one["flags"])
        if one["minutes_over"]:
            over = "mA" if one["limit"] in ("percent", "current", "power") else "W"
            details.append(
                "%d of %d min over, at most by %s %s"
                % (one["minutes_over"], one["minutes"], one["over"], over)
            )
        details.append(ENDS.get(one["ended"], ""))
        lines.append(
            "%-20s  %-20s  %-17s %-9s %-16s %8s %8s  %s"
            % (
                _when(one["begin"], one["begin_ms"]),
                _when(one["end"], one["end_ms"]),
                one["source"],
                one["class"],
                "%s %s" % (one["limit"], value),
                _seconds(one["after_ms"]),
                _seconds(one["within_ms"]),
                ", ".join([obeyed] + [detail for detail in details if detail]),
            )
        )
    return lines


def _seconds(ms):
    return "" if ms is None else "%.1f" % (ms / 1000)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("journal", help="exported file, or address of the controller (http://...)")
    parser.add_argument("--user", default="", help="admin:PASSWORD, for an address")
    parser.add_argument("--cacert", help="file with the certificate to trust, for https://")
    parser.add_argument("--series", default="measures", choices=("measures", "events"))
    parser.add_argument("--state", default="", help="a state noted earlier: is it in the chain?")
    options = parser.parse_args(arguments)
    try:
        if options.journal.startswith(("http://", "https://")):
            data = fetch(options.journal, options.user, options.series, options.cacert)
        else:
            data = Path(options.journal).read_bytes()
    except (OSError, http.client.HTTPException) as error:
        print("%s can't be read: %s" % (options.journal, error))
        return 2
    if not data:
        print("%s is empty" % options.journal)
        return 2
    result = verify(data)
    print("\n".join(table(result.all_measures())))
    print("%d records, %s to %s" % (result.records, iso(result.first), iso(result.last)))
    for seq, size in result.torn:
        print("record %d: %d bytes before it were torn off by a power cut" % (seq, size))
    print("SHA-256 of the file: " + hashlib.sha256(data).hexdigest())
    if options.state and options.state.lower() not in result.states:
        result.fault(0, "state")
    if not result.faults:
        print("The chain is whole; its state: " + result.state)
        return 0
    for seq, code, where in result.faults:
        print("BROKEN at record %d%s: %s." % (seq, " (%s)" % where if where else "", WHAT[code]))
    return 1


if __name__ == "__main__":
    sys.exit(main())
