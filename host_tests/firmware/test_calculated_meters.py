"""Calculated meters, GM and CM._* in the whole firmware, with a house around it."""

from load_management import quiet
from simulated import simulated

SCENARIO = quiet("dinner")
SCENARIO["settings"] = {
    "site": {"max_total_current": "M7.current > 0 ? 35000 : 34000"},
    "meters": [
        {
            "id": "M7",
            "name": "house",
            "template": "expression",
            "role": "display",
            "formulas": {
                "power_w": "M1.power_w - E1.power_w",
                "current_l1": "M1.current",
                "import_wh": "import_wh + M1.power_w * dt / 3600",
                "smooth_w": "(smooth_w * (5 - dt) + M1.power_w * dt) / 5",
                "share": "CM._num_charging1 * 100 + CM._max_total_current_prc / 10",
                "left_w": "GM.available_evse.power_w - M8.power_w",
            },
        },
        {"id": "M8", "template": "virtual", "role": "display", "measure": "consumed_evse"},
        {"id": "M9", "template": "expression", "role": "display", "formulas": {"soc": "M4.soc"}},
    ],
}


def meter(state, id):
    return [meter for meter in state["meters"] if meter["id"] == id][0]


@simulated(scenario=SCENARIO, profile="image")
async def test_calculated_meters_follow_the_house(site):
    async def measured():
        state = await site.state()
        readings = meter(state, "M7")["readings"]
        cars_w = meter(state, "M8")["readings"].get("power_w")
        grid_w = meter(state, "M1")["readings"].get("power_w", 0)
        return cars_w and cars_w > 4000 and abs(readings["smooth_w"] - grid_w) < grid_w / 20

    await site.until(measured, 90, "readings of cars that charge")
    state = await site.state()
    found = meter(state, "M7")
    grid = meter(state, "M1")["readings"]
    readings = found["readings"]
    assert not found["com_error"] and found["problem"] is None
    assert readings["current_l2_ma"] == grid["current_l2_ma"]
    assert readings["share"] // 100 in (1, 2) and readings["share"] % 100 == 10
    before_wh = readings["import_wh"]

    async def counted():
        state = await site.state()
        return meter(state, "M7")["readings"]["import_wh"] > before_wh + 10

    await site.until(counted, 60, "10 Wh more")
    silent = meter(state, "M9")
    assert silent["com_error"] and silent["problem"].startswith("soc, column 1: ")
    limit = [limit for limit in state["limits"] if limit["source"] == "max_total_current"][0]
    assert limit["value"] == 35000
