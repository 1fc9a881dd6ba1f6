"""What the scenario tests share: a running simulation, its APIs, and waiting for something."""

import asyncio
import functools
import time

from aiohttp import ClientSession

from tools.simulation import Simulation


class Site:
    """A simulation with its doors at hand."""

    def __init__(self, simulation, session):
        self.simulation = simulation
        self.twin = simulation.twin
        self.session = session

    async def state(self, lang="en"):
        """/api/state of the firmware."""
        return await self.get("/api/state?lang=" + lang)

    async def get(self, path, status=200):
        for _ in range(5):
            async with self.session.get(self.simulation.http + path) as answer:
                if answer.status != 503:  # a full heap says: try again
                    assert answer.status == status, await answer.text()
                    return await answer.json()
            await asyncio.sleep(0.5)
        raise AssertionError("503 again and again: " + path)

    async def post(self, path, body, status=200):
        async with self.session.post(self.simulation.http + path, json=body) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    def setpoints_ma(self):
        """{id: what each wallbox was last told}, as the twin's boxes have it."""
        return {id: box.report()["setpoint_ma"] for id, box in self.twin.boxes.items()}

    def sum_ma(self):
        return sum(self.setpoints_ma().values())

    async def until(self, condition, within_s, what):
        """Waits until condition() (plain or async) is true and returns how long it took in s."""
        began = time.monotonic()
        while True:
            value = condition()
            if asyncio.iscoroutine(value):
                value = await value
            if value:
                return time.monotonic() - began
            if time.monotonic() - began > within_s:
                raise AssertionError(
                    "%s did not come within %g s; setpoints %s; console:\n%s"
                    % (what, within_s, self.setpoints_ma(), self.console())
                )
            await asyncio.sleep(0.05)

    async def risen(self):
        """Waits until the cars have what the 25 kW of the usual site leave."""

        def full():
            told = all(box.report()["written_ms"] for box in self.twin.boxes.values())
            return told and self.sum_ma() > 33000

        await self.until(full, 40, "the rise to the full current")

    def console(self):
        return "\n".join(self.simulation.board.console[-30:])


def simulated(**options):
    """Decorator: runs an async test on a Site of its own; options are those of Simulation."""

    def decorate(test):
        @functools.wraps(test)
        def run(tmp_path):
            async def inner():
                async with Simulation(tmp_path, **options) as simulation:
                    async with ClientSession(headers=simulation.authorization()) as session:
                        await test(Site(simulation, session))

            asyncio.run(inner())

        del run.__wrapped__  # else pytest takes `site` for a fixture
        return run

    return decorate
