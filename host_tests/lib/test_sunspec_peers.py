"""SunSpec devices as pysunspec2 encodes them, served by pymodbus, read by the firmware's device.

The same registers are read by pysunspec2's own client: what it makes of them is what is expected.
"""

import asyncio
import contextlib

import pytest
import sunspec2.device as sunspec
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP
from test_modbus_peers import in_loop

from controller.links import TcpLink
from controller.sunspec_device import SunSpecDevice

UNIT = 7
BASES = (40000, 50000, 0)
COMMON = {"ID": 1, "Mn": "Maker", "Md": "Model", "Opt": "", "Vr": "1", "SN": "1", "DA": UNIT}


def registers(models):
    """The words of a device with these models, from "SunS" to its end."""
    data = b"SunS"
    for points in models:
        model = sunspec.Model(points["ID"], data=points)
        assert not model.error_info, model.error_info
        data += model.get_mb()
    data += b"\xff\xff\0\0"
    return [data[i] << 8 | data[i + 1] for i in range(0, len(data), 2)]


@contextlib.contextmanager
def served(base, models):
    """Port of a pymodbus server that has them from `base` on, and refuses all other registers."""
    words = registers(models)
    device = SimDevice(UNIT, simdata=[SimData(base, values=words, datatype=DataType.REGISTERS)])
    make = lambda: ModbusTcpServer(device, address=("127.0.0.1", 0))  # noqa: E731
    with in_loop(make) as server:
        yield server.transport.sockets[0].getsockname()[1]


def config(role, port, **more):
    place = {"bus": None, "host": "127.0.0.1", "port": port, "unit": UNIT}
    return dict({"id": "M1", "role": role, "phases": [1, 2, 3], "invert": False}, **place, **more)


async def poll(device):
    """What the link's task does until all was read, in a time of its own."""
    now_ms = 0
    while now_ms < 2500:
        when_ms, job = device.due(now_ms)
        now_ms = max(now_ms + 10, when_ms)
        await device.work(job, now_ms, lambda: now_ms)
    return device


def read(role, port, **more):
    async def run():
        setting = config(role, port, **more)
        return await poll(SunSpecDevice(setting, TcpLink(setting["host"], port)))

    return asyncio.run(run())


def peer(port, number):
    """What pysunspec2's client reads of a model: {point: value}."""
    client = SunSpecModbusClientDeviceTCP(slave_id=UNIT, ipaddr="127.0.0.1", ipport=port)
    client.scan()
    try:
        model = client.models[number][0]
        model.read()
        return {name: point.cvalue for name, point in model.points.items()}
    finally:
        client.close()


INVERTER = {"A": 301, "AphA": 100, "AphB": 101, "AphC": 100, "A_SF": -1, "PhVphA": 2301}
INVERTER.update({"PhVphB": 2302, "PhVphC": 2303, "V_SF": -1, "W": 692, "W_SF": 1, "Hz": 5000})
INVERTER.update({"Hz_SF": -2, "WH": 123456, "WH_SF": 2, "St": 4})
METER = {"A": 10, "AphA": 100, "AphB": 250, "AphC": 31, "A_SF": -1, "PhVphA": 230, "V_SF": 0}
METER.update({"W": -123, "WphA": 230, "WphB": -575, "WphC": 71, "W_SF": 1, "Hz": 50})
METER.update({"TotWhExp": 4000, "TotWhImp": 70001, "TotWh_SF": 1, "Evt": 0})


@pytest.mark.parametrize("base", BASES)
def test_an_inverter_and_a_meter_at_any_base(base):
    with served(base, [COMMON, dict(INVERTER, ID=103), dict(METER, ID=203)]) as port:
        roof, grid = read("generation", port), read("grid", port)
        says, meter = peer(port, 103), peer(port, 203)
    assert roof.problem is None and not roof.com_error
    readings = roof.readings
    assert readings["power_w"] == -round(says["W"]) == -6920
    assert readings["current_l2_ma"] == -round(1000 * says["AphB"]) == -10100
    assert readings["voltage_l1_v"] == 230
    assert readings["export_wh"] == round(says["WH"]) == 12345600
    readings = grid.readings
    assert readings["power_w"] == round(meter["W"]) == -1230
    assert [readings["power_l%d_w" % n] for n in (1, 2, 3)] == [2300, -5750, 710]
    assert [readings["current_l%d_ma" % n] for n in (1, 2, 3)] == [10000, -25000, 3100]
    assert (readings["import_wh"], readings["export_wh"]) == (700010, 40000)
    assert readings["voltage_l2_v"] is None  # not implemented


@pytest.mark.parametrize("number", [101, 102, 103, 111, 112, 113])
def test_every_model_of_an_inverter(number):
    points = dict(INVERTER)
    if number > 110:
        points = {"A": 30.1, "AphA": 10.25, "AphB": 10.1, "AphC": 9.75, "PhVphA": 230.5}
        points.update({"W": 6920.5, "Hz": 50.0, "WH": 12345600.0, "St": 4})
    with served(40000, [COMMON, dict(points, ID=number)]) as port:
        readings, says = read("generation", port).readings, peer(port, number)
    assert readings["power_w"] == -round(says["W"])
    assert readings["export_wh"] == round(says["WH"])
    for line in range(3):
        amps = says["Aph" + "ABC"[line]] if line < number % 10 else 0
        assert readings["current_l%d_ma" % (line + 1)] == -round(1000 * amps)


@pytest.mark.parametrize("number", [201, 202, 203, 204, 211, 212, 213, 214])
def test_every_model_of_a_meter(number):
    points = dict(METER)
    if number > 210:
        points = {"A": 1.0, "AphA": 10.0, "AphB": 25.5, "AphC": 3.25, "W": -1230.0, "WphA": 2300.0}
        points.update({"WphB": -5750.0, "WphC": 710.0, "TotWhExp": 40000.0, "TotWhImp": 700010.0})
    with served(50000, [COMMON, dict(points, ID=number)]) as port:
        readings, says = read("grid", port).readings, peer(port, number)
    assert readings["power_w"] == round(says["W"]) == -1230
    assert readings["import_wh"] == round(says["TotWhImp"]) == 700010
    assert readings["export_wh"] == round(says["TotWhExp"]) == 40000
    for line in range(3):
        there = line < number % 10 and (number % 10 > 1 or not line)
        watts = says["Wph" + "ABC"[line]] if there else 0
        amps = says["Aph" + "ABC"[line]] if there else 0
        if number % 10 == 1:  # the power of all is that of its phase
            amps = -amps
        elif watts < 0:
            amps = -amps
        assert readings["power_l%d_w" % (line + 1)] == round(watts)
        assert readings["current_l%d_ma" % (line + 1)] == round(1000 * amps)


BATTERY = {"ID": 802, "AHRtg": 100, "WHRtg": 5000, "SoC": 875, "SoC_SF": -1, "W": -250, "W_SF": 1}
STORAGE = {"ID": 124, "WChaMax": 5000, "ChaState": 5550, "ChaState_SF": -2, "WChaMax_SF": 0}
MODULES = [("MPPT 1", 1000, 100000), ("MPPT 2", 500, 200), ("StCha 3", 300, 70000)]
MODULES.append(("StDisCha 4", 0, 60000))
MPPT = {"ID": 160, "DCW_SF": 0, "DCWH_SF": 0, "N": 4, "module": []}
for number, (name, watts, watt_hours) in enumerate(MODULES):
    module = {"ID": number + 1, "IDStr": name, "DCW": watts, "DCWH": watt_hours}
    MPPT["module"].append(module)


def test_batteries():
    with served(40000, [COMMON, BATTERY]) as port:
        battery, says = read("storage_home", port), peer(port, 802)
    assert battery.readings == {"power_w": 2500, "soc": 88}
    assert (says["W"], says["SoC"]) == (-2500, 87.5)
    with served(0, [COMMON, dict(INVERTER, ID=103), MPPT, STORAGE]) as port:
        battery, roof = read("storage_all", port), read("generation", port)
        says = peer(port, 124)
    expected = {"power_w": 300, "import_wh": 70000, "export_wh": 60000, "soc": 56}
    assert battery.readings == expected and says["ChaState"] == 55.5
    assert roof.readings == {"power_w": -1500, "export_wh": 100200}
