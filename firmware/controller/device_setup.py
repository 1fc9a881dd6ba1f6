"""What a device is told after it was connected or silent: init writes, read-back, first reading;
and how its phases are switched.

Not needed while all devices answer, so the module leaves the RAM again (controller/unload.py).
"""

from micropython import const

from modbus import pdu, setup

_LOOK_MS = const(300000)  # somebody else may switch the phases too
_AGAIN_MS = const(2000)
_TRIES = const(8)  # a box may take its time: told again after so many looks


async def step(device, clock):
    """One transaction of the set-up; device.setup keeps what is still to be done."""
    template = device.template
    failsafe_ma = device.config.get("failsafe_current_ma", 0)
    todo = device.setup
    if todo is None:
        device.complaint = None
        todo = _all("write", setup.writes(template, failsafe_ma, False))
        todo += _all("check", setup.read_backs(template, failsafe_ma))
        config = device.config
        if template.phase_switch and not config.get("phase_relay"):
            device.phases_ms = None if config.get("phase_switching") is False else 0
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


async def phases(device, clock):
    """Reads which phases are switched on, and tells a pausing box those that are ordered."""
    checks = setup.phase_checks(device.template)
    device.phases_ms = clock() + _LOOK_MS  # first: not every box answers to these registers
    if not device.switchable:
        try:
            # A box that does not tell whether it has the contactor: the settings have to.
            sure = device.config.get("phase_switching") if len(checks) < 3 else None
            if sure or len(checks) > 2 and await _is_there(device, *checks[2]):
                device.switchable = True
                device.phases_ms = 0
        except pdu.ModbusException:
            pass
        return
    wanted = device.ordered_phases
    tell = wanted and wanted != device.sent_phases and device.sent_ma == device.setpoint_ma == 0
    if wanted not in (None, device.sent_phases):
        device.phases_ms = clock() + _AGAIN_MS
    if tell:
        if device.phase_tries % _TRIES == 0:
            await device.write(setup.phase_write(device.template, wanted))
        device.phase_tries += 1
    fc, address, expected = checks[0]
    if fc:
        start, end = await device.ask(fc, address, len(expected) // 2)
        found = bytes(device.link.rx[start:end])
        device.sent_phases = 1 if found == expected else 3 if found == checks[1][2] else None
    elif tell:
        device.sent_phases = wanted
    if device.sent_phases == wanted:
        device.phase_tries = 0
    if device.phase_tries == _TRIES:
        device.complaint = "%d-phase charging could not be switched on" % wanted
    elif not device.phase_tries and "charging could" in (device.complaint or ""):
        device.complaint = None


def leave():
    """Takes this module out of RAM again, after a look at the phases."""
    from controller.unload import unload

    unload(("controller.device_setup", "modbus.setup"))


def _all(kind, what):
    return [(kind, item) for item in what]


async def _is_there(device, fc, address, expected, _=None):
    start, end = await device.ask(fc, address, len(expected) // 2)
    return bytes(device.link.rx[start:end]) == expected
