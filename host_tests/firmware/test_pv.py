"""Charging with the sun as a house sees it: the real firmware, and what the twin's cars draw."""

from load_management import car_ma, code, quiet
from simulated import simulated


def grid_w(site):
    return site.twin.meters["M1"].power_w


async def write(site, path, body):
    async with site.session.post(site.simulation.http + path, data=body) as answer:
        assert answer.status == 200 and await answer.text() == ""


@simulated(scenario=quiet("phase_switch", profiles={}, pv_w=1000), profile="image")
async def test_the_sun_decides_on_current_and_phases(site):
    box = site.twin.boxes["E2"]

    def lines():
        return sum(ma > 1000 for ma in box.current_ma)

    async def waits_for_the_sun():
        return await code(site, "E2") == "pv_too_little"

    await site.until(waits_for_the_sun, 30, "the reason")
    assert not car_ma(site, "E2")
    site.twin.set({"pv_w": 2500})
    await site.until(lambda: lines() == 1 and car_ma(site, "E2") > 7500, 60, "one phase")
    await site.until(lambda: abs(sum(grid_w(site))) <= 150, 40, "nothing to or from the grid")
    site.twin.set({"pv_w": 8000})
    await site.until(lambda: lines() == 3, 90, "three phases")
    await site.until(lambda: abs(sum(grid_w(site))) <= 150, 40, "nothing to or from the grid")
    site.twin.set({"pv_w": 2500})
    await site.until(lambda: lines() == 1, 90, "one phase again")
    assert box.report()["switched_under_load"] == 0


@simulated(scenario=quiet("phase_switch", profiles={}, pv_w=4000), profile="image")
async def test_modes_act_at_once_and_the_api_says_what_is_waited_for(site):
    await site.until(lambda: car_ma(site, "E2") > 6000, 60, "it charges with the sun")
    await write(site, "/power_manager/charge_mode", "1")
    await site.until(lambda: not car_ma(site, "E2"), 10, "off")
    assert await code(site, "E2") == "mode_off"
    await write(site, "/power_manager/charge_mode", "0")
    await site.until(lambda: car_ma(site, "E2") > 15000, 60, "fast")
    state = await site.state()
    assert state["power_manager"]["mode"] == 0
    assert [evse["mode"] for evse in state["evses"]] == [0]
