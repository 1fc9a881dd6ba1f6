"""MicroPython's ffi on CPython, as far as tools/chip/machine.py needs it."""

import ctypes


class _Library:
    def __init__(self, name):
        self._library = ctypes.CDLL(name)

    def func(self, result, name, arguments):
        """A function of the library; all of them take and give numbers."""
        return getattr(self._library, name)


def open(name):
    return _Library(name)
