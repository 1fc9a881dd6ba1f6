"""Local time by a POSIX time zone rule (IEEE 1003.1 section 8.3 `TZ`, extended by RFC 8536 3.3.1).

MicroPython knows no time zones. A rule such as `CET-1CEST,M3.5.0,M10.5.0/3` says all that is
needed; days count from 1970-01-01 on every port.
"""

from micropython import const

_DAY_S = const(86400)
_HOUR_S = const(3600)
_FIELDS = const(("year", "month", "day", "hour", "minute", "second", "weekday", "yearday", "dst"))


class TimeZoneError(Exception):
    """A rule that can't be used. `code` names the sentence, `column` counts from 1."""

    def __init__(self, code, column, text):
        super().__init__("Time zone, column %d: %s." % (column, text))
        self.code = code
        self.column = column


def year_start(year):
    """Days from 1970-01-01 to January 1 of `year` (Gregorian)."""
    year -= 1
    return year * 365 + year // 4 - year // 100 + year // 400 - 719162


def month_days(year, month):
    """Days of `month` (1..12)."""
    if month == 2:
        return year_start(year + 1) - year_start(year) - 337
    return 30 + ((month + (month >> 3)) & 1)


def civil(days):
    """Date of a day counted from 1970-01-01: (year, month 1..12, day 1.., yearday 0..)."""
    year = 1970 + days // 366
    while year_start(year + 1) <= days:
        year += 1
    day = yearday = days - year_start(year)
    month = 1
    while day >= month_days(year, month):
        day -= month_days(year, month)
        month += 1
    return year, month, day + 1, yearday


def _switch_s(rule, year):
    """Local time of a switch in `year`, in seconds from 1970-01-01."""
    kind, numbers, time_s = rule
    first = year_start(year)
    if kind != "M":
        day = numbers[0]
        if kind == "J" and (day < 60 or month_days(year, 2) == 28):
            day -= 1  # J counts from 1 and never counts February 29
        return (first + day) * _DAY_S + time_s
    month, week, weekday = numbers
    for earlier in range(1, month):
        first += month_days(year, earlier)
    day = (weekday - first - 4) % 7 + 7 * week - 7  # 1970-01-01 was a Thursday
    while day >= month_days(year, month):
        day -= 7
    return (first + day) * _DAY_S + time_s


class TimeZone:
    """A POSIX rule `std offset [dst [offset],start[/time],end[/time]]`; raises TimeZoneError."""

    def __init__(self, text):
        self.text = text
        self._at = 0
        self._low_s = self._high_s = 0  # span of the year whose switches are known
        self._start = self._end = ()  # the two rules; none without daylight saving time
        self._name()
        self._std_s = -self._time(24)
        self._dst_s = self._std_s + _HOUR_S
        if self._next():
            self._name()
            if self._next() not in ("", ","):
                self._dst_s = -self._time(24)
            self._start = self._rule()
            self._end = self._rule()
            if self._next():
                self._fail("tz_end", "nothing may follow the second switch")

    def offset_s(self, utc_s):
        """(seconds to add to UTC, 1 in daylight saving time else 0) at `utc_s` (unix seconds)."""
        if not self._start:
            return self._std_s, 0
        local_s = utc_s + self._std_s
        if not self._low_s <= local_s < self._high_s:
            self._find_switches(civil(local_s // _DAY_S)[0])
        if self._on_s < self._off_s:
            dst = self._on_s <= utc_s < self._off_s
        else:  # southern hemisphere: summer spans the new year
            dst = not self._off_s <= utc_s < self._on_s
        return (self._dst_s, 1) if dst else (self._std_s, 0)

    def local(self, utc_s):
        """(year, month 1..12, day, hour, minute, second, weekday Sunday=0, yearday 0.., dst)."""
        offset_s, dst = self.offset_s(utc_s)
        days, second = divmod(utc_s + offset_s, _DAY_S)
        year, month, day, yearday = civil(days)
        minute, second = divmod(second, 60)
        return (
            year,
            month,
            day,
            minute // 60,
            minute % 60,
            second,
            (days + 4) % 7,
            yearday,
            dst,
        )

    @staticmethod
    def field(local, name):
        """`date.<name>` of the formula language at a time as of `local`; KeyError if unknown.

        Months count from 0, weekdays from Sunday = 0 (seeds/formulas.txt, section date).
        """
        if name in _FIELDS:
            return local[_FIELDS.index(name)] - (name == "month")
        dayminute = local[3] * 60 + local[4]
        if name == "dayminute":
            return dayminute
        if name == "daysecond":
            return dayminute * 60 + local[5]
        raise KeyError(name)

    def _find_switches(self, year):
        self._low_s = year_start(year) * _DAY_S
        self._high_s = year_start(year + 1) * _DAY_S
        self._on_s = _switch_s(self._start, year) - self._std_s
        self._off_s = _switch_s(self._end, year) - self._dst_s

    # -- reading the text

    def _fail(self, code, text):
        raise TimeZoneError(code, self._at + 1, text)

    def _next(self):
        return self.text[self._at : self._at + 1]

    def _take(self, characters):
        """The next character if it is one of `characters`, else ""."""
        found = self._next()
        if found and found in characters:
            self._at += 1
            return found
        return ""

    def _name(self):
        start = self._at
        quoted = self._take("<")
        while self._next().isalpha() or (quoted and self._next() not in ("", ">")):
            self._at += 1
        letters = self._at - start - len(quoted)
        if letters < 3 or (quoted and not self._take(">")):
            self._fail("tz_name", "a name of three letters is expected, such as CET or <+03>")

    def _number(self, low, high):
        start = self._at
        while self._next().isdigit() and self._at - start < 3:
            self._at += 1
        if start == self._at or not low <= int(self.text[start : self._at]) <= high:
            self._at = start
            self._fail("tz_number", "a number from %d to %d is expected" % (low, high))
        return int(self.text[start : self._at])

    def _time(self, max_h):
        """[+-]hours[:minutes[:seconds]] in seconds."""
        sign = -1 if self._take("+-") == "-" else 1
        time_s = self._number(0, max_h) * _HOUR_S
        for unit_s in (60, 1):
            if not self._take(":"):
                break
            time_s += self._number(0, 59) * unit_s
        return sign * time_s

    def _rule(self):
        if not self._take(","):
            self._fail("tz_rule", "a comma and a switch such as M3.5.0 are expected")
        kind = self._take("MJ")
        if kind == "M":
            numbers = [self._number(1, 12)]
            for low, high in ((1, 5), (0, 6)):
                if not self._take("."):
                    self._fail("tz_rule", "a full stop is expected, as in M3.5.0")
                numbers.append(self._number(low, high))
        else:
            numbers = [self._number(1 if kind else 0, 365)]
        return kind, numbers, self._time(167) if self._take("/") else 2 * _HOUR_S
