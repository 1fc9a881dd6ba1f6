"""The journal's files: finding the end of what is there, beginning and dropping segments.

Loaded at the start and when a segment is full. docs/decisions/journal.md says what is kept.
"""

import os

from micropython import const

from journal import reading
from journal.records import BadRecord

_BLOCK = const(4096)  # of the flash; a file takes whole ones, less some pointers
_SMALL_BLOCKS = const(1)
_LARGE_BLOCKS = const(4)
_LARGE_FROM_KB = const(256)
_EVENTS_SHARE = const(32)
_DAY_S = const(86400)
_FREE_RECORD = const(10)
_NOTE = const(12)


def bounds(journal, config):
    """Sets what bounds a journal; config: settings["journal"]."""
    kb = config.get("max_kb", 1500)
    blocks = _LARGE_BLOCKS if kb >= _LARGE_FROM_KB else _SMALL_BLOCKS
    journal.segment_bytes = blocks * (_BLOCK - 16)
    segments = kb * 1024 // (blocks * _BLOCK)
    events = max(2, segments // _EVENTS_SHARE)
    journal.most = {"m": segments - events, "e": events}
    journal.keep_days = config.get("keep_days", 730)


def numbers(journal, series):
    """Numbers of the segments of a series that are there, the oldest first."""
    try:
        names = os.listdir(journal.folder[:-1] or ".")
    except OSError:
        return []
    name = series.name
    return sorted([int(n[1:]) for n in names if n[0] == name and len(n) == 8 and n[1:].isdigit()])


def resume(journal, now_ms):
    """Finds where each series ended, after a start; what a power cut tore off is noted."""
    bounds(journal, journal.controller.settings.doc["journal"])
    try:
        os.mkdir(journal.folder[:-1])
    except OSError:
        pass  # it is there; if not, the first write says so
    boot = 0
    for series in (journal.measures, journal.events):
        _take(journal, series, now_ms)
        boot = max(boot, series.boot)
        series.boot = 0
    journal.boot = boot + 1


def again(journal, series):
    """After a failed write: what of it is there after all needs not be written again."""
    seq = series.seq
    number = series.number
    waited = len(series.pending)
    try:
        first = _take(journal, series, journal.controller.clock.now_ms())
    except OSError:
        return
    done = series.seq - seq - (1 if series.number != number else 0)
    if first and len(series.pending) == waited:
        done -= 1  # the note that stood there is one of those that are done, or still to be
    if done > 0:
        del series.pending[first : first + done]


def _take(journal, series, now_ms):
    """Takes what the files say; 1 where a note on a torn tail has to be written first, else 0."""
    there = numbers(journal, series)
    series.count = len(there)
    reader = reading.Reader()
    size = 0
    last = len(there)
    while last and reader.state is None:
        last -= 1
        reader = reading.Reader()
        size = _scan(journal, series, there[last], reader)
    if there and (
        reader.state is None or last + 1 < len(there)
    ):  # not even the beginning of the last one can be read
        number = there[-1]
        size = os.stat(journal.path(series, number))[6]
        if size:
            with open(journal.path(series, number), "rb") as file:
                reader.fault = reader.fault or BadRecord()
                reader.torn = (size, reading.digest(file, size))
        else:
            os.remove(journal.path(series, number))
            there.pop()
    series.number = there[-1] if there else 0
    series.size = journal.segment_bytes if reader.fault or not there else size
    series.state = reader.state or os.urandom(32)
    series.seq = reader.seq
    series.last_cs = reader.up_cs
    series.boot = reader.boot
    series.in_force = (reader.dim_w, reader.phase_ma)
    series.reserve = series.name == "m" and len(there) >= journal.most["m"]
    if not reader.torn:
        return 0
    pending = series.pending
    if pending and pending[0][0] == _NOTE and pending[0][2][0] == "torn":
        pending.pop(0)
    pending.insert(0, (_NOTE, now_ms // 10, ("torn",) + reader.torn))
    return 1


def _scan(journal, series, number, reader):
    """Reads a segment to its end; its size."""
    name = journal.path(series, number)
    size = os.stat(name)[6]
    with open(name, "rb") as file:
        for row in reading.rows(reader, file, size):
            kind = row["kind"]
            if kind == "free":
                journal.free[row["source"]] = (row["formula"], row["value"])
            elif kind == "segment":
                series.writes = row["flash_writes"]
            else:
                series.writes += 1
    return size


def next_segment(journal, series):
    """Makes room for another segment; False where there is none."""
    there = numbers(journal, series)
    most = journal.most[series.name]
    if series.name == "e":
        while there and (
            len(there) >= most or (len(there) > 1 and not _room(journal, journal.leave_bytes))
        ):
            os.remove(journal.path(series, there.pop(0)))
        series.count = len(there)
        return _room(journal, journal.leave_bytes * 3 // 8)
    while len(there) >= most - 1 or not _room(journal, journal.leave_bytes):
        if not _drop_oldest(journal, series, there):
            break
    series.count = len(there)
    if len(there) < most - 1 and _room(journal, journal.leave_bytes):
        series.reserve = False
        if journal.problem in ("journal_reserve", "journal_full"):
            journal.trouble("")
        return True
    # What is left is for orders: the minutes end.
    if len(there) >= most or not _room(journal, journal.leave_bytes * 3 // 8):
        return False
    if not series.reserve:
        series.reserve = True
        journal.trouble("journal_reserve", journal.keep_days)
    return True


def free_records(journal, series, at_cs):
    """Each segment of measures says what formulas give without an order: a restart reads no more
    than the last one."""
    if series.name != "m":
        return []
    free = journal.free.items()
    return [(_FREE_RECORD, at_cs, (source, mark, value)) for source, (mark, value) in free]


def _drop_oldest(journal, series, there):
    """Removes the oldest segment if all in it is older than it has to be kept."""
    clock = journal.controller.clock
    if len(there) < 2 or not clock.trusted:
        return False
    reader = reading.Reader()
    try:
        with open(journal.path(series, there[1]), "rb") as file:
            reader.take(reading.frame(file.read))
    except (BadRecord, reading.Broken, IndexError):
        return False
    began_s = reader.utc_s()
    if began_s is None or clock.utc_s() - began_s < journal.keep_days * _DAY_S:
        return False
    os.remove(journal.path(series, there.pop(0)))
    return True


def _room(journal, least):
    """True where the flash has so many free bytes beside a segment."""
    try:
        stat = os.statvfs(journal.folder[:-1] or ".")
    except (OSError, AttributeError):
        return True
    return stat[0] * stat[3] >= least + journal.segment_bytes
