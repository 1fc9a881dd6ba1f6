"""Rows of the journal (journal/reading.py) as people and programs get them: dates, CSV."""

COLUMNS = (
    "at kind source class limit value dim_w pmin_w net_w used_w ceiling_w phase_ma limit_ma"
    " devices text more seq boot up_ms raw"
)
_DAYS = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)


def iso(utc_s):
    """Unix seconds as 2026-01-31T12:00:00Z, "" for None."""
    if utc_s is None:
        return ""
    days, second = divmod(utc_s, 86400)
    days += 719468  # since 0000-03-01; a year of this count begins in March
    era, day = divmod(days, 146097)
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day += 1 - (153 * month + 2) // 5
    year += 400 * era + (1 if month > 9 else 0)
    month += 3 if month < 10 else -9
    clock = (second // 3600, second // 60 % 60, second % 60)
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % ((year, month, day) + clock)


def seconds(text):
    """Unix seconds of a number of them, of 2026-01-31, 2026-01-31T12:00 or ..T12:00:00Z.

    Raises ValueError.
    """
    if text.isdigit() and len(text) < 12:
        return int(text)
    day, _, clock = text.partition("T")
    year, month, day = [int(part) for part in day.split("-")]
    parts = [int(part) for part in clock.rstrip("Z").split(":")] if clock else []
    parts += [0] * (3 - len(parts))
    if not (1970 <= year < 2200 and 1 <= month <= 12 and 1 <= day <= 31 and len(parts) == 3):
        raise ValueError(text)
    if not (0 <= parts[0] < 24 and 0 <= parts[1] < 60 and 0 <= parts[2] < 60):
        raise ValueError(text)
    past = year - 1
    days = 365 * (year - 1970) + past // 4 - past // 100 + past // 400 - 477
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days += _DAYS[month - 1] + (1 if leap and month > 2 else 0) + day - 1
    return days * 86400 + parts[0] * 3600 + parts[1] * 60 + parts[2]


def shown(row, sentence=None):
    """The row with its date, and the sentence of an event; sentence(code, arguments)."""
    row["at"] = iso(row.pop("utc_s", None))
    if row["kind"] == "broken":
        row["to"] = iso(row["to"])
    if sentence and row["kind"] == "event":
        row["text"] = sentence(row["code"], row["arguments"])
    return row


def _cell(value):
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return " ".join([_cell(one) for one in value])
    text = str(value)
    if ";" in text or '"' in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def csv_line(row):
    """A row of shown() as a line; what has no column of its own is under "more"."""
    columns = COLUMNS.split()
    more = ["%s=%s" % (name, _plain(row[name])) for name in sorted(row) if name not in columns]
    cells = [_cell(" ".join(more) if name == "more" else row.get(name)) for name in columns]
    return ";".join(cells) + "\r\n"


def _plain(value):
    return ",".join([str(one) for one in value]) if isinstance(value, (list, tuple)) else value
