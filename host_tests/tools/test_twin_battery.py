"""The twin's home battery and its hybrid inverter: physics, limits, and what is read of them."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client import AsyncModbusTcpClient
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

from tools.simulation import settings
from tools.twin import Twin, TwinError
from tools.twin.battery import DEFAULTS, Battery
from tools.twin.config import check_set, complete
from tools.twin.picture import _TEXTS, draw
from twin_bench import run

GRID = {"id": "M1", "kind": "sdm630", "bus": "rs485_1", "unit": 1, "measures": "grid"}
STORAGE = dict(GRID, id="M2", unit=11, measures="battery")
ROOF = dict(GRID, id="M3", unit=12, measures="pv")
HYBRID = [
    {"id": "M1", "kind": "sunspec", "unit": 1, "measures": "grid"},
    {"id": "M2", "kind": "sunspec", "unit": 1, "measures": "battery"},
    {"id": "M3", "kind": "sunspec", "unit": 1, "measures": "pv"},
]
EMPTY_CARS = {"E1": {"plugged": False}, "E2": {"plugged": False}}


def house(**config):
    config = dict({"meters": [GRID, STORAGE, ROOF], "cars": EMPTY_CARS, "battery": {}}, **config)
    return Twin(config=config)


def step(twin, seconds):
    for _ in range(round(seconds * 10)):
        twin.step(100)


def grid_w(twin):
    return sum(twin.phases_w("grid"))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["pv_w", "battery", "cloud", "appliances"]),
            st.integers(0, 12000),
            st.integers(1, 40),
        ),
        max_size=12,
    )
)
def test_energy_is_conserved_in_each_step_and_on_each_phase(changes):
    twin = Twin(
        config={"battery": {"capacity_wh": 300}, "clouds": {"cover_pct": 60}, "pv_w": 5000}
    )
    for what, number, steps in changes:
        twin.set(
            {
                "pv_w": {"pv_w": number},
                "battery": {"battery": {"soc": number % 101}},
                "cloud": {"cloud": bool(number % 2)},
                "appliances": {"appliances": {"hob": bool(number % 2)}},
            }[what]
        )
        for _ in range(steps):
            twin.step(100)
            sides = [twin.phases_w(name) for name in ("house", "E1", "E2", "battery")]
            roof = twin.phases_w("pv")
            assert twin.phases_w("grid") == [
                sum(side[i] for side in sides) - roof[i] for i in range(3)
            ]
            assert sum(roof) == twin.pv_w >= 0
            assert sum(sides[3]) == twin.battery.power_w
            assert 0 <= twin.battery.soc <= 100


@pytest.mark.parametrize("pv_w, goal_w", [(4000, 3350), (0, -650), (9000, 5000)])
def test_the_battery_brings_the_grid_to_zero_within_lag_and_limits(pv_w, goal_w):
    twin = house(pv_w=pv_w, battery={"lag_ms": 3000, "max_w": 5000, "deadzone_w": 30})
    step(twin, 1)
    # One second is a third of the time constant: it is on its way, and not there.
    assert 0.2 < twin.battery.power_w / goal_w < 0.45
    step(twin, 40)
    assert abs(twin.battery.power_w - goal_w) <= 30
    left_w = 650 - pv_w + goal_w
    assert abs(grid_w(twin) - left_w) <= 30
    steady_w = twin.battery.power_w
    step(twin, 10)
    assert twin.battery.power_w == steady_w


def test_a_step_of_any_length_does_not_overshoot():
    for dt_ms in (100, 1000, 10000):
        battery = Battery({"lag_ms": 1000, "deadzone_w": 0})
        for _ in range(200):
            battery.step(battery.power_w - 3000, dt_ms)
            assert 0 < battery.power_w <= 3000
        assert abs(battery.power_w - 3000) <= 1


def test_at_either_end_it_stops_and_the_other_way_still_goes():
    twin = house(pv_w=4000, battery={"capacity_wh": 100, "soc": 97})
    step(twin, 30)
    assert (twin.battery.power_w, twin.battery.stored_wh) == (0, 99)
    assert twin.state()["battery"] == {"power_w": 0, "soc": 99}
    assert grid_w(twin) == 650 - 4000
    twin.set({"pv_w": 0})
    step(twin, 10)
    assert twin.battery.power_w == pytest.approx(-650, abs=20)
    twin.set({"battery": {"soc": 1}})
    step(twin, 60)
    assert twin.state()["battery"] == {"power_w": 0, "soc": 0}
    assert grid_w(twin) == 650


def test_what_goes_in_does_not_all_come_out():
    battery = Battery({"capacity_wh": 10000, "soc": 50, "lag_ms": 100, "deadzone_w": 0})
    for _ in range(3600):
        battery.step(battery.power_w - 2000, 1000)
    assert battery.stored_wh == pytest.approx(5000 + 1900, abs=2)
    for _ in range(3600):
        battery.step(battery.power_w + 2000, 1000)
    assert battery.stored_wh == pytest.approx(5000 + 1900 - 2105, abs=3)


def test_a_battery_at_rest_gives_and_takes_nothing():
    twin = house(pv_w=6000, battery={"enabled": False})
    step(twin, 5)
    assert twin.battery.power_w == 0
    twin.set({"battery": {"enabled": True}})
    step(twin, 10)
    assert twin.battery.power_w > 4000


def test_its_meter_says_charging_positive_and_the_other_sign_when_turned():
    twin = house(pv_w=3000)
    step(twin, 20)
    meter = twin.meters["M2"]
    assert sum(meter.power_w) == twin.battery.power_w > 2000
    assert twin.meters["M1"].energy.export_wh < meter.energy.import_wh
    assert twin.state()["meters"]["M3"]["power_w"] == 3000
    right = meter.image(4)[0x34] >> 15
    twin.set({"faults": {"M2": "wrong_sign"}})
    assert (right, meter.image(4)[0x34] >> 15) == (0, 1)


@pytest.mark.parametrize(
    "change, named",
    [
        ({"battery": {"soc": 101}}, "battery.soc"),
        ({"battery": {"lag_ms": 0}}, "battery.lag_ms"),
        ({"battery": {"size": 1}}, "size"),
        ({"battery": {"enabled": 1}}, "battery.enabled"),
        ({"battery": 5}, "battery"),
        ({"meters": [STORAGE]}, "meters[0].measures"),
        ({"meters": [dict(HYBRID[0], bus="rs485_1")]}, "meters[0].bus"),
    ],
)
def test_what_is_wrong_is_named(change, named):
    with pytest.raises(TwinError) as error:
        complete(change)
    assert named in str(error.value)


def test_a_battery_that_is_not_there_cannot_be_set():
    with pytest.raises(TwinError, match="has none"):
        check_set({"battery": {"soc": 5}}, complete())
    assert Twin().state()["battery"] == {"power_w": 0, "soc": None}
    assert complete({"battery": {}})["battery"] == DEFAULTS


def test_the_firmware_gets_roles_and_templates_of_battery_and_roof():
    twin = Twin(config={"meters": [GRID, STORAGE, dict(HYBRID[2])], "battery": {}})
    twin.ntp.port = 123
    twin.tcp_ports.update({id_: 5020 for id_ in twin.tcp})
    made = [(m["id"], m["template"], m["role"]) for m in settings(twin, 80)["meters"]]
    assert made == [
        ("M1", "sdm630", "grid"),
        ("M2", "sdm630", "storage_home"),
        ("M3", "sunspec", "generation"),
    ]


def scanned(port):
    """What pysunspec2 reads: {model number: its points}."""
    device = SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr="127.0.0.1", ipport=port)
    device.scan()
    models = {n: m[0].get_dict(computed=True) for n, m in device.models.items() if n in LENGTHS}
    device.close()
    return models


LENGTHS = {1: 66, 103: 50, 160: 88, 124: 24, 802: 62, 203: 105}


def test_pysunspec2_reads_the_hybrid_inverter():
    async def test(twin):
        twin.set({"battery": {"enabled": False, "soc": 42}})
        twin.set({"pv_w": 40001})
        await asyncio.sleep(0.3)
        models = await asyncio.to_thread(scanned, twin.tcp_ports["M1"])
        assert {n: model["L"] for n, model in models.items()} == LENGTHS
        assert models[1]["Mn"] == "RippleGate" and models[1]["SN"] == "twin-M1"
        assert (models[103]["W"], models[103]["W_SF"]) == (40000, 1)
        assert models[203]["W"] == pytest.approx(650 - 40001, abs=10)
        assert models[124]["ChaState"] == models[802]["SoC"] == 42
        strings = [(m["IDStr"], m["DCW"]) for m in models[160]["module"]]
        assert strings == [
            ("String 1", 20001),
            ("String 2", 20000),
            ("StCha 3", 0),
            ("StDisCha 4", 0),
        ]
        twin.set({"pv_w": 2000, "battery": {"enabled": True, "lag_ms": 100}})
        await asyncio.sleep(0.8)
        models = await asyncio.to_thread(scanned, twin.tcp_ports["M2"])
        assert models[802]["W"] == pytest.approx(-1350, abs=25)
        assert models[160]["module"][2]["DCW"] == pytest.approx(1350, abs=25)
        assert models[103]["W"] == pytest.approx(650, abs=25)
        assert models[203]["W"] == pytest.approx(0, abs=25)
        twin.set({"faults": {"M2": "wrong_sign"}})
        models = await asyncio.to_thread(scanned, twin.tcp_ports["M2"])
        assert models[802]["W"] == pytest.approx(1350, abs=25)
        twin.set({"faults": {"M2": "nan"}})
        models = await asyncio.to_thread(scanned, twin.tcp_ports["M2"])
        assert models[802]["W"] is None and models[203]["WphA"] is None
        assert {n: model["L"] for n, model in models.items()} == LENGTHS

    run(test, config={"meters": HYBRID, "battery": {}, "cars": EMPTY_CARS})


def test_pymodbus_finds_the_chain_of_models_and_no_battery_where_there_is_none():
    async def test(twin):
        client = AsyncModbusTcpClient("127.0.0.1", port=twin.tcp_ports["M1"])
        await client.connect()

        async def read(address, count):
            return await client.read_holding_registers(address, count=count, device_id=1)

        assert (await read(40000, 2)).registers == [0x5375, 0x6E53]
        at, numbers = 40002, []
        while True:
            number, length = (await read(at, 2)).registers
            if number == 0xFFFF:
                break
            numbers.append(number)
            at += 2 + length
        assert numbers == [1, 103, 160, 203] and length == 0
        assert (await read(at + 2, 1)).isError() and (await read(0, 2)).isError()
        assert (await client.write_register(40100, 1, device_id=1)).isError()
        client.close()

    run(test, config={"meters": HYBRID[:1]})


@pytest.mark.parametrize("name, lang, panels", [("cars_first", "en", 2), ("cloudy", "de", 1)])
def test_the_picture_shows_where_the_surplus_goes(name, lang, panels):
    twin = Twin(scenario=name)
    rows = []
    for second in range(40):
        step(twin, 1)
        if second == 20:
            twin.set({"cloud": True})
            next(iter(twin.boxes.values())).switch(1)
        row = dict(twin.recorder._flat(twin.state()), t_ms=1000 * second)
        rows.append({key: str(value) for key, value in row.items()})
    figure = draw(rows, lang)
    words = _TEXTS[lang]
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert words["sun"] in labels and (words["stored_pct"] in labels) == (panels == 2)
    lines = {line.get_label(): line.get_ydata() for axes in figure.axes for line in axes.lines}
    surplus = lines[words["surplus"]]
    assert surplus[-1] == (int(rows[-1]["pv_w"]) - int(rows[-1]["house_w"])) / 1000
    assert surplus[-1] < lines[words["clear"]][-1]
    events = [text.get_text() for text in figure.axes[-1].get_yticklabels()]
    assert words["three"].format("E2") in events


def test_a_house_without_a_box_has_a_picture():
    twin = Twin(config={"meters": HYBRID[:1], "wallboxes": []})
    rows = []
    for second in range(8):
        step(twin, 1)
        row = dict(twin.recorder._flat(twin.state()), t_ms=1000 * second)
        rows.append({key: str(value) for key, value in row.items()})
    assert draw(rows, "en").axes
