"""The register maps and the physics behind them, without any wire."""

import asyncio
import random
import struct

from hypothesis import given
from hypothesis import strategies as st

from controller.data import load_json
from controller.device import Device
from controller.links import TcpLink
from modbus.template import Template
from tools.twin.config import DEFAULTS
from tools.twin.heidelberg import Heidelberg
from tools.twin.keba import Keba
from tools.twin.pdu import crc16, handle
from tools.twin.physics import WH, Car, Energy, rotated
from tools.twin.sdm630 import Sdm630
from tools.twin.tcp import TcpServer

CAR = DEFAULTS["cars"]["E1"]


class Time:
    """A clock that tests turn."""

    ms = 0

    def __call__(self):
        return self.ms


def heidelberg(time, **car):
    return Heidelberg(DEFAULTS["wallboxes"][0], time, dict(CAR, **car), 8000)


def keba(time):
    return Keba(DEFAULTS["wallboxes"][1], time, DEFAULTS["cars"]["E2"], 8000)


def meter():
    device = Sdm630(DEFAULTS["meters"][0], Time(), Energy())
    device.power_w = [2300, -230, 0]
    return device


def ask(device, function, address, count):
    """Return the answered words, or the exception code as an int."""
    answer = device.answer(struct.pack(">BHH", function, address, count))
    if answer[0] & 0x80:
        return answer[1]
    return struct.unpack(f">{count}H", answer[2:])


def put(device, address, *words):
    """Write with function 16; return 0 or the exception code."""
    pdu = struct.pack(f">BHHB{len(words)}H", 16, address, len(words), 2 * len(words), *words)
    answer = device.answer(pdu)
    return answer[1] if answer[0] & 0x80 else 0


def value(device, address):
    """Read one f32 of the meter."""
    return struct.unpack(">f", struct.pack(">2H", *ask(device, 4, address, 2)))[0]


def live(box, time, seconds):
    """Let seconds pass in steps of 100 ms; return the box's phase currents."""
    for _ in range(int(seconds * 10)):
        time.ms += 100
        box.step(100)
    return box.current_ma


def test_crc_is_that_of_the_standard():
    # MODBUS over Serial Line V1.02 gives no vector; this frame is the protocol's classic one.
    assert crc16(bytes.fromhex("010300000001")) == bytes.fromhex("840a")


def test_meter_shows_power_current_and_direction():
    device = meter()
    assert value(device, 0x00) == 230
    assert (value(device, 0x0C), value(device, 0x0E), value(device, 0x34)) == (2300, -230, 2070)
    # The real meter's currents carry no sign.
    assert (value(device, 0x06), value(device, 0x08)) == (10, 1)
    device.energy.add(1000, 3600 * 1000)
    device.energy.add(-500, 3600 * 1000)
    assert (value(device, 0x48), value(device, 0x4A)) == (1, 0.5)


def test_meter_refuses_what_the_real_one_refuses():
    device = meter()
    assert ask(device, 4, 0, 82) == 3
    assert ask(device, 4, 1, 2) == 2
    assert ask(device, 4, 0x70, 2) == 2
    assert put(device, 0x00, 1) == 2
    assert len(ask(device, 4, 0, 80)) == 80


def test_meter_faults():
    device = meter()
    device.set_fault("nan")
    assert value(device, 0x34) != value(device, 0x34)
    device.set_fault("wrong_sign")
    assert value(device, 0x34) == -2070
    device.set_fault("frozen")
    device.power_w = [0, 0, 0]
    assert value(device, 0x34) == 2070
    device.set_fault(None)
    assert value(device, 0x34) == 0


def test_heidelberg_follows_its_limit():
    time = Time()
    box = heidelberg(time)
    put(box, 257, 0)
    assert live(box, time, 7) == [15900] * 3
    assert ask(box, 4, 5, 4) == (7, 159, 159, 159)
    assert put(box, 261, 80) == 0
    assert (box.setpoint_ma, box.written_ms) == (8000, time.ms)
    assert live(box, time, 5) == [7900] * 3
    assert put(box, 261, 0) == 0
    assert live(box, time, 5) == [0] * 3
    assert ask(box, 4, 5, 1) == (4,)


def test_heidelberg_refuses_illegal_values_whole():
    box = heidelberg(Time())
    assert [put(box, 261, v) for v in (1, 59, 161, 65535)] == [3] * 4
    assert put(box, 258, 1) == 3
    assert put(box, 260, 0) == 2
    assert put(box, 261, 60, 200) == 3
    assert box.setpoint_ma == 16000
    assert ask(box, 3, 257, 3) == (15000, 0, 1)
    assert ask(box, 3, 5, 1) == 2 and ask(box, 4, 19, 1) == 2


def test_heidelberg_watchdog_any_request_feeds_it():
    time = Time()
    box = heidelberg(time)
    put(box, 257, 4000)
    put(box, 262, 60)
    for _ in range(8):
        assert live(box, time, 2) and ask(box, 4, 5, 1)
    assert not box.failsafe and box.offered_ma == 16000
    assert live(box, time, 9) == [5900] * 3
    assert box.failsafe and box.report()["offered_ma"] == 6000
    ask(box, 4, 5, 1)
    live(box, time, 1)
    assert box.offered_ma == 16000


def test_heidelberg_lock():
    time = Time()
    box = heidelberg(time)
    put(box, 257, 0)
    put(box, 259, 0)
    assert live(box, time, 6) == [0] * 3
    assert ask(box, 4, 5, 1) == (10,)


def test_keba_gives_one_value_a_read():
    time = Time()
    box = keba(time)
    live(box, time, 8)
    assert ask(box, 3, 1000, 2) == (0, 3)
    assert ask(box, 3, 1008, 2) == (0, 31900)
    assert ask(box, 3, 1004, 2) == (0, 7)
    for count in (1, 4, 6):
        assert ask(box, 3, 1008, count) == 3
    assert ask(box, 3, 5004, 2) == 2
    assert ask(box, 4, 1008, 2) == 1
    high, low = ask(box, 3, 1020, 2)
    assert (high << 16) + low == box.power_w * 1000


def test_keba_enable_limit_and_watchdog():
    time = Time()
    box = keba(time)
    assert box.setpoint_ma == 32000 and box.written_ms is None
    assert put(box, 5004, 10000) == 0
    assert live(box, time, 8) == [9900] * 3
    assert put(box, 5014, 0) == 0 and box.setpoint_ma == 0
    assert live(box, time, 5) == [0] * 3
    assert ask(box, 3, 1000, 2) == (0, 5)
    assert [put(box, 5004, v) for v in (0, 5999, 64000)] == [3] * 3
    assert put(box, 5018, 5) == 3 and put(box, 5002, 1) == 2
    assert put(box, 5016, 6000) == 0 and put(box, 5018, 10) == 0 and put(box, 5014, 1) == 0
    live(box, time, 9)
    assert not box.failsafe and box.current_ma[0] == 9900
    ask(box, 3, 1000, 2)
    live(box, time, 5)
    assert box.failsafe, "reads alone do not feed the KEBA's watchdog"
    assert box.current_ma == [5900] * 3
    put(box, 5004, 12000)
    assert not box.failsafe


def test_keba_switches_phases_after_a_while():
    time = Time()
    box = keba(time)
    live(box, time, 8)
    assert ask(box, 3, 1550, 2) == (0, 3) and ask(box, 3, 1552, 2) == (0, 1)
    put(box, 5014, 0)
    live(box, time, 5)
    assert put(box, 5052, 0) == 0 and ask(box, 3, 1552, 2) == (0, 1)
    live(box, time, 2)
    assert ask(box, 3, 1552, 2) == (0, 0) and box.report()["phases"] == 1
    put(box, 5014, 1)
    assert live(box, time, 8) == [31900, 0, 0]
    assert box.report()["switched_under_load"] == 0
    put(box, 5052, 1)
    assert live(box, time, 8) == [31900] * 3
    assert box.report()["switched_under_load"] == 1
    assert put(box, 5052, 2) == 3 and put(box, 5050, 5) == 3
    put(box, 5050, 0)
    put(box, 5052, 0)
    live(box, time, 2)
    assert ask(box, 3, 1550, 2) == (0, 0) and ask(box, 3, 1552, 2) == (0, 1)


def test_the_controller_switches_the_phases_of_a_keba_over_tcp():
    time = Time()
    box = keba(time)
    server = TcpServer(box, 0, random.Random(1))

    async def serve(device, seconds, setpoint_ma, phases):
        device.order(setpoint_ma, phases)
        until_ms = time.ms + 1000 * seconds
        while time.ms < until_ms:
            when_ms, job = device.due(time.ms)
            if device.urgent(time.ms):
                job, when_ms = "setpoint", time.ms
            if when_ms <= time.ms:
                await device.work(job, time.ms, time)
            else:
                live(box, time, 0.1)

    async def whole():
        await server.start("127.0.0.1", 0)
        config = {"id": "E2", "unit": box.unit, "failsafe_current_ma": 6000}
        template = Template(load_json("templates/keba_p30.json"))
        device = Device(config, template, TcpLink("127.0.0.1", server.port))
        await serve(device, 10, 16000, 3)
        assert device.switchable and device.sent_phases == 3 and box.current_ma == [15900] * 3
        await serve(device, 10, 16000, 1)
        assert box.current_ma == [15900] * 3 and device.sent_phases == 3
        await serve(device, 4, 0, None)
        await serve(device, 4, 0, 1)
        assert device.sent_phases == 1 and device.complaint is None
        await serve(device, 10, 16000, 1)
        assert box.current_ma == [15900, 0, 0]
        await serve(device, 4, 0, None)
        await serve(device, 4, 0, 3)
        await serve(device, 10, 16000, None)
        assert device.sent_phases == 3 and box.current_ma == [15900] * 3
        assert box.report()["switched_under_load"] == 0
        await server.stop()

    asyncio.run(asyncio.wait_for(whole(), 30))


def test_a_reboot_loses_the_registers_and_is_silent_for_a_while():
    time = Time()
    box = heidelberg(time)
    put(box, 261, 60)
    put(box, 257, 5000)
    box.set_fault("reboot")
    assert box.deaf and box.setpoint_ma == 16000 and box.written_ms is None
    live(box, time, 5)
    assert box.state == "F" and box.current_ma == [0] * 3
    live(box, time, 4)
    assert not box.deaf and box.fault == "" and ask(box, 3, 257, 1) == (15000,)


def test_a_box_that_ignores_its_limit():
    time = Time()
    box = heidelberg(time)
    box.set_fault("ignores")
    assert put(box, 261, 60) == 0
    assert live(box, time, 8) == [15900] * 3 and box.setpoint_ma == 6000


def test_state_without_car_and_with_a_full_one():
    time = Time()
    assert heidelberg(time, plugged=False).state == "A"
    box = heidelberg(time, soc=100)
    live(box, time, 4)
    assert (box.state, box.current_ma, ask(box, 4, 5, 1)) == ("B", [0] * 3, (5,))


def test_a_one_phase_car_uses_one_phase():
    time = Time()
    assert live(heidelberg(time, phases=1), time, 8) == [15900, 0, 0]


def test_a_car_gets_full_and_stops():
    car = Car(dict(CAR, soc=99, capacity_wh=1000))
    for _ in range(3000):
        car.step(100, 16000, 3)
    assert car.soc == 100 and car.current_ma == 0


@given(st.lists(st.tuples(st.integers(0, 32000), st.integers(50, 400)), max_size=60))
def test_a_car_obeys_within_five_seconds_and_never_draws_more(offers):
    car = Car(CAR)
    for offered_ma, steps in offers:
        for _ in range(steps):
            car.step(100, offered_ma, 3)
        assert car.current_ma <= min(max(0, offered_ma - 100), CAR["max_current_ma"])
        assert car.current_ma == 0 or car.current_ma >= 5000


@given(st.lists(st.tuples(st.integers(-20000, 20000), st.integers(1, 500))))
def test_energy_loses_nothing(parts):
    energy = Energy()
    for power_w, dt_ms in parts:
        energy.add(power_w, dt_ms)
    assert energy.import_wh == sum(p * t for p, t in parts if p > 0) // WH
    assert energy.export_wh == sum(-p * t for p, t in parts if p < 0) // WH


def test_rotation_120_puts_l1_on_house_l2():
    assert rotated([1, 2, 3], 0) == [1, 2, 3]
    assert rotated([1, 2, 3], 120) == [3, 1, 2]
    assert rotated([1, 2, 3], 240) == [2, 3, 1]


@given(st.binary(min_size=1, max_size=60))
def test_any_pdu_gets_an_answer_of_its_function(pdu):
    for device in (meter(), heidelberg(Time()), keba(Time())):
        answer = handle(device, pdu)
        assert answer[0] & 0x7F == pdu[0] & 0x7F and 2 <= len(answer) <= 253
