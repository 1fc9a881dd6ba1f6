"""§14a as a house sees it: the real firmware, a dimming contact, a heat pump at a relay."""

import asyncio

from load_management import car_ma, quiet
from simulated import simulated

HEAT_PUMP_W = [1000, 1000, 1000]


def scenario():
    made = quiet("sunny", profiles={}, pv_w=0, house_w=[500, 300, 200])
    made["config"] |= {
        "appliances": {"heat_pump": HEAT_PUMP_W},
        "relays": {"1": {"reduces": "heat_pump", "to_w": [500, 500, 500]}},
    }
    made["settings"] = {
        "site": {"max_total_current": 55000, "max_total_power": None, "min_pause_s": 5},
        "contacts": [
            {"input": number, "on_delay_ms": 200, "off_delay_ms": 200} for number in (1, 2)
        ],
        "outputs": [{"relay": 2, "closed_when": "C1.level == 1"}],
        "contact_sets": [{"id": "C1", "inputs": ["PB.input2"], "levels": ["none", "dim 3000 W"]}],
        "dimming": {"enabled": True, "active": "PB.input1"},
        "steerables": [
            {"id": "S1", "kind": "evse", "device": "E2", "power_w": 11000},
            {"id": "S2", "kind": "heat_pump", "power_w": 5000, "relay": 1, "reduced_w": 1500},
        ],
    }
    return made


def contact(site, closed):
    site.twin.set({"contacts": {"1": closed}})


@simulated(scenario=scenario(), profile="image", board="esp32-devkit")
async def test_a_contact_dims_the_car_and_the_heat_pump(site):
    def w():
        return sum(site.twin.boxes["E2"].current_ma) * 230 // 1000

    site.twin.set({"appliances": {"heat_pump": True}})
    await site.until(lambda: car_ma(site, "E2") > 15500, 60, "all that the car can take")
    contact(site, True)
    # Owed are 7560 W, of which 1500 are the heat pump's.
    took_s = await site.until(lambda: w() <= 6060, 10, "down to the budget")
    assert took_s < 10
    await site.until(lambda: site.twin.relays.closed()["1"], 5, "the relay")
    await site.until(lambda: w() > 5900, 40, "nothing left unused")
    await asyncio.sleep(4)  # until the meters have said so
    state = await site.state("de")
    assert state["dimming"]["limit_w"] == state["dimming"]["budget_w"] == 7560
    assert state["dimming"]["used_w"] <= 7560
    assert {item["relay"]: item["closed"] for item in state["outputs"]} == {1: True, 2: False}
    assert "§14a" in state["evses"][0]["reason"]["text"]
    site.twin.set({"pv_w": 6000})  # 1000 W of it are for the house; and for the heat pump, unseen
    await site.until(lambda: w() > 9000, 40, "the sun on top")
    await asyncio.sleep(8)
    drawn_w = w() + 1500
    assert drawn_w - max(0, 6000 - 1000) <= 7560
    site.twin.set({"contacts": {"2": True}, "pv_w": 0})  # another door, with less
    await site.until(lambda: site.twin.relays.closed()["2"], 5, "the relay that passes it on")
    await site.until(lambda: w() == 0, 10, "too little for three phases")
    state = await site.state()
    assert (state["dimming"]["source"], state["dimming"]["limit_w"]) == ("C1", 3000)
    assert "C1" in [limit["source"] for limit in state["limits"]]
    contact(site, False)
    site.twin.set({"contacts": {"2": False}})
    await site.until(lambda: not site.twin.relays.closed()["1"], 5, "the relay open again")
    assert (await site.state())["dimming"]["active"] is False
