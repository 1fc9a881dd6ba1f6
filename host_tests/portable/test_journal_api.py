"""The exports of the journal, made piece by piece."""

import json

from fakes import journal_site as at

from controller.refusal import Refusal
from doors import journal_api

FOLDER = at.folder("test_journal_api")


class Refused(Refusal):
    area = "http"

    def __init__(self, status, code, *arguments):
        super().__init__(code, *arguments)
        self.status = status


class Door:
    refusal = Refused

    def __init__(self, controller):
        self.controller = controller


class Request:
    def __init__(self, args):
        self.args = args


def get(controller, path, **args):
    if "from_" in args:
        args["from"] = args.pop("from_")
    function = journal_api.ROUTES[path]["GET"]
    parts, status, kind = function(Door(controller), Request(args))
    assert status == 200
    parts = [part.encode() if isinstance(part, str) else part for part in parts]
    assert max([len(part) for part in parts]) < 1200
    return b"".join(parts)


def rows(controller, **args):
    return json.loads(get(controller, "/api/journal", **args))["records"]


def site(days=2):
    at.empty(FOLDER)
    c = at.Controller(FOLDER)
    for _ in range(days):
        c.dim(4200)
        c.run(130)
        c.dim(None)
        c.run(5)
        c.clock.ms += 86400000 - 135000
    return c


def test_json_has_a_beginning_all_records_and_an_end():
    c = site()
    found = rows(c)
    told = [row["kind"] for row in found]
    assert told[:4] == ["begin", "segment", "start", "command"] and told[-1] == "end"
    assert told.count("sample") == 4 and told.count("release") == 2
    assert found[-1]["seq"] == len(found) - 2
    sample = [row for row in found if row["kind"] == "sample"][0]
    assert sample["at"] == "2025-11-24T16:01:01Z" and sample["ceiling_w"] == 4200


def test_a_time_and_kinds():
    c = site()
    found = rows(c, from_="2025-11-25")
    assert [row["kind"] for row in found][:2] == ["begin", "command"]
    assert found[-1]["kind"] == "end"
    before = rows(c, to="2025-11-25")
    assert before[-1]["kind"] == "end" and before[-1]["seq"] == found[0]["seq"]
    assert before[-1]["raw"] == found[0]["raw"][:64]
    assert rows(c, from_="2026-01-01") == []
    samples = json.loads(get(c, "/api/journal", kinds="sample,release"))
    assert not samples["verifiable"] and len(samples["records"]) == 6


def test_events_have_sentences():
    c = site(1)
    c.journal.event("login_failed", ("10.0.0.7", "", 0))
    assert rows(c, series="events")[-2]["text"].startswith("A login with a wrong password")
    german = rows(c, series="events", lang="de")[-2]["text"]
    assert german.startswith("Eine Anmeldung mit falschem Passwort")


def test_csv():
    lines = get(site(1), "/api/journal.csv").decode().split("\r\n")
    assert lines[0].startswith("at;kind;source") and lines.pop() == ""
    assert lines[4].startswith("2025-11-24T16:00:01Z;command;C1;operator;dimming;4200;")
    assert lines[-1].split(";")[1] == "end"


def test_summary():
    c = site()
    document = json.loads(get(c, "/api/journal/summary"))
    assert [one["source"] for one in document["measures"]] == ["C1", "C1"]
    assert document["measures"][0]["obeyed"] is True
    assert document["measures"][0]["begin"] == "2025-11-24T16:00:00Z"
    assert document["records"] == document["seq"] and document["broken"] is None
    assert document["series"]["m"]["segments"] == 1 and document["keep_days"] == 730


def test_from_finds_the_segment():
    at.empty(FOLDER)
    c = at.Controller(FOLDER, settings={"max_kb": 32, "keep_days": 730})
    c.dim(4200)
    c.run(60)
    for _ in range(800):
        c.clock.ms += 59000
        c.run(1)
    segments = rows(c, kinds="segment")
    assert [row["number"] for row in segments][:3] == [1, 2, 3]
    found = rows(c, from_=str(c.clock.utc_s() - 200))
    assert [row["kind"] for row in found] == ["begin"] + 4 * ["sample"] + ["end"]
    assert found[0]["seq"] > segments[-1]["seq"] and found[0]["dim_w"] == 4200
    assert found[1]["ceiling_w"] == 4200


def test_what_is_wrong_is_said():
    c = site(1)
    for args, word in (
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-13-01"}, "to"),
        ({"kinds": "sample,x"}, "x"),
        ({"series": "all"}, "series"),
        ({"form": "1"}, "form"),
    ):
        try:
            get(c, "/api/journal", **args)
        except Refusal as error:
            assert error.status == 400 and word in str(error), str(error)
            assert error.text("de") != str(error)
        else:
            raise AssertionError(args)
    for path, args in (
        (".bin", {"to": "2026-01-01"}),
        (".bin", {"kinds": "sample"}),
        ("/summary", {"kinds": "sample"}),
    ):
        try:
            get(c, "/api/journal" + path, **args)
        except Refusal as error:
            assert (error.status, error.code) == (400, "journal_argument")
            assert "from" in str(error)
        else:
            raise AssertionError(path)
    c.journal = None
    try:
        get(c, "/api/journal")
    except Refusal as error:
        assert error.status == 404 and "journal.enabled" in str(error)
