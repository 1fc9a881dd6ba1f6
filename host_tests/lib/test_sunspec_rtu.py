"""A SunSpec device on RS-485: a pymodbus server on a pseudo terminal, read by the firmware's own
RtuLink and SunSpecDevice; and which of several meters in one device is read.
"""

import asyncio
import contextlib
import os
import select

import modbus_glue as glue
from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice
from test_modbus_peers import in_loop
from test_sunspec_peers import COMMON, INVERTER, METER, UNIT, config, poll, read, registers, served

from controller.links import RtuLink
from controller.sunspec_device import SunSpecDevice

BAUDRATE = 115200


class Uart:
    """What RtuLink asks of machine.UART, on a pseudo terminal."""

    def __init__(self, descriptor):
        self._descriptor = descriptor

    def any(self):
        return bool(select.select([self._descriptor], [], [], 0)[0])

    def read(self):
        return os.read(self._descriptor, 512)

    def readinto(self, buffer):
        got = os.read(self._descriptor, len(buffer))
        buffer[: len(got)] = got
        return len(got)

    def write(self, data):
        os.write(self._descriptor, bytes(data))


@contextlib.contextmanager
def on_a_line(base, models):
    """The near end of a line to such a device; it refuses all other registers."""
    near, far, path = glue.open_line()
    words = registers(models)
    device = SimDevice(UNIT, simdata=[SimData(base, values=words, datatype=DataType.REGISTERS)])

    def make():
        return ModbusSerialServer(device, framer=FramerType.RTU, port=path, baudrate=BAUDRATE)

    try:
        with in_loop(make):
            yield near
    finally:
        os.close(near)
        os.close(far)


def test_a_sunspec_device_on_rs485():
    with on_a_line(50000, [COMMON, dict(INVERTER, ID=103), dict(METER, ID=203)]) as near:

        async def run():
            link = RtuLink(Uart(near), None, BAUDRATE, 10)
            setting = dict(config("generation", None), bus="rs485_1", host=None)
            roof = await poll(SunSpecDevice(setting, link))
            grid = await poll(SunSpecDevice(dict(setting, role="grid"), link))
            return roof, grid, link

        roof, grid, link = asyncio.run(run())
    assert roof.problem is None and grid.problem is None
    assert roof.readings["power_w"] == -6920 and roof.readings["export_wh"] == 12345600
    assert grid.readings["power_w"] == -1230 and grid.readings["import_wh"] == 700010
    assert link.errors == 0


def test_the_second_meter_of_a_device():
    second = dict(METER, ID=201, W=77)
    with served(40000, [COMMON, dict(METER, ID=203), dict(INVERTER, ID=103), second]) as port:
        assert read("grid", port).readings["power_w"] == -1230
        assert read("consumption", port, model_index=2).readings["power_w"] == 770
        assert read("generation", port, model_index=2).readings["power_w"] == -6920
        third = read("consumption", port, model_index=3)
    assert third.problem == (
        "SunSpec: for the role consumption the device needs 3 of the models 201-204, 211-214;"
        " it has 1, 203, 103, 201"
    )
