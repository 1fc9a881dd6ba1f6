"""What the journal says of the operator's measures, and that it finds what is wrong with it."""

from fakes import journal_site as at

FOLDER = at.folder("test_journal")


def started(**more):
    at.empty(FOLDER)
    return at.Controller(FOLDER, **more)


def kinds(found):
    return [row["kind"] for row in found if row["kind"] not in ("segment", "start")]


def test_a_dimming_from_order_to_release():
    c = started()
    c.run(3)
    assert at.names(FOLDER) == []  # nothing to say yet
    c.dim(4200)
    c.devices["E1"].setpoint_ma = 6000
    c.run(4)
    c.devices["E1"].sent_ma = 6000
    c.run(200)
    c.dim(None)
    c.run(5)
    found = at.rows(FOLDER)
    assert kinds(found) == (
        ["command", "in_force", "applied", "allotted", "within", "sample", "sample", "sample"]
        + ["release"]
    ), kinds(found)
    command = [row for row in found if row["kind"] == "command"][0]
    assert command["source"] == "C1" and command["limit"] == "dimming" and command["value"] == 4200
    assert command["class"] == "operator" and command["code"] == ""
    assert command["taken_ms"] == 1000 and command["up_ms"] == 4000
    assert command["utc_s"] == 1764000004 and command["net_w"] == 7500
    allotted = [row for row in found if row["kind"] == "allotted"][0]
    assert allotted["devices"] == [["S1", 4200]] and allotted["unit"] == "W"
    sample = [row for row in found if row["kind"] == "sample"][0]
    assert (sample["net_w"], sample["used_w"], sample["ceiling_w"]) == (7500, 4000, 4200)
    measure = at.table(found)[0]
    assert measure["obeyed"] is True and measure["flags"] == []
    assert measure["begin"] == 1764000003 and measure["end"] == 1764000208
    assert measure["after_ms"] == 5000 and measure["within_ms"] == 5000, measure
    assert measure["pmin_w"] == 4200 and measure["minutes"] == 3


def test_own_generation_on_top_is_the_ceiling():
    c = started()
    c.site.dimming.own_w = 5000
    c.dim(4200, used_w=9200)
    c.run(130)
    c.dim(None)
    c.run(3)
    found = at.rows(FOLDER)
    sample = [row for row in found if row["kind"] == "sample"][0]
    assert sample["own_w"] == 5000 and sample["ceiling_w"] == 9200
    assert at.table(found)[0]["obeyed"] is True


def test_an_order_that_is_not_obeyed():
    c = started()
    c.dim(4200, used_w=6000)
    c.run(420)
    c.dim(None)
    c.run(3)
    measure = at.table(at.rows(FOLDER))[0]
    assert measure["obeyed"] is False
    assert measure["flags"] == ["late", "not_within"]
    assert measure["over"] == 1800 and measure["minutes"] == 6 and measure["minutes_over"] == 1


def test_late_is_more_than_five_minutes():
    for wait_s, late in ((290, False), (310, True)):
        c = started()
        c.dim(4200, used_w=6000)
        c.run(wait_s)
        c.site.dimming.drawn_w = 4100
        c.run(200)
        c.dim(None)
        c.run(3)
        measure = at.table(at.rows(FOLDER))[0]
        assert ("late" in measure["flags"]) == late and measure["obeyed"] == (not late), wait_s


def test_less_than_owed_is_noted():
    c = started()
    c.site.dimming.p_min_w = 7560
    c.dim(4200)
    c.run(70)
    c.dim(None)
    c.run(3)
    assert at.table(at.rows(FOLDER))[0]["flags"] == ["below_minimum"]


def test_less_than_each_is_owed_is_noted_too():
    for own_w, flags in ((4200, []), (8000, ["below_minimum"])):
        c = started()
        c.site.dimming.p_min_w = 12600
        c.site.dimming.own_most_w = own_w
        c.dim(5000)
        c.run(70)
        c.dim(None)
        c.run(3)
        assert at.table(at.rows(FOLDER))[0]["flags"] == flags


def test_a_meter_that_is_lost_is_no_proof():
    c = started()
    c.percent(60)
    c.run(62)
    c.devices["M1"].com_error = True
    c.run(300)
    c.percent(None)
    c.run(3)
    c.devices["M1"].com_error = False
    found = at.rows(FOLDER)
    assert at.table(found)[0]["minutes"] <= 2
    samples = [row for row in found if row["kind"] == "sample"]
    assert samples[0]["phase_ma"] == 20000 and samples[-1]["phase_ma"] is None


def test_a_formula_of_meters_that_fails_is_no_measure():
    c = started()
    limit = c.site.house.set_limits[0]
    arguments = ("M3.power_w > 5000 ? 16000 : 32000", 1, "M3 is not known")
    limit.say("formula_failed", arguments, None, (6000,) * 3, 0)
    c.run(70)
    assert at.table(at.rows(FOLDER)) == []
    arguments = ("CM.x ? 16000 : 32000", 1, "x is not known")
    limit.say("formula_failed", arguments, None, (6000,) * 3, 0)
    c.run(3)
    limit.clear(c.clock.ms)
    c.run(3)
    measure = at.table(at.rows(FOLDER))[0]
    assert measure["class"] == "failsafe"


def test_switched_off_it_ends_what_is_in_force():
    from controller import grid_parts

    c = started()
    c.run(2)
    c.dim(4200)
    c.run(30)
    c.journal.event("settings_changed", ("admin", "contact_sets"))
    c.settings.doc = {"journal": {}, "dimming": {}}
    for name in ("contact_sets", "channels", "outputs", "steerables"):
        c.settings.doc[name] = []
    c.dimming = None
    c.after = [c.journal]
    grid_parts.take(c)
    assert c.journal is None and c.after == []
    assert at.table(at.rows(FOLDER))[0]["ended"] == "released"
    assert "settings_changed" in [row.get("code") for row in at.rows(FOLDER, "e")]


def test_percent_fail_safe_and_test_are_told_apart():
    c = started()
    c.percent(60)
    c.run(10)
    lost = at.OperatorLimit("http", "percent", "failsafe")
    lost.hold(("percent", 30), "channel_failsafe", ("http",), c.clock.ms)
    lost.phase_ma = (10500,) * 3
    c.operator.operator.limits.append(lost)
    c.percent(None)
    c.run(10)
    lost.release(c.clock.ms)
    c.run(3)
    told = [row for row in at.rows(FOLDER) if row["kind"] in ("command", "release")]
    told = [(row["kind"], row["source"], row.get("class")) for row in told]
    assert told == [
        ("command", "http", "operator"),
        ("release", "http", None),
        ("command", "http failsafe", "failsafe"),
        ("release", "http failsafe", None),
    ], told
    limit = at.OperatorLimit("test", "percent", "C1")
    limit.hold(("percent", 0), "operator_test", ("C1",), c.clock.ms)
    limit.phase_ma = (0, 0, 0)
    c.operator.operator.limits.append(limit)
    c.run(5)
    c.operator.operator.limits.pop()  # how the operator ends one
    c.run(5)
    table = at.table(at.rows(FOLDER))
    assert (table[-1]["source"], table[-1]["class"]) == ("test C1", "test")
    assert table[-1]["ended"] == "released"


def test_hundred_percent_is_no_measure():
    c = started()
    c.percent(100)
    c.run(100)
    assert at.names(FOLDER) == []
    c.percent(60)
    c.run(2)
    c.percent(100)
    c.run(3)
    measure = at.table(at.rows(FOLDER))[0]
    assert measure["value"] == 60 and measure["ended"] == "released"


def test_nothing_more_to_take_off_is_obeyed():
    c = started()
    c.site.house.reading_ma = [30000, 1000, 1000]
    c.percent(30)
    c.site.evses[0].measured_ma = (0, 0, 0)
    c.run(130)
    c.percent(None)
    c.run(3)
    measure = at.table(at.rows(FOLDER))[0]
    assert measure["obeyed"] is True and measure["flags"] == ["all_stopped"]


def formula(c, source, text, value, code="formula"):
    number = 0 if source == "max_total_current" else 1
    limit = c.site.house.set_limits[number]
    phase_ma = (value or 10000,) * 3
    limit.say(code, (text,), value, phase_ma, c.clock.ms)


def test_formulas_of_contacts_and_variables_are_measures():
    c = started()
    text = "exists(AVAIL) ? 55000 * AVAIL / 100 : 55000"
    formula(c, "max_total_current", text, 55000)
    c.run(3)
    formula(c, "max_total_current", text, 16500)
    c.run(3)
    formula(c, "max_total_current", text, 55000)
    c.run(3)
    formula(c, "max_total_power", "PB.input1 ? 9660 : 25000", 25000)
    c.run(3)
    formula(c, "max_total_power", "PB.input1 ? 9660 : 25000", 9660)
    c.run(3)
    formula(c, "max_total_power", "M1.power > 0 ? 1 : 2", 25000)  # not the operator's
    c.run(3)
    formula(c, "max_total_power", "M1.power > 0 ? 1 : 2", 2500)
    c.run(3)
    told = [(m["source"], m["class"], m["value"], m["ended"]) for m in at.table(at.rows(FOLDER))]
    assert told == [
        ("max_total_current", "formula", 16500, "released"),
        ("max_total_power", "formula", 9660, "released"),
    ], told


def test_a_formula_that_fails_is_fail_safe():
    c = started()
    formula(c, "max_total_current", "1/AVAIL", None, "formula_failed")
    c.run(3)
    assert at.names(FOLDER) == []
    c.run(60)
    measure = at.table(at.rows(FOLDER))[0]
    assert (measure["class"], measure["limit"], measure["value"]) == ("failsafe", "current", 10000)


def test_what_a_formula_gives_without_an_order_outlasts_a_restart():
    c = started()
    formula(c, "max_total_power", "PB.input1 ? 9660 : 25000", 25000)
    c.run(3)
    formula(c, "max_total_power", "PB.input1 ? 9660 : 25000", 9660)
    c.run(3)
    c = at.Controller(FOLDER)
    formula(c, "max_total_power", "PB.input1 ? 9660 : 25000", 9660)
    c.run(3)
    table = at.table(at.rows(FOLDER))
    assert [m["ended"] for m in table] == ["restart", ""] and table[1]["value"] == 9660


def test_a_restart_ends_what_is_open_and_the_chain_goes_on():
    c = started()
    c.dim(4200)
    c.run(100)
    clock = at.Clock()
    clock.began_s += 200
    c = at.Controller(FOLDER, clock=clock)
    c.dim(4200)
    c.run(100)
    c.dim(None)
    c.run(3)
    found = at.rows(FOLDER)
    assert [row["boot"] for row in found if row["kind"] == "start"] == [1, 2]
    table = at.table(found)
    assert [m["ended"] for m in table] == ["restart", "released"]
    assert table[1]["begin"] == 1764000200


def test_time_that_becomes_known_dates_what_was_before():
    c = started()
    c.clock.trusted = False
    c.dim(4200)
    c.run(100)
    c.clock.trusted = True
    c.run(10)
    c.clock.began_s += 60  # a jump
    c.run(70)
    c.dim(None)
    c.run(3)
    found = at.rows(FOLDER)
    clocks = [row for row in found if row["kind"] == "clock"]
    assert [(row["jump_s"], row["code"]) for row in clocks] == [(None, "ntp"), (60, "ntp")], clocks
    assert [row for row in found if row["kind"] == "command"][0]["utc_s"] is None
    assert at.table(found)[0]["begin"] == 1764000000


def test_events_are_apart_and_not_more_than_one_a_minute():
    c = started()
    for _ in range(100):
        c.journal.event("login_failed", ())
        c.run(1)
    found = at.rows(FOLDER, "e")
    told = [(row["code"], row["unsaid"]) for row in found if row["kind"] == "event"]
    assert told == [("restarted", 0), ("login_failed", 0), ("login_failed", 59)], told
    assert at.names(FOLDER) == []
    assert found[2]["arguments"] == ["power on"]


def test_contacts_of_a_start_are_no_order_unless_they_stay_unknown():
    for stays in (False, True):
        c = started()
        limit = c.operator.operator.limits[0]
        limit.hold(("dimming", 4200), "contact_unknown", ("C1", "PB.input1"), 0)
        c.run(3)
        if not stays:
            limit.release(c.clock.ms)
        c.run(70)
        told = [row["class"] for row in at.each(FOLDER) if row["kind"] == "command"]
        assert told == (["failsafe"] if stays else []), told
