"""Contact sets in all forms: what a pattern means, what is invalid, two contacts that change."""

from chargecontrol import levels
from chargecontrol.contact_sets import ContactSet

K1_TO_K4 = ("100 %", "60 %", "30 %", "0 %")


def refused(text):
    try:
        levels.parse(text)
    except ValueError:
        return True
    return False


def test_levels_are_read_and_written():
    for text, level in (
        ("none", ("none", None)),
        ("0 %", ("percent", 0)),
        ("100 %", ("percent", 100)),
        ("16000 mA", ("current", 16000)),
        ("11000 W", ("power", 11000)),
        ("dim", ("dimming", None)),
        ("dim 4200 W", ("dimming", 4200)),
        ("feed-in 60 %", ("feed_in", 60)),
    ):
        assert levels.parse(text) == level, text
        assert levels.text(level) == text
    for text in ("", "101 %", "-1 %", "60%", "60  %", "dim 4200", "dim 4200 mA", "W", "1e3 W"):
        assert refused(text), text
    for text in ("60.5 %", "feed-in 101 %", "feed-in", "None", "dim  W", "999999999 W", None, 60):
        assert refused(text), text


def test_what_is_no_number_in_range_is_no_level():
    assert levels.checked("percent", 30.9) == ("percent", 30)  # the stricter way
    for kind, value in (
        ("percent", float("nan")),
        ("percent", -0.5),
        ("percent", 100.5),
        ("percent", float("inf")),
        ("percent", True),
        ("percent", "30"),
        ("percent", None),
        ("none", 0),
        ("volume", 3),
    ):
        try:
            levels.checked(kind, value)
            raise AssertionError((kind, value))
        except ValueError:
            pass


def test_the_strictest_level_is_found():
    def strictest(*texts):
        return texts[levels.strictest([levels.parse(text) for text in texts])]

    assert strictest("100 %", "60 %", "0 %", "none") == "0 %"
    assert strictest("none", "dim", "16000 mA") == "16000 mA"
    assert strictest("none", "feed-in 0 %", "dim") == "dim"
    assert strictest("none", "feed-in 60 %") == "feed-in 60 %"
    assert strictest("dim 9000 W", "dim") == "dim"


class World:
    """A set whose contacts this test moves; the delays are those of the contacts, before it."""

    def __init__(self, form, inputs, texts, patterns=(), settle_ms=2000):
        config = {"id": "C1", "form": form, "levels": list(texts), "patterns": list(patterns)}
        config["inputs"] = ["PB.input%d" % (n + 1) for n in range(inputs)]
        self.set = ContactSet(config, settle_ms)
        self.active = [0] * inputs
        self.moving = ()
        self.ms = 0
        self.began = []

    def at(self, ms, pattern=None, moving=()):
        """Moves the contacts at a time; returns the levels in force."""
        if pattern is not None:
            self.active = [None if c == "?" else int(c) for c in pattern]
        self.ms = ms
        if self.set.update(ms, self._read, lambda name: int(name[8:]) in moving):
            self.began.append(self.set.fault)
        return self.levels()

    def _read(self, name):
        return self.active[int(name[8:]) - 1]

    def levels(self):
        found = []
        for n in range(len(self.set.levels)):
            if self.set.in_force >> n & 1:
                found.append(levels.text(self.set.levels[n]))
        return found

    def number(self, kind=None):
        return self.set.number(kind)


def settled(form, inputs, texts, patterns=()):
    """{pattern: the levels in force}, once each has stood long enough."""
    found = {}
    for n in range(1 << inputs):
        pattern = "".join([str(n >> bit & 1) for bit in range(inputs)])
        world = World(form, inputs, texts, patterns)
        world.at(0, pattern)
        found[pattern] = world.at(4000)
        assert world.set.settled and world.set.shown == pattern
    return found


def test_each_form_means_what_it_says():
    assert settled("one", 1, ("none", "dim")) == {"0": ["none"], "1": ["dim"]}
    # The index is input 1 + 2 * input 2, and the first input is written first.
    binary = settled("binary", 2, K1_TO_K4)
    assert binary == {"00": ["100 %"], "10": ["60 %"], "01": ["30 %"], "11": ["0 %"]}
    one_hot = settled("one_hot", 3, ("none",) + K1_TO_K4[1:])
    assert one_hot["000"] == ["none"]
    assert [one_hot[p] for p in ("100", "010", "001")] == [["60 %"], ["30 %"], ["0 %"]]
    for pattern in ("110", "101", "011", "111"):
        assert one_hot[pattern] == ["none", "60 %", "30 %", "0 %"], "all, so the strictest counts"


def test_free_tables_take_the_first_line_that_fits():
    table = settled("table", 3, ("0 %", "30 %", "none"), ("1xx", "01x", "001"))
    for pattern in ("100", "110", "101", "111"):
        assert table[pattern] == ["0 %"]
    assert table["010"] == table["011"] == ["30 %"]
    assert table["001"] == ["none"]
    assert table["000"] == ["0 %", "30 %", "none"], "no line: all of them"


def test_an_invalid_pattern_says_so_and_the_strictest_of_each_kind_holds():
    world = World("one_hot", 4, ("none", "feed-in 60 %", "feed-in 0 %", "feed-in 30 %", "dim"))
    world.at(0, "0000")
    assert world.at(3000) == ["none"] and world.set.fault is None
    world.at(10000, "1001")
    world.at(13000)
    assert world.began == [("invalid", "1001")]
    assert world.set.settled, "it is known, though it means nothing"
    assert world.number("feed_in") == 2 and world.number("dimming") == 4
    assert world.number() == 4
    world.at(14000)
    assert len(world.began) == 1, "said once"
    world.at(20000, "1000")
    assert world.at(23000) == ["feed-in 60 %"] and world.set.fault is None


def test_what_is_not_known_is_the_strictest_level_until_it_is():
    world = World("binary", 2, K1_TO_K4)
    assert world.number() == 3, "before the first reading"
    world.at(0, "?0")
    assert world.number() == 3 and not world.set.settled
    assert world.set.fault[0] == "unknown" and world.began == [], "no news after a start"
    world.at(1000, "00")
    assert world.number() == 3, "not yet"
    assert world.at(3000) == ["100 %"] and world.set.settled
    world.at(9000, "0?")
    assert world.number() == 3 and world.began == [("unknown", "PB.input2")]
    assert world.set.shown == "?"
    world.at(10000, "00")
    assert world.number() == 3
    assert world.at(12000) == ["100 %"] and world.set.fault is None


def test_one_contact_acts_at_once_in_both_directions():
    world = World("one", 1, ("none", "dim"))
    assert world.at(0, "0") == ["none"]
    assert world.at(10, "1") == ["dim"]
    assert world.at(20, "0") == ["none"]


def test_more_is_strict_at_once_and_looser_waits():
    world = World("binary", 2, K1_TO_K4)
    world.at(0, "00")
    world.at(3000)
    assert world.number() == 0
    world.at(10000, "10")
    assert world.number() == 1, "stricter at once"
    world.at(12000)
    assert world.levels() == ["60 %"]
    world.at(20000, "00")
    assert world.number() == 1, "looser only when it has stood"
    world.at(21990)
    assert world.number() == 1
    world.at(22000)
    assert world.number() == 0


def test_both_contacts_of_a_pair_change_and_no_looser_level_slips_through():
    # 30 % (01) to 0 % (11) to 60 % (10): what lies between is never looser than both ends.
    world = World("binary", 2, K1_TO_K4)
    world.at(0, "11")
    world.at(3000)
    for ms, pattern in ((10000, "01"), (10050, "00"), (10400, "10"), (10450, "00")):
        world.at(ms, pattern)
        assert world.number() == 3, ms
    world.at(12440)
    assert world.number() == 3
    world.at(12450)
    assert world.number() == 0


def test_the_end_of_one_contacts_delay_is_not_taken_for_a_pattern():
    # 60 % (10) to 30 % (01), on-delay 1 s, off-delay 2 s: for a second both seem to be active.
    world = World("binary", 2, K1_TO_K4)
    world.at(0, "10")
    world.at(3000)
    world.at(11000, "11", moving=(1,))
    assert world.levels() == ["60 %"], "0 % would pause a car for minutes"
    world.at(11990, moving=(1,))
    assert world.levels() == ["60 %"]
    world.at(12000, "01")
    assert world.number() == 2
    # A contact that never comes to rest can't hold up a command longer than the settling time.
    world.at(20000, "11", moving=(1,))
    assert world.number() == 2
    world.at(22000, moving=(1,))
    assert world.number() == 3
    world.at(24000, moving=(1,))
    world.at(30000, "00", moving=(1,))
    world.at(33900, moving=(1,))
    assert world.number() == 3
    world.at(34000, moving=(1,))
    assert world.levels() == ["100 %"], "nor a release for ever"


def test_relays_that_overlap_or_leave_a_gap_are_no_fault():
    world = World("one_hot", 4, ("0 %",) + K1_TO_K4)
    world.at(0, "0100")
    world.at(3000)
    assert world.levels() == ["60 %"]
    world.at(10000, "0110")
    assert world.levels() == ["60 %", "30 %"], "one is coming, one going: the stricter of them"
    world.at(11500, "0010")
    assert world.number("percent") == 3
    world.at(13500)
    assert world.levels() == ["30 %"] and world.began == []
    # Back to 100 % with a gap, in which a broken wire would be 0 %.
    world.at(20000, "0000", moving=(1,))
    assert world.levels() == ["30 %"]
    world.at(20300, "1000")
    assert world.levels() == ["100 %", "30 %"]
    world.at(22300)
    assert world.levels() == ["100 %"] and world.began == []


def test_a_bounce_of_the_pattern_keeps_what_was():
    world = World("one_hot", 2, ("none", "16000 mA", "0 mA"))
    world.at(0, "10")
    world.at(3000)
    for ms in range(10000, 11000, 100):
        world.at(ms, "11" if ms % 200 else "10")
        assert world.number() in (1, 2)
    world.at(11000, "10")
    assert world.at(13000) == ["16000 mA"] and world.began == []


def test_the_same_settings_are_the_same_set():
    first = World("binary", 2, K1_TO_K4).set
    assert first.same(World("binary", 2, K1_TO_K4).set)
    assert not first.same(World("binary", 2, K1_TO_K4, settle_ms=3000).set)
    assert not first.same(World("binary", 2, ("none",) + K1_TO_K4[1:]).set)
    assert not first.same(World("table", 2, K1_TO_K4, ("00", "01", "10", "11")).set)
