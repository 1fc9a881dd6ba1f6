"""Device templates: what is read, what is written, and sentences for templates that are wrong."""

import json
from struct import pack

from modbus import checker, setup
from modbus.template import Template

_NAMES = ("sdm630", "sdm72", "heidelberg", "keba_p30", "cfos_power_brain")


def load(name):
    try:
        with open("data/templates/%s.json" % name) as file:
            return json.load(file)
    except OSError:  # CPython runs in the source tree
        folder = checker.__file__.replace("checker.py", "")
        with open("%stemplates/%s.json" % (folder, name)) as file:
            return json.load(file)


def registers(*values):
    return pack(">%dH" % len(values), *values)


def floats(*values):
    return pack(">%df" % len(values), *values)


def init_writes(device, failsafe_ma):
    return setup.writes(device, failsafe_ma, False)


def stored_writes(device, failsafe_ma):
    return setup.writes(device, failsafe_ma, True)


def read(device, data):
    """Decodes every block from {address: bytes of the block}."""
    readings = {}
    for i, (_, address, count, _) in enumerate(device.blocks):
        assert len(data[address]) == 2 * count
        device.decode(i, b"***" + data[address], 3, readings)
    return readings


def meter(*values, **more):
    """A meter template of one block of 20 registers with the given values."""
    block = {"fc": 3, "address": 100, "count": 20, "every_ms": 1000, "type": "u16"}
    block["values"] = list(values)
    data = {"kind": "meter", "blocks": [block]}
    data.update(more)
    return data


def evse(limit=None, **more):
    data = meter({"reading": "state", "address": 100, "map": {"1": "A", "2": "B", "3": "C"}})
    data["kind"] = "evse"
    data["limit"] = {"fc": 6, "address": 300, "unit": "A", "step_ma": 1000}
    data["limit"].update({"min_ma": 6000, "max_ma": 32000})
    data["limit"].update(limit or {})
    data.update(more)
    return data


def one(value, data):
    """The reading of one value at address 100, from `data`."""
    value = dict(value)
    value.setdefault("reading", "power_w")
    value.setdefault("address", 100)
    if value["reading"].endswith("_w"):
        value.setdefault("unit", "W")
    readings = {"cable": 5}
    Template(meter(value)).decode(0, data + bytes(40 - len(data)), 0, readings)
    return readings[value["reading"]]


def test_every_shipped_template_loads():
    for name in _NAMES:
        data = load(name)
        device = Template(data)
        assert data["source"] and data["name"] and device.blocks
        ages = [every_ms for _, _, _, every_ms in device.blocks]
        assert ages == sorted(ages), "hot blocks first"
        for _, _, count, every_ms in device.blocks:
            assert count <= 20 or every_ms > 1000, "a decrease would wait too long"


def test_sdm630():
    device = Template(load("sdm630"))
    assert device.kind == "meter" and device.blocks[0] == (4, 0, 18, 1000)
    serial = {"baudrate": 9600, "parity": "N", "stop": 1}
    assert checker.head(load("sdm630")) == ("meter", 1, 502, device.quiet_ms, serial)
    assert device.quiet_ms and device.watchdog is None
    assert init_writes(device, 0) == setup.read_backs(device, 0) == []
    hot = floats(230.4, 231.5, 229.6, 10.25, 0.125, 3.0, 2361.6, 28.9, -688.8)
    readings = read(device, {0: hot, 72: floats(12345.678, 0.5), 60: floats(-120.4)})
    assert readings == {
        "voltage_l1_v": 230,
        "voltage_l2_v": 232,
        "voltage_l3_v": 230,
        "current_l1_ma": 10250,
        "current_l2_ma": 125,
        "current_l3_ma": -3000,
        "power_l1_w": 2362,
        "power_l2_w": 29,
        "power_l3_w": -689,
        "power_w": 1702,
        "import_wh": readings["import_wh"],
        "export_wh": 500,
        "reactive_power_var": -120,
    }
    assert abs(readings["import_wh"] - 12345678) <= 1  # f32 knows no better
    for value in readings.values():
        assert isinstance(value, int)


def test_missing_values_are_none_and_take_the_sum_with_them():
    device = Template(load("sdm630"))
    readings = {}
    hot = floats(230, 230, 230, 1, float("nan"), 1, 230, float("nan"), 230)
    device.decode(0, hot, 0, readings)
    assert readings["power_l1_w"] == 230 and readings["power_l2_w"] is None
    assert readings["power_w"] is None and readings["current_l2_ma"] is None
    assert readings["current_l3_ma"] == 1000


def test_sdm72_reads_the_same_in_small_blocks():
    device = Template(load("sdm72"))
    assert max([count for _, _, count, _ in device.blocks]) <= 10
    data = {12: floats(100, -200, 300), 6: floats(1, 2, 3), 0: floats(230, 231, 232)}
    data[72] = floats(1.5, 2.5)
    readings = read(device, data)
    assert readings["power_w"] == 200 and readings["current_l2_ma"] == -2000
    assert readings["import_wh"] == 1500 and readings["export_wh"] == 2500


def heidelberg_registers(state):
    return {
        5: registers(state, 100, 101, 0, 251, 230, 231, 229, 1, 4620, 0, 5, 1, 0x86A0),
        261: registers(100),
    }


def test_heidelberg_readings():
    device = Template(load("heidelberg"))
    assert device.kind == "evse" and checker.head(load("heidelberg"))[4]["baudrate"] == 19200
    readings = read(device, heidelberg_registers(7))
    assert readings == {
        "state": "C",
        "current_l1_ma": 10000,
        "current_l2_ma": 10100,
        "current_l3_ma": 0,
        "voltage_l1_v": 230,
        "voltage_l2_v": 231,
        "voltage_l3_v": 229,
        "power_w": 4620,
        "energy_wh": 100000,
        "offered_ma": 10000,
    }
    states = [read(device, heidelberg_registers(n))["state"] for n in range(13)]
    assert states == [None, None, "A", "A", "B", "B", "C", "C", "C", "E", "F", "E", None]


def test_heidelberg_writes():
    device = Template(load("heidelberg"))
    assert (device.min_ma, device.max_ma, device.step_ma) == (6000, 16000, 100)
    assert device.limit_writes(13043) == [(6, 261, registers(130))]
    assert device.limit_writes(99000) == [(6, 261, registers(160))]
    assert device.limit_writes(5999) == device.limit_writes(0) == [(6, 261, b"\0\0")]
    writes = init_writes(device, 6050)
    assert sorted(writes) == [
        (6, 257, registers(30000)),
        (6, 258, registers(4)),
        (6, 259, registers(1)),
        (6, 262, registers(60)),
    ]
    assert stored_writes(device, 6050) == [] and device.watchdog is None
    expected = sorted(
        [(6, address, data) for _, address, data, _ in setup.read_backs(device, 6050)]
    )
    assert expected == sorted(writes)
    assert device.failsafe_after_ms == 30000


def keba_readings(state, cable):
    device = Template(load("keba_p30"))
    values = {1000: state, 1004: cable, 1008: 15900, 1010: 15800, 1012: 0, 1020: 7321499}
    values.update({1036: 123456, 1040: 230, 1042: 231, 1044: 229})
    return read(device, {address: pack(">I", value) for address, value in values.items()})


def test_keba_readings():
    device = Template(load("keba_p30"))
    assert checker.head(load("keba_p30")) == ("evse", 255, 502, 10, None)
    for _, _, count, _ in device.blocks:
        assert count == 2, "one value a read"
    readings = keba_readings(3, 7)
    assert readings["state"] == "C" and readings["current_l2_ma"] == 15800
    assert readings["power_w"] == 7321 and readings["energy_wh"] == 12346
    assert readings["voltage_l3_v"] == 229
    states = [keba_readings(state, 7)["state"] for state in range(7)]
    assert states == ["B", "B", "B", "C", "E", "B", None]
    states = [keba_readings(2, cable)["state"] for cable in (0, 1, 3, 5, 7)]
    assert states == ["A", "A", "A", "B", "B"]
    assert keba_readings(3, 3)["state"] == "C" and keba_readings(4, 0)["state"] == "E"


def test_state_is_unknown_until_the_cable_was_read():
    device = Template(load("keba_p30"))
    readings = {}
    places = [address for _, address, _, _ in device.blocks]
    device.decode(places.index(1000), pack(">I", 3), 0, readings)
    assert readings["state"] is None


def test_keba_writes():
    device = Template(load("keba_p30"))
    on, off = (6, 5014, registers(1)), (6, 5014, registers(0))
    assert device.limit_writes(13043) == [(6, 5004, registers(13000)), on]
    assert device.limit_writes(5999) == [off] and device.limit_writes(0) == [off]
    assert device.limit_writes(40000) == [(6, 5004, registers(32000)), on]
    # The fail-safe lies in flash: not at every connect, only when the read-back differs.
    assert init_writes(device, 6000) == []
    assert stored_writes(device, 6000) == [
        (6, 5016, registers(6000)),
        (6, 5018, registers(60)),
        (6, 5020, registers(1)),
    ]
    assert setup.read_backs(device, 6000) == [
        (3, 1600, pack(">I", 6000), "failsafe_current"),
        (3, 1602, pack(">I", 60), "failsafe_time"),
    ]
    every_ms, writes = device.watchdog
    assert every_ms <= device.failsafe_after_ms // 2 and writes == ((6, 5018, registers(60)),)


def test_phases_are_switched_by_registers():
    device = Template(load("keba_p30"))
    assert setup.phase_write(device, 1) == (6, 5052, registers(0))
    assert setup.phase_write(device, 3) == (6, 5052, registers(1))
    one, three, able = setup.phase_checks(device)
    assert one == (3, 1552, pack(">I", 0)) and three == (3, 1552, pack(">I", 1))
    assert able == (3, 1550, pack(">I", 3))
    device = Template(load("cfos_power_brain"))
    assert setup.phase_write(device, 3) == (6, 8087, registers(0))
    assert setup.phase_checks(device) == [(3, 8087, registers(1)), (3, 8087, registers(0))]
    write = {"fc": 16, "address": 7, "type": "u32", "order": "lh"}
    device = Template(evse(phase_switch={"1": dict(write, value=1), "3": dict(write, value=3)}))
    assert setup.phase_write(device, 3) == (16, 7, registers(3, 0))
    assert [check[0] for check in setup.phase_checks(device)] == [0, 0]
    for name in ("heidelberg", "sdm630"):
        assert Template(load(name)).phase_switch == b""


def power_brain_registers(state, enabled):
    meter_data = pack(">QIIII", 1234567, 7000, 101, 99, 0)
    # Bit 8 says that phases may be switched, which is not what is read.
    return {
        8092: registers(state, 160, enabled, 155),
        8058: meter_data,
        8113: registers(0x102),
    }


def test_power_brain_readings():
    device = Template(load("cfos_power_brain"))
    assert checker.head(load("cfos_power_brain"))[1:3] == (1, 4701)
    readings = read(device, power_brain_registers(2, 1))
    assert readings == {
        "state": "C",
        "enabled": 1,
        "offered_ma": 16000,
        "input1": 0,
        "input2": 1,
        "energy_wh": 1234567,
        "power_w": 7000,
        "current_l1_ma": 10100,
        "current_l2_ma": 9900,
        "current_l3_ma": 0,
    }
    states = [read(device, power_brain_registers(n, 1))["state"] for n in (0, 1, 2, 3, 4, 5, 9, 6)]
    assert states == ["A", "B", "C", "D", "E", "F", "F", None]
    assert read(device, power_brain_registers(1, 0))["offered_ma"] == 0, "paused by 8094"


def test_power_brain_never_writes_flash_periodically():
    device = Template(load("cfos_power_brain"))
    volatile = (8086, 8087, 8088, 8091, 8093, 8094)
    assert device.watchdog is None and init_writes(device, 6000) == []
    for current_ma in (0, 6000, 16050, 32000):
        for _, address, _ in device.limit_writes(current_ma):
            assert address in volatile
    assert device.limit_writes(16050)[0] == (6, 8093, registers(160))
    assert stored_writes(device, 8000) == [(6, 8085, registers(80)), (16, 8083, pack(">I", 120))]
    # 0 would switch the fail-safe off.
    assert device.failsafe_ma(0) == 6000 and stored_writes(device, 0)[0] == (
        6,
        8085,
        registers(60),
    )


def test_reachable_current_never_exceeds_the_wish():
    for name in _NAMES[2:]:
        device = Template(load(name))
        for wish_ma in range(0, 70000, 37):
            got_ma = device.reachable_ma(wish_ma)
            assert got_ma == 0 or device.min_ma <= got_ma <= min(wish_ma, device.max_ma)
            assert got_ma % device.step_ma == 0
            assert got_ma + device.step_ma > min(wish_ma, device.max_ma) or wish_ma < device.min_ma


def test_limit_encodings():
    def raw(limit, current_ma):
        writes = Template(evse(limit)).limit_writes(current_ma)
        assert len(writes) == 1 and writes[0][1] == 300
        return writes[0][2]

    assert raw({}, 13900) == registers(13)
    assert raw({"scale": -1, "step_ma": 100}, 13999) == registers(139)
    assert raw({"scale": -2, "step_ma": 10}, 13999) == registers(1399)
    assert raw({"unit": "mA", "step_ma": 1}, 13999) == registers(13999)
    assert raw({"fc": 16, "type": "u32", "unit": "mA", "step_ma": 1}, 13999) == pack(">I", 13999)
    low_first = {"fc": 16, "type": "u32", "order": "lh", "unit": "mA"}
    assert raw(low_first, 16000) == registers(16000, 0)
    assert raw({"fc": 16, "type": "f32", "step_ma": 500}, 13999) == pack(">f", 13.5)
    # Three phases of 230 V: 13 A are 8970 W; a fraction of a W is dropped, never added.
    assert raw({"unit": "W", "phases": 3}, 13999) == registers(8970)
    assert raw({"unit": "kW", "scale": -2, "phases": 1, "voltage_v": 240}, 13999) == registers(312)
    # Duty of the control pilot in 0.1 %: 60 mA each.
    assert raw({"unit": "mA", "factor": [60, 1], "step_ma": 60}, 10000) == registers(166)


def test_enable_registers_and_coils():
    enable = {"fc": 5, "address": 400, "on": 1, "off": 0}
    device = Template(evse({"enable": enable}))
    assert device.limit_writes(16000) == [(6, 300, registers(16)), (5, 400, b"\xff\x00")]
    assert device.limit_writes(0) == [(5, 400, b"\0\0")]
    enable = {"fc": 16, "address": 400, "type": "u32", "on": 0, "off": 1}
    assert Template(evse({"enable": enable})).limit_writes(0) == [(16, 400, pack(">I", 1))]


def test_kinds_of_watchdog():
    assert Template(evse()).watchdog is None and Template(evse()).refresh_ms == 0
    life = {"every_ms": 5000, "writes": [{"fc": 6, "address": 6000, "value": 1}]}
    assert Template(evse(watchdog=life)).watchdog == (5000, ((6, 6000, registers(1)),))
    magic = {"every_ms": 5000, "writes": [{"fc": 6, "address": 3328, "value": 0x55AA}]}
    assert Template(evse(watchdog=magic)).watchdog[1] == ((6, 3328, b"\x55\xaa"),)
    assert Template(evse({"refresh_ms": 20000})).refresh_ms == 20000


def test_scales_units_and_signs():
    assert one({"unit": "kW", "scale": -2}, registers(123)) == 1230
    assert one({"unit": "mW", "type": "u32"}, pack(">I", 1500)) == 2
    assert one({"unit": "W", "sign": -1}, registers(5)) == -5
    assert one({"factor": [1, 256]}, registers(384)) == 2
    assert one({"reading": "current_l1_ma", "unit": "A", "scale": -1}, registers(75)) == 7500
    assert one({"reading": "import_wh", "unit": "kWh", "scale": -1}, registers(75)) == 7500
    assert one({"reading": "voltage_l1_v", "unit": "mV", "type": "u32"}, pack(">I", 230499)) == 230
    assert one({"nan": [0, 65000]}, registers(65000)) is None
    assert one({"nan": [0, 65000]}, registers(64999)) == 64999
    assert one({"reading": "soc"}, registers(55)) == 55
    assert one({"type": "i32", "order": "lh"}, registers(0xFFFE, 0xFFFF)) == -2


def test_kinds_of_state():
    char = {"reading": "state", "type": "char"}
    assert one(char, b"\0C") == "C" and one(char, b"BC") == "C"
    high = {"reading": "state", "type": "char", "mask": 0xFF00, "shift": 8}
    assert one(high, b"B\0") == "B" and one(high, b"\0B") is None
    text = {"reading": "state", "type": "str", "words": 5, "map": {"E": "A"}}
    assert one(text, b"C2") == "C" and one(text, b"E") == "A" and one(text, b"") is None
    assert one(text, b"F1") == "F" and one(text, b"nothing") is None
    nibble = {"reading": "state", "mask": 0xF0, "shift": 4, "map": {"10": "A", "12": "C"}}
    assert one(nibble, registers(0xFFC3)) == "C" and one(nibble, registers(0x00D0)) is None
    plug = {"reading": "state", "map": {"0": "B", "1": "C"}}
    plug["and_if"] = {"reading": "cable", "in": [2]}
    assert one(plug, registers(0)) == "A" and one(plug, registers(1)) == "C"


def test_unsigned_currents_take_the_sign_of_the_power():
    values = (
        {"reading": "power_l1_w", "address": 101, "type": "i16", "unit": "W"},
        {"reading": "current_l1_ma", "address": 100, "unit": "A", "sign_of": "power_l1_w"},
    )
    readings = {}
    Template(meter(*values)).decode(0, registers(3, 65000) + bytes(36), 0, readings)
    assert readings == {"power_l1_w": -536, "current_l1_ma": -3000}


def test_decoding_never_raises_and_gives_only_integers_states_and_none():
    import random

    random.seed(4)
    for name in _NAMES:
        device = Template(load(name))
        readings = {}
        for _ in range(40):
            for i, (_, _, count, _) in enumerate(device.blocks):
                data = bytearray(2 * count)
                for at in range(len(data)):
                    data[at] = random.choice((0, 255, 127, 128, random.randrange(256)))
                device.decode(i, data, 0, readings)
            for key, value in readings.items():
                right = value in "ABCDEF" if isinstance(value, str) else isinstance(value, int)
                assert value is None or right, (name, key, value)
