"""One damaged byte of a journal hides nothing but what follows it in its own segment."""

import io
import os

import pytest
from fakes import journal_site as at
from hypothesis import given, settings
from hypothesis import strategies as st

from journal import reading


def segments(folder):
    """{number: bytes} of the measures."""
    found = {}
    for name in at.names(folder):
        with open(folder + name, "rb") as file:
            found[int(name[1:])] = file.read()
    return found


def gone_through(found):
    """[row] of all segments, and what can't be read of the last one."""
    reader = reading.Reader()
    rows = []
    for number, data in found.items():
        for row in reading.through(reader, number, io.BytesIO(data), len(data)):
            rows.append(dict(row, of=reader.number))
    if reader.fault:
        rows.append(dict(reader.broken(), of=None))
    return rows


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """{number: bytes}, {number: rows}; a power cut tore the second of five segments."""
    folder = str(tmp_path_factory.mktemp("evidence")) + "/"
    c = at.Controller(folder, settings={"max_kb": 32, "keep_days": 730})
    torn = False
    while len(at.names(folder)) < 5:
        c.dim(4200)
        c.run(130)
        c.dim(None)
        c.run(5)
        if len(at.names(folder)) == 2 and not torn:
            torn = True
            with open(folder + "m0000002", "r+b") as file:
                file.truncate(os.path.getsize(file.name) - 3)
            c.clock.began_s += 1 + c.clock.ms // 1000
            c.clock.ms = 0
            c = at.Controller(folder, settings={"max_kb": 32, "keep_days": 730}, clock=c.clock)
    found = segments(folder)
    rows = gone_through(found)
    assert [row["code"] for row in rows if row["kind"] == "note"] == ["torn"]
    assert not [row for row in rows if row["kind"] == "broken"]
    return found, {number: [row for row in rows if row["of"] == number] for number in found}


def check(journal, number, place, change):
    data, rows = journal
    damaged = bytearray(data[number])
    damaged[place] ^= change
    found = gone_through({n: bytes(damaged) if n == number else data[n] for n in data})
    broken = [row for row in found if row["kind"] == "broken"]
    left = [row for row in found if row["kind"] != "broken"]
    end = 0
    whole = []  # of the damaged segment, before the damage
    for row in rows[number]:
        end += len(row["raw"]) // 2
        if end > place:
            break
        whole.append(row)
    expected = [row for n in rows for row in (whole if n == number else rows[n])]
    assert left == expected
    # What confirms a torn end is damaged: then that end is not confirmed any more.
    told = [row["segment"] for row in broken]
    assert told in ([number], [number - 1, number]), told
    before = [row for n in rows if n < number for row in rows[n]] + whole
    last = broken[-1]
    assert last["seq"] == (before[-1]["seq"] + 1 if before else 0)
    assert last["utc_s"] == (before[-1]["utc_s"] if before else None)
    assert last["to"] == (rows[number + 1][0]["utc_s"] if number + 1 in rows else None)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_one_damaged_byte_leaves_all_other_segments(journal, data):
    number = data.draw(st.sampled_from(sorted(journal[0])))
    place = data.draw(st.integers(0, len(journal[0][number]) - 1))
    check(journal, number, place, data.draw(st.integers(1, 255)))


def test_each_byte_at_the_ends_of_a_segment(journal):
    for number, data in journal[0].items():
        size = len(data)
        for place in [*range(120), *range(size - 40, size)]:
            check(journal, number, place, 1)
            check(journal, number, place, 0x80)


def test_segments_that_are_missing_are_said_once(journal):
    data, rows = journal
    found = gone_through({number: data[number] for number in (1, 4, 5)})
    broken = [row for row in found if row["kind"] == "broken"]
    assert [(row["segment"], row["code"]) for row in broken] == [(4, "segment")]
    assert broken[0]["seq"] == rows[1][-1]["seq"] + 1 and broken[0]["to"] == rows[4][0]["utc_s"]
    assert len(found) == 1 + sum(len(rows[number]) for number in (1, 4, 5))


class Bad(io.BytesIO):
    """A file whose second block the flash can't read."""

    def read(self, count=-1):
        if self.tell() + count > 2000:
            raise OSError(5)
        return super().read(count)


def test_a_block_that_can_not_be_read(journal):
    data, rows = journal
    reader = reading.Reader()
    found = []
    for number in data:
        file = (Bad if number == 3 else io.BytesIO)(data[number])
        found += [dict(row) for row in reading.through(reader, number, file, len(data[number]))]
    broken = [row for row in found if row["kind"] == "broken"]
    assert [(row["segment"], row["code"]) for row in broken] == [(3, "cut_off")]
    for number in (1, 2, 4, 5):
        assert {row["seq"] for row in rows[number]} <= {row["seq"] for row in found}
    assert len(found) < sum(map(len, rows.values()))
