"""The SunSpec server on an RS-485 bus of the board (Modbus RTU); docs/sunspec-server.md.

Others may answer on the same bus: what does not end in silence with a right checksum, or is for
another unit, is thrown away. Source: MODBUS over Serial Line V1.02, sections 2.4 and 2.5.1.
"""

import asyncio
import json
import time

from micropython import const

from modbus import rtu
from modbus.pdu import FrameError
from modbus.server import request_length

_FRAME = const(256)
_LOOK_MS = const(2)  # while something comes
_IDLE_MS = const(10)
_CHAR_BITS = {"N": 9, "E": 10, "O": 10}


class SunSpecBus:
    """The task "sunspec bus". values: sunspec_values.Values."""

    def __init__(self, controller, bus, values):
        self._controller = controller
        self._values = values
        self._bus = bus
        line = controller.settings.doc["buses"].get(bus)
        line = line or {"baudrate": 19200, "parity": "E", "stop": 1}
        baudrate = line["baudrate"]
        bits = _CHAR_BITS[line["parity"]] + line["stop"]
        self._char_us = bits * 1000000 // baudrate
        self._silence_ms = max(_LOOK_MS, rtu.silent_ms(baudrate, bits))
        self._uart, self._de = self._open(line)
        self._frame = bytearray(_FRAME)
        self._out = bytearray(_FRAME)
        if self._de:
            self._de.value(0)

    def _open(self, line):
        """(UART, driver or None): of a board that has nothing but its RS-485 ports, since the
        start has made all others already. BoardError.
        """
        from controller.board import Board

        with open("board.json") as file:
            document = json.load(file)
        board = Board({"name": document["name"], "rs485": document.get("rs485", [])})
        return board.uart(self._bus, line["baudrate"], parity=line["parity"], stop=line["stop"])

    async def run(self, beat):
        """Never returns."""
        frame = self._frame
        view = memoryview(frame)
        have = 0
        last_ms = time.ticks_ms()
        while True:
            beat()
            if self._uart.any():
                if have == _FRAME:  # no request is so long: all until the next silence
                    have = 0
                have += self._uart.readinto(view[have:]) or 0
                last_ms = time.ticks_ms()
            elif have and time.ticks_diff(time.ticks_ms(), last_ms) >= self._silence_ms:
                start = self._request(have)
                if start is not None:
                    await self._answer(start, have)
                have = 0
                last_ms = time.ticks_ms()
            await asyncio.sleep_ms(_LOOK_MS if have else _IDLE_MS)

    def _request(self, have):
        """Where a request for us begins, None where there is none.

        What others said may lie before it, where the loop was too busy to see the silence.
        """
        frame = self._frame
        view = memoryview(frame)
        for start in range(have - 3):
            if frame[start] and frame[start] not in self._values.units:
                continue
            length = request_length(view[start:have], have - start)
            if length != have - start and (start or length != -1):
                continue
            try:
                rtu.check_crc(frame, start, have)
            except FrameError:
                continue
            return start
        return None

    async def _answer(self, start, end):
        """Serves the request and sends the answer; none to what was said to all."""
        out = self._out
        unit = self._frame[start]
        values = self._values
        size = values.serve(unit or values.unit, self._frame, end - start - 3, out, start + 1, 1)
        if not unit or not size:
            return
        out[0] = unit
        size = rtu.add_crc(out, 0, 1 + size)
        if self._de:
            self._de.value(1)
        self._uart.write(memoryview(out)[:size])
        # As in controller/links.py: the bulk is slept through, the tail is watched.
        await asyncio.sleep_ms(max(0, size * self._char_us // 1000 - 1))
        while self._de and not self._uart.txdone():
            pass
        if self._de:
            self._de.value(0)
