"""Reads journals: bytes to rows, with the chain of check values; raises Broken where it breaks.

A row is a dict with seq, kind, boot, up_ms (time since the start of the board), utc_s (None while
the clock is not known), what its kind says (NAMES), and raw (all of the record as hex).
"""

import binascii
import hashlib

from micropython import const

from journal.records import CHECK, TYPES, BadRecord, follow

# By kind, in the order of records.TYPES. "up" is in hundredths of a second. Names that begin with
# "-" are of use to the chain only; they are not shown.
NAMES = (
    "segment number first -state boot -up -utc flash_writes dim_w phase_ma",
    "start boot -up -utc code",
    "clock utc_s code jump_s",
    "command source class limit value taken_ms code net_w used_w",
    "in_force dim_w pmin_w phase_ma",
    "applied source after_ms",
    "within source after_ms used",
    "allotted unit devices",
    "sample net_w -spare own_w phase_ma",
    "release source lasted_ms flags minutes minutes_over over",
    "free source formula value",
    "event code arguments unsaid",
    "note code number -hash",
)
_CLASSES = ("operator", "failsafe", "test", "formula")
_LIMITS = ("none", "percent", "current", "power", "dimming", "feed_in")
_FLAGS = ("late", "below_minimum", "not_within", "not_judged", "changed", "all_stopped")
_NOTE = const(12)
_CONTEXT = "seq boot up_cs clock_utc_s clock_up_cs dim_w phase_ma"


class Broken(Exception):
    """The chain breaks. seq: number of the record that does not fit; code: what is wrong."""

    def __init__(self, seq, code):
        super().__init__("record %d: %s" % (seq, code))
        self.seq = seq
        self.code = code


def frame(read):
    """One record with its check value out of a file's read(count), b"" at the end.

    Raises BadRecord where less than a whole record is left.
    """
    head = read(1)
    if not head:
        return b""
    size = head[0] & 15
    if size == 15:
        more = read(1)
        if not more:
            raise BadRecord
        head += more
        size = more[0]
    data = read(size + CHECK)
    if len(data) < size + CHECK:
        raise BadRecord
    return head + data


class _Body:
    def __init__(self, record, at):
        self._data = record
        self._at = at

    def bytes(self, count):
        data = self._data[self._at : self._at + count]
        if len(data) < count:
            raise BadRecord
        self._at += count
        return bytes(data)

    def number(self):
        value = shift = 0
        while True:
            byte = self.bytes(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def signed(self):
        value = self.number()
        if not value:
            return None
        return (value - 1) // 2 if value & 1 else -(value // 2)

    def text(self):
        try:
            return self.bytes(self.bytes(1)[0]).decode()
        except ValueError:
            raise BadRecord

    def value(self, what):
        if what == "z" and self._at == len(self._data):
            return None
        if what == "v":
            return self.number()
        if what == "z":
            return self.signed()
        if what == "s":
            return self.text()
        if what == "S":
            return [self.text() for _ in range(self.bytes(1)[0])]
        if what == "p":
            pairs = []
            for _ in range(self.bytes(1)[0]):
                text = self.text()
                pairs.append([text, self.signed()])
            return pairs
        return self.bytes(32 if what == "h" else CHECK)

    def end(self):
        if self._at != len(self._data):
            raise BadRecord


def decode(record):
    """(kind, hundredths of a second since the one before, values) of a record without its check
    value. Raises BadRecord."""
    body = _Body(record, 2 if record[0] & 15 == 15 else 1)
    kind = record[0] >> 4
    if kind >= len(TYPES):
        raise BadRecord
    passed_cs = body.number()
    values = [body.value(what) for what in TYPES[kind]]
    body.end()
    return kind, passed_cs, values


def hexed(data):
    return binascii.hexlify(data).decode()


class Reader:
    """Follows the records of one journal; what it knows at each moment is its fields.

    state: of the chain, None before the first record; seq: number of the next record; number: of
    the segment; known: seq and utc_s where the chain broke last.
    """

    def __init__(self, known=(0, None)):
        self.known = known
        self.state: "bytes | None" = None
        self.number = self.seq = self.boot = self.up_cs = 0
        self.clock_utc_s: "int | None" = None
        self.clock_up_cs: "int | None" = None
        self.dim_w: "int | None" = None
        self.phase_ma: "int | None" = None
        # (bytes, beginning of their SHA-256) that could not be read, and why.
        self.torn: "tuple | None" = None
        self.fault: "Exception | None" = None

    def context(self):
        """A row that says what must be known to read on from here."""
        row: dict = {name: getattr(self, name) for name in _CONTEXT.split()}
        row["kind"] = "begin"
        row["raw"] = hexed((self.state or bytes(32)) + self._context_check())
        return row

    def _context_check(self):
        values = [str(getattr(self, name)) for name in _CONTEXT.split()]
        return follow(self.state or b"", " ".join(values).encode())[:CHECK]

    def resume(self, row):
        """Takes the row of context(). Raises Broken."""
        for name in _CONTEXT.split():
            setattr(self, name, row[name])
        raw = binascii.unhexlify(row["raw"])
        self.state = raw[:32] if raw[:32] != bytes(32) else None
        if raw[32:] != self._context_check():
            raise Broken(self.seq, "begin")

    def broken(self, until_s=None):
        """A row in place of what can't be read, from the last record (utc_s) to the next one
        (to; None: not known). Forgets the chain."""
        if self.state:
            self.known = self.seq, self.utc_s()
        code = getattr(self.fault, "code", "segment")
        row = {"kind": "broken", "segment": self.number, "code": code, "to": until_s}
        row["seq"], row["utc_s"] = self.known
        self.__init__(self.known)
        return row

    def end(self):
        """The row that ends an export: nothing is missing before it."""
        return {"kind": "end", "seq": self.seq, "raw": hexed(self.state or bytes(32))}

    def utc_s(self):
        if self.clock_utc_s is None or self.clock_up_cs is None:
            return None
        return self.clock_utc_s + (self.up_cs - self.clock_up_cs) // 100

    def take(self, data):
        """The row of the next record (with check value). Raises Broken."""
        record = data[:-CHECK]
        try:
            kind, passed_cs, values = decode(record)
        except (BadRecord, IndexError):
            raise Broken(self.seq, "unreadable")
        state = self.state
        if kind == 0:
            state = self._before(values)
        elif state is None:
            raise Broken(self.seq, "no_segment")
        state = follow(state, record)
        if state[:CHECK] != data[-CHECK:]:
            raise Broken(self.seq, "check")
        if self.torn and kind:
            torn, self.torn = self.torn, None
            if kind != _NOTE or values[0] != "torn" or (values[1], values[2]) != torn:
                raise self.fault or Broken(self.seq, "torn")
            self.fault = None
        self.state = state
        self.up_cs += passed_cs
        row = self._row(kind, values)
        row["raw"] = hexed(data)
        self.seq += 1
        return row

    def _before(self, values):
        """The state that a segment continues."""
        if self.state and (self.state != values[2] or self.seq != values[1]):
            raise self.fault or Broken(self.seq, "segment")
        return values[2]

    def _row(self, kind, values):
        names = NAMES[kind].split()
        row = {"kind": names[0]}
        more = {}
        for name, value in zip(names[1:], values):
            if name[0] == "-":
                more[name] = value
            else:
                row[name] = value
        if kind < len(self._take):
            self._take[kind](self, row, more)
        row["seq"] = self.seq
        row["boot"] = self.boot
        row["up_ms"] = self.up_cs * 10
        row["utc_s"] = self.utc_s()
        return row

    def _from(self, row, more):
        self.boot = row["boot"]
        self.up_cs = more["-up"]
        self.clock_utc_s = more["-utc"]
        self.clock_up_cs = self.up_cs

    def _segment(self, row, more):
        self._from(row, more)
        self.seq = row["first"]
        self.dim_w = row["dim_w"]
        self.phase_ma = row["phase_ma"]

    def _start(self, row, more):
        self._from(row, more)
        self.dim_w = self.phase_ma = None

    def _clock(self, row, more):
        self.clock_utc_s = row["utc_s"]
        self.clock_up_cs = self.up_cs

    def _command(self, row, more):
        row["class"] = _of(_CLASSES, row["class"])
        row["limit"] = _of(_LIMITS, row["limit"])
        row["taken_ms"] *= 10

    def _force(self, row, more):
        self.dim_w = row["dim_w"]
        self.phase_ma = row["phase_ma"]

    def _after(self, row, more):
        row["after_ms"] *= 10

    def _allot(self, row, more):
        row["unit"] = "W" if row["unit"] else "mA"

    def _sample(self, row, more):
        # What is used is noted as what is left of the ceiling: that is shorter.
        own_w = row["own_w"]
        ceiling_w = None
        if own_w is not None and self.dim_w is not None:
            ceiling_w = self.dim_w + own_w
        spare_w = more["-spare"]
        row["ceiling_w"] = ceiling_w
        row["used_w"] = None if spare_w is None else (ceiling_w or 0) - spare_w
        row["limit_ma"] = self.phase_ma
        if row["phase_ma"] is not None:
            row["phase_ma"] *= 10

    def _release(self, row, more):
        row["lasted_ms"] *= 10
        bits = row["flags"]
        row["flags"] = [_FLAGS[n] for n in range(len(_FLAGS)) if bits >> n & 1]

    # By kind, as NAMES; the others say all themselves.
    _take = _segment, _start, _clock, _command, _force, _after, _after, _allot, _sample, _release


def _of(names, number):
    return names[number] if number < len(names) else str(number)


def rows(reader, file, size):
    """Generator over the rows of one segment of so many bytes; file: at its beginning.

    Where it can't be read any further, reader.fault is that Broken and reader.torn says what is
    left: the segment that follows may confirm that (a write that a power cut ended).
    """
    left = size
    while left:
        data, row, fault = b"", None, None
        try:
            data = frame(_Part(file, left).read)
            if not data:
                raise BadRecord
            row = reader.take(data)
        except BadRecord:
            fault = Broken(reader.seq, "cut_off")
        except Broken as error:
            fault = error
        if fault:
            if reader.fault:  # nothing confirmed that one
                raise reader.fault
            reader.fault = fault
            file.seek(size - left)
            reader.torn = (left, digest(file, left))
            return
        left -= len(data)
        yield row


def through(reader, number, file, size):
    """As rows() of the segment of that number, but goes on where the chain breaks: first a row of
    Reader.broken(), then the segment for itself. What can't be read of it is said by the segment
    that follows; behind the last one the caller asks for reader.fault."""
    if size and not _begin(reader, file, size):
        own = _begin(Reader(), file, size)
        if own and not reader.fault:
            reader.number = number  # whole, but something before it is missing
        if own or reader.fault:
            yield reader.broken(own.utc_s() if own else None)
    reader.number = number
    yield from rows(reader, file, size)


def _begin(reader, file, size):
    """A reader behind the record that begins a segment, and the note on what could not be read
    before it. None where they do not continue what was read."""
    new = Reader()
    new.state, new.seq, new.torn = reader.state, reader.seq, reader.torn
    part = _Part(file, size)
    try:
        new.take(frame(part.read))
        if new.torn:
            new.take(frame(part.read))
    except (BadRecord, Broken):
        new = None
    file.seek(0)
    return new


class _Part:
    """So many bytes of a file."""

    def __init__(self, file, left):
        self._file = file
        self._left = left

    def read(self, count):
        try:
            data = self._file.read(min(count, self._left))
        except OSError:  # a block that the flash can't read any more
            raise BadRecord
        self._left -= len(data)
        return data


def digest(file, count):
    """What a note says of bytes that could not be read: the beginning of their SHA-256."""
    check = hashlib.sha256()
    try:
        while count:
            data = file.read(min(count, 256))
            check.update(data)
            count -= len(data)
    except OSError:
        pass  # what can be read has to do
    return check.digest()[:CHECK]
