"""The tool that checks exported journals: every change of a file is found."""

import http.server
import json
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from fakes import journal_site as at  # noqa: E402

from doors import journal_api  # noqa: E402
from tools import certificates, journal_verify  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


class Door:
    def __init__(self, controller):
        self.controller = controller


class Request:
    def __init__(self, args):
        self.args = args


def exported(controller, name, **args):
    function = journal_api.ROUTES["/api/journal" + name]["GET"]
    parts = function(Door(controller), Request(args))[0]
    return b"".join(part.encode() if isinstance(part, str) else part for part in parts)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("evidence")) + "/"
    c = at.Controller(folder, settings={"max_kb": 32, "keep_days": 730})
    c.clock.trusted = False
    c.dim(4200)
    c.run(70)
    c.clock.trusted = True
    c.run(200)
    c.dim(4000)
    c.percent(30)
    c.run(70)
    c.percent(None)
    c.dim(None)
    c.run(10)
    clock = at.Clock()
    clock.began_s += 1000
    c = at.Controller(folder, settings={"max_kb": 32, "keep_days": 730}, clock=clock)
    c.journal.event("login_failed", ("10.0.0.7", "", 0))
    c.percent(60)
    c.run(65)
    c.percent(None)
    c.run(3)
    return c


def all_exports(site):
    for series in ("measures", "events"):
        yield exported(site, ".bin", series=series)
        for lang in ("en", "de"):
            yield exported(site, "", series=series, lang=lang)
            yield exported(site, ".csv", series=series, lang=lang)
    yield exported(site, "", **{"from": "2025-11-24T16:01:30Z", "to": "2025-11-24T16:05:00Z"})
    yield exported(site, ".csv", **{"from": "2025-11-24T16:01:30Z", "to": "2025-11-24T16:05:00Z"})
    yield exported(site, ".bin", **{"from": "2025-11-24T16:01:30Z"})


def test_whole_exports_are_right(site):
    for data in all_exports(site):
        result = journal_verify.verify(data)
        assert not result.faults, (result.faults, data[:200])
        assert result.records > 3


def test_bytes_every_changed_byte_is_found(site):
    for series in ("measures", "events"):
        data = bytearray(exported(site, ".bin", series=series))
        for i in range(len(data)):
            for bit in (1, 0x80, 0xFF):
                data[i] ^= bit
                assert journal_verify.verify(bytes(data)).faults, (i, bit)
                data[i] ^= bit


def test_bytes_every_cut_is_found(site):
    data = exported(site, ".bin")
    for end in range(1, len(data)):
        assert journal_verify.verify(data[:end]).faults, end
    assert journal_verify.verify(data + b"\0").faults


def test_csv_every_changed_byte_is_found(site):
    for series in ("measures", "events"):
        data = bytearray(exported(site, ".csv", series=series))
        for i in range(len(data)):
            data[i] ^= 1
            assert journal_verify.verify(bytes(data)).faults, bytes(data[i - 40 : i + 10])
            data[i] ^= 1


def test_json_every_changed_byte_that_means_something_is_found(site):
    for args in ({}, {"series": "events"}, {"from": "2025-11-24T16:01:30Z"}):
        data = bytearray(exported(site, "", **args))
        document = json.loads(data)
        for i in range(len(data)):
            data[i] ^= 1
            if not journal_verify.verify(bytes(data)).faults:
                assert json.loads(data) == document, bytes(data[i - 40 : i + 10])
            data[i] ^= 1


def test_json_every_changed_or_missing_value_is_found(site):
    text = exported(site, "")
    count = len(json.loads(text)["records"])
    for n in range(count):
        for name in json.loads(text)["records"][n]:
            for change in ("remove", "replace", "none"):
                document = json.loads(text)
                row = document["records"][n]
                if change == "remove":
                    del row[name]
                else:
                    new = 7 if change == "replace" else None
                    if row[name] == new:
                        continue
                    row[name] = new
                assert journal_verify.verify(json.dumps(document).encode()).faults, (n, name)
        document = json.loads(text)
        del document["records"][n]
        assert journal_verify.verify(json.dumps(document).encode()).faults, n


def test_choice_of_kinds_can_not_be_checked(site):
    data = exported(site, "", kinds="sample")
    assert journal_verify.verify(data).faults[0][1] == "filtered"


def test_the_broken_record_is_named(site):
    data = bytearray(exported(site, ".bin"))
    rows = json.loads(exported(site, ""))["records"]
    victim = [row for row in rows if row["kind"] == "command"][1]
    i = data.find(bytes.fromhex(victim["raw"]))
    data[i + 3] ^= 1
    faults = journal_verify.verify(bytes(data)).faults
    assert faults[0][0] == victim["seq"] and faults[0][1] in ("check", "unreadable")


def run(*arguments):
    command = [sys.executable, str(ROOT / "tools" / "journal_verify.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd="/")


def test_command_line(site, tmp_path):
    path = tmp_path / "journal.bin"
    data = exported(site, ".bin")
    path.write_bytes(data)
    done = run(str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The chain is whole; its state: " in done.stdout
    lines = [line for line in done.stdout.splitlines() if " C1 " in line]
    assert len(lines) == 2 and lines[0].startswith("2025-11-24T16:00:00Z")
    assert "dimming 4200 W" in lines[0] and lines[0].endswith("yes, changed")
    assert "below_minimum" in lines[1]
    states = journal_verify.verify(data).states
    assert run(str(path), "--state", sorted(states)[0]).returncode == 0
    done = run(str(path), "--state", "00" * 32)
    assert done.returncode == 1 and "noted earlier" in done.stdout
    path.write_bytes(data[:100] + bytes([data[100] ^ 4]) + data[101:])
    done = run(str(path))
    assert done.returncode == 1 and "BROKEN at record" in done.stdout
    assert run(str(tmp_path / "none")).returncode == 2


class Board:
    """Answers with these bytes and says that there are `missing` more; over TLS with a pair."""

    def __init__(self, data, missing=0, pair=None, folder=None):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(data) + missing))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        if pair:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*pair.write(folder, "board"))
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.url = self.url.replace("http:", "https:")

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self.url

    def __exit__(self, *what):
        self.server.shutdown()
        self.server.server_close()


def test_over_the_network(site, tmp_path, capsys):
    data = exported(site, ".bin")
    with Board(data) as url:
        assert journal_verify.main([url]) == 0
    with Board(data, missing=10) as url:  # the board went away in the midst of it
        assert journal_verify.main([url]) == 2
        assert "can't be read" in capsys.readouterr().out


def test_over_https_with_the_boards_own_certificate(site, tmp_path, capsys):
    pair = certificates.make_server(["127.0.0.1"])
    with Board(exported(site, ".bin"), pair=pair, folder=tmp_path) as url:
        assert journal_verify.main([url]) == 2
        assert "CERTIFICATE_VERIFY_FAILED" in capsys.readouterr().out
        assert journal_verify.main(["--cacert", str(tmp_path / "board.crt"), url]) == 0
        assert journal_verify.main(["--cacert", str(tmp_path / "none"), url]) == 2


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_anything_else_is_refused(data):
    for start in (b"", journal_verify.MAGIC, b"{", b"at;"):
        if start + data:
            assert journal_verify.verify(start + data).faults
