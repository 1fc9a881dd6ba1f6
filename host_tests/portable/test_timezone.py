"""POSIX time zone rules: known switches, southern summers, and what is refused where."""

from controller.timezone import TimeZone, TimeZoneError, civil, year_start

# (rule, first second of the other offset, offset before, offset from then on): tz database
SWITCHES = (
    ("CET-1CEST,M3.5.0,M10.5.0/3", 1774746000, 3600, 7200),
    ("CET-1CEST,M3.5.0,M10.5.0/3", 1792890000, 7200, 3600),
    ("CET-1CEST,M3.5.0,M10.5.0/3", 2847661200, 3600, 7200),  # 2060: needs more than 31 bits
    ("CET-1CEST,M3.5.0,M10.5.0/3", 2866410000, 7200, 3600),
    ("EST5EDT,M3.2.0,M11.1.0", 1772953200, -18000, -14400),
    ("EST5EDT,M3.2.0,M11.1.0", 1793512800, -14400, -18000),
    ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1775318400, 39600, 36000),
    ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1791043200, 36000, 39600),
    ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1775314800, 39600, 37800),
    ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1791041400, 37800, 39600),
    ("IST-1GMT0,M10.5.0,M3.5.0/1", 1774746000, 0, 3600),  # Ireland: winter is the exception
)


def test_switches():
    for rule, utc_s, before_s, after_s in SWITCHES:
        tz = TimeZone(rule)
        assert tz.offset_s(utc_s - 1)[0] == before_s, rule
        assert tz.offset_s(utc_s)[0] == after_s, rule
        assert tz.offset_s(utc_s - 1)[0] == before_s, rule  # back over the switch again


def test_dst_flag():
    tz = TimeZone("CET-1CEST,M3.5.0,M10.5.0/3")
    assert tz.offset_s(1774745999) == (3600, 0)
    assert tz.offset_s(1774746000) == (7200, 1)


def test_new_year_in_a_southern_summer():
    tz = TimeZone("AEST-10AEDT,M10.1.0,M4.1.0/3")
    new_year = year_start(2027) * 86400
    for hours in (-30, -11, -10, -1, 0, 1, 30):
        assert tz.offset_s(new_year + hours * 3600) == (39600, 1)


def test_without_daylight_saving():
    assert TimeZone("<+03>-3").offset_s(1774746000) == (10800, 0)
    assert TimeZone("UTC0").offset_s(0) == (0, 0)
    assert TimeZone("<-0330>3:30:15").offset_s(0) == (-12615, 0)


def test_day_of_the_year_rules():
    # J60 is March 1 in every year, 59 (from 0) is February 29 in a leap year.
    for rule, year, month, day in (
        ("AAA0BBB,J60/0,J300/0", 2027, 3, 1),
        ("AAA0BBB,J60/0,J300/0", 2028, 3, 1),
        ("AAA0BBB,59/0,299/0", 2027, 3, 1),
        ("AAA0BBB,59/0,299/0", 2028, 2, 29),
        ("AAA0BBB,J59/0,299/0", 2028, 2, 28),
    ):
        tz = TimeZone(rule)
        day_s = year_start(year) * 86400
        while not tz.offset_s(day_s)[1]:
            day_s += 86400
        assert civil(day_s // 86400)[:3] == (year, month, day), (rule, year)


def test_civil_at_its_corners():
    assert civil(0) == (1970, 1, 1, 0)
    assert civil(19782) == (2024, 2, 29, 59)
    assert civil(20088) == (2024, 12, 31, 365)
    assert civil(20089) == (2025, 1, 1, 0)
    assert civil(year_start(2100) + 59) == (2100, 3, 1, 59)  # no leap year


def test_refused_with_column_and_code():
    for text, code, column in (
        ("", "tz_name", 1),
        ("CE-1", "tz_name", 3),
        ("<+0", "tz_name", 4),
        ("CET", "tz_number", 4),
        ("CET-x", "tz_number", 5),
        ("CET-25", "tz_number", 5),
        ("CET-1CEST", "tz_rule", 10),
        ("CET-1CEST,M3.5.0", "tz_rule", 17),
        ("CET-1CEST,M13.5.0,M10.5.0/3", "tz_number", 12),
        ("CET-1CEST,M3.6.0,M10.5.0/3", "tz_number", 14),
        ("CET-1CEST,M3.5,M10.5.0/3", "tz_rule", 15),
        ("CET-1CEST,J0,M10.5.0/3", "tz_number", 12),
        ("CET-1CEST,M3.5.0,M10.5.0/168", "tz_number", 26),
        ("CET-1CEST,M3.5.0,M10.5.0/3 ", "tz_end", 27),
    ):
        try:
            TimeZone(text)
        except TimeZoneError as error:
            assert (error.code, error.column) == (code, column), (text, error.code, error.column)
            assert str(error).startswith("Time zone, column %d: " % column)
        else:
            raise AssertionError("%s was taken" % text)
