"""The SunSpec server of the real firmware; its peers are pysunspec2, pymodbus and umodbus."""

import asyncio
import contextlib
import os
import re
import select
import socket
import struct
import tty
from pathlib import Path

import sunspec2.device as sunspec
from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ConnectionException
from simulated import simulated
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP
from umodbus.client import tcp as umodbus

from modbus import rtu
from tools.twin.scenario import load_scenario

# The models that only this map has.
MODELS = Path(__file__).resolve().parents[2] / "docs" / "sunspec"
UNIT = 5
SERVER = {"enabled": True, "unit": UNIT, "devices": ["M1", "E1", "E2"]}


def scenario(idle_s=120, **settings):
    made = load_scenario("default")
    server = dict(SERVER, idle_s=idle_s)
    made["settings"] = dict(made.get("settings", {}), sunspec_server=server, **settings)
    return made


def port(site):
    return int(site.simulation.doors.sunspec.split(":")[1])


async def away(function, *arguments):
    """Peers that block have a thread of their own: the twin lives in this one."""
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


def floats(*numbers):
    data = struct.pack(">%df" % len(numbers), *numbers)
    return list(struct.unpack(">%dH" % (2 * len(numbers)), data))


def number(registers):
    return struct.unpack(">f", struct.pack(">2H", *registers))[0]


class Master:
    """A pymodbus master; each call is answered, or gives the exception code."""

    def __init__(self, site):
        self._client = ModbusTcpClient("127.0.0.1", port=port(site), timeout=5, retries=0)

    def _ask(self, method, address, what, **more):
        answer = method(address, device_id=UNIT, **{**what, **more})
        return answer.exception_code if answer.isError() else answer.registers

    async def read(self, address, count=2):
        method = self._client.read_holding_registers
        return await away(self._ask, method, address, {"count": count})

    async def number(self, address):
        return number(await self.read(address))

    async def write(self, address, *numbers):
        return await self.write_registers(address, floats(*numbers))

    async def write_registers(self, address, values):
        return await away(self._ask, self._client.write_registers, address, {"values": values})

    async def write_one(self, address, value):
        return await away(self._ask, self._client.write_register, address, {"value": value})

    def close(self):
        self._client.close()


@contextlib.contextmanager
def master(site):
    made = Master(site)
    try:
        yield made
    finally:
        made.close()


def scan(site, unit):
    """{model: [it, read]} as pysunspec2 finds them."""
    paths = sunspec.get_model_defs_path()
    if str(MODELS) not in paths:
        sunspec.set_model_defs_path([*paths, str(MODELS)])
    client = SunSpecModbusClientDeviceTCP(unit, "127.0.0.1", port(site))
    client.scan()
    try:
        found = {}
        for model in client.model_list:
            model.read()
            found.setdefault(model.model_id, []).append(model)
        return found
    finally:
        client.close()


def value(model, name):
    return getattr(model, name).cvalue


def run_examples(site):
    """The Python of the operator's page, with this server in place of its own."""
    text = (MODELS.parent / "sunspec-server.md").read_text()
    for old, new in (
        ('ModbusTcpClient("192.168.1.50")', 'ModbusTcpClient("127.0.0.1", port=%d)' % port(site)),
        ('(1, "192.168.1.50", 502)', '(%d, "127.0.0.1", %d)' % (UNIT, port(site))),
        ("device_id=1", "device_id=%d" % UNIT),
        ('"docs/sunspec"', repr(str(MODELS))),
    ):
        assert old in text, old
        text = text.replace(old, new)
    results = {}
    for example in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(example, results)
    results["master"].close()
    results["site"].close()
    return results


def umodbus_asks(site, message):
    with socket.create_connection(("127.0.0.1", port(site)), timeout=5) as wire:
        return umodbus.send_message(message, wire)


@simulated(scenario=scenario(), profile="image")
async def test_public_clients_find_read_and_write(site):
    await site.risen()
    manager = await away(scan, site, UNIT)
    assert {id: len(models) for id, models in manager.items()} == {
        1: 1, 213: 7, 60000: 1, 60001: 1, 60002: 1
    }  # fmt: skip
    assert value(manager[60000][0], "Percent") == 100 and value(manager[60001][0], "Flag32") == 0
    common = manager[1][0]
    assert value(common, "Mn") == "RippleGate" and value(common, "DA") == UNIT
    grid, _, _, _, used, left, _ = manager[213]
    assert abs(value(grid, "W") - sum(site.twin.meters["M1"].power_w)) < 1500
    assert value(grid, "Hz") == 50 and 200 < value(grid, "PhVphA") < 250
    assert value(used, "W") > 15000 and value(left, "W") > 15000
    devices = await away(scan, site, UNIT + 1)
    assert {id: len(models) for id, models in devices.items()} == {1: 1, 213: 1, 113: 2}
    assert abs(value(devices[213][0], "W") - value(grid, "W")) < 1500
    assert value(devices[113][0], "WH") >= 0 and value(devices[113][1], "A") > 10
    with master(site) as operator:
        assert abs(await operator.number(40098) - value(grid, "W")) < 1500
        full_ma = site.sum_ma()
        assert await operator.number(40968) == 100
        assert await operator.write(40968, 30) == []
        assert await operator.number(40968) == 30
        # All that the connection has is 25 kW of it.
        took_s = await site.until(lambda: site.sum_ma() < full_ma // 2, 5, "the reduction")
        assert took_s < 5
        assert await operator.write_one(40968, 0x42C8) == 3  # half a float
        assert await operator.write(40968, 101) == await operator.write(40968, float("nan")) == 3
        assert await operator.write(40070, 1) == 2 and await operator.read(41070, 125) == 2
        assert await operator.number(40968) == 30
        assert await operator.write_registers(40972, [1, 0, 1]) == []
        assert await operator.write_one(40973, 1) == [1]
        assert await operator.read(40972, 4) == [1, 1, 1, 0]
        assert await operator.write(40968, 100) == []
        examples = await away(run_examples, site)
        assert examples["power_w"] > 5000
        assert await operator.number(40968) == 30
    message = umodbus.read_holding_registers(UNIT, 40000, 2)
    assert await away(umodbus_asks, site, message) == [0x5375, 0x6E53]
    message = umodbus.write_multiple_registers(UNIT, 40968, floats(60))
    assert await away(umodbus_asks, site, message) == 2
    message = umodbus.read_input_registers(UNIT, 40968, 2)
    assert number(await away(umodbus_asks, site, message)) == 60


MARKER = struct.pack(">HHHBBHH", 9, 0, 6, UNIT, 3, 40000, 2)


async def marker(streams, request=MARKER):
    """Whether the marker comes as the answer to (the rest of) a request for it."""
    streams[1].write(request)
    return (await asyncio.wait_for(streams[0].read(100), 5))[9:] == b"SunS"


async def ended(streams):
    try:
        return await asyncio.wait_for(streams[0].read(100), 5) == b""
    except ConnectionResetError:
        return True


@simulated(scenario=scenario(idle_s=10), profile="image")
async def test_connections(site):
    async def client():
        return await asyncio.open_connection("127.0.0.1", port(site))

    clients = [await client() for _ in range(4)]
    for streams in clients:
        assert await marker(streams)
        await asyncio.sleep(0.05)
    for byte in MARKER[:-1]:
        clients[0][1].write(bytes([byte]))
        await asyncio.sleep(0.01)
    fifth = await client()
    assert await marker(fifth) and await ended(clients[1])
    assert await marker(clients[0], MARKER[-1:])
    clients[2][1].write(MARKER * 3)
    data = await asyncio.wait_for(clients[2][0].readexactly(39), 5)
    assert data.count(b"SunS") == 3
    clients[3][1].write(b"GET / HTTP/1.1\r\n\r\n")
    assert await ended(clients[3])
    clients[0][1].write(MARKER[:5])
    took_s = await site.until(lambda: clients[0][0].at_eof(), 15, "the end of half a request")
    assert took_s > 8 and await ended(fifth) and await ended(clients[2])
    # All of them gone, there is room again.
    for streams in [await client() for _ in range(4)]:
        assert await marker(streams)
    # Others are not let in.
    server = dict(SERVER, hosts=["127.0.0.2"], port=port(site))
    await site.post("/api/settings", {"sunspec_server": server})
    await site.post("/api/restart", {}, 202)

    async def refused():
        with contextlib.suppress(OSError):
            return site.simulation.board.restarts and await ended(await client())

    await site.until(refused, 30, "the refusal")


CHANNEL = {"channel": "sunspec", "timeout_s": 5, "failsafe": "10 %", "duration_s": 7200}


@simulated(scenario=scenario(channels=[CHANNEL]), profile="image")
async def test_a_master_that_dies(site):
    with master(site) as operator:
        assert await operator.write(40968, 50) == []
        assert await operator.number(40968) == 50
        await asyncio.sleep(6.5)
        assert await operator.number(40968) == 10  # to read is no sign of life
        assert await operator.write(40968, 50) == []
        assert await operator.number(40968) == 50
        # Any write is one.
        for _ in range(4):
            await asyncio.sleep(2)
            assert await operator.write_one(40972, 1) == [1]
        assert await operator.number(40968) == 50


@simulated(scenario=scenario(), profile="image")
async def test_settings_and_variables(site):
    with master(site) as operator:
        assert await operator.number(40954) == 55000  # a formula, and what it is now
        assert await operator.write(40954, 32000, 500) == []
        assert await operator.read(40954, 4) == floats(32000, 500)
        assert await operator.write(40954, 2e6, 600) == 3 and await operator.number(40956) == 500
        kept = await site.get("/api/settings")
        assert kept["site"]["max_total_current"] == 32000
        assert kept["site"]["reserve_current_ma"] == 500
        flash = site.simulation.board.flash / "settings.json"

        def saved():
            return '"reserve_current_ma":500' in flash.read_text().replace(" ", "")

        assert not saved()
        await site.until(saved, 10, "the settings on flash")
        assert await operator.write(40956, 700) == []  # again not before two minutes
        await site.get("/cnf?cmd=set_cm_vars&name=AVAIL&val=50")
        await site.get("/cnf?cmd=set_cm_vars&name=b&val=AVAIL*2")
        names = await operator.read(41006, 44)
        assert struct.pack(">20H", *names[:20]).rstrip(b"\0") == b"AVAIL"
        assert number(names[20:22]) == 50 and number(names[42:]) == 100
        assert await operator.write(41048, 7.5) == []
        assert await operator.number(41048) == 7.5
        variables = (await site.get("/cnf?cmd=get_cm_vars"))["vars"]
        assert {"name": "b", "expr": 7.5, "val": 7.5, "tmp": True} in variables
    await site.post("/api/restart", {}, 202)

    async def kept_over_the_restart():
        if not site.simulation.board.restarts:
            return False
        with contextlib.suppress(ConnectionException):
            with master(site) as operator:
                return await operator.number(40956) == 700

    await site.until(kept_over_the_restart, 30, "the setting after the restart")


BUS = {"enabled": True, "unit": UNIT, "port": 0, "bus": "rs485_1"}


def framed(pdu):
    frame = bytearray([UNIT]) + pdu + bytearray(2)
    rtu.add_crc(frame, 0, len(frame) - 2)
    return bytes(frame)


class Line:
    """A master on a pseudo terminal in place of the twin's bus."""

    def __init__(self):
        self.near, self._far = os.openpty()
        tty.setraw(self._far)
        self.path = os.ttyname(self._far)

    async def ask(self, pdu, within_s=1):
        os.write(self.near, framed(pdu))
        answer = b""
        while select.select([self.near], [], [], 0)[0] or within_s > 0:
            if select.select([self.near], [], [], 0)[0]:
                answer += os.read(self.near, 300)
                within_s = 0.1
            await asyncio.sleep(0.02)
            within_s -= 0.02
        return answer


@simulated(scenario=load_scenario("default"), profile="image")
async def test_a_master_on_rs485(site):
    line = Line()
    bus = dict(BUS, bus="rs485_1")
    answer = await site.post("/api/settings", {"sunspec_server": bus}, 400)
    assert answer["field"] == "sunspec_server.bus" and "M1, E1" in answer["error"]
    only_tcp = [e for e in (await site.get("/api/settings"))["evses"] if e["id"] == "E2"]
    document = {"meters": [], "evses": only_tcp, "sunspec_server": bus}
    assert (await site.post("/api/settings", document))["restart"]
    site.twin.ptys["rs485_1"] = line.path
    await site.post("/api/restart", {}, 202)

    async def answers():
        return await line.ask(b"\x03\x9c\x40\x00\x02") == framed(b"\x03\x04SunS")

    await site.until(answers, 30, "the marker over RS-485")
    assert await line.ask(b"\x10\xa0\x08\x00\x02\x04\x41\xf0\x00\x00") == framed(
        b"\x10\xa0\x08\x00\x02"
    )
    assert await line.ask(b"\x04\xa0\x08\x00\x02") == framed(b"\x04\x04\x41\xf0\x00\x00")
    whole = await line.ask(b"\x03\x9c\x86\x00\x7d")
    assert len(whole) == 255 and framed(whole[1:-2]) == whole
