"""Exports of a journal with a damaged segment: it is named, and all others are there."""

import binascii
import json
import os
import struct

from fakes import journal_site as at

FOLDER = at.folder("test_journal_damaged")
DAY_S = 86400


def parts(controller, path, **args):
    """Generator over the pieces of an export."""
    if "from_" in args:
        args["from"] = args.pop("from_")
    for part in at.export(controller, path, args):
        assert len(part) < 1200  # nothing gathers rows
        yield part


def rows(controller, **args):
    """What the tests need of each record of the JSON export."""
    found = []
    lines = list(parts(controller, "", **args))
    assert lines.pop() == "\n]}\n"
    for line in lines[1:]:
        if line:
            row = json.loads(line.lstrip(",\n"))
            keep = {"kind": row["kind"], "seq": row["seq"], "at": row["at"]}
            for name in ("number", "segment", "code", "to", "raw"):
                if name in row:
                    keep[name] = row[name]
            found.append(keep)
    return found


def summary_of(controller):
    """Its measures as (seq, ended, obeyed), and what follows them."""
    measures = []
    for part in parts(controller, "/summary"):
        if part[:1] in ("\n", ",") and "{" in part[:3]:
            one = json.loads(part.lstrip(",\n"))
            measures.append((one["seq"], one["ended"], one["obeyed"]))
    assert part[:4] == "\n], "
    return measures, json.loads("{" + part[4:])


def site():
    """A controller whose journal has four segments, an order each day."""
    at.empty(FOLDER)
    c = at.Controller(FOLDER, settings={"max_kb": 40, "keep_days": 730})
    c.run(1)
    c.journal.segment_bytes = 700
    while len(at.names(FOLDER)) < 4:
        c.dim(4200)
        c.run(2)
        c.clock.ms += 60000
        c.run(2)
        c.dim(None)
        c.run(2)
        c.clock.ms += DAY_S * 1000 - 66000
    return c


def damage(number, place):
    """Changes a byte of a segment; place: from its end where it is below 0."""
    name = FOLDER + "m%07d" % number
    with open(name, "rb") as file:
        data = bytearray(file.read())
    data[place] ^= 0x10
    with open(name, "wb") as file:
        file.write(data)


def by_segment(found):
    """{number of a segment: the hex of its records}, and the rows of the kind "broken"."""
    segments = {}
    broken = []
    for row in found:
        if row["kind"] == "broken":
            broken.append(row)
        elif row["kind"] not in ("begin", "end"):
            if row["kind"] == "segment":
                number = row["number"]
            segments.setdefault(number, []).append(row["raw"])
    return segments, broken


def test_a_damaged_segment_is_named_and_the_others_are_there():
    c = site()
    before = rows(c)
    whole, _ = by_segment(before)
    assert sorted(whole) == [1, 2, 3, 4]
    damage(2, 400)
    found = rows(c)
    assert [found[0]["kind"], found[-1]["kind"]] == ["begin", "end"]
    left, broken = by_segment(found)
    for number in (1, 3, 4):
        assert left[number] == whole[number], number
    count = len(left[2])
    assert 5 < count < len(whole[2]) and left[2] == whole[2][:count]
    assert len(broken) == 1
    row = broken[0]
    good = [one for one in before if one["kind"] not in ("begin", "end")]
    last = len(whole[1]) + count  # of those before it
    assert (row["segment"], row["seq"]) == (2, last) and row["code"] in ("check", "unreadable")
    after = [one for one in good if one.get("number") == 3 and one["kind"] == "segment"][0]
    assert row["at"] == good[last - 1]["at"] < after["at"] == row["to"]
    # The bytes lie as they are, each segment under its own number.
    binary = b"".join(parts(c, ".bin"))
    for number in (1, 2, 3, 4):
        with open(FOLDER + "m%07d" % number, "rb") as file:
            data = file.read()
        assert struct.pack("<II", number, len(data)) + data in binary


def test_csv_and_summary_go_on():
    c = site()
    whole, before = summary_of(c)
    damage(2, 400)
    lines = [part for part in parts(c, ".csv") if part]
    broken = [line for line in lines if ";broken;" in line]
    assert len(broken) == 1 and "segment=2" in broken[0] and "to=20" in broken[0]
    assert broken[0][:2] == "20"
    assert lines[-1].split(";")[1] == "end" and len([x for x in lines if ";segment;" in x]) == 4
    left, summary = summary_of(c)
    assert before["broken"] is None and summary["broken"]["segment"] == 2
    assert summary["broken"]["at"] < summary["broken"]["to"]
    lost = len(whole) - len(left)
    assert 0 < lost < len(whole) // 2 and left[-1] == whole[-1]
    assert {one[1] for one in left} <= {"released", "broken"}
    assert before["samples"] == len(whole)  # one each
    assert lost <= before["samples"] - summary["samples"] <= lost + 1


def test_an_order_whose_end_is_lost_is_no_longer_open():
    c = site()
    found = rows(c)
    starts = {}
    place = 0
    for row in found:
        if row["kind"] == "segment":
            place = 0
            number = row["number"]
        if row["kind"] == "command" and number == 2:
            starts[row["seq"]] = place + len(row["raw"]) // 2
        if row["kind"] != "begin":
            place += len(row["raw"]) // 2
    seq = sorted(starts)[1]
    damage(2, starts[seq] + 2)  # the record behind an order
    cut = [one for one in summary_of(c)[0] if one[1] != "released"]
    assert cut == [(seq, "broken", None)]


def test_a_beginning_that_is_damaged():
    c = site()
    whole, _ = by_segment(rows(c))
    for number in (1, 3):
        damage(number, 5)
        found = rows(c)
        left, broken = by_segment(found)
        assert sorted(left) == [n for n in (1, 2, 3, 4) if n != number]
        assert all([left[n] == whole[n] for n in left])
        assert [row["segment"] for row in broken] == [number]
        assert broken[0]["to"][:2] == "20" and (broken[0]["at"] == "") == (number == 1)
        damage(number, 5)  # as it was
    assert by_segment(rows(c)) == (whole, [])


def test_the_last_segment_and_two_of_them():
    c = site()
    whole, _ = by_segment(rows(c))
    damage(2, 5)
    damage(4, -1)
    found = rows(c)
    left, broken = by_segment(found)
    assert left == {1: whole[1], 3: whole[3], 4: whole[4][:-1]}
    assert [(row["segment"], row["to"] != "") for row in broken] == [(2, True), (4, False)]
    assert [row["kind"] for row in found[-2:]] == ["broken", "end"]


def test_a_choice_of_time_and_kinds():
    c = site()
    before = rows(c)
    damage(2, 400)
    gap = by_segment(rows(c))[1][0]
    good = [row for row in before if row["kind"] not in ("begin", "end")]

    def chosen(**args):
        """What of the whole journal lies in a time and is not lost, against the export."""
        found = rows(c, **args)
        times = [row["at"] for row in found if row["kind"] not in ("begin", "end", "broken")]
        low, high = args.get("from_", ""), args.get("to", "9")
        lost = [row for row in good if gap["at"] < row["at"] < gap["to"]]
        expected = [row["at"] for row in good if row not in lost and low <= row["at"] <= high]
        assert abs(len(times) - len(expected)) <= 8, (args, len(times), len(expected))
        assert all([low <= time <= high for time in times])
        if found:
            assert [found[0]["kind"], found[-1]["kind"]] == ["begin", "end"]
        return [row["segment"] for row in found if row["kind"] == "broken"]

    day, after = gap["at"], gap["to"]
    assert chosen(from_=day) == [2] and chosen(to=after) == [2]
    assert chosen(from_=good[5]["at"], to=after) == [2]
    # Wholly before or behind what is lost: it is not told.
    assert chosen(to=good[10]["at"]) == []
    later = [row["at"] for row in good if row["at"] > after]
    assert chosen(from_=later[3]) == [] and chosen(from_=later[3], to=later[20]) == []
    # In the midst of it: nothing is there, and why.
    middle = [row["at"] for row in good if day < row["at"] < after]
    middle = middle[len(middle) // 2]
    assert chosen(from_=middle, to=middle) == [2]
    kinds = [row["kind"] for row in rows(c, kinds="release")]
    assert kinds.count("broken") == 1 and set(kinds) == {"broken", "release"}


def test_a_segment_that_can_not_be_opened():
    c = site()
    whole, _ = by_segment(rows(c))
    os.remove(FOLDER + "m0000003")
    os.mkdir(FOLDER + "m0000003")
    try:
        left, broken = by_segment(rows(c))
        assert left == {n: whole[n] for n in (1, 2, 4)}
        # The VM opens a folder and can't read it then.
        told = [(row["segment"], row["code"]) for row in broken]
        assert told in ([(4, "segment")], [(3, "cut_off")]), told
        assert binascii.unhexlify(whole[4][0]) in b"".join(parts(c, ".bin"))
    finally:
        os.rmdir(FOLDER + "m0000003")
