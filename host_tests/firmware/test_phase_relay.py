"""A contactor at a relay switches the phases of a wallbox that can't: chip and twin."""

from load_management import quiet
from simulated import simulated


def scenario():
    made = quiet("phase_switch", profiles={}, pv_w=2500)
    made["config"] |= {
        "wallboxes": [
            {
                "id": "E1",
                "kind": "heidelberg",
                "bus": "rs485_1",
                "unit": 2,
                "max_current_ma": 16000,
                "turnaround_ms": [5, 10],
            }
        ],
        "cars": {"E1": {"plugged": True, "phases": 3, "max_current_ma": 16000, "soc": 30}},
        "relays": {"2": {"contactor": "E1"}},
    }
    made["settings"] = dict(made["settings"], evses=[{"id": "E1", "phase_relay": 2}])
    return made


@simulated(scenario=scenario(), profile="image")
async def test_the_contactor_switches_without_a_load(site):
    box = site.twin.boxes["E1"]

    def lines():
        return sum(ma > 1000 for ma in box.current_ma)

    await site.until(lambda: lines() == 1, 40, "one phase")
    assert not site.twin.relays.closed()["2"] and box.phases == 1
    site.twin.set({"pv_w": 8000})
    await site.until(lambda: lines() == 3, 60, "three phases")
    assert site.twin.relays.closed()["2"] and box.report()["switched_under_load"] == 0
