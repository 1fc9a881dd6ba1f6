"""Modbus links: one request and its answer at a time, over RS-485 or TCP.

Both kinds have buffers `tx` and `rx`, the place `pdu_at` where the caller builds the request's
PDU in `tx`, and `await transact(unit, size, timeout_ms)`, which returns (start, end) of the
answer's PDU in `rx`. Nothing here blocks: waiting is sleeping in the loop.
"""

import asyncio
import time

from micropython import const

from modbus import rtu, tcp
from modbus.pdu import FrameError, ModbusError

_BUFFER = const(264)
_REQUEST = const(32)  # a template reads, or writes at most four registers
_LINE_MS = const(2)  # pause between two looks at the UART
_CONNECT_MS = const(3000)
_BACKOFF_MAX_MS = const(30000)


class LinkTimeout(Exception):
    """No answer within the time."""


class LinkDown(Exception):
    """The connection could not be made or was lost."""


class RtuLink:
    """Master of one RS-485 bus. de: driver-enable Pin-like object, None for an automatic one."""

    def __init__(self, uart, de, baudrate, char_bits):
        self.tx = bytearray(_REQUEST)
        self.rx = bytearray(_BUFFER)
        self.pdu_at = 1
        self.busy_ms = 0
        self.errors = 0
        self._uart = uart
        self._de = de
        self._char_us = char_bits * 1000000 // baudrate
        self._silence_ms = rtu.silent_ms(baudrate, char_bits)
        self._quiet_from_ms = time.ticks_ms()
        if de:
            de.value(0)

    async def transact(self, unit, size, timeout_ms):
        """Sends tx[1:1+size] to `unit`, returns (start, end) of the answer's PDU in rx.

        LinkTimeout after `timeout_ms` without a first byte, ModbusError for a garbled answer.
        """
        await self._silence()
        start_ms = time.ticks_ms()
        self.tx[0] = unit
        try:
            await self._send(rtu.add_crc(self.tx, 0, 1 + size))
            return await self._answer(unit, timeout_ms)
        except (LinkTimeout, ModbusError):
            self.errors += 1
            raise
        finally:
            self._quiet_from_ms = time.ticks_ms()
            self.busy_ms += time.ticks_diff(self._quiet_from_ms, start_ms)

    async def drain(self, duration_ms):
        """Listens and throws away: a late answer must not be taken for the next one."""
        end_ms = time.ticks_add(time.ticks_ms(), duration_ms)
        while time.ticks_diff(end_ms, time.ticks_ms()) > 0:
            await asyncio.sleep_ms(5)
            self._discard()

    def _discard(self):
        while self._uart.any():
            self._uart.read()
            self._quiet_from_ms = time.ticks_ms()

    async def _silence(self):
        """Waits for the silent interval, counted from the last byte that was on the line."""
        self._discard()
        while True:
            passed_ms = time.ticks_diff(time.ticks_ms(), self._quiet_from_ms)
            if passed_ms >= self._silence_ms:
                return
            await asyncio.sleep_ms(self._silence_ms - passed_ms)
            self._discard()

    async def _send(self, size):
        if self._de:
            self._de.value(1)
        self._uart.write(memoryview(self.tx)[:size])
        # The bulk is slept through; the tail is watched without yielding, since a late release of
        # the driver would cut the first byte of the answer (micropython.org: no RS-485 mode).
        await asyncio.sleep_ms(max(0, size * self._char_us // 1000 - 1))
        while self._de and not self._uart.txdone():
            pass
        if self._de:
            self._de.value(0)

    async def _answer(self, unit, timeout_ms):
        have = 0
        first_by_ms = time.ticks_add(time.ticks_ms(), timeout_ms)
        # A frame once begun may end: the longest one takes its time on the wire.
        all_by_ms = time.ticks_add(first_by_ms, _BUFFER * self._char_us // 1000 + 20)
        view = memoryview(self.rx)
        while True:
            if self._uart.any():
                have += self._uart.readinto(view[have:]) or 0
            total = rtu.response_length(self.rx, have)
            if total and have >= total:
                if have > total:
                    raise FrameError("length", "bytes too many after the answer")
                rtu.check_crc(self.rx, 0, total)
                if self.rx[0] == unit:
                    return 1, total - 2
                have = total = 0  # somebody else's late answer
            now = time.ticks_ms()
            if have == 0 and time.ticks_diff(first_by_ms, now) <= 0:
                raise LinkTimeout("no answer within %d ms" % timeout_ms)
            if have >= _BUFFER - 4 or time.ticks_diff(all_by_ms, now) <= 0:
                raise FrameError("short", "the answer broke off after %d bytes" % have)
            missing_ms = ((total or 5) - have) * self._char_us // 1000 - 1
            await asyncio.sleep_ms(max(_LINE_MS, missing_ms) if have else _LINE_MS)


class TcpLink:
    """One connection to one Modbus TCP device, made anew with back-off when it is lost."""

    def __init__(self, host, port):
        self.tx = bytearray(_REQUEST)
        self.rx = b""  # the last answer as it came: a buffer for each device would cost 264 bytes
        self.pdu_at = 7
        self.busy_ms = 0
        self.errors = 0
        self._host = host
        self._port = port
        self._reader = None
        self._writer = None
        self._transaction = 0
        self._backoff_ms = 500
        self._next_try_ms = None

    async def transact(self, unit, size, timeout_ms):
        """As RtuLink.transact. LinkDown while there is no connection."""
        if self._writer is None:
            await self._connect()
        start_ms = time.ticks_ms()
        self._transaction = (self._transaction + 1) & 0xFFFF
        size = tcp.pack_header(self.tx, 0, self._transaction, unit, size)
        try:
            return await asyncio.wait_for_ms(self._exchange(unit, size), timeout_ms)
        except asyncio.TimeoutError:
            await self._close()
            raise LinkTimeout("no answer within %d ms" % timeout_ms)
        except (OSError, EOFError) as error:
            await self._close()
            raise LinkDown("connection lost (%s)" % (error.args[0] if error.args else "closed"))
        except ModbusError:
            await self._close()  # where the next frame begins is unknown
            raise
        finally:
            self.busy_ms += time.ticks_diff(time.ticks_ms(), start_ms)

    async def drain(self, duration_ms):
        """Late answers carry their transaction id and went with the connection."""

    async def _connect(self):
        now = time.ticks_ms()
        if self._next_try_ms is not None and time.ticks_diff(self._next_try_ms, now) > 0:
            raise LinkDown("no connection to %s:%d" % (self._host, self._port))
        self._next_try_ms = time.ticks_add(now, self._backoff_ms)
        self._backoff_ms = min(self._backoff_ms * 2, _BACKOFF_MAX_MS)
        try:
            self._reader, self._writer = await asyncio.wait_for_ms(
                asyncio.open_connection(self._host, self._port), _CONNECT_MS
            )
        except (OSError, asyncio.TimeoutError):
            self.errors += 1
            raise LinkDown("no connection to %s:%d" % (self._host, self._port))

    async def _exchange(self, unit, size):
        self._writer.write(bytes(memoryview(self.tx)[:size]))
        await self._writer.drain()
        while True:
            header = await self._reader.readexactly(7)
            transaction, answering, size = tcp.unpack_header(header, 0)
            body = await self._reader.readexactly(size)
            if transaction == self._transaction and answering == unit:
                self.rx = body
                # Only an answered request shows that the other side is really there.
                self._backoff_ms = 500
                self._next_try_ms = None
                return 0, size

    async def _close(self):
        self.errors += 1
        writer = self._writer
        self._reader = self._writer = None
        if writer:
            writer.close()
            try:
                await writer.wait_closed()
            except OSError:
                pass  # it was lost already
