"""What the twin's tests share: a twin that lives for one test, and simple clients."""

import asyncio
import contextlib
import os
import time

import aiohttp
from pymodbus.framer import FramerRTU

from tools.twin import Twin


def run(test, **options):
    """Run `test(twin)` inside a living twin on free ports."""

    async def whole():
        async with living(**options) as twin:
            await test(twin)

    asyncio.run(asyncio.wait_for(whole(), 60))


@contextlib.asynccontextmanager
async def living(**options):
    """Give a started twin and stop it in the end."""
    twin = Twin(port_base=0, **options)
    await twin.start()
    try:
        yield twin
    finally:
        await twin.stop()


async def until(condition, seconds=10):
    """Wait until `condition()` is true; fail after `seconds`."""
    end = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < end, "did not happen in time"
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def http(twin):
    """Give an HTTP session whose paths are relative to the twin."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{twin.http_port}") as session:
        yield session


class Wire:
    """The master's end of the pseudo terminal, byte by byte."""

    def __init__(self, path):
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def close(self):
        """Hang up."""
        os.close(self._fd)

    def write(self, data):
        """Write at once, as a process does."""
        os.write(self._fd, data)

    def read(self):
        """Return what is there now."""
        try:
            return os.read(self._fd, 512)
        except BlockingIOError:
            return b""

    async def listen(self, seconds=0.35):
        """Return all that comes within `seconds`."""
        end, data = time.monotonic() + seconds, b""
        while time.monotonic() < end:
            data += self.read()
            await asyncio.sleep(0.002)
        return data


def frame(unit, *pdu):
    """Return a whole RTU frame."""
    data = bytes([unit, *pdu])
    return data + FramerRTU.compute_CRC(data).to_bytes(2, "big")
