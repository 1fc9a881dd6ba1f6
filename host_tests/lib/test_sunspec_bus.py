"""The SunSpec server on RS-485: pymodbus as the operator's master on a pseudo terminal, other
devices and noise on the same line.
"""

import asyncio
import os
import struct
import time

import modbus_glue as glue
import pytest
from fakes.sunspec_site import Controller
from pymodbus.client import ModbusSerialClient
from test_sunspec_rtu import BAUDRATE, Uart

from controller import sunspec_bus
from controller.sunspec_values import Values
from modbus import rtu

SILENT_PASSES = 6  # of 2 ms and more each: the server's task takes 2 ms for silence


class Driver:
    def __init__(self):
        self.levels = []

    def value(self, level):
        self.levels.append(level)


class Line(Uart):
    sent = b""

    def readinto(self, buffer):
        got = os.read(self._descriptor, min(len(buffer), 32))
        buffer[: len(got)] = got
        return len(got)

    def write(self, data):
        self.sent += bytes(data)
        super().write(data)

    def txdone(self):
        return True


class Bus:
    """The server's task on the near end of a line; path: the far end, for a master."""

    def __init__(self, monkeypatch):
        self.near, self.far, self.path = glue.open_line()
        self.line = Line(self.near)
        self.driver = Driver()
        self.passes = 0
        monkeypatch.setattr(sunspec_bus.SunSpecBus, "_open", lambda *_: (self.line, self.driver))
        controller = Controller(port=0, bus="rs485_1")
        controller.settings.doc["buses"] = {
            "rs485_1": {"baudrate": BAUDRATE, "parity": "N", "stop": 1}
        }
        self.values = Values(controller)
        self.bus = sunspec_bus.SunSpecBus(controller, "rs485_1", self.values)

    def _beat(self):
        self.passes += 1

    async def serve(self, work):
        task = asyncio.create_task(self.bus.run(self._beat))
        try:
            return await asyncio.get_running_loop().run_in_executor(None, work)
        finally:
            task.cancel()

    def say(self, *frames):
        """What comes over the line, each with silence after it; what is answered."""

        def work():
            self.line.sent = b""
            for frame in frames:
                os.write(self.far, bytes(frame))
                heard = None
                # Silence is what the server's task has seen, however slow this machine is.
                while heard is None or self.passes < heard + SILENT_PASSES:
                    time.sleep(0.005)
                    if self.line.any():
                        heard = None
                    elif heard is None:
                        heard = self.passes
            return self.line.sent

        return asyncio.run(self.serve(work))


@pytest.fixture
def bus(monkeypatch):
    made = Bus(monkeypatch)
    yield made
    os.close(made.near)
    os.close(made.far)


def framed(unit, pdu):
    buffer = bytearray([unit]) + pdu + bytearray(2)
    rtu.add_crc(buffer, 0, len(buffer) - 2)
    return bytes(buffer)


READ = b"\x03\x9c\x40\x00\x02"
MARKER = framed(7, b"\x03\x04SunS")


def test_pymodbus_reads_and_writes(bus):
    def work():
        client = ModbusSerialClient(bus.path, baudrate=BAUDRATE, timeout=2, retries=0)
        assert client.connect()
        try:
            marker = client.read_holding_registers(40000, count=2, device_id=7).registers
            whole = client.read_input_registers(40070, count=125, device_id=7).registers
            percent = list(struct.unpack(">2H", struct.pack(">f", 30)))
            written = client.write_registers(40968, percent, device_id=7)
            back = client.read_holding_registers(40968, count=2, device_id=7).registers
            devices = client.read_holding_registers(40070, count=2, device_id=8).registers
            refused = client.write_register(40968, 1, device_id=7)
            return marker, whole, written.isError(), back == percent, devices, refused
        finally:
            client.close()

    marker, whole, failed, back, devices, refused = asyncio.run(bus.serve(work))
    assert marker == [0x5375, 0x6E53] and whole[:2] == [213, 124] and not failed and back
    assert devices == [213, 126] and refused.exception_code == 3
    assert bus.values.controller.site.percent == 30
    levels = bus.driver.levels
    assert levels[0] == 0 and levels[1:] == [1, 0] * 6  # on only while it sends


def test_others_on_the_line(bus):
    ours = framed(7, READ)
    assert bus.say(ours) == MARKER
    assert bus.say(framed(9, READ), framed(9, b"\x03\x04abcd")) == b""
    assert bus.say(ours[:-1] + b"\x00") == b""  # wrong checksum
    assert bus.say(ours[:4], ours[4:]) == b""  # silence in between
    assert bus.say(b"\xff" * 700, ours) == MARKER  # longer than any frame
    # The loop was busy and missed the silence between the other's answer and our request.
    assert bus.say(framed(9, b"\x03\x04abcd") + ours) == MARKER
    assert bus.say(ours + ours) == MARKER
    assert bus.say(framed(7, b"\x2b\x0e\x01\x00")) == framed(7, b"\xab\x01")
    assert bus.say(framed(0, b"\x06\xa0\x0c\x00\x01")) == b""  # to all: done, and no answer
    assert bus.values.flag(1) == 1
