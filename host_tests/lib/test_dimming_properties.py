"""§14a on random sites: what is owed, against fractions; what is drawn, second by second."""

from fractions import Fraction

import pytest
from fakes.dimmed_site import Dimmed, steerable
from fakes.site_world import Car, box
from hypothesis import given, settings
from hypothesis import strategies as st

from chargecontrol.dimming_setup import p_min_w

KINDS = ("evse", "storage", "heat_pump", "cooling")
DEVICES = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 40000)), max_size=16)
GZF = [80, 75, 70, 65, 60, 55, 50, 45]


def owed(devices, gzf=GZF):
    """BK6-22-300, Anlage 1, 4.5.2, as it is written there."""
    groups = {kind: sum(w for k, w in devices if k == kind) for kind in ("heat_pump", "cooling")}
    n = sum(w > 4200 for k, w in devices if k not in groups) + sum(
        w > 4200 for w in groups.values()
    )
    if n == 0:
        return 0
    base = Fraction(4200)
    if any(w > 11000 for w in groups.values()):
        base = max(Fraction(2, 5) * w for w in groups.values())
    factor = Fraction(0) if n == 1 else Fraction(gzf[min(n, len(gzf) + 1) - 2], 100)
    return int(base + (n - 1) * factor * 4200)


@given(DEVICES, st.lists(st.integers(0, 100), min_size=1, max_size=16))
def test_what_is_owed_is_what_the_rule_says(devices, gzf):
    assert p_min_w(devices) == owed(devices)
    assert p_min_w(devices, "ems", 4200, 40, gzf) == owed(devices, gzf)


@given(DEVICES)
def test_direct_control_owes_no_less_than_an_ems(devices):
    assert p_min_w(devices, "direct") >= p_min_w(devices)


@st.composite
def sites(draw):
    """A site of up to five wallboxes and three other devices."""
    evses, steerables, cars = [], [], {}
    for i in range(draw(st.integers(1, 5))):
        id = "E%d" % (i + 1)
        phases = draw(st.sampled_from((1, 3)))
        evses.append(box(id, phases=phases, phase_rotation=draw(st.sampled_from((0, 120, 240)))))
        lines = 1 if phases == 1 else draw(st.sampled_from((1, 7, 7)))
        wants_ma = draw(st.sampled_from((0, 9000, 16000)))
        cars[id] = draw(st.sampled_from((None, Car(wants_ma, lines), Car(wants_ma, lines))))
        if draw(st.integers(0, 4)):
            steerables.append(steerable("S%d" % len(steerables), device=id))
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(("heat_pump", "cooling", "storage")))
        relay = draw(st.sampled_from((None, 1)))
        power_w = draw(st.integers(2000, 15000))
        reduced_w = draw(st.integers(0, power_w))
        id = "S%d" % len(steerables)
        steerables.append(steerable(id, kind, power_w, None, relay, reduced_w if relay else 0))
    return evses, steerables, cars


class House:
    """Lets the world of a site go on, with devices that follow their relays at once."""

    def __init__(self, evses, steerables, cars, **settings):
        self.world = world = Dimmed(evses, steerables, **settings)
        world.cars = cars
        self.draws = {}  # id: share of what it may draw
        # What no relay reduces, and what is too small to count: it draws as it likes.
        self.others = [item for item in world.dimming.devices if not item.evse]

    def second(self):
        world = self.world
        for item in self.others:
            may_w = item.reduced_w if item.reduced else item.power_w
            world.drawn_w[item.id] = may_w * self.draws.get(item.id, 0) // 100
        world.run(1)

    def fixed_w(self):
        return sum(self.world.drawn_w[item.id] for item in self.others)

    def within(self):
        """The rule holds; what is not reducible may be above it, then no car draws anything."""
        world = self.world
        drawn_w = world.drawn_from_grid_w()
        own_w = max(0, world.pv_w - world.other_w - self.unlisted_w())
        most_w = max(world.dimming.limit_w, self.fixed_w() - own_w)
        assert drawn_w <= most_w + 3, (drawn_w, most_w)

    def unlisted_w(self):
        world = self.world
        listed = [item.evse.id for item in world.dimming.devices if item.evse]
        others = [car for id, car in world.cars.items() if car and id not in listed]
        return sum(sum(car.measured()) for car in others) * 230 // 1000

    def nothing_unused(self):
        """Whoever waits for room in the row of dimming could not have his next step."""
        world = self.world
        dimming = world.dimming
        left_w = dimming.budget_w - sum(item.counted_w or 0 for item in self.others)
        members = [item.evse for item in dimming.devices if item.evse]
        left_w -= sum(evse.setpoint_ma * evse.phases * 230 for evse in members) / 1000
        for evse in members:
            if evse.reason.code == "dimming_binds":
                next_ma = evse.step_ma if evse.setpoint_ma else evse.min_ma
                assert left_w < next_ma * evse.phases * 230 / 1000 + 3, (evse.id, left_w)


CHANGES = st.lists(
    st.tuples(
        st.sampled_from((None, None, 0, 4200, 9000, 20000)),  # W that are commanded, None: owed
        st.integers(0, 20000),  # sun
        st.integers(0, 8000),  # other load
        st.integers(0, 100),  # % that heat pumps, cooling and storages draw of what they may
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("seen", [True, False])
@settings(max_examples=60, deadline=None)
@given(site=sites(), changes=CHANGES, early_ms=st.sampled_from((0, 300, 900)))
def test_a_dimmed_site_keeps_to_it_and_leaves_nothing_unused(seen, site, changes, early_ms):
    house = House(*site)
    world = house.world
    world.seen = seen
    world.early_ms = early_ms
    if not world.dimming.devices:
        return
    world.run(30)
    for value_w, pv_w, other_w, draws in changes:
        world.wanted = (value_w, "C1")
        world.pv_w, world.other_w = pv_w, other_w
        for item in house.others:
            house.draws[item.id] = draws
        for second in range(70):
            house.second()
            if second >= 10:
                house.within()
        if seen:
            house.nothing_unused()
    world.wanted = None
    world.run(30)
    for evse in world.evses:
        assert evse.reason.code != "dimming_binds"
    assert not world.dimming.reduced


@settings(max_examples=40, deadline=None)
@given(site=sites(), value_w=st.sampled_from((None, 0, 3000, 6000)), pv_w=st.integers(0, 9000))
def test_under_direct_control_each_keeps_to_its_own(site, value_w, pv_w):
    evses, steerables, cars = site
    house = House(evses, steerables, cars, control="direct")
    world = house.world
    world.pv_w = pv_w
    world.run(30)
    world.wanted = (value_w, "C1")
    for second in range(40):
        house.second()
        for item in world.dimming.devices:
            if item.evse and second >= 10 and cars[item.evse.id]:
                drawn_w = sum(cars[item.evse.id].measured()) * 230 // 1000
                assert drawn_w <= (4200 if value_w is None else value_w)
