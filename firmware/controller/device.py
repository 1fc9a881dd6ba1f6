"""Devices on Modbus links: what each is to be asked and told, and the task that serves a link.

A link's task does one transaction at a time and chooses the next: a decrease of any wallbox
first, then whatever has waited longest. A device that does not answer is asked seldom, so that
all of them together cost the others little.
"""

from micropython import const

from controller.links import LinkDown, LinkTimeout
from controller.wake import Wake
from modbus import pdu

_TIMEOUT_MS = const(250)  # to the first byte of an answer
_DRAIN_MS = const(50)  # to be rid of a late answer, before the next device is asked
_IDLE_MS = const(250)
_COM_ERROR_AFTER = const(3)  # failures in a row until the device counts as silent
_DEAD_SHARE = const(20)  # a dead device may use 1/20 of the time
_DEAD_MAX_MS = const(15000)
_REFRESH_MS = const(15000)  # a setpoint is said again so often


class Device:
    """A meter or wallbox behind a link.

    readings: what the template decodes (integers, units in the names); read_ms: when its first,
    most urgent block was last read, or None; com_error: it does not answer; problem: what is wrong
    with the connection, complaint: what it refused or took differently (sentences or None).
    setpoint_ma is what the cycle ordered, sent_ma what the box has confirmed; ordered_phases and
    sent_phases likewise (1, 3, None: not known), where it is switchable between them. setup: what
    it is still to be told before all else, None where that is to begin (device_setup.py, which
    also uses stored, phases_ms, phase_tries, read, write and ask).
    """

    # Of the class, so that they cost nothing where a device does not switch.
    switchable = False
    ordered_phases = sent_phases = None
    phases_ms = None  # when its phases are to be looked at or told; None: never
    phase_tries = 0

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
        self.setpoint_ma = None
        self.sent_ma = None
        self._sent_at_ms = 0
        self._failures = 0
        self._not_before_ms = 0
        self._due_ms = [0] * len(template.blocks)
        # The reading is whole when the last of the most often read blocks is there.
        hot = template.blocks[0][3]
        self._whole_at = max([n for n, block in enumerate(template.blocks) if block[3] <= hot])
        self.setup = None
        self.stored = False
        self._watchdog_ms = 0
        self.wake = None

    def order(self, setpoint_ma, phases=None):
        """Takes the cycle's setpoint and wakes the link where it is new.

        phases: 1 or 3, told to the box while it is confirmed to pause; None: as they are.
        """
        if phases != self.ordered_phases:
            self.ordered_phases = phases
            self.phase_tries = 0
            if self.phases_ms is not None:
                self.phases_ms = 0
                if self.wake:
                    self.wake.set()
        if setpoint_ma != self.setpoint_ma:
            self.setpoint_ma = setpoint_ma
            if self.wake:
                self.wake.set()

    def urgent(self, now_ms):
        """True where a decrease waits to be written."""
        setpoint_ma = self.setpoint_ma
        return (
            setpoint_ma is not None
            and (self.sent_ma is None or setpoint_ma < self.sent_ma)
            and not self.com_error
            and now_ms >= self._not_before_ms
        )

    def due(self, now_ms):
        """(ms of its next job, job): "setup", "setpoint", "watchdog" or a block's number."""
        if self.setup is None or self.setup:
            return self._not_before_ms, "setup"
        when_ms = min(self._due_ms)
        job = self._due_ms.index(when_ms)
        if self.setpoint_ma is not None:
            refresh_ms = self._sent_at_ms + (self.template.refresh_ms // 2 or _REFRESH_MS)
            if self.sent_ma != self.setpoint_ma:
                refresh_ms = 0
            if refresh_ms < when_ms:
                when_ms, job = refresh_ms, "setpoint"
        if self.phases_ms is not None and self.phases_ms < when_ms:
            when_ms, job = self.phases_ms, "phases"
        if self.template.watchdog and self._watchdog_ms < when_ms:
            when_ms, job = self._watchdog_ms, "watchdog"
        return max(when_ms, self._not_before_ms), job

    async def work(self, job, now_ms, clock):
        """Does one job on the link; failures are booked, never raised."""
        try:
            if job == "setup":
                from controller import device_setup  # in RAM only while there is need for it

                await device_setup.step(self, clock)
            elif job == "phases":
                from controller import device_setup

                await device_setup.phases(self, clock)
                device_setup.leave()
            elif job == "setpoint":
                await self._write_setpoint(clock)
            elif job == "watchdog":
                await self._write_all(self.template.watchdog[1])
                self._watchdog_ms = clock() + self.template.watchdog[0]
            else:
                await self.read(job, clock)
        except pdu.ModbusException as error:
            self._refused(job, error, clock())
        except (LinkTimeout, LinkDown, pdu.ModbusError) as error:
            await self._failed(error, now_ms, clock)
        else:
            self._failures = 0
            self._not_before_ms = clock() + self.template.quiet_ms

    async def read(self, number, clock):
        """Reads block `number`; a failure is an exception here and below."""
        fc, address, count, every_ms = self.template.blocks[number]
        asked_ms = clock()
        start, _ = await self.ask(fc, address, count)
        self.template.decode(number, self.link.rx, start, self.readings)
        # From when it was due: waiting for others does not make it rarer. But no bursts.
        next_ms = self._due_ms[number] + every_ms
        self._due_ms[number] = max(next_ms, asked_ms + every_ms // 2)
        if number == self._whole_at:
            self.read_ms = asked_ms
        if number == 0:
            self.com_error = False
            self.error_since_ms = self.problem = None

    async def _write_setpoint(self, clock):
        setpoint_ma = self.setpoint_ma
        await self._write_all(self.template.limit_writes(setpoint_ma))
        self.sent_ma = setpoint_ma
        self._sent_at_ms = clock()

    async def _write_all(self, writes):
        for write in writes:
            await self.write(write)

    async def write(self, write):
        link = self.link
        fc, address, data = write
        size = pdu.write_request(link.tx, link.pdu_at, fc, address, data)
        await self._transact(size)

    async def ask(self, fc, address, count):
        link = self.link
        return await self._transact(pdu.read_request(link.tx, link.pdu_at, fc, address, count))

    async def _transact(self, size):
        link = self.link
        start, end = await link.transact(self.config["unit"], size, _TIMEOUT_MS)
        return pdu.check_response(link.rx, start, end - start, link.tx, link.pdu_at)

    def _refused(self, job, error, now_ms):
        """The device is there but does not accept the request: say so, ask it again later."""
        self._failures = 0
        self.complaint = "%s: %s" % (job if isinstance(job, str) else "block %d" % job, error)
        if isinstance(job, int):
            self._due_ms[job] = now_ms + _REFRESH_MS
            if job == self._whole_at:
                self.read_ms = now_ms
        else:
            if job == "setup" and self.setup:
                self.setup.pop(0)
            self._not_before_ms = now_ms + 1000

    async def _failed(self, error, began_ms, clock):
        self._failures += 1
        await self.link.drain(_DRAIN_MS)
        now_ms = clock()
        if self._failures < _COM_ERROR_AFTER:
            self._not_before_ms = now_ms + 50
            return
        if not self.com_error or self.error_since_ms is None:
            self.error_since_ms = now_ms
        self.com_error = True
        self.problem = str(error)
        self.setup = None  # it may have been restarted: told everything anew when it is back
        self.sent_ma = None
        if self.switchable:
            self.sent_phases = None
        self._not_before_ms = now_ms + min(_DEAD_MAX_MS, _DEAD_SHARE * (now_ms - began_ms))


class Server:
    """The task of one link: does one transaction after the other for its devices.

    now_ms: function giving control time.
    """

    def __init__(self, devices, now_ms):
        self._devices = devices
        self._now_ms = now_ms
        self._wake = Wake()
        for device in devices:
            device.wake = self._wake

    async def run(self, beat):
        """Never returns."""
        while True:
            beat()
            now_ms = self._now_ms()
            device, job, when_ms = self._next(now_ms)
            if device:
                await device.work(job, now_ms, self._now_ms)
                when_ms = now_ms
            await self._wake.wait(min(when_ms - now_ms, _IDLE_MS))

    def _next(self, now_ms):
        """(device, job, ms) that has waited longest; device is None where nothing is due yet."""
        chosen = None
        chosen_job = ""
        chosen_ms = now_ms + _IDLE_MS
        for device in self._devices:
            if device.urgent(now_ms):
                return device, "setpoint", now_ms
            when_ms, job = device.due(now_ms)
            if when_ms < chosen_ms:
                chosen, chosen_job, chosen_ms = device, job, when_ms
        return chosen if chosen_ms <= now_ms else None, chosen_job, chosen_ms
