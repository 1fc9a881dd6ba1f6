"""A meter, inverter or battery that tells itself what it has: template "sunspec".

It is scanned before it is first read, and again after it was silent (sunspec_scan.py).
"""

from micropython import const

from controller.device import Device
from controller.unload import unload
from modbus import pdu
from sunspec.readout import Readout

_TCP_TIMEOUT_MS = const(1500)  # inverters think longer than meters; nobody waits behind them
_RTU_TIMEOUT_MS = const(500)


class SunSpecDevice(Device):
    """As a Device; its problem says what could not be found.

    base: number of the place where the marker was, or is looked for first; scan: the one that is
    under way; known: it was scanned; again_ms: not before that it is scanned again. None of them
    is private: on the board such names are short, and one of Device's may be the same.
    """

    def __init__(self, config, link):
        # Before the scan it can do nothing, but has a block that could be due.
        super().__init__(config, Readout((), ((3, 0, 2, 1000),), b"\0\0", b"", ()), link)
        self.base = 0
        self.scan = None
        self.known = False
        self.again_ms = 0

    def due(self, now_ms):  # pyright: ignore[reportIncompatibleMethodOverride]
        """As Device.due."""
        when_ms, job = super().due(now_ms)
        return max(when_ms, self.again_ms), job

    async def work(self, job, now_ms, clock):
        """As Device.work; where all is to be told anew, it is scanned anew."""
        if self.setup is None:
            self.scan = None
            self.known = False
        await super().work(job, now_ms, clock)

    async def ask(self, fc, address, count):
        """As Device.ask, with more patience."""
        link = self.link
        size = pdu.read_request(link.tx, link.pdu_at, fc, address, count)
        timeout_ms = _RTU_TIMEOUT_MS if self.config["bus"] else _TCP_TIMEOUT_MS
        start, end = await link.transact(self.config["unit"], size, timeout_ms)
        return pdu.check_response(link.rx, start, end - start, link.tx, link.pdu_at)

    async def read(self, number, clock):
        """Reads block `number`, or does one step of the scan and stays in the set-up."""
        if self.known:
            await super().read(number, clock)
            return
        from controller import sunspec_scan

        await sunspec_scan.step(self, clock)
        if self.known:
            unload(("controller.sunspec_scan", "sunspec.scan", "sunspec.choice"))
        todo = self.setup or []
        todo.insert(0, ("read", ()))  # that of now goes, one stays
