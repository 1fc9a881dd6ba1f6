"""The twin's wires as other people's Modbus clients and a bare master see them."""

import asyncio
import struct
import time

import pytest
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from twin_bench import Wire, frame, run, until

READ_METER = (4, 0, 0, 0, 2)
READ_BOX = (4, 0, 5, 0, 4)


def serial(twin, timeout=1.5):
    # A pseudo terminal takes no parity; the twin counts the parity bit all the same.
    return AsyncModbusSerialClient(
        twin.ptys["rs485_1"], baudrate=19200, timeout=timeout, retries=0
    )


def with_wire(test, **options):
    """Run test(twin, wire) with a bare master on the bus."""

    async def whole(twin):
        wire = Wire(twin.ptys["rs485_1"])
        try:
            await test(twin, wire)
        finally:
            wire.close()

    run(whole, **options)


def test_pymodbus_reads_two_devices_on_one_bus_and_writes():
    async def test(twin):
        client = serial(twin)
        await client.connect()
        for _ in range(3):
            answer = await client.read_input_registers(0x34, count=2, device_id=1)
            power_w = struct.unpack(">f", struct.pack(">2H", *answer.registers))[0]
            assert 650 <= power_w <= 40000
            answer = await client.read_input_registers(4, count=15, device_id=2)
            assert answer.registers[0] == 0x108 and answer.registers[6:9] == [230] * 3
        await client.write_register(261, 75, device_id=2)
        await client.write_registers(262, [60], device_id=2)
        answer = await client.read_holding_registers(261, count=2, device_id=2)
        assert answer.registers == [75, 60]
        assert twin.state()["wallboxes"]["E1"]["setpoint_ma"] == 7500
        refused = await client.write_register(261, 10, device_id=2)
        assert refused.exception_code == 3
        refused = await client.read_input_registers(4000, count=2, device_id=1)
        assert refused.exception_code == 2
        client.close()
        bus = twin.state()["bus"]["rs485_1"]
        assert bus["requests"] == 11 and bus["errors"] == 0 and bus["busy_pct"] > 0
        assert bus["units"] == {"1": 4, "2": 7}

    run(test)


def test_pymodbus_reads_and_writes_the_keba():
    async def test(twin):
        client = AsyncModbusTcpClient("127.0.0.1", port=twin.tcp_ports["E2"], retries=0)
        await client.connect()
        answer = await client.read_holding_registers(1110, count=2, device_id=255)
        assert answer.registers == [0, 32000]
        await client.write_register(5004, 14000, device_id=255)
        await client.write_register(5014, 1, device_id=255)
        assert twin.state()["wallboxes"]["E2"]["setpoint_ma"] == 14000
        await client.write_register(5014, 0, device_id=255)
        box = twin.state()["wallboxes"]["E2"]
        assert box["setpoint_ma"] == 0 and 0 <= box["written_ms"] <= twin.t_ms()
        refused = await client.read_holding_registers(1008, count=6, device_id=255)
        assert refused.exception_code == 3
        client.close()
        await until(lambda: twin.state()["tcp"]["E2"]["clients"] == 0)

    run(test)


def test_an_answer_takes_at_least_its_time_on_the_wire():
    async def test(twin):
        client = serial(twin)
        await client.connect()
        began = time.monotonic()
        await client.read_input_registers(0, count=80, device_id=1)
        # 8 characters there, 165 back, 11 bits each, and the meter's own 20 ms.
        assert time.monotonic() - began >= (8 + 165) * 11 / 19200 + 0.020
        client.close()

    run(test)


def test_half_a_frame_and_silence_is_no_request():
    async def test(twin, wire):
        whole = frame(1, *READ_METER)
        wire.write(whole[:4])
        await asyncio.sleep(0.15)
        wire.write(whole[4:])
        assert await wire.listen() == b""
        wire.write(b"\xff" * 700)
        assert await wire.listen(0.6) == b""
        wire.write(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert await wire.listen() == b""
        wire.write(frame(9, *READ_METER))
        assert await wire.listen() == b""
        assert twin.state()["bus"]["rs485_1"]["errors"] == 4
        wire.write(whole)
        assert len(await wire.listen()) == 9

    with_wire(test)


def test_a_broadcast_is_obeyed_and_not_answered():
    async def test(twin, wire):
        wire.write(frame(0, 6, 1, 5, 0, 70))
        assert await wire.listen() == b""
        assert twin.boxes["E1"].setpoint_ma == 7000

    with_wire(test)


def test_who_talks_into_an_answer_spoils_both():
    async def test(twin, wire):
        wire.write(frame(1, 4, 0, 0, 0, 80))
        await until(lambda: twin.buses["rs485_1"]._talking)
        wire.write(frame(2, *READ_BOX))
        heard = await wire.listen(0.5)
        assert len(heard) == 165, "the second request is lost in the noise"
        assert frame(*heard[:-2]) != heard
        assert twin.state()["bus"]["rs485_1"]["errors"] == 2
        wire.write(frame(2, *READ_BOX))
        heard = await wire.listen()
        assert frame(*heard[:-2]) == heard

    with_wire(test)


@pytest.mark.parametrize("fault", ["silent", "unplugged"])
def test_a_silent_device_leaves_the_others_alone(fault):
    async def test(twin, wire):
        twin.set({"faults": {"M1": fault}})
        assert twin.state()["faults"] == {"M1": fault}
        wire.write(frame(1, *READ_METER))
        assert await wire.listen() == b""
        wire.write(frame(2, *READ_BOX))
        assert len(await wire.listen()) == 13
        twin.set({"faults": {"M1": None}})
        wire.write(frame(1, *READ_METER))
        assert len(await wire.listen()) == 9

    with_wire(test)


def test_crc_errors_and_a_slow_device():
    async def test(twin, wire):
        twin.set({"faults": {"M1": "crc"}})
        wire.write(frame(1, *READ_METER))
        heard = await wire.listen()
        assert len(heard) == 9 and frame(*heard[:-2]) != heard
        twin.set({"faults": {"M1": "slow"}})
        wire.write(frame(1, *READ_METER))
        began = time.monotonic()
        while not wire.read():
            await asyncio.sleep(0.002)
        assert time.monotonic() - began >= 0.6

    with_wire(test, config={"slow_ms": 600})


def test_a_silent_keba_keeps_its_connection_and_says_nothing():
    async def test(twin):
        client = AsyncModbusTcpClient(
            "127.0.0.1", port=twin.tcp_ports["E2"], timeout=0.3, retries=0
        )
        await client.connect()
        twin.set({"faults": {"E2": "silent"}})
        with pytest.raises(ModbusIOException):
            await client.read_holding_registers(1000, count=2, device_id=255)
        twin.set({"faults": {"E2": ""}})
        await client.connect()
        assert (await client.read_holding_registers(1000, count=2, device_id=255)).registers
        client.close()

    run(test)


def test_a_new_master_does_not_hear_what_a_dead_one_was_told():
    async def test(twin):
        dead = Wire(twin.ptys["rs485_1"])
        dead.write(frame(1, *READ_METER))
        await until(lambda: twin.buses["rs485_1"].devices[1].requests)
        await asyncio.sleep(0.1)
        dead.write(frame(1, 4, 0, 0, 0, 80)[:5])
        dead.close()
        # The kernel carries bytes through a pseudo terminal in its own time.
        await asyncio.sleep(0.05)
        twin.flush()
        alive = Wire(twin.ptys["rs485_1"])
        alive.write(frame(2, *READ_BOX))
        heard = await alive.listen()
        alive.close()
        assert heard[:1] == b"\x02" and frame(*heard[:-2]) == heard

    run(test)


def test_answers_that_nobody_reads_are_gone_after_a_while(monkeypatch):
    monkeypatch.setattr("tools.twin.bus._UNREAD_S", 0.5)

    async def test(twin, wire):
        wire.write(frame(1, *READ_METER))
        await asyncio.sleep(3.2)
        assert await wire.listen(0.05) == b""

    with_wire(test)


def test_two_buses():
    async def test(twin):
        client = AsyncModbusSerialClient(twin.ptys["b"], baudrate=115200, timeout=1, retries=0)
        await client.connect()
        answer = await client.read_input_registers(0, count=2, device_id=1)
        assert len(answer.registers) == 2
        client.close()
        assert twin.state()["bus"]["b"]["requests"] == 1
        assert twin.state()["bus"]["rs485_1"]["requests"] == 0

    meters = [
        {"id": "M1", "kind": "sdm630", "bus": "rs485_1", "unit": 1},
        {"id": "M2", "kind": "sdm630", "bus": "b", "unit": 1, "measures": "E1"},
    ]
    run(
        test,
        config={"buses": {"b": {"baudrate": 115200, "parity": "N", "stop": 1}}, "meters": meters},
    )
