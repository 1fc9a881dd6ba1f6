"""The two clocks of the controller: control time that never wraps, and UTC with its trust.

UTC runs on the monotonic clock and is only corrected from outside: the chip's RTC drifts and its
epoch differs between ports. Until something trustworthy has set it, the date is only a guess.
"""

import time

from micropython import const

_REBASE_MS = const(0x1000000)  # a small part of the 6 days that ticks_diff can tell apart
_OLDEST_S = const(1735689600)  # 2025-01-01: no controller runs before this code was written
_LATEST_S = const(4102444800)  # 2100-01-01
_EPOCH_2000_S = const(946684800)


class ClockError(Exception):
    """A time that can't be the current one."""

    code = "clock_range"


def _port_epoch_s():
    """Seconds between 1970 and the port's own epoch (2000 on an ESP32)."""
    return _EPOCH_2000_S if time.gmtime(0)[0] == 2000 else 0


class Clock:
    """Monotonic milliseconds and UTC; `tz` is a POSIX rule, `rtc` a `machine.RTC` or None.

    `trusted` is False until `set_utc`; `source` says who set it last.
    """

    def __init__(self, tz, rtc=None):
        self._base = (0, time.ticks_ms())
        self._rtc = rtc
        self._at_ms = 0  # the moment of control time at which UTC was _utc_s exactly
        self._utc_s = int(time.time()) + _port_epoch_s()  # survives a soft reset, but who set it?
        self.trusted = False
        self.source = "rtc"
        self._tz = tz
        self._zone = self._local_s = None

    def set_zone(self, tz):
        """Takes another POSIX rule; raises TimeZoneError and keeps the old one."""
        from controller.timezone import TimeZone

        TimeZone(tz)
        self._tz = tz
        self._zone = self._local_s = None

    def now_ms(self):
        """Control time in ms since start: never wraps, never jumps. Call it at least each 6 days.

        Also called by pin interrupts, so the base is replaced in one step.
        """
        ticks = time.ticks_ms()
        base_ms, base_ticks = self._base
        passed_ms = time.ticks_diff(ticks, base_ticks)
        if passed_ms > _REBASE_MS:
            self._base = (base_ms + passed_ms, ticks)
        return base_ms + passed_ms

    def utc_s(self):
        """Unix seconds since 1970, on every port; look at `trusted` before relying on it."""
        return self._utc_s + (self.now_ms() - self._at_ms) // 1000

    def set_utc(self, utc_s, source="user", ms=0):
        """Sets UTC to `utc_s` seconds and `ms` and trusts it; returns by how many ms it jumped."""
        if not _OLDEST_S <= utc_s < _LATEST_S:
            raise ClockError("The time must lie between the years 2025 and 2100.")
        now_ms = self.now_ms()
        jump_ms = (utc_s - self._utc_s) * 1000 + ms - (now_ms - self._at_ms)
        self._utc_s, self._at_ms = utc_s, now_ms - ms
        self.trusted, self.source = True, source
        self._local_s = None
        if self._rtc:  # for certificates, which are checked against the chip's own time
            from controller.timezone import civil

            days, second = divmod(utc_s, 86400)
            year, month, day, _ = civil(days)
            hour, second = divmod(second, 3600)
            self._rtc.datetime((year, month, day, 0, hour, second // 60, second % 60, 0))
        return jump_ms

    @property
    def problem(self):
        """Code of the reason why the date can't be used, "" where it can."""
        return "" if self.trusted else "clock_not_set"

    def local(self, utc_s=None):
        """(year, month 1..12, day, hour, minute, second, weekday Sunday=0, yearday 0.., dst)."""
        if utc_s is None:
            utc_s = self.utc_s()
        if utc_s != self._local_s:
            if self._zone is None:
                # Only a site whose formulas ask for the date keeps the rules in its RAM.
                from controller.timezone import TimeZone

                self._zone = TimeZone(self._tz)
            self._local = self._zone.local(utc_s)
            self._local_s = utc_s
        return self._local

    def date_field(self, name):
        """`date.<name>` of the formula language; KeyError if unknown or the clock isn't trusted.

        Months count from 0, weekdays from Sunday = 0 (seeds/formulas.txt, section date).
        """
        if not self.trusted:
            raise KeyError(name)
        if name == "timestamp":
            return self.utc_s()
        local = self.local()
        return self._zone.field(local, name)
