"""The scan of a SunSpec device: one question at a time. In RAM only while there is need for it."""

from micropython import const

from controller import data
from controller.device import Device
from controller.links import LinkTimeout
from modbus import pdu
from modbus.template import READINGS
from sunspec.readout import ScanError
from sunspec.scan import BASES, Scan

_NOT_THERE = const(4)  # with these codes a device lacks a register; others tell of no device
_AGAIN_MS = const(15000)  # a device that lacks something is not asked all the time


async def step(device, clock):
    """Asks the next question. ModbusError where no device, or not the one wanted, was found."""
    scan = device.scan = device.scan or Scan(device.base)
    address, count = scan.request() or (0, 0)
    try:
        try:
            start, _ = await device.ask(3, address, count)
        except pdu.ModbusException as error:
            if error.code > _NOT_THERE:
                raise pdu.ModbusError(error.code, str(error))
            scan.refused()
        else:
            scan.answer(device.link.rx, start)
        if scan.request() is None:
            _become(device, scan)
    except LinkTimeout:
        # Some are silent rather than refuse: the next time it is tried at another place.
        device.scan = None
        if not scan.models:
            device.base = (scan.base + 1) % len(BASES)
        raise
    except ScanError as error:
        device.scan = None
        device.again_ms = clock() + _AGAIN_MS
        device.problem = str(error)
        raise pdu.ModbusError("sunspec", device.problem)


def _become(device, scan):
    """Makes it a device with what was found; what it said before lives on."""
    from sunspec.choice import choose  # not before: the largest part

    config = device.config
    table = data.load_json("templates/sunspec.json")
    which = config.get("model_index", 1)
    readout = choose(scan, config["role"], config["phases"], table, READINGS, which)
    if config.get("invert"):
        from controller.inverted import Inverted

        readout = Inverted(readout)
    kept = device.readings, device.read_ms, device.error_since_ms, device.setup, device.wake
    Device.__init__(device, config, readout, device.link)
    device.readings, device.read_ms, device.error_since_ms, device.setup, device.wake = kept
    device.base = scan.base
    device.scan = None
    device.known = True
