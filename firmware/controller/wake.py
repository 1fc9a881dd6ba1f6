"""Waiting that can be cut short by another task."""

import asyncio


class Wake:
    """An alarm for one waiting task. set() is for tasks; interrupts must not call it."""

    def __init__(self):
        self._event = asyncio.Event()

    def set(self):
        self._event.set()

    async def wait(self, duration_ms):
        """Returns after so many ms, or as soon as set() was called since the last return."""
        if self._event.is_set() or duration_ms <= 0:
            await asyncio.sleep_ms(0)  # the others get their turn in any case
        else:
            try:
                await asyncio.wait_for_ms(self._event.wait(), duration_ms)
            except asyncio.TimeoutError:
                pass
        self._event.clear()
