"""SunSpec: the scan, what serves a role, values that are not there; and how a device is polled."""

import asyncio
import struct

from chargecontrol.balance import Balance
from controller.links import LinkTimeout
from controller.sunspec_device import SunSpecDevice
from modbus.pdu import ModbusException
from modbus.server import handle


class Registers:
    """Holding registers, {address: word}; all others are refused, or met by silence."""

    def __init__(self, words, silent=False):
        self.words = words
        self.silent = silent
        self.asked = []

    def read_registers(self, fc, address, count, out, off):
        self.asked.append((fc, address, count))
        for i in range(count):
            if address + i not in self.words:
                if self.silent:
                    raise LinkTimeout("no answer within 500 ms")
                raise ModbusException(2)
            struct.pack_into(">H", out, off + 2 * i, self.words[address + i])


class Link:
    """Answers at once, from Registers."""

    pdu_at = 1

    def __init__(self, registers):
        self.tx = bytearray(32)
        self.rx = bytearray(264)
        self.registers = registers
        self.now_ms = 0

    async def transact(self, unit, size, timeout_ms):
        self.now_ms += 10
        if self.registers is None:
            self.now_ms += timeout_ms
            raise LinkTimeout("no answer within %d ms" % timeout_ms)
        request = bytes(self.tx[1 : 1 + size])
        return 1, 1 + handle(request, size, self.registers, self.rx, 0, 1)

    async def drain(self, duration_ms):
        pass


def model(number, length, words, fill=0xFFFF):
    """[words] of a model; words: {register from the model's number on: word}, else `fill`."""
    return [number, length] + [words.get(n + 2, fill) & 0xFFFF for n in range(length)]


def text(name):
    data = name.encode() + bytes(16)
    return list(struct.unpack(">8H", data[:16]))


def common(maker="Maker"):
    return [1, 66] + text(maker) + [0] * 58


def chain(base, *models, end=(0xFFFF, 0)):
    """{address: word} of a device."""
    words = [0x5375, 0x6E53]
    for each in models:
        words += each
    words += list(end)
    return {base + i: words[i] for i in range(len(words))}


def floats(values):
    """{register: word} of {register: float}."""
    words = {}
    for at in values:
        words[at], words[at + 1] = struct.unpack(">HH", struct.pack(">f", values[at]))
    return words


INVERTER = {3: 100, 4: 101, 5: 102, 6: -1, 10: 2301, 13: -1, 14: 692, 15: 1, 24: 1, 25: 0, 26: 0}
METER = {3: 100, 4: -250, 5: 31, 6: -1, 8: 230, 15: 0, 18: -123, 19: 230, 20: -575, 21: 222}
METER.update({22: 1, 38: 0, 39: 4000, 46: 1, 47: 0, 54: 1})


def inverter(number=103):
    return model(number, 50, INVERTER)


def meter(number=203, changes=()):
    words = dict(METER)
    words.update(changes)
    return model(number, 105, words)


def inputs(*named):
    """Model 160: (name, W, Wh) of each input; DCW_SF 0, DCWH_SF not implemented."""
    words = {4: 0, 5: 0x8000}
    for n in range(len(named)):
        name, power_w, energy_wh = named[n]
        at = 10 + 20 * n
        words.update({at + 1 + i: word for i, word in enumerate(text(name))})
        words.update({at + 11: power_w, at + 12: energy_wh >> 16, at + 13: energy_wh & 0xFFFF})
    return model(160, 8 + 20 * len(named), words)


def device(words, role="grid", silent=False, phases=(1, 2, 3), invert=False):
    config = {"id": "M1", "role": role, "unit": 1, "bus": "b", "phases": phases, "invert": invert}
    return SunSpecDevice(config, Link(Registers(words, silent)))


def run(tested, until_ms=3000):
    """Polls it until then."""
    link = tested.link

    async def work():
        while True:
            when_ms, job = tested.due(link.now_ms)
            if when_ms > until_ms or link.now_ms > until_ms:
                return
            link.now_ms = max(link.now_ms, when_ms)
            await tested.work(job, link.now_ms, lambda: link.now_ms)

    asyncio.run(work())
    return tested


def readings(*models, role="grid", **more):
    tested = run(device(chain(40000, *models), role, **more))
    assert not tested.com_error, tested.problem
    return tested.readings


def problem(words, role="grid"):
    tested = run(device(words, role))
    assert tested.com_error and tested.read_ms is None
    return tested.problem


def test_the_marker_is_found_at_each_of_three_places():
    for base in (40000, 50000, 0):
        for silent in (False, True):
            tested = run(device(chain(base, common(), meter()), silent=silent), until_ms=60000)
            assert not tested.com_error, (base, silent, tested.problem)
            assert tested.readings["power_w"] == -1230


def test_models_that_nobody_knows_are_passed_over():
    odd = [model(64001, 0, {}), model(12, 98, {}), model(65000, 700, {})]
    assert readings(common(), *odd, meter())["power_w"] == -1230


def test_a_chain_without_an_end_is_accepted_and_one_in_a_circle_of_zeros_is_not():
    words = chain(40000, common(), meter(), end=())
    assert not run(device(words)).com_error
    words = chain(40000, common(), end=[0] * 300)
    assert "wrong at register 40070 (model 0, length 0)" in problem(words)
    words = chain(40000, common(), end=[7, 0] * 100)
    assert "wrong" in problem(words) and "model 7" in problem(words)
    words = chain(40000, common(), end=[203, 60000])
    assert "model 203, length 60000" in problem(words)
    assert problem(chain(40000)) == "SunSpec: the device has no models"
    assert "no SunSpec device" in problem({})
    assert "no SunSpec device" in problem({40000: 0x5375, 40001: 0})


def test_a_scan_asks_no_more_than_it_must():
    tested = device(chain(40000, common(), meter()))
    run(tested)
    asked = tested.link.registers.asked
    assert asked[:4] == [(3, 40000, 2), (3, 40002, 2), (3, 40070, 2), (3, 40177, 2)]
    assert asked[4:7] == [(3, 40004, 8), (3, 40073, 20), (3, 40108, 17)]
    assert len(asked) < 12 and tested.template.models == (203,)


def test_a_meter_with_its_signs():
    found = readings(common(), meter())
    assert [found["power_l%d_w" % n] for n in (1, 2, 3)] == [2300, -5750, 2220]
    assert [found["current_l%d_ma" % n] for n in (1, 2, 3)] == [10000, -25000, 3100]
    assert (found["import_wh"], found["export_wh"]) == (655360, 40000)
    # Without powers of the phases the currents stay as they are.
    plain = meter(changes={19: 0x8000, 20: 0x8000, 21: 0x8000})
    found = readings(common(), plain)
    assert [found["current_l%d_ma" % n] for n in (1, 2, 3)] == [10000, -25000, 3100]
    assert found["power_l1_w"] is None


def test_a_maker_that_counts_export_positive():
    found = readings(common("SolarEdge "), meter())
    assert found["power_w"] == 1230 and found["power_l2_w"] == 5750
    assert [found["current_l%d_ma" % n] for n in (1, 2, 3)] == [-10000, 25000, -3100]
    assert (found["import_wh"], found["export_wh"]) == (655360, 40000)


def test_an_inverter_feeds_in():
    found = readings(common(), inverter(), meter(), role="generation")
    assert found["power_w"] == -6920 and found["export_wh"] == 65536
    assert [found["current_l%d_ma" % n] for n in (1, 2, 3)] == [-10000, -10100, -10200]
    assert (found["voltage_l1_v"], found["voltage_l2_v"]) == (230, None)
    assert "import_wh" not in found


def test_floats_and_what_is_not_one():
    nan = float("nan")
    points = {4: 4.35, 6: nan, 8: float("inf"), 22: 1000.5, 32: 16777216.0, 16: 229.6}
    found = readings(common(), model(113, 60, floats(points), 0x7FC0), role="generation")
    assert found["power_w"] == -1000 and found["current_l1_ma"] == -4350
    assert found["current_l2_ma"] is None and found["current_l3_ma"] is None
    assert found["export_wh"] == 16777216 and found["voltage_l1_v"] == 230
    points = {28: -2300.0, 30: -2300.0, 32: 5.0, 34: nan, 4: 10.0, 6: 0.022, 60: 9.0, 68: 7.0}
    found = readings(common(), model(213, 124, floats(points), 0x7FC0))
    assert found["power_w"] == -2300 and found["current_l1_ma"] == -10000
    assert (found["current_l2_ma"], found["power_l3_w"]) == (22, None)
    assert (found["export_wh"], found["import_wh"]) == (9, 7)


def test_what_is_not_implemented_is_none():
    for factor in (0x8000, 11, -11, 0x7FFF):
        found = readings(common(), meter(changes={22: factor}))
        assert found["power_w"] is None and found["power_l1_w"] is None, factor
        assert found["current_l2_ma"] == -25000  # its own sign, where there is no other
    found = readings(common(), meter(changes={18: 0x8000, 3: 0x8000, 46: 0, 47: 0}))
    assert found["power_w"] is None and found["current_l1_ma"] is None
    assert found["import_wh"] is None and found["export_wh"] == 40000


def test_scale_factors_are_exact():
    changes = {54: 10, 46: 0x7FFF, 47: 0xFFFF, 6: -10, 3: 32767, 19: 1}
    found = readings(common(), meter(changes=changes))
    assert found["import_wh"] == 0x7FFFFFFF * 10**10
    assert found["current_l1_ma"] == 0  # 3.2767e-6 A
    found = readings(common(), meter(changes={22: -1, 18: -15, 19: 15, 20: 14, 21: -14}))
    assert found["power_w"] == -2  # half away from zero, as everywhere
    assert [found["power_l%d_w" % n] for n in (1, 2, 3)] == [2, 1, -1]


def test_a_device_of_one_phase_is_on_the_phase_that_the_settings_name():
    found = readings(common(), meter(201), phases=(3,))
    assert [found["current_l%d_ma" % n] for n in (1, 2, 3)] == [0, 0, -10000]
    assert found["power_l3_w"] == 2300 and found["power_l1_w"] == 0
    found = readings(common(), inverter(101), role="generation")
    assert [found["current_l%d_ma" % n] for n in (1, 2, 3)] == [-10000, 0, 0]
    assert "voltage_l2_v" not in found


def storage(soc=5550, sf=-2):
    return model(124, 24, {8: soc, 22: sf})


BATTERY = model(802, 62, {11: 875, 47: 2500, 56: -1, 63: 0})


def test_a_battery_charges_positive():
    found = readings(common(), inverter(), BATTERY, role="storage_home")
    assert found == {"power_w": -2500, "soc": 88}
    charging = model(802, 62, {11: 50, 47: -120, 56: 0, 63: 1})
    found = readings(common(), charging, storage(), role="storage_all")
    assert found["power_w"] == 1200 and found["soc"] == 50  # not that of 124
    lacking = model(802, 62, {11: 50, 47: -120, 56: 0, 63: 0x8000})
    assert readings(common(), lacking, role="storage_home")["power_w"] == 120


def hybrid(charge_w, discharge_w, roof_w=1000):
    return inputs(
        ("MPPT 1", roof_w, 100000),
        ("MPPT 2", 500, 200),
        ("StCha 3", charge_w, 70000),
        ("StDisCha 4", discharge_w, 60000),
    )


def test_a_hybrid_inverter_tells_its_battery_from_its_roof():
    models = common(), inverter(), hybrid(300, 0), storage()
    expected = {"power_w": 300, "import_wh": 70000, "export_wh": 60000, "soc": 56}
    assert readings(*models, role="storage_home") == expected
    assert readings(*models, role="generation") == {"power_w": -1500, "export_wh": 100200}
    models = common(), inverter(), hybrid(0, 800), storage()
    assert readings(*models, role="storage_home")["power_w"] == -800
    # An input that is not implemented now is none of several, not the end of the sum.
    models = common(), hybrid(0, 800, 0xFFFF), storage()
    assert readings(*models, role="generation")["power_w"] == -500
    models = common(), hybrid(0xFFFF, 0xFFFF), storage()
    assert readings(*models, role="storage_home")["power_w"] is None


def test_a_hybrid_with_802_gives_what_is_not_the_batterys():
    tested = device(chain(40000, common(), inverter(), BATTERY), "generation")
    run(tested)
    assert tested.readings == {"power_w": -4420}  # 6920 at the mains, 2500 of it from the battery
    assert tested.template.models == (802, 103)


def test_an_inverter_that_has_only_a_battery():
    models = common(), inverter(), storage()
    found = readings(*models, role="storage_home")
    assert found["power_w"] == -6920 and found["soc"] == 56
    unnamed = inputs(("String 1", 1, 2), ("String 2", 3, 4))
    words = chain(40000, common(), inverter(), unnamed, storage())
    assert "which of the 2 inputs is the battery" in problem(words, "storage_home")


def test_a_roof_without_an_inverters_model():
    found = readings(common(), inputs(("a", 7, 8), ("b", 9, 10)), role="generation")
    assert found == {"power_w": -16, "export_wh": 18}


def test_a_missing_model_is_named_and_so_are_those_that_are_there():
    words = chain(40000, common(), inverter(), storage())
    said = problem(words)
    assert "201-204" in said and "it has 1, 103, 124" in said and "role grid" in said
    said = problem(chain(40000, common(), meter(), model(10, 4, {})), "storage_home")
    assert "802" in said and "it has 1, 203, 10" in said
    assert readings(common(), inverter(), role="display")["power_w"] == -6920


def test_models_that_are_too_short_are_not_read_beyond_their_end():
    words = chain(40000, common(), model(103, 12, INVERTER))
    assert "model 103 is too short (12)" in problem(words, "generation")


def test_a_battery_is_no_roof():
    words = chain(40000, common(), inputs(("StCha 1", 5, 6), ("StDisCha 2", 0, 0)))
    assert "role generation" in problem(words, "generation")


def test_a_gateway_that_reaches_nobody_is_no_device_without_models():
    tested = device({})

    def refuse(fc, address, count, out, off):
        raise ModbusException(11)

    tested.link.registers.read_registers = refuse
    run(tested)
    assert tested.com_error and "exception 11" in tested.problem


def test_it_is_scanned_again_after_it_was_lost():
    tested = run(device(chain(50000, common(), meter())))
    kept = tested.readings
    registers = tested.link.registers
    tested.link.registers = None
    run(tested, 20000)
    assert tested.com_error and "no answer" in tested.problem and kept is tested.readings
    other = meter(changes={18: 77})
    registers.words = chain(50000, common(), model(64000, 10, {}), other)
    tested.link.registers = registers
    run(tested, 60000)
    assert not tested.com_error and tested.problem is None
    assert tested.readings is kept and kept["power_w"] == 770


def test_a_battery_that_comes_later_is_found():
    tested = device(chain(40000, common(), inverter()), "storage_home")
    run(tested, 40000)
    assert tested.com_error and len(tested.link.registers.asked) < 20  # the bus is for others too
    tested.link.registers.words = chain(40000, common(), inverter(), BATTERY)
    run(tested, 80000)
    assert not tested.com_error and tested.readings["soc"] == 88


def test_an_inverted_meter_counts_the_other_way_in_all_that_it_says():
    found = readings(common(), meter(), invert=True)
    assert found["power_w"] == 1230 and found["voltage_l1_v"] == 230
    assert [found["power_l%d_w" % n] for n in (1, 2, 3)] == [-2300, 5750, -2220]
    assert [found["current_l%d_ma" % n] for n in (1, 2, 3)] == [-10000, 25000, -3100]
    assert (found["import_wh"], found["export_wh"]) == (40000, 655360)
    found = readings(common(), BATTERY, role="storage_home", invert=True)
    assert found == {"power_w": 2500, "soc": 88}
    # As a roof it says that it draws what it gives: balance.py takes either.
    found = readings(common(), inverter(), role="generation", invert=True)
    assert (found["power_w"], found["import_wh"]) == (6920, 65536) and "export_wh" not in found


class Site:
    id = "house"
    available_w = None
    available_ma = (20000, 20000, 20000)
    evses = ()


Site.feeders = (Site,)


def test_the_balance_of_a_house_with_a_hybrid_inverter():
    """Roof 1500 W, of it 300 W into the battery; 200 W of what is left go to the grid."""
    grid = meter(changes={18: -20, 19: -10, 20: -10, 21: 0, 3: 4, 4: 4, 5: 0})
    words = chain(40000, common(), inverter(), grid, hybrid(300, 0), storage())
    devices = {}
    for id, role in (("M1", "grid"), ("M2", "generation"), ("M3", "storage_home")):
        devices[id] = run(device(words, role))
        devices[id].config.update({"id": id, "template": "sunspec", "meter": None})
    balance = Balance()
    balance.update(0, devices, Site, {"voltage_v": 230, "surplus": None}, None)
    names = ("grid_demand", "produced", "storage_home", "consumed")
    assert [balance.value(name, "power_w") for name in names] == [-200, 1500, 300, 1000]
