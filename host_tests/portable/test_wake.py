"""Waiting ends with its time or with an alarm, and no alarm is lost."""

import asyncio
import time

from controller.wake import Wake


async def tick():
    while True:
        await asyncio.sleep(1)


def run(coroutine):
    async def inner():
        ticker = asyncio.create_task(tick())
        try:
            return await coroutine
        finally:
            ticker.cancel()

    return asyncio.run(inner())


async def waited_ms(wake, duration_ms):
    start = time.ticks_ms()
    await wake.wait(duration_ms)
    return time.ticks_diff(time.ticks_ms(), start)


def test_it_waits_its_time():
    assert run(waited_ms(Wake(), 60)) >= 55


def test_an_alarm_ends_it_early():
    async def test():
        wake = Wake()

        async def alarm():
            await asyncio.sleep(0.01)
            wake.set()

        task = asyncio.create_task(alarm())
        took_ms = await waited_ms(wake, 4000)
        await task
        return took_ms

    assert run(test()) < 4000


def test_an_alarm_before_the_wait_counts_once():
    async def test():
        wake = Wake()
        wake.set()
        first_ms = await waited_ms(wake, 3000)
        return first_ms, await waited_ms(wake, 60)

    first_ms, second_ms = run(test())
    assert first_ms < 3000 and second_ms >= 55


def test_waiting_no_time_still_gives_others_their_turn():
    async def test():
        wake = Wake()
        turns = []

        async def other():
            turns.append(1)

        task = asyncio.create_task(other())
        for _ in range(3):
            await wake.wait(0)
        await task
        return turns

    assert run(test()) == [1]
