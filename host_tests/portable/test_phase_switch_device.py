"""One or three phases: what a box is told and asks back, and a relay before a box."""

import asyncio
import json
from struct import pack, unpack

from controller.device import Device
from controller.links import LinkTimeout
from controller.phase_relay import PhaseRelay
from controller.pushed import PushedEvse
from modbus import checker
from modbus.template import Template


def load(name):
    try:
        with open("data/templates/%s.json" % name) as file:
            return json.load(file)
    except OSError:  # CPython runs in the source tree
        folder = checker.__file__.replace("checker.py", "")
        with open("%stemplates/%s.json" % (folder, name)) as file:
            return json.load(file)


class Box:
    """A box on a link: registers that answer as long as it is not deaf; `log` of writes."""

    def __init__(self):
        self.tx = bytearray(32)
        self.rx = bytearray(264)
        self.pdu_at = 7
        self.now_ms = 0
        self.log = []
        self.asked = set()
        self.deaf = ()
        self.unknown = ()
        self.follows = {}
        self.values = {}

    def clock(self):
        return self.now_ms

    async def drain(self, duration_ms):
        pass

    async def transact(self, unit, size, timeout_ms):
        self.now_ms += 10
        fc, address, value = unpack(">BHH", self.tx[7:12])
        self.asked.add(address)
        if address in self.deaf:
            raise LinkTimeout("no answer")
        if address in self.unknown:
            answer = bytes((fc | 128, 2))
        elif fc == 16:
            answer = bytes(self.tx[7:12])
        elif fc == 6:
            self.log.append((address, value))
            self.values[self.follows.get(address, address)] = value
            answer = bytes(self.tx[7:12])
        else:
            data = b""
            for n in range(value // 2):
                data += pack(">L", self.values.get(address + 2 * n, 0))
            if value == 1:
                data = pack(">H", self.values.get(address, 0))
            answer = bytes((fc, len(data))) + data
        self.rx[: len(answer)] = answer
        return 0, len(answer)


def keba(able=3):
    """(Device, its box): a KEBA that pauses on three phases, its fail-safe already set."""
    box = Box()
    box.values = {1550: able, 1552: 1, 1600: 6000, 1602: 60, 1004: 7}
    box.follows = {5052: 1552}
    config = {"id": "E1", "unit": 255, "failsafe_current_ma": 6000}
    return Device(config, Template(load("keba_p30")), box), box


def run(device, box, seconds, setpoint_ma=0, phases=None):
    """Serves the device alone for so long, ordering each second."""

    async def serve():
        until_ms = box.now_ms + 1000 * seconds
        while box.now_ms < until_ms:
            device.order(setpoint_ma, phases)
            second_ms = box.now_ms + 1000
            while box.now_ms < second_ms:
                when_ms, job = device.due(box.now_ms)
                if device.urgent(box.now_ms):
                    when_ms, job = box.now_ms, "setpoint"
                if when_ms > box.now_ms:
                    box.now_ms = min(when_ms, second_ms)
                else:
                    await device.work(job, box.now_ms, box.clock)

    asyncio.run(serve())


def switched(box):
    return [write for write in box.log if write[0] in (5052, 8087)]


def test_phases_are_known_before_anything_is_ordered():
    device, box = keba()
    assert not device.switchable and device.sent_phases is None
    run(device, box, 3)
    assert device.switchable and device.sent_phases == 3
    assert switched(box) == [] and device.complaint is None


def test_phases_are_switched_and_confirmed_in_a_pause_only():
    device, box = keba()
    run(device, box, 5, 8000, 3)
    assert device.sent_ma == 8000
    run(device, box, 310, 8000, 1)
    assert switched(box) == [] and device.sent_phases == 3, "not under load"
    run(device, box, 3, 0, 1)
    assert switched(box) == [(5052, 0)] and device.sent_phases == 1
    assert box.log.index((5014, 0)) < box.log.index((5052, 0)), "first the pause"
    run(device, box, 30, 8000, 1)
    run(device, box, 30, 0, None)
    assert switched(box) == [(5052, 0)], "told once"
    run(device, box, 3, 0, 3)
    assert switched(box) == [(5052, 0), (5052, 1)] and device.sent_phases == 3


def test_unconfirmed_phases_stay_the_old_ones_with_a_complaint():
    device, box = keba()
    run(device, box, 5)
    box.follows = {}
    run(device, box, 12, 0, 1)
    assert device.sent_phases == 3 and device.complaint is None
    run(device, box, 30, 0, 1)
    assert device.sent_phases == 3
    assert device.complaint == "1-phase charging could not be switched on"
    assert 2 <= len(switched(box)) <= 4, "told again, seldom"
    box.values[1552] = 0  # it was only slow
    run(device, box, 5, 0, 1)
    assert device.sent_phases == 1 and device.complaint is None


def test_somebody_else_switches():
    device, box = keba()
    run(device, box, 5)
    box.values[1552] = 0
    run(device, box, 310)
    assert device.sent_phases == 1


def test_silence_forgets_the_phases_and_they_are_read_again():
    device, box = keba()
    run(device, box, 5)
    box.deaf = range(65536)
    run(device, box, 10)
    assert device.com_error and device.sent_phases is None
    box.deaf = ()
    run(device, box, 20)
    assert not device.com_error and device.sent_phases == 3


def test_a_box_without_a_phase_switch_is_left_alone():
    for able in (0, 1, 4, 5):
        device, box = keba(able)
        run(device, box, 320, 0, 1)
        assert not device.switchable and device.sent_phases is None and switched(box) == []
    for how in ("deaf", "unknown"):
        device, box = keba()
        setattr(box, how, (1550, 1552))
        run(device, box, 320, 0, 1)
        assert not device.switchable and not device.com_error and device.complaint is None
        assert device.sent_ma == 0 and switched(box) == []
    device, box = keba(0)
    run(device, box, 10)
    box.values[1550] = 3  # its owner switches it on
    run(device, box, 310)
    assert device.switchable and device.sent_phases == 3


def test_the_owner_may_forbid_it():
    device, box = keba()
    device.config["phase_switching"] = False
    run(device, box, 310, 0, 1)
    assert not device.switchable and device.sent_phases is None
    assert not switched(box)


def test_a_power_brain_selects_its_contactor():
    box = Box()
    box.values = {8085: 60}
    config = {"id": "E1", "unit": 1, "failsafe_current_ma": 6000}
    device = Device(config, Template(load("cfos_power_brain")), box)
    run(device, box, 5)
    assert not device.switchable  # it does not tell whether the contactor is there
    config["phase_switching"] = True
    device = Device(config, Template(load("cfos_power_brain")), box)
    run(device, box, 5)
    assert device.switchable and device.sent_phases == 3
    run(device, box, 5, 0, 1)
    assert device.sent_phases == 1 and switched(box) == [(8087, 1)]


def test_without_a_read_back_the_write_counts():
    write = {"fc": 6, "address": 700}
    phase_switch = {"1": dict(write, value=1), "3": dict(write, value=2)}
    box = Box()
    data = load("heidelberg")
    data.update({"phase_switch": phase_switch, "init": []})
    template = Template(data)
    device = Device({"id": "E1", "unit": 1, "phase_switching": True}, template, box)
    run(device, box, 5)
    assert device.switchable and device.sent_phases is None
    run(device, box, 5, 0, 3)
    assert device.sent_phases == 3 and box.log.count((700, 2)) == 1


class Relay:
    def __init__(self):
        self.log = []

    def value(self, on):
        self.log.append(on)


def relay_box():
    box = PushedEvse({"id": "E1", "phase_relay": 1})
    relay = Relay()
    PhaseRelay(box, relay)
    return box, relay


def cycles(box, times, at_ms, setpoint_ma, phases, **readings):
    """Once a second: new readings, then the order, which the driver fetches at once."""
    for n in range(times):
        box.push(dict(readings, state="B"), at_ms + 1000 * n)
        box.order(setpoint_ma, phases)
        box.sent_ma = box.setpoint_ma


def amps(l1, l2, l3):
    return {"current_l1_ma": l1, "current_l2_ma": l2, "current_l3_ma": l3}


def test_a_relay_switches_a_box_that_draws_nothing_for_two_seconds():
    box, relay = relay_box()
    assert box.switchable and box.sent_phases == 1
    cycles(box, 5, 0, 6000, 3, **amps(0, 0, 0))
    assert relay.log == [], "it may start at any moment"
    cycles(box, 5, 5000, 0, 3, **amps(1000, 0, 0))
    assert relay.log == [] and box.sent_phases == 1
    cycles(box, 2, 10000, 0, 3, **amps(999, 0, 0))
    assert relay.log == []
    cycles(box, 2, 12000, 0, 3, **amps(0, 0, 0))
    assert relay.log == [True] and box.sent_phases == 3
    cycles(box, 9, 14000, 0, None, **amps(0, 0, 0))
    assert relay.log == [True] and box.sent_phases == 3
    cycles(box, 9, 23000, 0, 1, **amps(0, 0, 0))
    assert relay.log == [True, False] and box.sent_phases == 1


def test_a_relay_waits_for_a_box_whose_current_is_not_known():
    box, relay = relay_box()
    box.com_error = True
    for _ in range(9):
        box.order(0, 3)
        box.sent_ma = 0
    assert relay.log == []
    for n in range(9):
        box.push({"state": "C"}, 1000 * n)
        box.order(0, 3)
    assert relay.log == [], "charging, and nobody says how much"
    cycles(box, 4, 9000, 0, 3)
    assert relay.log == [True]


def test_a_relay_waits_until_the_box_has_confirmed_the_pause():
    for setpoint_ma, sent_ma in ((0, 6000), (6000, 0), (0, None), (None, 0)):
        box, relay = relay_box()
        for n in range(9):
            box.push(dict(amps(0, 0, 0), state="B"), 1000 * n)
            box.sent_ma = sent_ma
            box.order(setpoint_ma, 3)
        assert relay.log == [], (setpoint_ma, sent_ma)


def test_old_readings_do_not_switch_a_relay():
    box, relay = relay_box()
    box.push(dict(amps(0, 0, 0), state="B"), 0)
    for _ in range(20):
        box.order(0, 3)
        box.sent_ma = 0
    assert relay.log == []


def test_a_contactor_that_sticks_counts_as_three_phases():
    box, relay = relay_box()
    cycles(box, 2, 0, 6000, 1, **amps(6000, 6000, 6000))
    assert box.sent_phases == 3 and "relay is off" in box.complaint
    cycles(box, 1, 2000, 6000, 1, **amps(6000, 0, 0))
    assert box.sent_phases == 1 and box.complaint is None


def test_a_relay_keeps_its_state_when_the_settings_change():
    box, relay = relay_box()
    cycles(box, 5, 0, 0, 3, **amps(0, 0, 0))
    again = PushedEvse({"id": "E1"})
    PhaseRelay(again, relay)
    assert again.sent_phases == 3 and relay.log == [True]


def test_before_a_box_with_a_phase_switch_only_the_relay_switches():
    device, box = keba()
    device.config["phase_relay"] = 1
    relay = Relay()
    PhaseRelay(device, relay)
    run(device, box, 10, 0, 3)
    assert relay.log == [True] and device.sent_phases == 3
    assert not box.asked & {1550, 1552, 5052}
