"""Random commands, contacts, times and restarts against a small model of another build.

The model knows no objects and no transitions: it looks back over the whole history each time.
"""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from chargecontrol import levels
from chargecontrol.contact_sets import ContactSet
from chargecontrol.operator import Operator

S = 1000
TIMEOUT_MS = 120 * S
DURATION_MS = 7200 * S
FAILSAFE = 40
CONFIG = {
    "channel": "http",
    "timeout_s": 120,
    "failsafe": "%d %%" % FAILSAFE,
    "duration_s": DURATION_MS // S,
}

STEPS = st.lists(
    st.tuples(
        st.sampled_from([1, 7, 30, 59, 60, 61, 90, 119, 120, 121, 600, 3600, 7200]),
        st.one_of(
            st.just(("wait",)),
            st.just(("beat",)),
            st.just(("restart",)),
            st.just(("touch",)),
            st.tuples(
                st.just("write"),
                st.sampled_from([None, 0, 10, 30, 60, 100]),
                st.sampled_from([None, 5, 100, 9000]),
            ),
        ),
    ),
    max_size=40,
)


class Model:
    """Steps of one second; what limits now is (the command, whether the fail-safe level does)."""

    def __init__(self):
        self.phase = "init"  # of LPC; its own names
        self.age = 0  # s in this phase
        self.quiet = None  # s since the last heartbeat
        self.alive = None  # s since when there are heartbeats without a longer pause
        self.command = None
        self.left = None  # s of the command
        self.rest = None  # s of fail-safe
        self.owned = False

    def enter(self, phase, command=None, left=None):
        self.phase, self.command, self.left = phase, command, left
        self.age = 0
        self.rest = DURATION_MS // S if phase == "failsafe" else None
        self.alive = None

    def second(self):
        self.age += 1
        for name in ("quiet", "left", "rest", "alive"):
            value = getattr(self, name)
            if value is not None:
                setattr(self, name, value - 1 if name in ("left", "rest") else value + 1)
        self.look()

    def look(self):
        if self.left is not None and self.left <= 0:
            self.command = self.left = None
            if self.phase == "limited":
                self.phase = "controlled"
        silent = self.quiet is None or self.quiet >= 120
        if self.phase in ("limited", "controlled") and silent:
            self.enter("failsafe")
        elif self.phase == "init" and self.age >= 120:
            self.enter("failsafe" if self.owned else "autonomous")
            self.owned = False
        elif self.phase == "failsafe":
            if silent:
                self.alive = None
            if self.rest <= 0 or self.alive is not None and self.alive >= 120:
                self.enter("autonomous")

    def beat(self):
        if self.phase == "failsafe" and self.alive is None:
            self.alive = 0
        self.quiet = 0

    def write(self, percent, seconds):
        self.beat()
        self.owned = False
        if percent is None:
            self.enter("controlled")
        else:
            self.enter("limited", percent, seconds)

    def touch(self):
        self.beat()
        if self.phase == "init":
            self.write(self.command, self.left)
        elif self.phase not in ("limited", "controlled"):
            self.write(None, None)

    def restart(self):
        old = (self.phase, self.command, self.left, self.rest, self.owned)
        self.__init__()
        phase, command, left, rest, owned = old
        if phase == "failsafe":
            self.phase = phase
            self.rest = rest
        elif phase in ("limited", "controlled") or phase == "init" and owned:
            self.owned = True
            self.command, self.left = command, left

    def limits(self):
        found = [] if self.command is None else [self.command]
        if self.phase in ("init", "failsafe"):
            found.append(FAILSAFE)
        return sorted(found)


@settings(max_examples=400, deadline=None)
@given(STEPS)
@example([(1, ("write", 0, None)), (120, ("restart",)), (7200, ("wait",))])
def test_a_channel_does_what_the_model_says(steps):
    model = Model()
    operator = Operator()
    operator.configure([], [CONFIG], 0)
    now_ms = 0
    for seconds, (what, *arguments) in steps:
        for _ in range(seconds):
            now_ms += S
            model.second()
            operator.update(now_ms, None)
        if what == "beat":
            model.beat()
            operator.beat("http", now_ms)
        elif what == "touch":
            model.touch()
            operator.touch("http", now_ms)
        elif what == "restart":
            model.restart()
            kept = operator.kept(now_ms)
            now_ms = seconds  # the control time begins anew, not at 0
            operator = Operator()
            operator.restore(kept)
            operator.configure([], [CONFIG], now_ms)
        elif what == "write":
            percent, seconds = arguments
            level = levels.NONE if percent is None else ("percent", percent)
            until_ms = None if seconds is None else now_ms + seconds * S
            operator.write("http", level, now_ms, until_ms)
            model.write(percent, None if percent is None else seconds)
        operator.update(now_ms, None)
        model.look()
        assert operator.channels["http"].state == model.phase
        found = sorted(limit.value for limit in operator.limits if limit.level)
        assert found == model.limits()


FOUR = ("100 %", "60 %", "30 %", "0 %")
MOVES = st.lists(
    st.tuples(
        st.sampled_from([20, 100, 400, 900, 1000, 1500, 1990, 2000, 2600, 5000]),
        st.integers(0, 7),
    ),
    max_size=40,
)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(["binary", "one_hot"]),
    st.permutations(FOUR),
    MOVES,
)
def test_a_set_is_never_looser_than_what_it_left_and_what_it_goes_to(form, texts, moves):
    """Whatever the contacts do: the level in force is at most as loose as the stricter of the last
    pattern that has stood and the present one; and once one has stood, it is that.
    """
    contacts = 2 if form == "binary" else 3
    one = ContactSet(
        {
            "id": "C1",
            "form": form,
            "inputs": ["PB.input%d" % (n + 1) for n in range(contacts)],
            "levels": list(texts),
            "patterns": [],
        },
        2000,
    )
    values = [int(text.split()[0]) for text in texts]

    def means(pattern):
        if form == "binary":
            return values[pattern]
        return values[{0: 0, 1: 1, 2: 2, 4: 3}[pattern]] if pattern in (0, 1, 2, 4) else 0

    pattern, since_ms, stood = 0, 0, None
    now_ms = 0
    one.update(0, lambda name: 0)
    for wait_ms, move in moves:
        end_ms = now_ms + wait_ms
        while now_ms < end_ms:
            now_ms = min(end_ms, now_ms + 100)
            one.update(now_ms, lambda name: pattern >> (int(name[8:]) - 1) & 1)
            if now_ms - since_ms >= 2000:
                stood = pattern
            held = values[one.number()]
            if stood == pattern:
                assert held == means(pattern)
            elif stood is not None:
                # One_hot: two at a time may be a change; before it is a fault it is none.
                most = means(stood)
                if form == "binary" or pattern in (0, 1, 2, 4):
                    most = min(most, means(pattern))
                assert held <= most
            else:
                assert held == 0
        if move % (1 << contacts) != pattern:
            pattern, since_ms = move % (1 << contacts), now_ms
            one.update(now_ms, lambda name: pattern >> (int(name[8:]) - 1) & 1)
