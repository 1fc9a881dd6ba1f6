"""Failed tasks start anew, a hanging vital task starves the watchdog."""

import asyncio
import sys
import time

from controller.supervisor import Supervisor


class Machine:
    """In place of `machine`: counts how often the watchdog is fed."""

    fed = 0

    class WDT:
        def __init__(self, timeout):
            assert 8000 <= timeout <= 10000

        def feed(self):
            Machine.fed += 1


class Rig:
    def __init__(self):
        self.lines = []
        self.jump_ms = 0
        self.supervisor = Supervisor(self.now_ms, self.tell)

    def tell(self, *event):
        self.lines.append(" ".join(event))

    def now_ms(self):
        return time.ticks_ms() + self.jump_ms


def run(test):
    async def inner():
        rig = Rig()
        kept = sys.modules.get("machine")
        sys.modules["machine"] = Machine
        Machine.fed = 0
        try:
            await test(rig)
        finally:
            if kept:
                sys.modules["machine"] = kept
            else:
                del sys.modules["machine"]

    asyncio.run(inner())


async def idle(beat):
    while True:
        beat()
        await asyncio.sleep(0.01)


def test_a_failed_task_is_started_anew_and_said():
    async def test(rig):
        runs = []

        async def fails(beat):
            runs.append(1)
            if len(runs) == 1:
                raise ValueError("a nonsense reading")
            await idle(beat)

        rig.supervisor.start("reader", fails)
        await asyncio.sleep(0.05)
        task = rig.supervisor.tasks[0]
        assert task.error == "ValueError: a nonsense reading"
        assert "reader" in rig.lines[0]
        rig.jump_ms += 60000  # the pause before the next start is over
        await asyncio.sleep(0.8)
        assert len(runs) == 2 and task.restarts == 1

    run(test)


def test_the_watchdog_is_fed_only_while_vital_tasks_live():
    async def test(rig):
        beats = []

        async def stalls(beat):
            beats.append(beat)
            while True:
                await asyncio.sleep(1)

        rig.supervisor.start("cycle", stalls, True, 3000)
        watching = asyncio.create_task(rig.supervisor.watch())
        await asyncio.sleep(0.6)
        fed = Machine.fed
        assert fed >= 1
        rig.jump_ms += 4000
        await asyncio.sleep(1.2)
        assert Machine.fed == fed
        assert "cycle" in rig.lines[-1]
        beats[0]()
        await asyncio.sleep(0.6)
        assert Machine.fed > fed
        watching.cancel()

    run(test)


def test_another_task_that_hangs_is_replaced():
    async def test(rig):
        runs = []

        async def stalls(beat):
            runs.append(1)
            while True:
                await asyncio.sleep(1)

        rig.supervisor.start("link", stalls, False, 3000)
        await asyncio.sleep(0.02)
        rig.jump_ms += 4000
        assert rig.supervisor.hanging() is None
        await asyncio.sleep(0.05)
        assert len(runs) == 2

    run(test)
