"""The sentences for ports that make trouble, and the plan of a deploy: no board needed."""

import contextlib
import os
import pty
import socket
import threading

import pytest
import serial

import board_link
import deploy
import deploy_plan


def run(port, tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir(exist_ok=True)
    for name in ("main.py", "boot.py"):
        (tree / name).write_text("")
    return deploy.main(["--port", port, "--tree", str(tree), "--log-s", "1"])


@contextlib.contextmanager
def terminal():
    master, slave = pty.openpty()
    try:
        yield master, os.ttyname(slave)
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize("port", ["/dev/ttyNOPE7", "u71", "id:no-such-serial", "port:/dev/nope"])
def test_a_port_that_is_not_there(port, tmp_path, capsys):
    assert run(port, tmp_path) == 3
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "no port" in err or "No board found on USB" in err


def test_nobody_listens_at_the_socket(tmp_path, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert run("socket://127.0.0.1:%d" % port, tmp_path) == 3
    assert "Nothing listens at socket://127.0.0.1" in capsys.readouterr().err


def test_nonsense_instead_of_a_port(tmp_path, capsys):
    assert run("socket://nowhere", tmp_path) == 3
    assert "Traceback" not in capsys.readouterr().err


def test_a_port_that_another_program_holds(tmp_path, capsys):
    with terminal() as (_, name), serial.Serial(name, exclusive=True):
        assert run(name, tmp_path) == 4
    assert "in use by another program" in capsys.readouterr().err


def test_a_device_that_says_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(board_link, "_REPL_WAIT_S", 0.2)
    with terminal() as (_, name):
        assert run(name, tmp_path) == 5
    assert "No MicroPython answers at /dev/pts/" in capsys.readouterr().err


def test_a_device_that_only_babbles(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(board_link, "_REPL_WAIT_S", 0.2)
    stop = threading.Event()

    def babble(master):
        while not stop.wait(0.01):
            os.write(master, b"AT+OK\r\n")

    with terminal() as (master, name):
        thread = threading.Thread(target=babble, args=(master,))
        thread.start()
        try:
            assert run(name, tmp_path) == 5
        finally:
            stop.set()
            thread.join()
    assert "No MicroPython answers" in capsys.readouterr().err


@pytest.mark.parametrize(
    "short, long",
    [
        ("a0", "/dev/ttyACM0"),
        ("u12", "/dev/ttyUSB12"),
        ("c3", "COM3"),
        ("COM3", "COM3"),
        ("/dev/ttyS1", "/dev/ttyS1"),
        ("rfc2217://h:1", "rfc2217://h:1"),
        ("auto", "auto"),
    ],
)
def test_short_names_of_ports(short, long):
    assert board_link.full_name(short) == long


TREE = {"main.py": b"m", "lib/formula/a.mpy": b"a", "data/texts/x.json": b"{}"}


def present(**changed):
    found = {path: deploy_plan.sha256(content) for path, content in TREE.items()}
    found.update({"lib/formula/": "-", "data/": "-", "data/texts/": "-"})
    found.update(changed)
    return found


def test_plan_of_an_unchanged_board_is_empty():
    assert deploy_plan.Plan(TREE, present()).empty


def test_plan_removes_what_is_in_a_folder_before_the_folder():
    found = present(**{"data/old/": "-", "data/old/a.json": "1", "data/old/deep/": "-"})
    removed = [path for path, _ in deploy_plan.Plan(TREE, found).remove]
    assert sorted(removed) == ["data/old/", "data/old/a.json", "data/old/deep/"]
    assert removed[-1] == "data/old/"


def test_plan_does_not_touch_what_waits_in_the_stage():
    assert deploy_plan.Plan(TREE, present(**{".deploy/": "-", ".deploy/main.py": "1"})).empty


def test_space_counts_whole_blocks_and_not_what_already_waits():
    tree = {"data/%d.json" % n: b"%d" % n for n in range(100)}
    plan = deploy_plan.Plan(tree, {})
    facts = {"block": 4096, "free": 150 * 4096}
    deploy_plan.check_space(facts, tree, plan, {})
    facts["free"] = 110 * 4096
    with pytest.raises(deploy_plan.NoSpace, match="472 kB are needed, 440 kB are free"):
        deploy_plan.check_space(facts, tree, plan, {})
    staged = {".deploy/data~%d.json" % n: deploy_plan.sha256(b"%d" % n) for n in range(50)}
    deploy_plan.check_space(facts, tree, plan, staged)


@pytest.mark.parametrize(
    "header, good",
    [
        (b"M\x06\x00\x1f", True),  # bytecode, any sub-version
        (b"M\x05\x00\x1f", False),
        (b"X\x06\x00\x1f", False),
        (b"M\x06\x00\x3f", False),  # small ints of a 64-bit machine
        (b"M\x06\x2b\x1f", True),  # machine code for xtensawin, sub-version 3
        (b"M\x06\x2a\x1f", False),  # an older sub-version
        (b"M\x06\x1f\x1f", False),  # for ARM
    ],
)
def test_mpy_header(header, good):
    facts = {
        "name": "micropython",
        "platform": "esp32",
        "version": [1, 25, 0],
        "frozen": False,
        "mpy": 10 << 10 | 3 << 8 | 6,
    }
    if good:
        deploy_plan.check_board(facts, {"lib/x/y.mpy": header})
    else:
        with pytest.raises(deploy_plan.Unsuitable, match="lib/x/y.mpy"):
            deploy_plan.check_board(facts, {"lib/x/y.mpy": header})
