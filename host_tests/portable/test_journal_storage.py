"""The journal's room on the flash: what is dropped, what outlasts a failure, what is damaged."""

import os

from fakes import journal_site as at

from journal import reading

FOLDER = at.folder("test_journal_storage")


def started(**more):
    at.empty(FOLDER)
    return at.Controller(FOLDER, **more)


def test_events_never_take_more_than_their_share():
    c = started(settings={"max_kb": 32, "keep_days": 730})
    c.dim(4200)
    c.run(3)
    for n in range(900):
        c.journal.event("fault", ("number %d" % n, "x" * 60))
        c.clock.ms += 60000
        c.run(1)
    assert len(at.names(FOLDER, "e")) == 2
    for row in at.each(FOLDER, "e"):  # a chain without its beginning
        pass
    assert row["arguments"][0] == "number 899"
    assert at.table(at.each(FOLDER))[0]["source"] == "C1"


def count(folder, kind):
    return sum([row["kind"] == kind for row in at.each(folder)])


def test_full_before_its_time_says_so_and_keeps_orders():
    c = started(settings={"max_kb": 32, "keep_days": 730})
    c.dim(4200)
    first = None
    for _ in range(4000):
        c.run(60)
        first = first or at.names(FOLDER)
        if c.journal.problem:
            break
    assert c.journal.problem == "journal_reserve" and len(c.faults) == 1
    assert "730" in c.faults[0]
    samples = count(FOLDER, "sample")
    c.run(600)
    c.dim(None)
    c.run(3)
    assert count(FOLDER, "sample") <= samples + 1 and count(FOLDER, "release") == 1
    assert at.names(FOLDER)[0] == first[0]
    for _ in range(300):
        c.dim(4200)
        c.run(5)
        c.dim(None)
        c.run(5)
    assert c.journal.problem == "journal_full" and len(c.faults) == 1
    assert at.names(FOLDER)[0] == first[0] and len(at.names(FOLDER)) == 6
    assert count(FOLDER, "release") > 30


def test_flash_that_fails_again_loses_no_word_of_what_is_lost():
    from controller import journal

    def failing(path, mode="r", *more):
        if fails and "a" in mode:
            raise OSError(5)
        return open(path, mode, *more)

    fails = False
    c = started()
    c.dim(4200)
    c.run(3)
    write = c.journal.write

    def write_once(series, now_ms):
        nonlocal fails
        write(series, now_ms)
        if series is c.journal.measures and series.pending:
            fails = True  # again, for the note

    journal.open = failing
    try:
        fails = True
        for _ in range(70):
            c.journal.note(8, (1, 2, 3, 4), c.clock.ms)  # a sample
        c.run(2)
        lost = c.journal.measures.lost
        assert lost
        fails = False
        c.journal.write = write_once
        c.run(63)
        fails = False
        c.journal.write = write
        c.run(130)
    finally:
        del journal.open
    told = [row for row in at.rows(FOLDER) if row["kind"] == "note"]
    assert [row["number"] >= lost for row in told if row["code"] == "lost"] == [True], told


def test_full_it_gathers_nothing():
    c = started(settings={"max_kb": 32, "keep_days": 730})
    limit = c.site.house.set_limits[0]
    limit.say("formula", ("PB.input2 ? 25000 : 63000",), 63000, (63000,) * 3, 0)
    c.run(2)
    for n in range(4000):
        c.dim(4200 + n % 2)
        c.run(5)
        if c.journal.problem == "journal_full":
            break
    assert c.journal.problem == "journal_full"
    c.run(600)
    waiting = len(c.journal.measures.pending)
    c.run(3600)
    assert len(c.journal.measures.pending) <= waiting + 1


def test_oldest_is_dropped_only_when_old_enough():
    c = started(settings={"max_kb": 32, "keep_days": 2})
    c.dim(4200)
    for _ in range(4000):
        c.run(1)
        c.clock.ms += 599000
        names = at.names(FOLDER)
        if names and names[0] != "m0000001":
            break
    assert names[0] == "m0000002" and not c.faults
    left = next(at.each(FOLDER))
    assert c.clock.utc_s() - left["utc_s"] >= 2 * 86400
    assert left["seq"] > 100


def test_torn_end_is_repaired_with_a_note():
    c = started()
    c.dim(4200)
    c.run(130)
    whole = at.rows(FOLDER)
    with open(FOLDER + at.names(FOLDER)[0], "rb") as file:
        data = file.read()
    last = len(whole[-1]["raw"]) // 2
    for cut in range(1, last):
        at.empty(FOLDER)
        with open(FOLDER + "m0000001", "wb") as file:
            file.write(data[:-cut])
        c = at.Controller(FOLDER)
        c.dim(4200)
        c.run(3)
        found = at.rows(FOLDER)
        assert found[: len(whole) - 1] == whole[:-1]
        note = [row for row in found if row["kind"] == "note"]
        assert len(note) == 1 and note[0]["code"] == "torn" and note[0]["number"] == last - cut
        assert "command" in [row["kind"] for row in found[len(whole) :]]


def test_every_changed_byte_is_found():
    c = started()
    c.dim(4200)
    c.run(70)
    c.dim(None)
    c.run(3)
    name = FOLDER + at.names(FOLDER)[0]
    with open(name, "rb") as file:
        data = bytearray(file.read())
    for i in range(len(data)):
        data[i] ^= 1 << i % 8
        with open(name, "wb") as file:
            file.write(data)
        data[i] ^= 1 << i % 8
        try:
            at.rows(FOLDER)
        except reading.Broken:
            continue
        raise AssertionError("byte %d" % i)


def test_removed_record_and_segment_are_found():
    c = started(settings={"max_kb": 32, "keep_days": 730})
    c.dim(4200)
    c.run(60 * 1000)
    assert len(at.names(FOLDER)) > 3
    with open(FOLDER + "m0000002", "rb") as file:
        data = file.read()
    second = None
    for row in at.each(FOLDER):
        if row["kind"] == "segment" and row["number"] == 2:
            second = row
            size = len(row["raw"]) // 2
        elif second and row["seq"] == second["seq"] + 1:
            after = len(row["raw"]) // 2
            break
    with open(FOLDER + "m0000002", "wb") as file:
        file.write(data[:size] + data[size + after :])
    broken(second["seq"] + 1, "check")
    os.remove(FOLDER + "m0000002")
    broken(second["seq"], "segment")


def broken(seq, code):
    try:
        for _ in at.each(FOLDER):
            pass
    except reading.Broken as error:
        assert (error.seq, error.code) == (seq, code), error
    else:
        raise AssertionError("not found")
