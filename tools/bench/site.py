"""Figures of the whole firmware on the VM, in the simulated installation."""

import asyncio
import statistics
import tempfile
from pathlib import Path

from aiohttp import ClientSession

from tools import build
from tools.fetch_micropython import find
from tools.simulation import Simulation, free_port, settings

from . import vm

_RISE_S = 5
_SETTLED_S = 25
_CONTACT_RUNS = 8
_REQUESTS = 300
_AT_ONCE = 4


async def state(simulation):
    async with ClientSession(headers=simulation.authorization()) as session:
        async with session.get(simulation.http + "/api/state") as answer:
            return await answer.json()


def _quick_contacts(twin, port):
    """The usual site with short contact delays, to measure often."""
    document = settings(twin, port)
    document["contacts"] = [{"input": 1, "on_delay_ms": 200, "off_delay_ms": 200}]
    return document


def _dimmed_contacts(twin, port):
    """The same with a contact set that dims both wallboxes (§14a)."""
    document = _quick_contacts(twin, port)
    document["site"] = {"max_total_current": 55000, "min_pause_s": 5}
    document["contact_sets"] = [{"id": "C1", "inputs": ["PB.input1"], "levels": ["none", "dim"]}]
    document["dimming"] = {"enabled": True}
    document["steerables"] = [
        {"id": "S%d" % n, "kind": "evse", "device": "E%d" % n, "power_w": 11000} for n in (1, 2)
    ]
    return document


async def live_heap(folder, profile, seconds=20):
    """{"live": bytes after gc, "largest": largest free block} of the running firmware."""
    async with Simulation(Path(folder), profile=profile) as simulation:
        await asyncio.sleep(seconds)
        return (await state(simulation))["heap"]


async def contact_to_wire(simulation):
    """{box: [ms from the end of the contact's delay to the setpoint at the box]}."""
    twin = simulation.twin
    lags = {"E1": [], "E2": []}
    for _ in range(_CONTACT_RUNS):
        await asyncio.sleep(_RISE_S)
        before = {id: twin.boxes[id].report()["written_ms"] for id in lags}
        closed_ms = twin.t_ms()
        twin.set({"contacts": {"1": True}})
        await asyncio.sleep(1)
        for id in lags:
            written_ms = twin.boxes[id].report()["written_ms"]
            if written_ms != before[id]:
                lags[id].append(written_ms - closed_ms - 200)
        twin.set({"contacts": {"1": False}})
    return lags


async def dead_device(simulation, seconds=20):
    """Share of its polling that the other device on the bus keeps while the meter is dead."""
    twin = simulation.twin
    bus = twin.buses["rs485_1"]

    async def rate():
        before = bus.report()["units"]["2"]
        await asyncio.sleep(seconds)
        return (bus.report()["units"]["2"] - before) / seconds

    await asyncio.sleep(_SETTLED_S)  # setpoints that still rise are requests, too
    alive = await rate()
    twin.set({"faults": {"M1": "silent"}})
    dead = await rate()
    twin.set({"faults": {"M1": None}})
    return dead / alive


async def bus_use(folder, seconds=15):
    """Part of the time that a bus that is always wanted carries bytes or prescribed silence.

    Eight meters with a template that asks for everything ten times a second; what the devices
    themselves take until they answer (1 ms) counts as used.
    """
    line = {"baudrate": 9600, "parity": "N", "stop": 1}
    units = range(1, 9)
    config = {
        "buses": {"rs485_1": line},
        "meters": [
            {
                "id": "M%d" % unit,
                "kind": "sdm630",
                "bus": "rs485_1",
                "unit": unit,
                "measures": "house",
                "turnaround_ms": [1, 1],
            }
            for unit in units
        ],
        "wallboxes": [],
        "cars": {},
    }

    def full(twin, port):
        meters = [
            {
                "id": "M%d" % unit,
                "template": "sdm630",
                "role": "display",
                "bus": "rs485_1",
                "unit": unit,
            }
            for unit in units
        ]
        return {"buses": {"rs485_1": line}, "meters": meters, "http": {"port": port}}

    simulation = Simulation(Path(folder), config=config, first_settings=full, ask_every_ms=100)
    async with simulation:
        await asyncio.sleep(5)
        bus = simulation.twin.buses["rs485_1"]
        before = bus.requests
        await asyncio.sleep(seconds)
        rate = (bus.requests - before) / seconds
        wire = bus.report()["wire_pct"] / 100
        return wire + rate * (2 * bus.silence_s + 0.001)


async def requests_per_s(port, head):
    """Sequential requests of a few clients at once; requests/s."""

    async def client(count):
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            answer = await reader.read(-1)
            if b" 200 " not in answer.split(b"\r\n")[0]:
                raise SystemExit("bench: answer %r" % answer[:200])
            writer.close()

    loop = asyncio.get_running_loop()
    start = loop.time()
    await asyncio.gather(*[client(_REQUESTS // _AT_ONCE) for _ in range(_AT_ONCE)])
    return _REQUESTS / (loop.time() - start)


async def cnf_rate(simulation):
    """Requests/s of /cnf divided by those of an empty microdot route, in the same run."""
    authorization = simulation.authorization()["Authorization"]
    head = "GET /cnf?cmd=get_cm_vars HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n"
    head = (head % authorization).encode()
    port = free_port()
    tree = build.build_microdot()
    process = await asyncio.create_subprocess_exec(
        find(), "-X", "heapsize=120k", str(vm.HERE / "empty_route.py"), str(tree), str(port)
    )
    try:
        await asyncio.sleep(1)
        ours, empty = [], []
        for _ in range(3):
            ours.append(await requests_per_s(simulation.port, head))
            empty.append(await requests_per_s(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
    finally:
        process.kill()
        await process.wait()
    return statistics.median(ours), statistics.median(empty)


async def measure(tell):
    """All figures of the running firmware as a dict; tell(text) shows progress."""
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for profile in ("files", "image"):
            tell("heap of the running firmware, profile %s" % profile)
            heap = await live_heap(folder + "/" + profile, profile)
            figures["live_%s_bytes" % profile] = heap["live"]
            figures["largest_%s_bytes" % profile] = heap["largest"]
        async with Simulation(Path(folder) / "c", first_settings=_quick_contacts) as simulation:
            tell("contact to wire")
            for id, lags in (await contact_to_wire(simulation)).items():
                figures["contact_to_wire_%s_ms" % id] = statistics.median(lags)
                figures["contact_to_wire_%s_max_ms" % id] = max(lags)
            tell("a dead device on the bus")
            figures["dead_device_keeps"] = await dead_device(simulation)
            tell("/cnf against an empty route")
            figures["cnf_per_s"], figures["empty_route_per_s"] = await cnf_rate(simulation)
            figures["cycle_late_max_ms"] = (await state(simulation))["cycle"]["late_max_ms"]
        tell("contact set and dimming to wire")
        made = {"profile": "image", "first_settings": _dimmed_contacts}
        async with Simulation(Path(folder) / "d", **made) as simulation:
            for id, lags in (await contact_to_wire(simulation)).items():
                figures["dimming_to_wire_%s_ms" % id] = statistics.median(lags)
                figures["dimming_to_wire_%s_max_ms" % id] = max(lags)
        tell("use of a full bus")
        figures["bus_use"] = await bus_use(folder + "/bus")
    return figures
