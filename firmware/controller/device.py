"""Devices on Modbus links: what each is to be asked and told, and the task that serves a link.

A link's task does one transaction at a time and chooses the next: a decrease of any wallbox
first, then whatever has waited longest. A device that does not answer is asked seldom, so that
all of them together cost the others little.
"""

import asyncio

from micropython import const

from controller.links import LinkDown, LinkTimeout
from modbus import pdu

_TIMEOUT_MS = const(250)  # to the first byte of an answer
_GARBLED_MS = const(20)
_IDLE_MS = const(20)
_COM_ERROR_AFTER = const(3)  # failures in a row until the device counts as silent
_DEAD_SHARE = const(20)  # a dead device may use 1/20 of the time
_DEAD_MAX_MS = const(15000)
_REFRESH_MS = const(15000)  # a setpoint is said again so often


class Device:
    """A meter or wallbox behind a link.

    readings: what the template decodes (integers, units in the names); read_ms: when its first,
    most urgent block was last read, or None; com_error: it does not answer; problem: what is wrong
    with the connection, complaint: what it refused or took differently (sentences or None). setpoint_ma is written by the cycle, sent_ma is what the box has confirmed.
    """

    def __init__(self, config, template, link):
        self.id = config["id"]
        self.config = config
        self.template = template
        self.link = link
        self.readings = {}
        self.read_ms = None
        self.com_error = True
        self.error_since_ms = None
        self.problem = None
        self.complaint = None
        self.errors = 0
        self.requests = 0
        self.setpoint_ma = None
        self.sent_ma = None
        self.sent_at_ms = None
        self._failures = 0
        self._not_before_ms = 0
        self._due_ms = [0] * len(template.blocks)
        # The reading is whole when the last of the most often read blocks is there.
        hot = template.blocks[0][3]
        self._whole_at = [n for n in range(len(template.blocks)) if template.blocks[n][3] <= hot][-1]
        self._setup = None
        self._stored = None
        self._watchdog_ms = 0

    def urgent(self):
        """True where a decrease waits to be written."""
        setpoint_ma = self.setpoint_ma
        return (
            setpoint_ma is not None
            and (self.sent_ma is None or setpoint_ma < self.sent_ma)
            and not self.com_error
        )

    def due(self, now_ms):
        """(ms of its next job, job); job is "setup", "setpoint", "watchdog" or a block's number."""
        if self._setup is None or self._setup:
            return self._not_before_ms, "setup"
        when_ms = min(self._due_ms)
        job = self._due_ms.index(when_ms)
        if self.setpoint_ma is not None:
            said_again_ms = self.template.refresh_ms // 2 or _REFRESH_MS
            refresh_ms = 0 if self.sent_ma != self.setpoint_ma else self.sent_at_ms + said_again_ms
            if refresh_ms < when_ms:
                when_ms, job = refresh_ms, "setpoint"
        if self.template.watchdog and self._watchdog_ms < when_ms:
            when_ms, job = self._watchdog_ms, "watchdog"
        return max(when_ms, self._not_before_ms), job

    async def work(self, job, now_ms, clock):
        """Does one job on the link; failures are booked, never raised."""
        self.requests += 1
        try:
            if job == "setup":
                await self._set_up(clock)
            elif job == "setpoint":
                await self._write_setpoint(clock)
            elif job == "watchdog":
                await self._write_all(self.template.watchdog[1])
                self._watchdog_ms = clock() + self.template.watchdog[0]
            else:
                await self._read(job, clock)
        except pdu.ModbusException as error:
            self._refused(job, error, clock())
        except (LinkTimeout, LinkDown, pdu.ModbusError) as error:
            await self._failed(error, now_ms, clock)
        else:
            self._failures = 0
            self._not_before_ms = clock() + self.template.quiet_ms

    async def _set_up(self, clock):
        """Init writes, read-back of the fail-safe current and the first reading, one a call."""
        template = self.template
        failsafe_ma = self.config.get("failsafe_current_ma", 0)
        if self._setup is None:
            self.complaint = None
            self._stored = template.stored_writes(failsafe_ma)
            self._setup = [("write", write) for write in template.init_writes(failsafe_ma)]
            self._setup += [("check", check) for check in template.read_backs(failsafe_ma)]
            self._setup.append(("read", None))
        kind, what = self._setup[0]
        if kind == "write":
            await self._write(what)
        elif kind == "read":
            await self._read(0, clock)
        elif not await self._is_there(what):
            if self._stored:  # written to the box's flash only when it is not there already
                self._setup[0:0] = [("write", write) for write in self._stored]
                self._stored = None
                return
            self.complaint = "%s could not be programmed" % what[3]
        self._setup.pop(0)

    async def _is_there(self, check):
        fc, address, expected, _ = check
        start, end = await self._ask(fc, address, len(expected) // 2)
        return bytes(self.link.rx[start:end]) == expected

    async def _read(self, number, clock):
        fc, address, count, every_ms = self.template.blocks[number]
        asked_ms = clock()
        start, _ = await self._ask(fc, address, count)
        self.template.decode(number, self.link.rx, start, self.readings)
        self._due_ms[number] = asked_ms + every_ms
        if number == self._whole_at:
            self.read_ms = asked_ms
        if number == 0:
            self.com_error = False
            self.error_since_ms = self.problem = None

    async def _write_setpoint(self, clock):
        setpoint_ma = self.setpoint_ma
        await self._write_all(self.template.limit_writes(setpoint_ma))
        self.sent_ma = setpoint_ma
        self.sent_at_ms = clock()

    async def _write_all(self, writes):
        for write in writes:
            await self._write(write)

    async def _write(self, write):
        link = self.link
        fc, address, data = write
        size = pdu.write_request(link.tx, link.pdu_at, fc, address, data)
        await self._transact(size)

    async def _ask(self, fc, address, count):
        link = self.link
        return await self._transact(pdu.read_request(link.tx, link.pdu_at, fc, address, count))

    async def _transact(self, size):
        link = self.link
        start, end = await link.transact(self.config["unit"], size, _TIMEOUT_MS)
        return pdu.check_response(link.rx, start, end - start, link.tx, link.pdu_at)

    def _refused(self, job, error, now_ms):
        """The device is there but does not accept the request: say so, ask it again later."""
        self.errors += 1
        self._failures = 0
        self.complaint = "%s: %s" % (job if isinstance(job, str) else "block %d" % job, error)
        if isinstance(job, int):
            self._due_ms[job] = now_ms + _REFRESH_MS
            if job == self._whole_at:
                self.read_ms = now_ms
        else:
            if job == "setup":
                self._setup.pop(0)
            self._not_before_ms = now_ms + 1000

    async def _failed(self, error, began_ms, clock):
        self.errors += 1
        self._failures += 1
        await self.link.drain(_TIMEOUT_MS if isinstance(error, LinkTimeout) else _GARBLED_MS)
        now_ms = clock()
        if self._failures < _COM_ERROR_AFTER:
            self._not_before_ms = now_ms + 50
            return
        if not self.com_error or self.error_since_ms is None:
            self.error_since_ms = now_ms
        self.com_error = True
        self.problem = str(error)
        self._setup = None  # it may have been restarted: told everything anew when it is back
        self.sent_ma = None
        self._not_before_ms = now_ms + min(_DEAD_MAX_MS, _DEAD_SHARE * (now_ms - began_ms))


class Server:
    """The task of one link: does one transaction after the other for its devices.

    now_ms: function giving control time.
    """

    def __init__(self, devices, now_ms):
        self._devices = devices
        self._now_ms = now_ms

    async def run(self, beat):
        """Never returns."""
        while True:
            beat()
            now_ms = self._now_ms()
            device, job = self._next(now_ms)
            if device:
                await device.work(job, now_ms, self._now_ms)
            await asyncio.sleep_ms(0 if device else _IDLE_MS)

    def _next(self, now_ms):
        """(device, job) that is due and has waited longest, (None, None) where nothing is due."""
        chosen = chosen_job = chosen_ms = None
        for device in self._devices:
            if device.urgent():
                return device, "setpoint"
            when_ms, job = device.due(now_ms)
            if when_ms <= now_ms and (chosen is None or when_ms < chosen_ms):
                chosen, chosen_job, chosen_ms = device, job, when_ms
        return chosen, chosen_job
