"""A TCP port that something else has: the door is named among the faults and opens later, and all
else runs on. First on CPython with a clock of its own, then the whole firmware on the 32-bit VM.
"""

import asyncio
import subprocess

import pytest
from fakes import doors_site
from fakes.doors_site import listens, taken, until
from simulated import simulated

import opening
from doors import sunspec_server, tls_listener
from tools import certificates
from tools.simulation import settings

NAMES = {"http": "HTTP", "tls": "HTTPS", "gateway": "gateway", "sunspec_server": "SunSpec"}
TASKS = {"http": "http", "tls": "tls", "gateway": "tls", "sunspec_server": "sunspec"}
DOORS = ("tls", "gateway", "sunspec_server")
SERVER = certificates.make_server()
AUTHORITY = certificates.make_ca()


def fault_of(faults, port):
    return [fault for fault in faults if ": port %d " % port in fault]


class Rig:
    """The tasks of all doors, as opening.py makes them."""

    def __init__(self, folder, **tls):
        self.controller = doors_site.Controller(folder, *DOORS, **tls)
        self.controller.clock.s += 10**8  # the certificates are of today
        self.controller.write("server", SERVER.pem)
        self.controller.write("ca", AUTHORITY.certificate)
        self.ports = self.controller.ports
        self.faults = self.controller.faults

    async def __aenter__(self):
        opening.open_all(self.controller)
        self.tasks = {}
        for name, function in self.controller.supervisor.tasks.items():
            self.tasks[name] = asyncio.create_task(function(lambda: None))
        return self

    async def __aexit__(self, *what):
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)

    async def opened(self, *names):
        for name in names:
            await until(lambda name=name: listens(self.ports[name]), name)

    def alive(self):
        return not [name for name, task in self.tasks.items() if task.done()]


@pytest.fixture(autouse=True)
def quick(monkeypatch, request):
    if "tmp_path" in request.fixturenames and "name" in request.fixturenames:
        monkeypatch.setattr(tls_listener, "_LOOK_MS", 20)
        monkeypatch.setattr(sunspec_server, "_LOOK_MS", 20)
        monkeypatch.setattr(sunspec_server, "Values", doors_site.Values)


@pytest.mark.parametrize("name", NAMES)
def test_the_fault_names_door_and_port_and_all_else_runs(tmp_path, name):
    async def run():
        rig = Rig(tmp_path)
        port = rig.ports[name]
        with taken(port):
            async with rig:
                await rig.opened(*[other for other in NAMES if other != name])
                await until(lambda: rig.faults, "the fault")
                assert len(rig.faults) == 1 and fault_of(rig.faults, port) == rig.faults
                assert rig.faults[0].startswith(NAMES[name] + ": port %d cannot" % port)
                if name == "sunspec_server":  # what masters on RS-485 write is saved
                    saves = rig.controller.sunspec.values.saves
                    await until(lambda: rig.controller.sunspec.values.saves > saves, "saving")
                # Said once, however often it is tried.
                for _ in range(3):
                    rig.controller.clock.ms += 6000
                    await asyncio.sleep(0.3)
                assert len(rig.faults) == 1 and rig.alive()

    asyncio.run(run())


@pytest.mark.parametrize("name", NAMES)
def test_the_door_opens_when_the_port_is_free(tmp_path, name):
    async def run():
        rig = Rig(tmp_path)
        other = taken(rig.ports[name])
        async with rig:
            rig.controller.fault("something else")
            await until(lambda: len(rig.faults) == 2, "the fault")
            other.close()
            await asyncio.sleep(0.5)
            assert not listens(rig.ports[name])  # each try costs a chip a socket: not so often
            rig.controller.clock.ms += 5000
            await rig.opened(name)
            await until(lambda: rig.faults == ["something else"], "the end of the fault")
            assert rig.alive()

    asyncio.run(run())


@pytest.mark.parametrize("name", ["tls"])
def test_plain_http_opens_where_https_can_not(tmp_path, name):
    async def run():
        rig = Rig(tmp_path, plain_http=False)
        with taken(rig.ports["tls"]):
            async with rig:
                await rig.opened("http", "gateway")
                assert len(rig.faults) == 2 and "plain HTTP is open" in rig.faults[1]
        closed = Rig(tmp_path, plain_http=False)
        async with closed:
            await closed.opened("tls", "gateway", "sunspec_server")
            await asyncio.sleep(0.4)
            assert not listens(closed.ports["http"]) and closed.faults == []

    asyncio.run(run())


@pytest.mark.parametrize("name", ["http"])
def test_connections_over_tls_still_end_in_time(tmp_path, name):
    """The task that ends them is the one that has no port."""

    async def run():
        rig = Rig(tmp_path)
        with taken(rig.ports["http"]):
            async with rig:
                await rig.opened("tls")
                reader, writer = await asyncio.open_connection("127.0.0.1", rig.ports["tls"])
                await asyncio.sleep(0.3)
                rig.controller.clock.ms += 11000
                assert await asyncio.wait_for(reader.read(10), 3) == b""
                writer.close()

    asyncio.run(run())


def with_all_doors(twin, http_port):
    document = settings(twin, http_port)
    document["tls"] = {"enabled": True}
    document["gateway"] = {"enabled": True, "rights": "utility"}
    document["sunspec_server"] = {"enabled": True, "devices": ["M1"]}
    return document


async def page(site, url):
    """Status of a request over HTTPS, 0 where there is no answer."""
    folder = site.simulation.board.folder / "certificates"
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"]
    command += [folder / "server.crt", "--cert", folder / "client.crt"]
    command += ["--key", folder / "client.key", url + "/cnf?cmd=get_cm_vars"]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    return int((await process.communicate())[0])


@simulated(profile="image", heap="200k", first_settings=with_all_doors)
async def test_the_whole_firmware_runs_on(site):
    simulation = site.simulation
    doors = simulation.doors
    await simulation.power_off()
    ports = {"HTTPS": doors.https, "gateway": doors.gateway, "SunSpec": doors.sunspec}
    ports = {name: int(url.rsplit(":", 1)[1]) for name, url in ports.items()}
    others = {name: taken(port) for name, port in ports.items()}
    simulation.running = asyncio.create_task(simulation.board.run(site.twin))

    async def faults():
        try:
            return (await site.state())["faults"]
        except OSError:
            return None

    async def named(*names):
        found = await faults()
        if found is None:
            return False
        return sorted(found) == sorted(
            fault
            for name in names
            for fault in found
            if "%s: port %d " % (name, ports[name]) in fault
        ) and len(found) == len(names)

    await site.until(lambda: named(*ports), 40, "the faults")
    others["SunSpec"].close()
    await site.until(lambda: named("HTTPS", "gateway"), 15, "the SunSpec server")
    await site.risen()
    others["HTTPS"].close()
    others["gateway"].close()
    await site.until(lambda: named(), 15, "the end of all faults")
    assert await page(site, doors.https) == 401 and await page(site, doors.gateway) == 200
    state = await site.state()
    assert not [task for task in state["tasks"] if task["restarts"]] and not state["faults"]
    assert not [line for line in simulation.board.console if "Traceback" in line]
