"""Stands in for an ESP32's `machine` on a PC, under MicroPython's unix port and under CPython.

The firmware imports it unchanged. Pins and I2C expanders follow the twin over a loopback socket,
a UART is a pseudo terminal, the watchdog is the process's alarm clock (so it bites even when the
loop is stuck), and a reset ends the process with code 64, after which the simulation starts it
again. RIPPLEGATE_CHIP names a JSON file: {"channel": port, "uart": {"1": path}, "cause": n}.
"""

import asyncio
import json
import os
import socket
import time

import ffi

_RESET_EXIT = 64
_O_NONBLOCK = 0o4000

_libc = ffi.open("libc.so.6")
_fcntl = _libc.func("i", "fcntl", "iii")
alarm = _libc.func("I", "alarm", "I")


def _config():
    try:
        with open(os.getenv("RIPPLEGATE_CHIP") or "chip.json") as file:
            return json.load(file)
    except OSError:
        return {}


_CONFIG = _config()


class _Channel:
    """The loopback socket to the twin: lines "pin n level", "i2c address byte", "out n level"."""

    def __init__(self):
        self.levels = {}
        self.expanders = {}
        self.pins = {}
        self._rest = b""
        self._socket = None
        self._task = None
        port = _CONFIG.get("channel")
        if port:
            self._socket = socket.socket()
            self._socket.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
            self._socket.settimeout(2)
            while b"ready\n" not in self._rest:
                self._take(self._receive())
            self._socket.setblocking(False)

    def _receive(self):
        try:
            got = self._socket.recv(512)
        except OSError as error:
            if error.args and error.args[0] == 11:
                return b""
            raise
        if not got:  # the simulation is gone, so is its chip
            alarm(1)
            raise SystemExit(0)
        return got

    def _take(self, got):
        self._rest += got
        while b"\n" in self._rest:
            line, _, self._rest = self._rest.partition(b"\n")
            if line == b"ready":
                self._rest = b"ready\n"
                return
            kind, number, value = line.decode().split()
            if kind == "pin":
                self.levels[int(number)] = int(value)
                pin = self.pins.get(int(number))
                if pin:
                    pin._changed()
            elif kind == "i2c":
                self.expanders[int(number)] = int(value)

    async def _follow(self):
        self._rest = b""
        while True:
            got = self._receive()
            if got:
                self._take(got)
            await asyncio.sleep(0.002)

    def follow(self):
        if self._socket and not self._task:
            self._task = asyncio.get_event_loop().create_task(self._follow())

    def send(self, line):
        if self._socket:
            self._socket.send(line.encode())


channel = _Channel()


class Pin:
    IN, OUT, OPEN_DRAIN = 1, 3, 7
    PULL_UP, PULL_DOWN = 2, 1
    IRQ_RISING, IRQ_FALLING = 1, 2

    def __init__(self, number, mode=-1, pull=None, value=None):
        self.number = number
        self._out = value or 0
        self._mode = mode
        self._handler = None
        self._trigger = 3
        self._idle = 0 if pull == Pin.PULL_DOWN else 1
        if mode == Pin.OUT and value is not None:
            self.value(value)

    def value(self, level=None):
        if level is None:
            if self._mode == Pin.OUT:
                return self._out
            return channel.levels.get(self.number, self._idle)
        self._out = 1 if level else 0
        channel.send("out %d %d\n" % (self.number, self._out))

    def irq(self, handler=None, trigger=3, hard=False):
        self._handler = handler
        self._trigger = trigger
        channel.pins[self.number] = self
        channel.follow()

    def _changed(self):
        edge = Pin.IRQ_RISING if channel.levels[self.number] else Pin.IRQ_FALLING
        if self._handler and self._trigger & edge:
            self._handler(self)


class UART:
    """A UART on a pseudo terminal; `txdone` tells the wire's time, not the pipe's."""

    def __init__(self, number, baudrate=9600, bits=8, parity=None, stop=1, **options):
        path = _CONFIG.get("uart", {}).get(str(number))
        if path is None:
            raise ValueError("UART(%d) doesn't exist" % number)
        self._file = open(path, "r+b", buffering=0)
        descriptor = self._file.fileno()
        _fcntl(descriptor, 4, _fcntl(descriptor, 3, 0) | _O_NONBLOCK)
        self._char_us = 1000000 * (1 + bits + (parity is not None) + stop) // baudrate
        self._done_us = time.ticks_us()
        self._got = b""

    def any(self):
        if not self._got:
            self._got = self._file.read(512) or b""
        return len(self._got)

    def read(self, count=512):
        if not self.any():
            return None
        got = self._got[:count]
        self._got = self._got[count:]
        return got

    def readinto(self, buffer, count=None):
        got = self.read(len(buffer) if count is None else count)
        if got is None:
            return None
        buffer[: len(got)] = got
        return len(got)

    def write(self, data):
        now = time.ticks_us()
        if time.ticks_diff(self._done_us, now) < 0:
            self._done_us = now
        self._done_us = time.ticks_add(self._done_us, len(data) * self._char_us)
        return self._file.write(data)

    def txdone(self):
        return time.ticks_diff(self._done_us, time.ticks_us()) <= 0


class WDT:
    """Bites `timeout` ms after the last feed, in the whole seconds of an alarm clock."""

    def __init__(self, id=0, timeout=5000):
        self._seconds = (timeout + 999) // 1000
        self.feed()

    def feed(self):
        alarm(self._seconds)


class RTC:
    def datetime(self, fields=None):
        return time.gmtime()


def reset():
    print("machine.reset()")
    raise SystemExit(_RESET_EXIT)


def unique_id():
    return b"\x02\x00\x00\x00\x00\x01"


def reset_cause():
    return _CONFIG.get("cause", 1)


def __getattr__(name):
    """What few boards have is loaded only where it is asked for."""
    if name == "I2C":
        from i2c import I2C

        return I2C
    if name == "SPI":
        return lambda *pins, **options: None
    raise AttributeError(name)
