"""The last lines of the log, also printed on the console."""

from micropython import const

_LINES = const(16)
_LENGTH = const(100)


class Log:
    """Keeps so many lines; calling it adds one. now_ms: function giving control time."""

    def __init__(self, now_ms):
        self.lines = []
        self._now_ms = now_ms

    def __call__(self, text):
        line = "%8.1f %s" % (self._now_ms() / 1000, text)
        print(line)
        if len(self.lines) >= _LINES:
            self.lines.pop(0)
        self.lines.append(line[:_LENGTH])
