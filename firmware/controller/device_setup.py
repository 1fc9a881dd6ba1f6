"""What a device is told after it was connected or silent: init writes, read-back, first reading.

Not needed while all devices answer, so the module leaves the RAM again (controller/unload.py).
"""

from modbus import setup


async def step(device, clock):
    """One transaction of the set-up; device.setup keeps what is still to be done."""
    template = device.template
    failsafe_ma = device.config.get("failsafe_current_ma", 0)
    todo = device.setup
    if todo is None:
        device.complaint = None
        todo = _all("write", setup.writes(template, failsafe_ma, False))
        todo += _all("check", setup.read_backs(template, failsafe_ma))
        todo += _all("read", [()])
        device.setup = todo
        device.stored = True
    kind, what = todo[0]
    if kind == "write":
        await device.write(what)
    elif kind == "read":
        await device.read(0, clock)
    elif not await _is_there(device, *what):
        stored = setup.writes(template, failsafe_ma, True) if device.stored else None
        device.stored = False
        if stored:  # written to the box's flash only when it is not there already
            todo[0:0] = _all("write", stored)
            return
        name = what[-1]  # pyright: ignore[reportGeneralTypeIssues]
        device.complaint = "%s could not be programmed" % name
    todo.pop(0)


def _all(kind, what):
    return [(kind, item) for item in what]


async def _is_there(device, fc, address, expected, _):
    start, end = await device.ask(fc, address, len(expected) // 2)
    return bytes(device.link.rx[start:end]) == expected
