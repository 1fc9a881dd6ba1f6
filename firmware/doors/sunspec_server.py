"""The SunSpec server on Modbus TCP: the registers of controller/sunspec_values.py.

docs/sunspec-server.md. Source of the rules for connections and unit ids: MODBUS Messaging on
TCP/IP Implementation Guide V1.0b, sections 4.2 and 4.4.2.
"""

import asyncio

from micropython import const

from controller.inputs import BoardError
from controller.sunspec_values import Values
from modbus import tcp
from modbus.pdu import FrameError

_CLIENTS = const(4)
_BACKLOG = const(2)
_FRAME = const(260)
_HEADER = const(7)
_FRAME_MS = const(10000)  # for a frame to arrive and its answer to leave
_LOOK_MS = const(250)
_WHOLE = b"\x00\xff"  # unit ids that mean the server itself
_NO_TARGET = const(0x0B)


class _Client:
    def __init__(self, writer, now_ms):
        self.writer = writer
        self.task = asyncio.current_task()
        self.since_ms = now_ms  # its last frame
        self.end_ms = 0
        self.waiting = True  # between two frames


class SunSpecServer:
    """The task "sunspec": listens where port is not 0; a bus has a task of its own.

    door: the HttpDoor, which opens ports; values: controller.sunspec_values.Values; clients: how
    many there are; told: see controller/strangers.py.
    """

    def __init__(self, controller, door=None):
        self.controller = controller
        self._door = door
        self._now_ms = controller.clock.now_ms
        config = controller.settings.doc["sunspec_server"]
        self._port = config["port"]
        self._hosts = config["hosts"]
        self._idle_ms = config["idle_s"] * 1000
        self.values = Values(controller)
        self._clients = []
        self._out = bytearray(_FRAME)  # nothing is awaited while it is in use
        self._server = None
        self.told = {}
        if config["bus"]:
            self._start_bus(config["bus"])

    def _start_bus(self, name):
        from controller.sunspec_bus import SunSpecBus

        try:
            bus = SunSpecBus(self.controller, name, self.values)
        except (BoardError, OSError, ValueError) as error:  # TCP works all the same
            self.controller.fault("sunspec_server.bus: %s" % error)
        else:
            self.controller.supervisor.start("sunspec bus", bus.run)

    @property
    def clients(self):
        return len(self._clients)

    async def run(self, beat=None):
        """Listens, ends who is silent for too long, saves what is to be saved; never returns."""
        while True:
            if beat:
                beat()
            if self._port and self._door and not self._server:
                self._server = await self._door.listen("SunSpec", self._port, self.serve, _BACKLOG)
            now_ms = self._now_ms()
            for client in list(self._clients):
                if now_ms >= client.end_ms:
                    self._end(client)
            self.values.save_due(now_ms)
            await asyncio.sleep_ms(_LOOK_MS)

    def _end(self, client):
        self._clients.remove(client)
        client.task.cancel()

    def _has_room(self):
        """Room for one more, if need be after ending the one that has been idle longest."""
        if len(self._clients) < _CLIENTS:
            return True
        oldest = None
        for client in self._clients:
            if client.waiting and (oldest is None or client.since_ms < oldest.since_ms):
                oldest = client
        if oldest:
            self._end(oldest)
        return oldest is not None

    def _knows(self, writer):
        """True for one of the hosts; what others try becomes an event."""
        from controller import strangers

        known = strangers.address(writer) in self._hosts
        if not known:
            strangers.tell(self, "sunspec_stranger", writer)
        return known

    async def serve(self, reader, writer):
        """One connection until its end."""
        client = _Client(writer, self._now_ms())
        try:
            if self._hosts and not self._knows(writer):
                return
            if not self._has_room():
                return
            self._clients.append(client)
            await self._requests(client, reader, writer)
        except (OSError, EOFError, FrameError, MemoryError, asyncio.CancelledError):
            pass  # it went away, had its time, or speaks something else
        finally:
            if client in self._clients:
                self._clients.remove(client)
            try:
                writer.close()
                await writer.wait_closed()
            except OSError:
                pass  # gone already

    async def _requests(self, client, reader, writer):
        """Answers request after request; reads never more than what is missing of one."""
        frame = bytearray(_FRAME)
        while True:
            have = 0
            need = _HEADER
            client.waiting = True
            client.since_ms = now_ms = self._now_ms()
            client.end_ms = now_ms + self._idle_ms
            while have < need:
                data = await reader.read(need - have)
                if not data:
                    return
                if not have:
                    client.waiting = False
                    client.end_ms = self._now_ms() + _FRAME_MS
                frame[have : have + len(data)] = data
                have += len(data)
                if have == _HEADER:
                    need = _HEADER + tcp.unpack_header(frame, 0)[2]
            end = self._answer(frame, need - _HEADER)
            writer.write(bytes(memoryview(self._out)[:end]))
            await writer.drain()

    def _answer(self, frame, size):
        """Puts the answer's frame into _out; returns its end."""
        transaction, unit, _ = tcp.unpack_header(frame, 0)
        out = self._out
        target = self.values.unit if unit in _WHOLE else unit
        if target in self.values.units:
            size = self.values.serve(target, frame, size, out, _HEADER, _HEADER)
        else:
            out[_HEADER] = frame[_HEADER] | 0x80
            out[_HEADER + 1] = _NO_TARGET
            size = 2
        return tcp.pack_header(out, 0, transaction, unit, size)
