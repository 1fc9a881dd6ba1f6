"""/cnf in the whole firmware, beside the simulated house: devices seen, steered, pushed, made."""

import asyncio
import contextlib

from simulated import simulated
from test_cnf_info import home_assistant

from tools.simulation import settings as usual

CNF = "/cnf?cmd="


def pushed_grid(twin, http_port):
    """The usual site, but somebody pushes what the grid meter reads."""
    document = usual(twin, http_port)
    document["meters"] = [{"id": "M1", "template": "http_input", "role": "grid"}]
    return document


@contextlib.asynccontextmanager
async def pushing(site, every_s=1):
    """Pushes the twin's grid currents meanwhile."""

    async def push():
        while True:
            currents = [w * 1000 // 230 for w in site.twin.phases_w("grid")]
            await site.post(CNF + "set_ajax_meter&dev_id=M1", {"current": currents})
            await asyncio.sleep(every_s)

    task = asyncio.create_task(push())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()


async def entry(site, dev_id):
    for device in (await site.get(CNF + "get_dev_info"))["devices"]:
        if device["dev_id"] == dev_id:
            return device
    return None


@simulated(profile="image")
async def test_clients_see_the_site_and_steer_it(site):
    await site.risen()

    async def seen():
        """What clients read is what is in the house, but for the time between two readings."""
        body = await site.get(CNF + "get_dev_info")
        sensors = home_assistant(body)
        told = site.setpoints_ma()
        cars_w = sensors["E1", "power"] + sensors["E2", "power"]
        grid_w = sum(site.twin.phases_w("grid"))
        return (
            [sensors[id, "state"] for id in told] == ["Charging", "Charging"]
            and {id: sensors[id, "set"] * 1000 for id in told} == told
            and 0 < cars_w < grid_w
            and abs(sensors["M1", "power"] - grid_w) < 600
            and abs(body["params"]["grid_pwr"] - grid_w) < 600
            and abs(body["params"]["cons_evse_power"] - cars_w) < 600
        )

    await site.until(seen, 30, "the answer that fits the house")
    assert (await entry(site, "E1"))["dev_type"] == "evse_heidelberg"
    assert (await entry(site, "E2"))["dev_type"] == "evse_keba_c_x"
    await site.get(CNF + "override_device&dev_id=E1&flags=C")
    await site.until(lambda: site.setpoints_ma()["E1"] == 0, 5, "the stop by hand")
    assert (await entry(site, "E1"))["pause_reason"] == 3
    await site.get(CNF + "override_device&dev_id=E1&flags=c&mamps=7000.0")
    await site.until(lambda: site.setpoints_ma()["E1"] == 7000, 30, "the limit by hand")
    assert (await entry(site, "E1"))["ov_cur"] == 7000
    # A changed priority holds at once.
    devices = {"devices": [{"dev_id": "E2", "prio": 5, "max_charging_cur": 10000}]}
    answer = await site.post(CNF + "set_device", devices)
    assert answer == {"dev_ids": ["E2"], "restart": False}
    await site.until(lambda: site.setpoints_ma()["E2"] == 10000, 5, "the new maximum")
    await site.post(CNF + "set_params", {"max_total_cur_prc": 0, "min_pause_time": 0})
    await site.until(lambda: site.sum_ma() == 0, 5, "the share of 0 %")
    await site.post(CNF + "set_params", {"max_total_cur_prc": 100, "overdraft_cur": 0})
    await site.until(lambda: site.setpoints_ma()["E2"] == 10000, 30, "the share of 100 %")
    assert site.simulation.board.restarts == 0


@simulated(profile="image", first_settings=pushed_grid)
async def test_a_pushed_grid_meter_is_as_good_as_a_polled_one(site):
    async with pushing(site):
        await site.risen()
        # The house draws 4 kW on each phase: the cars give way.
        before = site.sum_ma()
        site.twin.set({"house_w": [4000, 4000, 4000]})
        await site.until(lambda: site.sum_ma() < before - 12000, 6, "the cars giving way")
    within = await site.until(
        lambda: max(site.setpoints_ma().values()) <= 6000, 25, "the fallback current"
    )
    assert within > 8
    assert (await site.state())["grid_meter"]["code"] == "grid_meter_lost"

    async def silent():
        return (await entry(site, "M1"))["com_err"]

    await site.until(silent, 30, "the notice that nobody pushes")
    site.twin.set({"house_w": [300, 200, 150]})
    async with pushing(site):
        await site.risen()


@simulated(profile="image")
async def test_a_wallbox_that_is_made_pushed_and_deleted(site):
    await site.risen()
    await site.post(CNF + "set_params", {"min_pause_time": 0})
    box = {"dev_type": "evse_ajax", "name": "Script", "prio": 9}
    answer = await site.post(CNF + "set_device", {"devices": [box]})
    assert answer == {"dev_ids": ["E3"], "restart": True}
    restarted = site.simulation.board
    await site.until(lambda: restarted.restarts == 1, 10, "the restart")

    async def there():
        with contextlib.suppress(OSError):
            return await entry(site, "E3")

    await site.until(there, 30, "the new wallbox")
    offered = 0

    async def drives():
        """What the script of the wallbox does each second: it draws what it is offered."""
        nonlocal offered
        await asyncio.sleep(1)
        body = {"state": 3 if offered else 2, "current": [offered] * 3}
        answer = await site.post(CNF + "set_ajax_evse&dev_id=E3", body)
        offered = answer["charging_current"]
        return offered

    async def charges():
        return min([await drives() for _ in range(5)]) >= 6000

    await site.until(charges, 60, "the current for the pushed wallbox")
    await site.get(CNF + "override_device&dev_id=E3&flags=C")

    async def stopped():
        return await drives() == 0

    await site.until(stopped, 5, "the stop")
    answer = await site.get(CNF + "del_device&dev_id=E3")
    assert answer["restart"] is True
    await site.until(lambda: restarted.restarts == 2, 10, "the restart")
    await site.risen()
