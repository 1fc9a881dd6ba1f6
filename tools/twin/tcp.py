"""A Modbus TCP server for one device (MODBUS Messaging on TCP/IP V1.0b, section 3.1)."""

import asyncio
import struct

_MAX_CLIENTS = 8


class TcpServer:
    """Serves one device on its own port; requests to other units are not answered."""

    def __init__(self, device, slow_ms, rng):
        self.device = device
        self.port = None
        self.requests = 0
        self.errors = 0
        self._slow_s = slow_ms / 1000
        self._rng = rng
        self._clients = set()

    async def start(self, host, port):
        """Listen; port 0 takes any free one."""
        self._server = await asyncio.start_server(self._serve, host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        """Close the port and all connections."""
        self._server.close()
        for writer in list(self._clients):
            writer.close()
        await self._server.wait_closed()

    def report(self):
        """Return the counters."""
        return {
            "requests": self.requests,
            "errors": self.errors,
            "clients": len(self._clients),
            "port": self.port,
        }

    async def _serve(self, reader, writer):
        if len(self._clients) >= _MAX_CLIENTS:
            writer.close()
            return
        self._clients.add(writer)
        try:
            while True:
                head = await reader.readexactly(7)
                number, protocol, size, unit = struct.unpack(">HHHB", head)
                if protocol or not 2 <= size <= 254:
                    self.errors += 1
                    break
                pdu = await reader.readexactly(size - 1)
                answer = await self._answer(number, unit, pdu)
                if answer:
                    writer.write(answer)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # The master hung up: that is its right at any byte.
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _answer(self, number, unit, pdu):
        device = self.device
        self.requests += 1
        if unit != device.unit or device.deaf:
            return None
        answer = device.answer(pdu)
        wait_s = self._rng.uniform(*device.turnaround_ms) / 1000
        await asyncio.sleep(wait_s + (self._slow_s if device.fault == "slow" else 0))
        if device.fault == "crc":
            # TCP has no CRC of its own: a gateway in trouble answers with a strange number.
            self.errors += 1
            number ^= 0x5A5A
        return struct.pack(">HHHB", number, 0, len(answer) + 1, unit) + answer
