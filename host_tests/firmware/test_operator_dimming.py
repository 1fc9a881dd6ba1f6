"""§14a: what is owed for each installation of the decision, and own sun on top of it."""

from load_management import car_ma, quiet
from operator_world import World
from simulated import simulated

# reference/peers.md 2.1 (BK6-22-300 annex 1): (devices, Pmin in W); kW of boxes, pumps, storage.
BOX, PUMP, STORE = "evse", "heat_pump", "storage"
VECTORS = [
    ([(BOX, 11)], 4200),
    ([(BOX, 11), (STORE, 5)], 7560),
    ([(BOX, 11)] * 3, 10500),
    ([(BOX, 11)] * 4, 13020),
    ([(BOX, 11)] * 5, 15120),
    ([(BOX, 11)] * 6, 16800),
    ([(BOX, 11)] * 7, 18060),
    ([(BOX, 11)] * 8, 18900),
    ([(BOX, 11)] * 9, 19320),
    ([(BOX, 11)] * 10, 21210),
    ([(PUMP, 5)] * 3, 6000),
    ([(BOX, 11), (PUMP, 20)], 11360),
    ([(BOX, 3.7)], 0),
    ([(BOX, 4.2)], 0),
]
ONE = [{"id": "S1", "kind": "evse", "device": "E2", "power_w": 11000}]


def scenario():
    made = quiet("sunny", profiles={}, pv_w=6000, house_w=[400, 300, 300])
    made["settings"] = {
        "site": {"max_total_current": 55000, "max_total_power": None, "min_pause_s": 5},
        "contacts": [{"input": 1, "on_delay_ms": 200, "off_delay_ms": 200}],
        "contact_sets": [{"id": "C1", "inputs": ["PB.input1"], "levels": ["none", "dim"]}],
        "dimming": {"enabled": True},
        "steerables": ONE,
    }
    return made


@simulated(scenario=scenario(), profile="image")
async def test_the_sun_comes_on_top_of_what_is_owed(site):
    await site.until(lambda: car_ma(site, "E2") > 15500, 60, "all that the car can take")
    operator = site.twin.operator
    site.twin.set({"contacts": {"1": True}, "operator": {"dim_w": 4200}})
    await site.until(lambda: operator.judges["dim_w"].after_ms is not None, 10, "obeyed")

    def car_w():
        return site.twin.boxes["E2"].power_w

    # 4200 W owed, 6000 W from the roof less 1000 W of the house: 9200 W, in steps of 0.1 A.
    await site.until(lambda: 9000 <= car_w() <= 9200, 30, "9.2 kW for the car")
    dimming = (await site.get("/api/operator"))["dimming"]
    assert (dimming["p_min_w"], dimming["limit_w"]) == (4200, 4200)
    assert 9100 <= dimming["budget_w"] <= 9200
    assert operator.judges["dim_w"].over_w <= 0


def test_what_is_owed_for_each_installation_of_the_decision(tmp_path, monkeypatch):
    for number, (devices, p_min_w) in enumerate(VECTORS):
        folder = tmp_path / str(number)
        folder.mkdir()
        boxes = ["E%d" % (n + 1) for n, (kind, _) in enumerate(devices) if kind == BOX]
        settings = {
            "meters": [{"id": "M1", "template": "http_input", "role": "grid"}],
            "evses": [{"id": id, "template": "http_input"} for id in boxes],
            "contact_sets": [{"id": "C1", "inputs": ["PB.input1"], "levels": ["none", "dim"]}],
            "dimming": {"enabled": True},
            "steerables": [
                {
                    "id": "S%d" % (n + 1),
                    "kind": kind,
                    "power_w": round(1000 * kw),
                    "device": "E%d" % (n + 1) if kind == BOX else None,
                }
                for n, (kind, kw) in enumerate(devices)
            ],
        }
        world = World(folder, settings, monkeypatch)
        for _ in range(5):
            world.step(1)
        world.contact(1, True)
        for _ in range(5):
            world.step(1)
        assert world.controller.dimming.dimming.p_min_w == p_min_w, devices
        assert world.effective()[1] == p_min_w, devices
