"""The main job, end to end: a contact closes, and the wallboxes obey, over real Modbus."""

import asyncio

from simulated import simulated

from tools.simulation import settings

# 9660 W are 14 A on each of three phases; the house draws 1.3 A on L1.
DIMMED_MA = 14000 - 1300
FULL_MA = 36231 - 1300


async def close_and_open(site):
    await site.risen()
    assert site.sum_ma() <= FULL_MA
    site.twin.set({"contacts": {"1": True}})
    await site.until(lambda: site.sum_ma() <= DIMMED_MA, 3, "the drop after contact 1")
    assert min(site.setpoints_ma().values()) >= 6000
    reason = (await site.state())["evses"][0]["reason"]
    assert reason["code"] == "limit_binds"
    assert reason["arguments"][0] == "max_total_power"
    await site.until(lambda: max(car_ma(site)) <= DIMMED_MA / 2 + 200, 8, "the cars' obedience")
    site.twin.set({"contacts": {"1": False}})
    await site.risen()


def car_ma(site):
    """What the cars draw on their fullest phase."""
    return [max(box.report()["current_ma"]) for box in site.twin.boxes.values()]


@simulated()
async def test_a_contact_limits_and_releases(site):
    await close_and_open(site)
    await avail_by_http(site)
    state = await site.state()
    assert state["cycle"]["late_max_ms"] <= 100
    assert [task for task in state["tasks"] if task["restarts"]] == []


async def avail_by_http(site):
    # 55 A * 50 % leave 26.2 A beside the house.
    assert await site.get("/cnf?cmd=set_cm_vars&name=AVAIL&val=50") == "ok"
    await site.until(lambda: site.sum_ma() <= 27500 - 1300, 3, "the drop after AVAIL 50")
    assert await site.get("/cnf?cmd=set_cm_vars&name=AVAIL&val=100") == "ok"
    await site.risen()


@simulated(profile="image")
async def test_the_same_from_an_image(site):
    await close_and_open(site)


@simulated(runtime="cpython")
async def test_the_same_on_cpython(site):
    await close_and_open(site)


@simulated(board="kincony-kc868-a6")
async def test_the_same_with_contacts_behind_an_expander(site):
    await close_and_open(site)


@simulated()
async def test_a_bouncing_contact_counts_once(site):
    await site.risen()
    site.twin.set({"faults": {"contact1": "bounce"}, "contacts": {"1": True}})
    await site.until(lambda: site.sum_ma() <= DIMMED_MA, 3, "the drop")
    await asyncio.sleep(1)
    lines = [line for line in site.simulation.board.console if line.endswith("contact 1 active")]
    assert len(lines) == 1
    # Shorter than its delay: nothing happens.
    site.twin.set({"contacts": {"1": False}})
    await asyncio.sleep(0.5)
    site.twin.set({"contacts": {"1": True}})
    await asyncio.sleep(2.5)
    assert site.sum_ma() <= DIMMED_MA


@simulated()
async def test_a_formula_from_the_settings_holds_at_once(site):
    """The house connection as a formula of a variable that the operator sets, in W."""
    await site.post(
        "/api/settings",
        {"site": {"max_total_power": "55000 * AVAIL / 100", "max_total_current": 63000}},
    )
    limit = (await site.state("de"))["limits"][2]
    assert limit["reason"]["code"] == "formula_failed"
    assert "Spalte 9" in limit["reason"]["text"]
    await site.until(lambda: site.sum_ma() == 0, 5, "the fail-safe limit of an unknown variable")
    await site.get("/cnf?cmd=set_cm_vars&name=AVAIL&val=50")
    await site.until(lambda: site.sum_ma() > 36000, 40, "27.5 kW")
    assert site.sum_ma() <= 39855 - 1300


def with_s0(twin, port):
    """The usual site and an S0 meter for the house on input 3."""
    document = settings(twin, port)
    document["meters"].append(
        {
            "id": "M2",
            "template": "s0",
            "role": "consumption",
            "input": 3,
            "pulses_per_kwh": 10000,
            "phases": [1, 2, 3],
        }
    )
    return document


S0 = {"id": "M2", "input": 3, "pulses_per_kwh": 10000, "measures": "house", "pulse_ms": 50}


@simulated(config={"s0": [S0]}, first_settings=with_s0)
async def test_s0_pulses_become_power_and_energy_that_outlive_a_restart(site):
    async def reading(name):
        meters = {meter["id"]: meter for meter in (await site.state())["meters"]}
        return meters["M2"]["readings"][name]

    async def near_house_load():
        return 500 < await reading("power_w") < 800

    await site.until(near_house_load, 20, "the house's 650 W by S0 pulses")
    await asyncio.sleep(8)
    counted_wh = await reading("import_wh")
    assert counted_wh >= 1
    await site.post("/api/restart", {}, status=202)
    await site.until(lambda: site.simulation.board.restarts == 1, 5, "the restart")
    await asyncio.sleep(3)
    assert await reading("import_wh") >= counted_wh
