"""The tool on exports of a journal with damaged segments: it names them and checks the rest."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import journal_site as at

from tools import journal_verify

TOOL = Path(__file__).resolve().parents[2] / "tools" / "journal_verify.py"
FORMS = ("", ".csv", ".bin")


def exported(controller, form, **args):
    parts = at.export(controller, form, args)
    return b"".join(part.encode() if isinstance(part, str) else part for part in parts)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("evidence")) + "/"
    c = at.Controller(folder, settings={"max_kb": 60, "keep_days": 730})
    c.run(1)
    c.journal.segment_bytes = 700
    while len(at.names(folder)) < 6:
        c.dim(4200)
        c.run(2)
        c.clock.ms += 60000
        c.run(2)
        c.dim(None)
        c.run(2)
        c.clock.ms += 3600000
    return c


@pytest.fixture()
def damage(site):
    """Changes the byte at the middle of a segment; all is as it was after the test."""
    before = {}

    def change(number, place=300):
        path = Path(site.journal.folder, "m%07d" % number)
        data = before.setdefault(path, path.read_bytes())
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x20]) + data[place + 1 :])

    yield change
    for path, data in before.items():
        path.write_bytes(data)


@pytest.mark.parametrize("form", FORMS)
def test_the_rest_is_checked(site, damage, form):
    whole = journal_verify.verify(exported(site, form))
    assert not whole.faults and len(whole.all_measures()) > 15
    damage(2)
    damage(4)
    data = exported(site, form)
    result = journal_verify.verify(data)
    assert [fault[2].split(",")[0] for fault in result.faults] == ["segment 2", "segment 4"]
    for _, code, where in result.faults:
        assert code in ("broken", "check", "unreadable") and " 20" in where and " to 20" in where
    assert whole.records * 0.6 < result.records < whole.records
    found = [one["seq"] for one in result.all_measures() if one["ended"] == "released"]
    every = [one["seq"] for one in whole.all_measures()]
    assert found[0] == every[0] and found[-1] == every[-1] and set(found) <= set(every)
    assert result.states < whole.states and result.last == whole.last


@pytest.mark.parametrize("form", FORMS)
def test_damage_of_a_beginning_and_of_the_end(site, damage, form):
    last = at.names(site.journal.folder)[-1]
    number = int(last[1:])
    damage(1, 3)
    damage(number, os.path.getsize(site.journal.folder + last) - 1)
    faults = journal_verify.verify(exported(site, form)).faults
    assert [fault[2] for fault in faults][0].startswith("segment 1, ? to 20")
    assert [fault[2] for fault in faults][1].startswith("segment %d, 20" % number)
    assert len(faults) == 2 and faults[1][2].endswith(" to ?")


@pytest.mark.parametrize("form", FORMS[:2])
def test_more_changes_behind_a_damaged_segment_are_found(site, damage, form):
    damage(2)
    data = exported(site, form)
    victim = [row for row in json.loads(exported(site, ""))["records"] if "release" in row["kind"]]
    old = victim[-1]["raw"].encode()
    changed = data.replace(old, old[:-2] + (b"00" if old[-2:] != b"00" else b"01"))
    faults = journal_verify.verify(changed).faults
    assert len(faults) == 2 and faults[1][:2] == (victim[-1]["seq"], "check")
    # A row that says "broken" by itself hides nothing.
    row = json.loads(exported(site, ""))["records"][3]
    if form == "":
        document = json.loads(data)
        place = document["records"].index(victim[-1])
        document["records"][place:place] = [dict(row, kind="broken", segment=1, to="")]
        codes = [fault[1] for fault in journal_verify.verify(json.dumps(document).encode()).faults]
        assert codes == ["broken", "broken", "no_segment"]


def test_command_line(site, damage, tmp_path):
    damage(3)
    for form in FORMS:
        path = tmp_path / ("journal" + form)
        path.write_bytes(exported(site, form))
        command = [sys.executable, str(TOOL), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/")
        assert done.returncode == 1, done.stdout + done.stderr
        lines = [line for line in done.stdout.splitlines() if line.startswith("BROKEN")]
        assert len(lines) == 1 and "(segment 3, 20" in lines[0]
        assert done.stdout.count("dimming 4200 W") > 12
