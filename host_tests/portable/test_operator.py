"""The operator's limits side by side: sets, channels, tests, dimming, and what a restart keeps."""

from chargecontrol.operator import Operator

S = 1000


def one_contact(id="C1", *texts, name="PB.input1"):
    texts = list(texts or ("none", "dim"))
    return {"id": id, "form": "one", "inputs": [name], "levels": texts, "patterns": []}


def pair(id="C2", *texts):
    texts = list(texts or ("100 %", "60 %", "30 %", "0 %"))
    inputs = ["PB.input2", "M2.input1"]
    return {"id": id, "form": "binary", "inputs": inputs, "levels": texts, "patterns": []}


def channel(name="http", **changes):
    made = {"channel": name, "timeout_s": 120, "failsafe": "30 %", "duration_s": 7200}
    made.update(changes)
    return made


class World:
    def __init__(self, sets=(), channels=(), kept=None):
        self.operator = Operator()
        if kept is not None:
            self.operator.restore(kept)
        self.active = {"PB.input1": 0, "PB.input2": 0, "M2.input1": 0}
        self.configure(sets, channels)
        self.ms = 0

    def configure(self, sets, channels, now_ms=0):
        self.operator.configure(list(sets), list(channels), now_ms)

    def at(self, ms, **active):
        """The limits that hold at a time: [(source, kind, value)]."""
        for name, value in active.items():
            self.active[name.replace("_", ".")] = value
        self.operator.update(ms, self.active.get)
        return self.limits()

    def limits(self):
        return [(one.source, one.kind, one.value) for one in self.operator.limits if one.level]

    def reason(self, source):
        (one,) = [one for one in self.operator.limits if one.source == source and one.level]
        assert one.reason.source == source
        return one.reason


def test_all_sources_stand_side_by_side():
    world = World([one_contact(), pair()], [channel("http"), channel("sunspec")])
    world.at(0)
    world.operator.write("http", ("power", 11000), 0, 50 * S)
    world.operator.write("sunspec", ("percent", 40), 0)
    world.at(2500)
    limits = world.at(3 * S, PB_input1=1, M2_input1=1)
    assert ("C1", "dimming", None) in limits and ("C2", "percent", 30) in limits
    assert ("http", "power", 11000) in limits and ("sunspec", "percent", 40) in limits
    assert len(limits) == 4
    reason = world.reason("http")
    assert reason.code == "channel_limit" and reason.arguments == ("http", "11000 W")
    assert (reason.since_ms, reason.until_ms) == (2500, 50 * S)
    reason = world.reason("C2")
    assert reason.code == "contact_level" and reason.arguments == ("C2", "30 %")
    world.at(20 * S)
    assert world.reason("C2").since_ms == 3 * S, "since it holds"
    assert ("http", "power", 11000) not in world.at(50 * S)
    told = [one for one in world.operator.limits if one.source == "http"]
    assert [one.reason.code for one in told] == ["no_limit", "no_limit"], "still shown"


def test_it_is_ready_when_all_is_known_and_stays_so():
    world = World([one_contact(), pair()], [channel()])
    world.at(0, M2_input1=None)
    assert not world.operator.ready
    world.operator.write("http", ("none", None), S)
    world.at(S)
    assert not world.operator.ready
    world.at(2 * S, M2_input1=0)
    assert not world.operator.ready, "the pattern has to stand"
    world.at(4 * S)
    assert world.operator.ready
    world.at(9 * S, M2_input1=None)
    assert world.operator.ready, "the strictest level of the set is enough"
    world = World([], [channel()])
    world.at(119 * S)
    assert not world.operator.ready
    world.at(120 * S)
    assert world.operator.ready
    world = World([], [channel(timeout_s=0)])
    world.at(0)
    assert world.operator.ready


def test_what_is_unknown_or_invalid_holds_the_strictest_level_and_says_why():
    world = World([pair()], [])
    assert world.at(0, M2_input1=None) == [("C2", "percent", 0)]
    reason = world.reason("C2")
    assert (reason.code, reason.arguments) == ("contact_unknown", ("C2", "M2.input1", "0 %"))
    world.at(S, M2_input1=0)
    assert world.at(4 * S) == [("C2", "percent", 100)]
    assert world.operator.events == [], "a start is no event"
    world.at(5 * S, M2_input1=None)
    assert world.operator.events == [("contact_unknown", "C2", "M2.input1")]
    hot = {"id": "C3", "form": "one_hot", "inputs": ["PB.input1", "PB.input2"], "patterns": []}
    hot["levels"] = ["none", "feed-in 60 %", "dim"]
    world = World([hot], [])
    world.at(0, PB_input1=1, PB_input2=1)
    limits = world.at(3 * S)
    assert sorted(limits) == [("C3", "dimming", None), ("C3", "feed_in", 60)]
    for one in world.operator.limits:
        assert one.reason.code == "contact_invalid"
        assert one.reason.arguments[:2] == ("C3", "11")
    assert world.operator.events == [("contact_invalid", "C3", "11")]
    assert world.operator.feed_in() == 60
    world.at(4 * S, PB_input2=0)
    assert world.at(6 * S) == [("C3", "feed_in", 60)]
    world.at(7 * S, PB_input1=0)
    world.at(9 * S)
    assert world.operator.feed_in() is None


def test_the_failsafe_level_has_its_reason_and_its_end():
    world = World([], [channel(failsafe="dim")])
    assert world.at(0) == [("http", "dimming", None)]
    assert world.reason("http").code == "channel_init"
    world.operator.write("http", ("percent", 0), S)
    assert world.at(S) == [("http", "percent", 0)]
    assert world.at(121 * S) == [("http", "dimming", None)]
    reason = world.reason("http")
    assert (reason.code, reason.arguments) == ("channel_failsafe", ("http", "dim"))
    assert reason.until_ms == (121 + 7200) * S
    assert world.operator.dimming() == [(None, "http")]
    assert world.at((121 + 7200) * S) == []
    states = [event[0] for event in world.operator.events]
    assert states == ["channel_limited", "channel_failsafe", "channel_autonomous"]


def test_all_who_dim_are_told():
    world = World([one_contact("C1"), one_contact("C2", "none", "dim 6000 W", name="PB.input2")])
    world.at(0)
    assert world.operator.dimming() == []
    world.at(S, PB_input2=1)
    assert world.operator.dimming() == [(6000, "C2")]
    world.at(2 * S, PB_input1=1)
    found = world.operator.dimming()
    assert len(found) == 2 and (None, "C1") in found and (6000, "C2") in found


def test_a_contact_that_stays_unknown_does_not_hold_the_start_up():
    world = World([one_contact("C1", "none", "feed-in 60 %", name="M2.input1")])
    world.at(0, M2_input1=None)
    world.at(59 * S)
    assert not world.operator.ready
    assert world.at(60 * S) == [("C1", "feed_in", 60)]
    assert world.operator.ready


def test_a_test_acts_at_once_and_weakens_nothing():
    world = World([one_contact("C1", "none", "16000 mA", "0 mA")], [])
    world.at(0, PB_input1=1)
    operator = world.operator
    operator.test("C1", ("current", 0), S, 61 * S)
    assert ("test", "current", 0) in world.at(S) and operator.number("C1") == 2
    assert ("C1", "current", 16000) in world.limits()
    reason = world.reason("test")
    assert (reason.code, reason.arguments) == ("operator_test", ("C1", "0 mA"))
    assert reason.until_ms == 61 * S
    operator.test("C1", ("none", None), 2 * S, 62 * S)
    world.at(2 * S)
    assert operator.number("C1") == 1, "what really holds is stricter"
    assert ("C1", "current", 16000) in world.limits()
    assert len(operator.limits) == 2
    assert operator.tested
    world.at(62 * S)
    assert operator.tested is None and world.limits() == [("C1", "current", 16000)]
    operator.test("C1", ("dimming", None), 63 * S, 90 * S)
    assert operator.dimming() == [(None, "test")]
    assert operator.end_test(64 * S) and operator.dimming() == []
    assert not operator.end_test(64 * S)
    codes = [event[0] for event in operator.events]
    assert codes == ["operator_test", "operator_test_ended"] * 3
    assert operator.events[0] == ("operator_test", "C1", "0 mA")


def refused(call, *arguments):
    try:
        call(*arguments)
    except ValueError as error:
        return str(error)
    return None


def test_what_makes_no_sense_is_refused_and_changes_nothing():
    world = World([one_contact()], [channel()])
    operator = world.operator
    operator.write("http", ("percent", 30), 0)
    before = world.at(0)
    nan = float("nan")
    assert refused(operator.write, "mqtt", ("percent", 30), S) == "channel"
    assert refused(operator.beat, "sunspec", S) == "channel"
    for level in (("percent", nan), ("percent", -1), ("percent", 101), ("none", 5), ("x", 1)):
        assert refused(operator.write, "http", level, S) == "level", level
        assert refused(operator.test, "C1", level, S, 9 * S) == "level", level
    assert refused(operator.test, "C9", ("percent", 30), S, 9 * S) == "source"
    assert world.at(S) == before and operator.tested is None


def test_the_number_of_a_level_for_formulas():
    world = World([pair("C2", "none", "dim", "16000 mA", "0 mA")], [])
    assert world.operator.number("C2") == 3
    world.at(0)
    world.at(3 * S)
    assert world.operator.number("C2") == 0
    world.at(4 * S, PB_input2=1)
    assert world.operator.number("C2") == 1
    try:
        world.operator.number("C1")
        raise AssertionError
    except KeyError:
        pass


def test_settings_may_change_while_it_runs():
    world = World([one_contact(), pair()], [channel()])
    world.at(0, PB_input1=1)
    world.operator.write("http", ("percent", 30), 0)
    world.at(3 * S)
    first = world.operator.sets["C1"]
    world.configure([one_contact(), pair("C2", "none", "60 %", "30 %", "0 %")], [channel()], 3 * S)
    assert world.operator.sets["C1"] is first, "as it was"
    limits = world.at(3 * S)
    assert ("C1", "dimming", None) in limits and ("http", "percent", 30) in limits
    assert ("C2", "percent", 0) in limits, "one with other settings has to find out anew"
    world.operator.test("C1", ("dimming", 0), 4 * S, 99 * S)
    world.configure([], [channel(timeout_s=60)], 5 * S)
    assert world.at(5 * S) == [("http", "percent", 30)], "and a test ends"
    world.at(60 * S)
    assert world.operator.channels["http"].state == "failsafe"
    world.configure([], [], 61 * S)
    assert world.operator.limits == [] and world.at(62 * S) == []


def test_what_was_kept_goes_on_and_nonsense_is_not_taken():
    world = World([], [channel("http", failsafe="0 %"), channel("sunspec")])
    world.operator.write("http", ("percent", 30), 0)
    world.operator.write("sunspec", ("none", None), 0)
    for s in range(0, 180, 60):
        world.operator.beat("sunspec", s * S)
        world.at(s * S)
    kept = world.operator.kept(130 * S)
    assert kept == {"http": ["failsafe", "none", 7190], "sunspec": ["controlled", "none", None]}
    world = World([], [channel("sunspec"), channel("http", failsafe="0 %")], kept)
    assert world.at(0) == [("sunspec", "percent", 30), ("http", "percent", 0)]
    assert world.operator.channels["http"].state == "failsafe"
    for nonsense in (
        {"http": ["limited", "130 %", None]},
        {"http": ["limited", "30 %", "soon"]},
        {"http": [7, "30 %", None]},
        {"http": ["limited"]},
    ):
        assert refused(Operator().restore, nonsense) is not None, nonsense
