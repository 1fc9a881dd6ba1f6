"""Contacts: delays, bounce, polarity, what is known after boot, and the task that waits."""

import asyncio
import random

from controller import contacts
from controller.board import BoardError
from controller.contact_settings import ContactError
from controller.contacts import Contact, Contacts
from controller.s0 import S0Meter


class Inputs:
    """Stands in for the board's inputs; `close` moves a contact and fires its interrupt."""

    def __init__(self, count):
        self.count = count
        self.levels = [False] * (count + 1)
        self.callback = None
        self.silent = False

    def read(self, n):
        if self.silent:
            raise BoardError("board_expander", "expanders[0]", "0x20", "does not answer")
        return self.levels[n]

    def on_change(self, callback):
        self.callback = callback

    def close(self, n, closed, interrupt=True):
        self.levels[n] = closed
        if interrupt:
            self.callback(n, closed)


class FakeClock:
    ms = 0

    def now_ms(self):
        return self.ms


class FakeAsyncio:
    """Waits by moving the clock. `plan`: {ms: call} of what happens outside meanwhile."""

    def __init__(self, clock, plan, end_ms):
        self.clock = clock
        self.plan = plan
        self.end_ms = end_ms

    async def sleep_ms(self, duration_ms):
        if self.clock.ms > self.end_ms:
            raise Finished
        until_ms = self.clock.ms + duration_ms
        for ms in sorted(self.plan):
            if ms <= until_ms:
                self.clock.ms = max(ms, self.clock.ms)
                self.plan.pop(ms)()
        self.clock.ms = until_ms


class Finished(Exception):
    pass


CLOCKS = []  # those of the simulations so far


def simulate(plan, entries, end_ms, count=2, meters=None, silent_ms=()):
    """Runs the task in fake time; returns ([(ms, n, active, stable)], the Contacts)."""
    clock = FakeClock()
    CLOCKS.append(clock)
    inputs = Inputs(count)
    changes = []
    calls = {}
    for ms, (n, closed, interrupt) in plan.items():
        calls[ms] = lambda n=n, closed=closed, interrupt=interrupt: inputs.close(
            n, closed, interrupt
        )
    for ms, silent in silent_ms:
        calls[ms] = lambda silent=silent: setattr(inputs, "silent", silent)

    def on_change(n, contact):
        changes.append((clock.ms, n, contact.active, contact.stable))

    tested = Contacts(inputs, entries, clock, on_change, meters)
    beats = [0]
    contacts.asyncio = FakeAsyncio(clock, calls, end_ms)
    try:
        asyncio.run(tested.run(lambda: beats.append(clock.ms)))
    except Finished:
        pass
    finally:
        contacts.asyncio = asyncio
    assert all(later - earlier <= 1000 for earlier, later in zip(beats, beats[1:]))
    return changes, tested


def levels(contact, steps):
    """Feeds [(ms, closed)]; returns the moments at which the stable state changed."""
    return [ms for ms, closed in steps if contact.update(closed, ms)]


def test_delays():
    contact = Contact((1000, 2000, True))
    assert levels(contact, [(0, False), (1999, False)]) == []
    assert not contact.stable
    assert levels(contact, [(2000, False)]) == [2000]
    assert contact.stable and not contact.active
    assert levels(contact, [(5000, True), (5999, True), (6000, True)]) == [6000]
    assert contact.active
    assert levels(contact, [(7000, False), (8999, False), (9000, False), (9500, False)]) == [9000]
    assert not contact.active


def test_due():
    contact = Contact((1000, 2000, True))
    assert contact.due_ms(0) is None
    contact.update(True, 100)
    assert [contact.due_ms(ms) for ms in (100, 600, 1100, 9000)] == [1000, 500, 0, 0]
    contact.update(True, 1100)
    assert contact.due_ms(1100) is None


def test_polarity_wire_break_safe():
    contact = Contact((1000, 2000, False))  # closed = no limit; an open loop limits
    assert levels(contact, [(0, True), (2000, True)]) == [2000] and not contact.active
    assert levels(contact, [(3000, False), (4000, False)]) == [4000] and contact.active


def test_bounce_restarts_the_delay():
    contact = Contact((1000, 2000, True))
    contact.update(False, 0)
    contact.update(False, 2000)
    assert levels(contact, [(5000, True), (5900, False), (5901, True), (6900, True)]) == []
    assert contact.update(True, 6901)
    # The level is the same at each reading, but there were edges in between.
    contact.update(False, 10000)
    assert not contact.update(False, 11500, True)
    assert not contact.update(False, 13499)
    assert contact.update(False, 13500)


def test_short_closing_is_ignored():
    contact = Contact((1000, 2000, True))
    contact.update(False, 0)
    contact.update(False, 2000)
    assert levels(contact, [(3000, True), (3999, True), (4000, False), (9000, False)]) == []
    assert contact.stable and not contact.active


def test_no_delay():
    contact = Contact((0, 0, True))
    assert levels(contact, [(0, True), (1, True), (2, False), (3, True)]) == [0, 2, 3]


def test_random_bounce_against_the_definition():
    """The stable state follows a level exactly when it was seen unchanged for its delay."""
    random.seed(5)
    for _ in range(60):
        on_ms, off_ms = random.choice((0, 30, 200)), random.choice((0, 50, 300))
        contact = Contact((on_ms, off_ms, True))
        now = since = 0
        level = active = None
        for _ in range(300):
            closed = random.random() < 0.5 if random.random() < 0.3 else level or False
            if closed != level:
                level, since = closed, now
            changed = contact.update(closed, now)
            expected = now - since >= (on_ms if level else off_ms)
            assert changed == (expected and level != active)
            if changed:
                active = level
            assert contact.stable == (active is not None)
            assert contact.active == bool(active)
            now += random.randrange(60)


def test_unreadable_input_is_unknown_after_three_readings():
    contact = Contact((0, 0, True))
    contact.update(True, 0)
    assert [contact.update(None, ms) for ms in (1, 2, 3, 4)] == [False, False, True, False]
    assert not contact.stable and contact.closed is None
    assert contact.update(True, 5) and contact.stable and contact.active
    assert [contact.update(None, ms) for ms in (6, 7)] == [False, False]
    assert not contact.update(True, 8) and contact.stable


def test_task_acts_right_after_the_delay():
    plan = {5300: (1, True, True), 9217: (1, False, True)}
    changes, tested = simulate(plan, [], 15000)
    # Boot: both were open for the off-delay.
    assert sorted(changes[:2]) == [(2000, 1, False, True), (2000, 2, False, True)]
    assert [change[1:] for change in changes[2:]] == [(1, True, True), (1, False, True)]
    # The task looks at the edges each 10 ms.
    assert 6300 <= changes[2][0] <= 6310 and 11217 <= changes[3][0] <= 11227
    assert tested.stable


def test_lost_interrupt_is_made_up_for_within_a_second():
    changes, _ = simulate({5300: (1, True, False), 5400: (2, False, True)}, [], 9000)
    late = [change for change in changes if change[0] > 2000]
    assert len(late) == 1 and late[0][1:] == (1, True, True) and 6300 <= late[0][0] <= 7400


def test_bouncing_edges_restart_the_delay():
    plan = {}
    for ms in range(5000, 5800, 100):  # each time closed again when the task gets to look
        plan[ms] = (1, True, True)
    changes, _ = simulate(plan, [], 9000)
    assert [change for change in changes if change[0] > 2000] == [(6700, 1, True, True)]


def test_own_delays_and_polarity():
    entries = [
        {"input": 2, "closed_is_active": False, "on_delay_ms": 100, "off_delay_ms": 0},
        {"input": 1, "on_delay_ms": 60000},
    ]
    changes, tested = simulate({3000: (2, True, True), 3500: (2, False, True)}, entries, 5000)
    assert [change for change in changes if change[1] == 2] == [
        (100, 2, True, True),
        (3000, 2, False, True),
        (3600, 2, True, True),
    ]
    assert tested.value(2) == 1 and tested.field("input2") == 1 and tested.field("input1") == 0
    assert tested.state() == [
        {"input": 1, "closed": False, "active": False, "stable": True},
        {"input": 2, "closed": False, "active": True, "stable": True},
    ]


def key_error(call, argument):
    try:
        call(argument)
    except KeyError:
        return True
    return False


def test_values():
    _, tested = simulate({}, [], 900)
    assert key_error(tested.value, 1)  # not stable yet
    assert not Contacts(Inputs(2), [{"input": 1}], FakeClock(), None).stable
    _, tested = simulate({}, [], 2500)
    assert tested.value(1) == 0
    for name in ("input0", "input3", "input", "inputx", "output1", "", "input-1", "input1.5"):
        assert key_error(tested.field, name), name


def test_an_unused_input_may_float():
    plan = {ms: (2, ms // 10 % 2 == 0, True) for ms in range(10, 6000, 10)}
    _, tested = simulate(plan, [{"input": 1}], 5000)
    assert tested.stable and tested.value(1) == 0 and key_error(tested.value, 2)


def test_silent_expander():
    changes, tested = simulate({}, [{"input": 1}], 11000, 1, None, ((4100, True), (7700, False)))
    assert [(active, stable) for _, _, active, stable in changes] == [
        (False, True),
        (False, False),
        (False, True),
    ]
    assert 4100 < changes[1][0] <= 7200
    assert tested.stable


def test_meter_inputs_count_and_are_no_contacts():
    meter = S0Meter(1000)
    plan = {}
    for number in range(10):
        plan[3000 + 200 * number] = (2, True, True)
        plan[3050 + 200 * number] = (2, False, True)
    changes, tested = simulate(plan, [{"input": 1}], 6000, 2, {2: meter})
    assert meter.pulses == 10 and {change[1] for change in changes} == {1}
    assert key_error(tested.value, 2) and tested.stable


def test_other_settings_make_only_that_contact_unknown():
    _, tested = simulate({}, [{"input": 1}, {"input": 2}], 5000)
    clock = CLOCKS[-1]
    tested.configure([{"input": 1}, {"input": 2, "closed_is_active": False}])
    assert tested.value(1) == 0 and key_error(tested.value, 2) and not tested.stable
    tested.read()
    clock.ms += 1000
    assert tested.read() == 1000
    assert tested.value(2) == 1 and tested.stable


def test_bad_settings():
    tested = Contacts(Inputs(2), [{"input": 1, "on_delay_ms": 5}], FakeClock(), None)
    for entries, code, field in (
        ([{"input": 3}], "contact_input", "contacts.0.input"),
        ([{"input": 0}], "contact_input", "contacts.0.input"),
        ([{"input": 1}, {"input": 1}], "contact_input", "contacts.1.input"),
        ([{"input": 1, "on_delay_ms": 60001}], "contact_delay", "contacts.0.on_delay_ms"),
        ([{"input": 1, "off_delay_ms": -1}], "contact_delay", "contacts.0.off_delay_ms"),
    ):
        try:
            tested.configure(entries)
        except ContactError as error:
            assert (error.code, error.field) == (code, field) and field in str(error)
        else:
            raise AssertionError(entries)
    assert tested.contacts[1].settings[0] == 5  # nothing was applied


class TicksClock:
    """Real time, as the firmware's clock."""

    def __init__(self):
        from controller.clock import Clock

        self.now_ms = Clock("UTC0").now_ms


def test_task_wakes_on_a_real_edge():
    """With the true loop, and readings so rare that only the edge can wake the task."""
    inputs = Inputs(1)
    seen = []
    entries = [{"input": 1, "on_delay_ms": 0, "off_delay_ms": 0}]
    tested = Contacts(inputs, entries, TicksClock(), lambda n, c: seen.append(c.active))
    read = tested.read
    tested.read = lambda: read() + 60000

    async def main():
        task = asyncio.create_task(tested.run())
        for closed in (False, True, False, True):
            inputs.close(1, closed)
            for _ in range(500):
                if seen and seen[-1] == closed:
                    break
                await asyncio.sleep_ms(5)
        task.cancel()

    asyncio.run(main())
    assert seen == [False, True, False, True]
