"""Feed-in that a cloud takes away slowly: the load rises from reading to reading."""

from fakes.site_world import Car, World, box


def test_a_slow_cloud_overloads_nothing():
    for rise_ma in (200, 350, 500):
        world = World([box(), box("E2")], max_total_current=25000)
        for id in ("E1", "E2"):
            world.cars[id] = Car()
        world.house_ma = [-9000] * 3
        world.run(120)
        over_s = most_s = 0
        for _ in range(60):
            world.house_ma = [ma + rise_ma for ma in world.house_ma]
            world.run(1)
            drawn_ma = sum([car.drawn_ma for car in world.cars.values()]) + world.house_ma[0]
            over_s = over_s + 1 if drawn_ma > 25000 else 0
            most_s = max(most_s, over_s)
        assert most_s <= 5, (rise_ma, most_s)


def test_a_kettle_is_not_counted_twice():
    world = World([box()], max_total_current=25000)
    world.house_ma = [0, 0, 0]
    world.run(60)
    world.house_ma = [11000, 0, 0]
    lowest_ma = 16000
    for _ in range(20):
        world.run(1)
        lowest_ma = min(lowest_ma, world.evses[0].setpoint_ma)
    assert lowest_ma == 14000
