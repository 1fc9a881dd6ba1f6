"""An RS-485 bus on a pseudo terminal, at the wire speed of its baud rate.

A pseudo terminal hands over bytes at once; a wire does not. So every character that the master
writes is taken as still being on the wire for its time, a frame ends with 3.5 characters of
silence after that, and an answer comes after the device's turnaround in small pieces, each
delivered when its last character would have arrived. Timing rules: MODBUS over Serial Line
V1.02, section 2.5.1.1.
"""

import asyncio
import collections
import fcntl
import os
import struct
import termios
import time
import tty

from .pdu import crc16

_MAX_FRAME = 256
_PIECE = 4
_WINDOW_S = 10
_UNREAD_S = 2


class RtuBus:
    """One bus with its devices; `path` is what the master opens."""

    def __init__(self, name, config, slow_ms, rng):
        self.name = name
        self.devices = {}
        self.path = None
        self.baudrate = config["baudrate"]
        self.parity = config["parity"]
        self.stop_bits = config["stop"]
        bits = 9 + (self.parity != "N") + self.stop_bits
        self.char_s = bits / self.baudrate
        # Above 19200 baud the standard fixes the silence.
        self.silence_s = 3.5 * self.char_s if self.baudrate <= 19200 else 0.00175
        self.requests = 0
        self.errors = 0
        self._slow_s = slow_ms / 1000
        self._rng = rng
        self._frame = bytearray()
        self._heard_until = 0
        self._end_timer = None
        self._talking = 0
        self._noise = False
        self._spoilt = False
        self._answers = set()
        self._use = collections.deque()
        self._unread = (0, 0)
        self._began_s = time.monotonic()

    async def start(self):
        """Open the pseudo terminal. Our own hold on its far end lets masters come and go."""
        self._loop = asyncio.get_running_loop()
        self._wire, self._far_end = os.openpty()
        tty.setraw(self._far_end)
        os.set_blocking(self._wire, False)
        self.path = os.ttyname(self._far_end)
        self._loop.add_reader(self._wire, self._hear)

    async def stop(self):
        """Close the bus."""
        self._loop.remove_reader(self._wire)
        if self._end_timer:
            self._end_timer.cancel()
        for answer in self._answers:
            answer.cancel()
        await asyncio.gather(*self._answers, return_exceptions=True)
        os.close(self._wire)
        os.close(self._far_end)

    def flush(self):
        """Forget what a master that died has written, and what it has not read."""
        try:
            while os.read(self._wire, 1024):
                pass
        except BlockingIOError:
            pass  # Empty, which is what was wanted.
        self._frame.clear()
        for answer in self._answers:
            answer.cancel()
        termios.tcflush(self._far_end, termios.TCIOFLUSH)

    def tick(self):
        """Once a second or so: drop answers that nobody has read for some time.

        On a wire they would be gone; here the next master would find them.
        """
        waiting = struct.unpack("I", fcntl.ioctl(self._far_end, termios.FIONREAD, bytes(4)))[0]
        now_s = time.monotonic()
        if waiting != self._unread[0]:
            self._unread = (waiting, now_s)
        elif waiting and now_s - self._unread[1] > _UNREAD_S:
            termios.tcflush(self._far_end, termios.TCIFLUSH)

    def report(self):
        """Return the counters; percentages are of the last ten seconds."""
        now_s = time.monotonic()
        self._forget(now_s)
        span_s = max(0.1, min(_WINDOW_S, now_s - self._began_s))
        return {
            "requests": self.requests,
            "errors": self.errors,
            "busy_pct": min(100, round(100 * sum(u[1] for u in self._use) / span_s)),
            "wire_pct": min(100, round(100 * sum(u[2] for u in self._use) / span_s)),
            "units": {str(unit): dev.requests for unit, dev in self.devices.items()},
        }

    def _forget(self, now_s):
        while self._use and self._use[0][0] < now_s - _WINDOW_S:
            self._use.popleft()

    def _used(self, busy_s, chars):
        """Note that the bus was not free for busy_s, with `chars` characters in that time."""
        now_s = time.monotonic()
        self._forget(now_s)
        self._use.append((now_s, busy_s, chars * self.char_s))

    def _hear(self):
        """Take what the master wrote, and wait until the wire has carried it."""
        try:
            data = os.read(self._wire, 1024)
        except OSError as error:
            raise RuntimeError(f"the pseudo terminal of {self.name} broke: {error}") from error
        if self._talking:
            self._noise = self._spoilt = True
        now_s = time.monotonic()
        self._heard_until = max(now_s, self._heard_until) + len(data) * self.char_s
        if len(self._frame) <= _MAX_FRAME:
            self._frame += data
        if self._end_timer:
            self._end_timer.cancel()
        self._end_timer = self._loop.call_at(self._heard_until + self.silence_s, self._frame_end)

    def _frame_end(self):
        self._end_timer = None
        frame, spoilt = bytes(self._frame), self._spoilt
        self._frame.clear()
        self._spoilt = False
        if not frame:
            return
        self._used(len(frame) * self.char_s + self.silence_s, len(frame))
        whole = 4 <= len(frame) <= _MAX_FRAME and crc16(frame[:-2]) == frame[-2:]
        if not whole or spoilt:
            self.errors += 1
            return
        self.requests += 1
        if frame[0] == 0:
            for device in self.devices.values():
                if not device.deaf:
                    device.answer(frame[1:-2])
            return
        device = self.devices.get(frame[0])
        if device and not device.deaf:
            self._prepare(device, frame)

    def _prepare(self, device, frame):
        answer = frame[:1] + device.answer(frame[1:-2])
        answer += crc16(answer)
        if device.fault == "crc":
            self.errors += 1
            answer = answer[:-1] + bytes([answer[-1] ^ 0x5A])
        turnaround_s = self._rng.uniform(*device.turnaround_ms) / 1000
        if device.fault == "slow":
            turnaround_s += self._slow_s
        begin_s = self._heard_until + max(self.silence_s, turnaround_s)
        task = self._loop.create_task(self._talk(answer, begin_s))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _talk(self, answer, begin_s):
        """Send `answer` from begin_s on at wire speed; who talks into it spoils both."""
        asked_s = self._heard_until
        await self._until(begin_s)
        begin_s = max(begin_s, time.monotonic())
        if self._talking or self._frame or self._heard_until > begin_s:
            self._noise = True
            self._spoilt = bool(self._frame)
        self._talking += 1
        try:
            for i in range(0, len(answer), _PIECE):
                piece = answer[i : i + _PIECE]
                await self._until(begin_s + (i + len(piece)) * self.char_s)
                self._send(bytes(b ^ 0x29 for b in piece) if self._noise else piece)
        finally:
            self._talking -= 1
            if self._noise:
                self.errors += 1
            if not self._talking:
                self._noise = False
            self._used(time.monotonic() - asked_s - self.silence_s, len(answer))

    async def _until(self, when_s):
        await asyncio.sleep(max(0, when_s - time.monotonic()))

    def _send(self, data):
        try:
            os.write(self._wire, data)
        except BlockingIOError:
            self.errors += 1
