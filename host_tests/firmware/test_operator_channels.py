"""Every door of the grid operator on one board: how soon real setpoints follow, and when all cars
have obeyed, measured at the cars.
"""

import time

from load_management import car_ma, quiet
from simulated import simulated

CHANNELS = [
    {"channel": "sunspec", "timeout_s": 20, "failsafe": "20 %", "duration_s": 7200},
    {"channel": "http", "timeout_s": 0, "failsafe": "20 %"},
]


def scenario():
    made = quiet("gateway", house_w=[300, 200, 150])
    made["settings"] = {
        "site": {
            "max_total_current": "exists(AVAIL) ? 40000 * AVAIL / 100 : 40000",
            "max_total_power": None,
            "min_pause_s": 5,
        },
        "contacts": [{"input": 1, "on_delay_ms": 300, "off_delay_ms": 300}],
        "contact_sets": [{"id": "C1", "inputs": ["PB.input1"], "levels": ["none", "30 %"]}],
        "channels": CHANNELS,
        "sunspec_server": {"enabled": True},
        "gateway": {"enabled": True},
    }
    return made


async def obeyed(site, most_ma, within_s=1.0):
    """Setpoints are within the limit of a phase in within_s, the cars in 10 s."""
    began = time.monotonic()
    told_s = await site.until(lambda: site.sum_ma() <= most_ma, within_s, "setpoints")

    def cars():
        return max(site.twin.meters["M1"].current_ma) <= most_ma

    await site.until(cars, 10 - (time.monotonic() - began), "the cars")
    assert time.monotonic() - began <= 10
    return told_s


# All doors at once: docs/doors-cost.md. 140 kB are what an ESP32 without PSRAM has.
@simulated(scenario=scenario(), profile="image", heap="140k")
async def test_each_channel_lowers_setpoints_at_once_and_all_cars_obey(site):
    twin = site.twin

    def tell(**what):
        twin.set({"operator": what})

    # Until the master writes, the fail-safe current holds; then it keeps saying 100 %.
    tell(modbus={"write_pct": 100, "every_s": 2})
    full = lambda: sum(car_ma(site, id) for id in twin.boxes) > 30000  # noqa: E731
    await site.until(full, 40, "the rise")

    def reads_the_grid():
        return abs(twin.operator.modbus.grid_w - sum(twin.meters["M1"].power_w)) < 500

    await site.until(reads_the_grid, 20, "the grid's power at 40098")
    # From 40 A a phase downwards, each time by another door.
    tell(http={"limit": {"level": "32000 mA", "seconds": 600}})
    await obeyed(site, 32000)
    tell(modbus={"write_pct": 70})
    await obeyed(site, 28000)
    tell(gateway={"limit": {"level": "24000 mA"}})
    await obeyed(site, 24000)
    tell(gateway={"vars": {"AVAIL": 50}})
    await obeyed(site, 20000)
    twin.set({"contacts": {"1": True}})
    await obeyed(site, 12000, 1.3)
    document = await site.get("/api/operator")
    held = {
        limit["source"]: limit["level"]
        for limit in document["limits"]
        if limit["part"] != "failsafe"
    }
    assert held == {"C1": "30 %", "sunspec": "70 %", "http": "24000 mA"}
    for player in twin.operator.players:
        assert not player.error, player.error
    # The master dies; what it wrote holds until its time is over, then the fail-safe limit.
    tell(modbus={"alive": False}, gateway={"vars": {"AVAIL": 100}})
    twin.set({"contacts": {"1": False}})

    async def states():
        channels = (await site.get("/api/operator"))["channels"]
        return {channel["channel"]: channel["state"] for channel in channels}

    await site.until(lambda: site.sum_ma() > 12000, 18, "the rise")
    assert await states() == {"sunspec": "limited", "http": "limited"}
    await site.until(lambda: site.sum_ma() <= 8000, 20, "the fail-safe limit")
    assert await states() == {"sunspec": "failsafe", "http": "limited"}
    tell(modbus={"alive": True, "write_pct": 25})
    await site.until(lambda: 8000 < site.sum_ma() <= 10000, 20, "the master's 25 %")
