"""A time server on loopback (NTP, RFC 5905), so that a simulated board knows the date."""

import asyncio
import struct

_UNIX_S = 2208988800  # from 1900 to 1970
_STRATUM = 2
_LEAP_UNKNOWN = 3 << 6


class NtpServer(asyncio.DatagramProtocol):
    """Answers every client request with utc_s(); `known` False: says that it has no time."""

    def __init__(self, utc_s):
        self._utc_s = utc_s
        self.known = True
        self.requests = 0
        self.port = None

    async def start(self, host, port):
        """Listen; port 0 takes any free one."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(host, port)
        )
        self.port = self._transport.get_extra_info("sockname")[1]

    async def stop(self):
        """Close the port."""
        self._transport.close()

    def datagram_received(self, data, peer):
        """Answer one request; anything else than a client's request is ignored."""
        if len(data) < 48 or data[0] & 7 != 3:
            return
        self.requests += 1
        now = int((self._utc_s() + _UNIX_S) * 2**32) & (2**64 - 1)
        head = 4 << 3 | 4 | (0 if self.known else _LEAP_UNKNOWN)
        answer = struct.pack(
            ">BBbbIIIQ8sQQ", head, _STRATUM, 6, -20, 0, 0, 0, now, data[40:48], now, now
        )
        self._transport.sendto(answer, peer)
