"""The SunSpec server's connections: fragments, garbage, who is let in, who is ended and when.

On CPython with a clock of its own, so that no test waits for a time-out.
"""

import asyncio
import functools
import json
import struct
import types

import pytest
from fakes.sunspec_site import Controller

from doors.sunspec_server import SunSpecServer

READ_MARKER = struct.pack(">HHHBBHH", 0x1234, 0, 6, 7, 3, 40000, 2)
MARKER = struct.pack(">HHHBBB", 0x1234, 0, 7, 7, 3, 4) + b"SunS"


class Door:
    """A listening server; jump_ms moves its clock."""

    def __init__(self, **settings):
        self.controller = Controller(port=0, bus="rs485_1", **settings)
        self.controller.settings.doc["sunspec_server"]["bus"] = None
        self.controller.supervisor = types.SimpleNamespace(start=self._never)
        self.server = SunSpecServer(self.controller)

    def _never(self, name, function):
        raise AssertionError(name)

    async def __aenter__(self):
        self._listener = await asyncio.start_server(self.server.serve, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        self._run = asyncio.create_task(self.server.run())
        return self

    async def __aexit__(self, *what):
        self._run.cancel()
        self._listener.close()
        for client in list(self.server._clients):
            client.task.cancel()
        await asyncio.sleep(0.01)

    def jump(self, ms):
        self.controller.clock.ms += ms

    async def client(self):
        return Client(*await asyncio.open_connection("127.0.0.1", self.port))


class Client:
    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    async def ask(self, data, size=len(MARKER)):
        self.writer.write(data)
        return await self.receive(size)

    async def receive(self, size):
        return await asyncio.wait_for(self.reader.readexactly(size), 5)

    async def ended(self, within_s=2):
        """True when the server closed the connection without another word."""
        try:
            return await asyncio.wait_for(self.reader.read(), within_s) == b""
        except ConnectionResetError:
            return True
        except asyncio.TimeoutError:
            return False


def with_door(**settings):
    def decorate(test):
        @functools.wraps(test)
        def run():
            async def inner():
                async with Door(**settings) as door:
                    await test(door)

            asyncio.run(inner())

        del run.__wrapped__
        return run

    return decorate


@with_door()
async def test_byte_by_byte_and_two_in_a_packet(door):
    client = await door.client()
    for i in range(len(READ_MARKER)):
        client.writer.write(READ_MARKER[i : i + 1])
        await asyncio.sleep(0.002)
    assert await client.receive(len(MARKER)) == MARKER
    assert await client.ask(READ_MARKER * 3, 3 * len(MARKER)) == MARKER * 3
    assert await client.ask(READ_MARKER + READ_MARKER[:9]) == MARKER
    assert await client.ask(READ_MARKER[9:]) == MARKER


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">HHHBBHH", 1, 1, 6, 7, 3, 40000, 2),  # another protocol
        struct.pack(">HHHB", 1, 0, 1, 7),  # nothing asked
        struct.pack(">HHHB", 1, 0, 255, 7),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_garbage_ends_the_connection(data):
    @with_door()
    async def test(door):
        client = await door.client()
        assert await client.ask(READ_MARKER) == MARKER
        client.writer.write(data)
        assert await client.ended()
        assert door.server.clients == 0
        assert await (await door.client()).ask(READ_MARKER) == MARKER

    test()


@with_door()
async def test_units_and_refusals(door):
    client = await door.client()

    async def error(unit, pdu):
        request = struct.pack(">HHHB", 9, 0, len(pdu) + 1, unit) + pdu
        answer = await client.ask(request, 9)
        assert answer[:7] == struct.pack(">HHHB", 9, 0, 3, unit) and answer[7] == pdu[0] | 0x80
        return answer[8]

    for unit in (0, 7, 8, 255):
        request = READ_MARKER[:6] + bytes([unit]) + READ_MARKER[7:]
        assert (await client.ask(request))[9:] == b"SunS"
    for unit in (1, 6, 9, 247):
        assert await error(unit, b"\x03\x9c\x40\x00\x02") == 0x0B
    assert await error(7, b"\x03\x9c\x3f\x00\x02") == 2
    assert await error(7, b"\x03\x9c\x40\x00\x7e") == await error(7, b"\x03\x9c") == 3
    assert await error(7, b"\x01\x9c\x40\x00\x01") == await error(7, b"\x2b\x0e\x01") == 1
    # Write one: half a float, a flag, a name.
    assert await error(7, b"\x06\xa0\x08\x42\xc8") == 3
    assert await error(7, b"\x06\xa0\x2e\x00\x00") == 2
    assert await client.ask(struct.pack(">HHHBBHH", 9, 0, 6, 7, 6, 40972, 1), 12)
    door.controller.balance = None
    assert await error(7, b"\x04\x9c\xa2\x00\x02") == 4
    assert await client.ask(READ_MARKER) == MARKER


@with_door(idle_s=60)
async def test_a_fifth_client_takes_the_place_of_the_idlest(door):
    clients = []
    for _ in range(4):
        clients.append(await door.client())
        assert await clients[-1].ask(READ_MARKER) == MARKER
        door.jump(1000)
    assert await clients[0].ask(READ_MARKER) == MARKER  # now the second is the idlest
    door.jump(1000)
    clients[1].writer.write(READ_MARKER[:8])  # but it is in the midst of a request
    await asyncio.sleep(0.01)
    fifth = await door.client()
    assert await fifth.ask(READ_MARKER) == MARKER
    assert await clients[2].ended() and door.server.clients == 4
    assert await clients[1].ask(READ_MARKER[8:]) == MARKER
    # All of them are: no place.
    for client in (clients[0], clients[1], clients[3], fifth):
        client.writer.write(READ_MARKER[:8])
    await asyncio.sleep(0.01)
    assert await (await door.client()).ended()
    assert await clients[0].ask(READ_MARKER[8:]) == MARKER


@with_door(idle_s=60)
async def test_time_outs(door):
    idle, half, busy = [await door.client() for _ in range(3)]
    for client in (idle, half, busy):
        assert await client.ask(READ_MARKER) == MARKER
    half.writer.write(READ_MARKER[:11])
    await asyncio.sleep(0.01)
    door.jump(9000)
    await asyncio.sleep(0.3)
    assert door.server.clients == 3
    door.jump(1500)
    assert await half.ended() and door.server.clients == 2
    for _ in range(6):
        door.jump(9900)
        assert await busy.ask(READ_MARKER) == MARKER
        await asyncio.sleep(0.3)
    assert await idle.ended() and door.server.clients == 1


@with_door(hosts=["127.0.0.2"])
async def test_hosts(door):
    for _ in range(3):
        client = await door.client()
        client.writer.write(READ_MARKER)
        assert await client.ended()
    assert door.controller.events == [("sunspec_stranger", "127.0.0.1", "", 0)]
    door.jump(61000)
    assert await (await door.client()).ended()
    assert door.controller.events[1:] == [("sunspec_stranger", "127.0.0.1", "", 2)]
    door.server._hosts.append("127.0.0.1")
    assert await (await door.client()).ask(READ_MARKER) == MARKER


@with_door()
async def test_who_never_reads_the_answers_is_ended(door):
    deaf = await door.client()
    deaf.reader._transport.pause_reading()
    request = READ_MARKER[:-1] + b"\x7d"

    async def flood():
        try:
            while True:
                deaf.writer.write(request * 500)
                await deaf.writer.drain()
        except OSError:
            pass  # at last

    flooding = asyncio.create_task(flood())
    other = await door.client()
    for _ in range(100):
        assert await other.ask(READ_MARKER) == MARKER
        await asyncio.sleep(0.01)
        door.jump(200)
        if door.server.clients == 1:
            break
    assert door.server.clients == 1
    flooding.cancel()
    deaf.writer.transport.abort()


def test_both_listeners():
    """A bus has a task of its own; without TCP nobody listens there."""
    controller = Controller(port=0, bus="rs485_1")
    controller.settings.doc["buses"] = {}
    started = []
    controller.supervisor = types.SimpleNamespace(start=lambda *task: started.append(task))

    async def run():
        server = SunSpecServer(controller)
        task = asyncio.create_task(server.run())
        await asyncio.sleep(0.05)
        task.cancel()
        assert server._server is None

    with pytest.MonkeyPatch.context() as patch:
        made = types.SimpleNamespace(run="run")
        patch.setattr("controller.sunspec_bus.SunSpecBus", lambda *arguments: made)
        asyncio.run(run())
    assert started == [("sunspec bus", "run")]


def test_a_bus_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    board = {"name": "x", "rs485": [{"id": "rs485_1", "uart": 1, "tx": 1, "rx": 2}]}
    for document, words in ((board, "no such RS-485 port"), (None, "")):
        if document:
            (tmp_path / "board.json").write_text(json.dumps(document))
        else:
            (tmp_path / "board.json").unlink()
        controller = Controller(port=0, bus="rs485_1")
        controller.settings.doc["sunspec_server"]["bus"] = "rs485_2"  # of another board
        SunSpecServer(controller)
        assert len(controller.faults) == 1 and words in controller.faults[0]
        assert controller.faults[0].startswith("sunspec_server.bus: ")
