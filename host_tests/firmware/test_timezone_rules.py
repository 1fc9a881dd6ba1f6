"""Every rule of the world's time zones, as the time zone database states it, against CPython."""

import datetime
import importlib.resources

import pytest
import zoneinfo
from hypothesis import given
from hypothesis import strategies as st

from controller.timezone import TimeZone, TimeZoneError, civil, year_start

# Their clocks follow Ramadan; the rule holds only after the end of the table.
_BY_TABLE = ("Africa/Casablanca", "Africa/El_Aaiun", "Asia/Gaza", "Asia/Hebron")
_UTC = datetime.timezone.utc


def _file(name):
    return importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))


def _rule_of(name):
    """The last line of a zone's file is its rule (RFC 8536 3.3)."""
    return _file(name).read_bytes().rsplit(b"\n", 2)[1].decode()


def _zone(name):
    """The zone of the package, not the perhaps older one of this system."""
    with _file(name).open("rb") as file:
        return zoneinfo.ZoneInfo.from_file(file, name)


def _rules():
    """{rule: a zone that has it}."""
    found = {}
    names = importlib.resources.files("tzdata").joinpath("zones").read_text().split()
    for name in names:
        rule = _rule_of(name)
        found.setdefault(rule, name)
    return found


RULES = _rules()


def _expected(zone, utc_s):
    moment = datetime.datetime.fromtimestamp(utc_s, _UTC).astimezone(zone)
    return int(moment.utcoffset().total_seconds()), 1 if moment.dst() else 0


def _switches(zone, first_year, last_year):
    """The seconds at which the offset of a zone changes, found by halving."""
    step_s = 14 * 86400
    for start in range(year_start(first_year) * 86400, year_start(last_year) * 86400, step_s):
        low, high = start, start + step_s
        if _expected(zone, low) != _expected(zone, high):
            while high - low > 1:
                middle = (low + high) // 2
                if _expected(zone, middle) == _expected(zone, low):
                    low = middle
                else:
                    high = middle
            yield high


@pytest.mark.parametrize("rule", sorted(RULES))
def test_offset_around_each_switch(rule):
    zone = _zone(RULES[rule])
    tz = TimeZone(rule)
    first = 2090 if RULES[rule] in _BY_TABLE else 2038
    new_years = (year_start(year) * 86400 for year in range(first, first + 12))
    moments = {new_year + hour * 3600 for new_year in new_years for hour in (-14, 0, 12)}
    for switch in _switches(zone, first, first + 12):
        moments |= {switch - 1, switch, switch + 1}
    assert len(moments) > 90 or "," not in rule
    for utc_s in sorted(moments):
        assert tz.offset_s(utc_s) == _expected(zone, utc_s), utc_s


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_present_years(name):
    zone = _zone(name)
    tz = TimeZone(_rule_of(name))
    for switch in _switches(zone, 2010, 2038):
        for utc_s in (switch - 1, switch, switch + 3600):
            assert tz.offset_s(utc_s) == _expected(zone, utc_s)


def test_default_rule_is_central_europe():
    assert _rule_of("Europe/Berlin") == "CET-1CEST,M3.5.0,M10.5.0/3"


@given(st.dates(datetime.date(1970, 1, 1), datetime.date(2199, 12, 31)))
def test_civil_is_the_gregorian_calendar(date):
    days = date.toordinal() - 719163
    expected = (date.year, date.month, date.day, date.timetuple().tm_yday - 1)
    assert civil(days) == expected


@given(st.text("ABCZ<>+-,.:/MJ0123456789 ", max_size=40))
def test_any_text_is_taken_or_refused_with_a_column(text):
    try:
        offset_s, dst = TimeZone(text).offset_s(1800000000)
    except TimeZoneError as error:
        assert 1 <= error.column <= len(text) + 1
    else:
        assert abs(offset_s) <= 26 * 3600 and dst in (0, 1)
