"""The journal keeps nothing that is gone."""

import weakref

from fakes import journal_site as at


def test_limits_that_are_gone_are_forgotten():
    c = at.Controller(at.folder("test_journal_memory"))
    gone = weakref.WeakSet()
    for _ in range(100):
        limits = [at.Limit("max_total_current", "current"), at.Limit("max_total_power", "power")]
        for limit in limits:
            limit.clear(c.clock.ms)
        c.site.house.set_limits = limits
        gone.update(limits)
        c.run(2)
    assert len(gone) < 50


def test_many_limits_are_no_reason_to_look_at_each_again_and_again():
    c = at.Controller(at.folder("test_journal_memory"))
    limits = c.operator.operator.limits
    for n in range(60):
        limit = at.OperatorLimit("C%d" % n, "percent", "percent")
        limit.hold(("percent", 100), "contact_level", (limit.source,), 0)
        limits.append(limit)
    c.run(5)
    assert c.journal.work is None
    looked = []
    for limit in limits:
        limit.source = Source(limit.source, looked)
    c.run(20)
    assert looked == []


class Source(str):
    """Tells when it is looked at."""

    def __new__(cls, text, looked):
        made = str.__new__(cls, text)
        made.looked = looked
        return made

    def __hash__(self):
        self.looked.append(str(self))
        return str.__hash__(self)

    __eq__ = str.__eq__
