"""Keeps the clock right from the network; the code for it is in RAM only while it asks."""

import asyncio

from micropython import const

from controller.unload import unload

_START_S = const(8)


class Timekeeper:
    """network: `.ip`, `.gateway`, `.dns`, "" while unknown; host: the time server, "": the router.

    `problem` is the code of the last failure, or "".
    """

    def __init__(self, clock, network, host, start_s=_START_S):
        self._clock = clock
        self._network = network
        self._host = host
        self._start_s = start_s
        self.problem = "ntp_waiting"

    async def run(self, beat):
        """The task; never returns."""
        memory = {}
        for _ in range(self._start_s):  # the start needs all the room there is
            await _pause(beat)
        while True:
            while not self._network.gateway:
                await _pause(beat)
            ip = self._network.ip
            wait_s = await self.ask(memory)
            for _ in range(wait_s):
                await _pause(beat)
                if self._network.ip != ip:  # elsewhere now: what failed there may work here
                    memory = {}
                    break

    async def ask(self, memory):
        from controller.ntp import Ntp

        ntp = Ntp(self._clock, self._network, self._host, memory)
        wait_s = await ntp.sync()
        self.problem = ntp.problem
        unload(("controller.ntp", "controller.dns"))
        return wait_s


async def _pause(beat):
    beat()
    await asyncio.sleep(1)
