"""Keeps the tasks alive: restarts what failed; a vital one that hangs starves the watchdog."""

import asyncio
import sys

from micropython import const

_BACKOFF_MS = const(1000)
_BACKOFF_MAX_MS = const(60000)
_CHECK_MS = const(500)
_WATCHDOG_MS = const(10000)


class _Task:
    def __init__(self, name, vital, stuck_ms, now_ms):
        self.name = name
        self._vital = vital
        self._stuck_ms = stuck_ms
        self._beat_ms = now_ms
        self.restarts = 0
        self.error = ""
        self.handle = None


class Supervisor:
    """Owns the tasks. now_ms: function giving control time; tell: takes events, the code and what
    fills its sentence."""

    def __init__(self, now_ms, tell):
        self.tasks = []
        self._now_ms = now_ms
        self._tell = tell

    def start(self, name, function, vital=False, stuck_ms=0):
        """Starts function(beat) as a task; it must call beat() at least every stuck_ms (0: never).

        A vital task that hangs stops the feeding of the watchdog; any other is started anew.
        """
        task = _Task(name, vital, stuck_ms, self._now_ms())
        self.tasks.append(task)
        self._launch(task, function)

    def _launch(self, task, function):
        def beat():
            task._beat_ms = self._now_ms()

        task.function = function
        task.handle = asyncio.create_task(self._guard(task, function, beat))

    async def _guard(self, task, function, beat):
        pause_ms = _BACKOFF_MS
        while True:
            began_ms = self._now_ms()
            beat()
            try:
                await function(beat)
                return
            except Exception as error:  # the one place for whatever a task did not expect
                sys.print_exception(error) if hasattr(sys, "print_exception") else None
                task.error = "%s: %s" % (type(error).__name__, error)
                self._tell("task_failed", task.name, task.error)
            task.restarts += 1
            pause_ms = _BACKOFF_MS if self._now_ms() - began_ms > 600000 else pause_ms * 2
            end_ms = self._now_ms() + min(pause_ms, _BACKOFF_MAX_MS)
            while self._now_ms() < end_ms:  # waiting to be started anew is not hanging
                beat()
                await asyncio.sleep_ms(_CHECK_MS)

    def hanging(self):
        """The first vital task that gave no sign of life in its time, or None; restarts others."""
        now_ms = self._now_ms()
        for task in self.tasks:
            if task._stuck_ms and now_ms - task._beat_ms > task._stuck_ms:
                if task._vital:
                    return task
                self._tell("task_hangs", task.name)
                task.handle.cancel()
                task.restarts += 1
                task._beat_ms = now_ms
                self._launch(task, task.function)
        return None

    async def watch(self):
        """Feeds the watchdog while every vital task lives; never returns."""
        from machine import WDT

        watchdog = WDT(timeout=_WATCHDOG_MS)
        told = None
        while True:
            task = self.hanging()
            if task is None:
                watchdog.feed()
            elif task is not told:
                told = task
                self._tell("task_vital_hangs", task.name)
            await asyncio.sleep_ms(_CHECK_MS)
