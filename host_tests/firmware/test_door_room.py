"""Doors for which there is no room stay closed, plain HTTP opens, and a fault says so: exact
bounds on CPython, then with a nearly full heap on the 32-bit VM.
"""

import asyncio
import gc
import json
import shutil
import socket
import subprocess

import pytest
from fakes import doors_site
from fakes.doors_site import listens, until

import opening
from controller import data
from doors import sunspec_server, tls_listener
from doors.http import HttpDoor
from tools import build, certificates
from tools.simulation import ROOT

ROOM = 16384
SERVER = certificates.make_server()


def controller(folder, *doors, **tls):
    made = doors_site.Controller(folder, *doors, **tls)
    made.clock.s += 10**8  # the certificates are of today
    made.write("server", SERVER.pem)
    return made


def opened(made, seconds=0.4):
    """Which ports of a controller's doors are open a while after the start."""

    async def run():
        opening.open_all(made)
        functions = made.supervisor.tasks.values()
        tasks = [asyncio.create_task(function(lambda: None)) for function in functions]
        await until(lambda: listens(made.ports["http"]) or made.tls, "a door")
        await asyncio.sleep(seconds)
        found = [name for name, port in made.ports.items() if listens(port)]
        for task in tasks:
            task.cancel()
        failed = await asyncio.gather(*tasks, return_exceptions=True)
        assert not [e for e in failed if e and not isinstance(e, asyncio.CancelledError)], failed
        return found

    return asyncio.run(run())


@pytest.fixture()
def free(monkeypatch):
    """What gc.mem_free says: the numbers of the list, the last one for ever."""
    numbers = [0]
    monkeypatch.setattr(gc, "mem_free", lambda: numbers.pop(0) if numbers[1:] else numbers[0])
    monkeypatch.setattr(tls_listener, "_LOOK_MS", 20)
    monkeypatch.setattr(sunspec_server, "Values", doors_site.Values)
    return numbers


@pytest.mark.parametrize("door, kind", [("tls", "tls"), ("sunspec_server", "sunspec")])
def test_with_less_than_16_kb_a_door_stays_closed(tmp_path, free, door, kind):
    made = controller(tmp_path, door, plain_http=False)
    free[:] = [ROOM - 1]
    assert opened(made) == ["http"]
    told = ["not enough memory for %s: it stays closed" % kind]
    plain = [data.text("certificates", "plain_opened")] if door == "tls" else []
    assert made.faults == told + plain
    assert getattr(made, kind) is None
    made = controller(tmp_path, door)
    free[:] = [ROOM]
    assert opened(made) == ["http", door] and made.faults == []


def test_tls_asks_again_when_its_own_code_is_loaded(tmp_path, free):
    """The code takes room, too: opening.py asks first, the listeners for how many connections
    there may be, then for what is left."""
    made = controller(tmp_path, "tls", plain_http=False)
    free[:] = [ROOM, ROOM, ROOM - 1]
    assert opened(made) == ["http"]
    assert len(made.faults) == 2, made.faults
    assert "16 kB of free memory" in made.faults[0] and "plain HTTP is open" in made.faults[1]


def test_no_room_for_the_sunspec_server_leaves_plain_http_closed(tmp_path, free):
    made = controller(tmp_path, "tls", "sunspec_server", plain_http=False)
    free[:] = [ROOM, ROOM, ROOM, ROOM - 1]
    assert opened(made) == ["tls"]
    assert made.faults == ["not enough memory for sunspec: it stays closed"]


def test_what_runs_for_a_door_does_not_keep_the_opener(tmp_path, free):
    made = controller(tmp_path, "tls", "sunspec_server")
    opening.open_all(made)
    modules = [function.__module__ for function in made.supervisor.tasks.values()]
    assert modules == ["doors.http", "doors.late", "doors.late"]


def test_no_room_while_certificates_are_loaded(tmp_path, free, monkeypatch):
    """The supervisor starts the task again, and then they are loaded."""
    made = controller(tmp_path, "tls")
    load, tries = made.store.load, []

    def fails_once(name):
        tries.append(name)
        if len(tries) == 1:
            raise MemoryError
        return load(name)

    monkeypatch.setattr(made.store, "load", fails_once)

    async def run():
        listeners = tls_listener.TlsListeners(made, HttpDoor(made))
        with pytest.raises(MemoryError):
            await listeners.run()
        listeners.reload()  # an upload meanwhile: the start loads it
        assert len(tries) == 1
        task = asyncio.create_task(listeners.run())
        await until(lambda: listens(made.ports["tls"]), "HTTPS")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert made.faults == []


def test_an_upload_loads_nothing_for_ports_that_stay_closed(tmp_path, free, monkeypatch):
    made = controller(tmp_path, "tls")
    free[:] = [ROOM, ROOM - 1]
    listeners = tls_listener.TlsListeners(made, HttpDoor(made))
    monkeypatch.setattr(made.store, "load", None)
    asyncio.run(listeners.run())
    listeners.reload()
    assert len(made.faults) == 1 and "16 kB" in made.faults[0]


def test_plain_http_that_a_damaged_certificate_opened_stays_a_fault(tmp_path, free):
    made = controller(tmp_path, "tls", "gateway", plain_http=False)
    made.write("ca", certificates.make_ca().certificate)
    door = HttpDoor(made)
    door.plain = False
    listeners = tls_listener.TlsListeners(made, door)
    plain = data.text("certificates", "plain_opened")
    listeners.load()
    assert not door.plain and made.faults == []
    path = tmp_path / "tls_server.json"
    whole = path.read_bytes()
    path.write_text("broken")
    listeners.load()
    assert door.plain and len(made.faults) == 3 and made.faults[0] == plain
    path.write_bytes(whole)
    listeners.load()  # repaired by an upload; the port is still open
    assert door.plain and made.faults == [plain]


def test_the_gateway_alone_leaves_plain_http_as_it_is(tmp_path, free):
    made = controller(tmp_path, "gateway")
    free[:] = [ROOM, ROOM, ROOM - 1]
    listeners = tls_listener.TlsListeners(made, HttpDoor(made))
    free[:] = [ROOM - 1]
    asyncio.run(listeners.run())
    assert len(made.faults) == 1 and "16 kB" in made.faults[0]


# The heap is filled when the doors' opener and the HTTP door are loaded already.
_SCRIPT = """
import json
import sys
sys.path[:] = [%(chip)r]
import rom
rom.mount(%(image)r, "/chip")
sys.path[:] = ["", "lib", "/chip", ".frozen"]
import asyncio
import gc
from controller.app import Controller
from controller.unload import unload

async def main():
    controller = Controller()
    controller.start()
    import opening
    unload()
    gc.collect()
    hog = []
    while gc.mem_free() > %(leave)d:
        hog.append(bytearray(512))
    opening.open_all(controller)
    await asyncio.sleep_ms(3000)
    tasks = {task.name: task.restarts for task in controller.supervisor.tasks}
    made = controller.tls is not None, controller.sunspec is not None
    del hog
    gc.collect()
    found = {"faults": controller.faults, "made": made, "tasks": tasks}
    found["cycles"] = controller.cycle.count
    print("found", json.dumps(found))
    sys.stdin.readline()
    raise SystemExit

asyncio.run(main())
"""


def on_the_vm(micropython, folder, leave):
    """(what became of a start with so many free bytes, {door: whether it listens})."""
    shutil.copytree(build.build_files(), folder, dirs_exist_ok=True)
    shutil.copy(ROOT / "boards" / "esp32-devkit" / "board.json", folder)
    (folder / "tls_server.json").write_bytes(certificates.flash_file("server", SERVER.pem))
    ports = {name: doors_site.free_port() for name in ("http", "tls", "sunspec_server")}
    settings = {name: {"port": port} for name, port in ports.items()}
    settings["tls"].update(enabled=True, plain_http=False)
    settings["sunspec_server"]["enabled"] = True
    (folder / "settings.json").write_text(json.dumps(settings))
    script = folder / "script.py"
    chip = {"chip": str(ROOT / "tools" / "chip"), "image": str(build.build_chip())}
    script.write_text(_SCRIPT % dict(chip, leave=leave))
    process = subprocess.Popen(
        [micropython, "-X", "heapsize=240k", str(script)],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if line.startswith("found "):
                there = {}
                for name, port in ports.items():
                    with socket.socket() as s:
                        there[name] = s.connect_ex(("127.0.0.1", port)) == 0
                return json.loads(line[6:]), there
    finally:
        process.kill()
        process.communicate()
    raise AssertionError("".join(said))


def test_a_nearly_full_heap(micropython, tmp_path):
    found, there = on_the_vm(micropython, tmp_path, 14000)
    assert there == {"http": True, "tls": False, "sunspec_server": False}, found
    faults = [fault for fault in found["faults"] if "stays closed" in fault]
    assert len(faults) == 2 and "tls" in faults[0] and "sunspec" in faults[1], found
    assert found["made"] == [False, False] and found["cycles"] >= 2
    assert set(found["tasks"].values()) == {0}, found
    found, there = on_the_vm(micropython, tmp_path, 90000)
    assert there == {"http": False, "tls": True, "sunspec_server": True}, found
    assert found["faults"] == [] and found["made"] == [True, True]
