"""Gives CPython the names of MicroPython's `time`, `asyncio`, `gc` and `os` that are used.

Import it before any firmware module. Ticks wrap at 2**30 as on a board, so that the one place
that handles the wrap is exercised here too.
"""

import asyncio
import gc
import os
import time

_TICKS = 1 << 30
_HALF = _TICKS >> 1


def ticks_ms():
    return int(time.monotonic() * 1000) & (_TICKS - 1)


def ticks_us():
    return int(time.monotonic() * 1000000) & (_TICKS - 1)


def ticks_diff(end, start):
    return ((end - start + _HALF) & (_TICKS - 1)) - _HALF


def ticks_add(ticks, delta):
    return (ticks + delta) & (_TICKS - 1)


async def sleep_ms(duration_ms):
    await asyncio.sleep(duration_ms / 1000)


async def wait_for_ms(awaitable, timeout_ms):
    return await asyncio.wait_for(awaitable, timeout_ms / 1000)


def ilistdir(path="."):
    return ((entry.name, 0x4000 if entry.is_dir() else 0x8000) for entry in os.scandir(path))


def _add(module, **names):
    for name, value in names.items():
        if not hasattr(module, name):
            setattr(module, name, value)


_add(
    time,
    ticks_ms=ticks_ms,
    ticks_us=ticks_us,
    ticks_diff=ticks_diff,
    ticks_add=ticks_add,
    sleep_ms=lambda duration_ms: time.sleep(duration_ms / 1000),
)
_add(asyncio, sleep_ms=sleep_ms, wait_for_ms=wait_for_ms)
_add(gc, mem_free=lambda: 0, mem_alloc=lambda: 0, threshold=lambda size=-1: None)
_add(os, ilistdir=ilistdir)
