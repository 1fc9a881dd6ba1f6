"""Random hours: houses that switch loads, cars that come, ramp, sleep and leave."""

import random
import sys

from fakes.site_world import Car, World, box

_SEEDS = 4 if sys.implementation.name == "micropython" else 16
_SECONDS = 1800


def random_world():
    evses = [
        box(
            "E%d" % (n + 1),
            priority=random.randint(1, 2),
            max_current_ma=random.choice((16000, 20000, 32000)),
            phase_rotation=random.choice((0, 120, 240)),
            group=random.choice((None, "G1")),
            first_come_first_served=random.random() < 0.2,
        )
        for n in range(random.randint(1, 8))
    ]
    group = {"id": "G1", "max_current": 20000, "meter": random.choice((None, "M2"))}
    unbalance_ma = random.choice((None, 20000))
    world = World(evses, groups=(group,), max_unbalance_ma=unbalance_ma, min_pause_s=60)
    world.group_ma["G1"] = [0, 0, 0]
    for evse in evses:
        world.cars[evse.id] = None
    return world


def happen(world):
    """What may change in a second."""
    if random.random() < 0.03:
        world.house_ma[random.randrange(3)] = random.randint(0, 15000)
    if random.random() < 0.01 and world.site.feeders[1].meter_id:
        world.group_ma["G1"][random.randrange(3)] = random.randint(0, 8000)
    for evse in world.evses:
        chance = random.random()
        if chance < 0.003:
            world.cars[evse.id] = Car(random.randint(6, 32) * 1000, random.choice((1, 3, 7, 7)))
        elif chance < 0.004:
            world.cars[evse.id] = None
        elif chance < 0.007 and world.cars[evse.id]:
            world.cars[evse.id].wants_ma = random.choice((0, 3000, 9000, 32000))


def test_no_overload_lasts():
    worst_s = 0
    for seed in range(_SEEDS):
        random.seed(seed)
        world = random_world()
        for _ in range(_SECONDS):
            happen(world)
            world.run()
            assert world.over_s <= 10, (seed, world.now_ms)
            for evse in world.evses:
                assert evse.setpoint_ma == 0 or evse.min_ma <= evse.setpoint_ma
                assert evse.setpoint_ma <= evse.config_max_ma and evse.setpoint_ma % 100 == 0
                assert evse.reason.code, seed
        worst_s = max(worst_s, world.over_s)
    assert worst_s > 2  # else nothing was tried


def test_what_is_free_is_used():
    """Compared with what who knows all could have drawn on the fullest phase."""
    random.seed(1)
    world = World([box("E%d" % (n + 1), max_current_ma=32000) for n in range(3)])
    used_ma = free_ma = 0
    for _ in range(2 * _SECONDS):
        if random.random() < 0.02:
            world.house_ma[random.randrange(3)] = random.randint(0, 9000)
        world.run()
        used_ma += sum([car.drawn_ma for car in world.cars.values()])
        free_ma += world.limit_ma - max(world.house_ma)
    assert used_ma > 0.9 * free_ma, used_ma / free_ma


def test_sixteen_evses_work():
    evses = [box("E%d" % (n + 1), group="G1" if n & 1 else None) for n in range(16)]
    group = {"id": "G1", "max_current": 32000, "meter": "M2", "max_power": 20000}
    settings = dict(max_total_current=63000, max_unbalance_ma=20000)
    world = World(evses, groups=(group,), max_total_evse_power=40000, **settings)
    world.group_ma["G1"] = [500, 0, 0]
    for n in range(16):
        world.cars["E%d" % (n + 1)].lines = (7, 1, 3)[n % 3]
    served = set()
    for _ in range(200):
        world.run(10)
        served.update([evse.id for evse in evses if evse.setpoint_ma])
        watts = sum([evse.phases * evse.setpoint_ma * 230 // 1000 for evse in evses])
        assert watts <= 40000
    assert len(served) == 16 and world.over_s <= 10
