"""Our client against pymodbus' and umodbus' servers, our server against their clients."""

import asyncio
import contextlib
import os
import socket
import socketserver
import threading

import modbus_glue as glue
import pytest
import serial
import umodbus.client.serial.rtu as umodbus_rtu
import umodbus.client.tcp as umodbus_tcp
from pymodbus import FramerType
from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from umodbus.exceptions import IllegalDataAddressError
from umodbus.server.serial import get_server as get_serial_server
from umodbus.server.serial.rtu import RTUServer
from umodbus.server.tcp import RequestHandler
from umodbus.server.tcp import get_server as get_tcp_server

from modbus.pdu import ModbusException

UNIT = 17
BAUDRATE = 115200


# ---- their servers ----


def pymodbus_device():
    bank = glue.Bank()
    blocks = [[SimData(0, values=bank.bits[fc], datatype=DataType.BITS)] for fc in (1, 2)]
    blocks += [[SimData(0, values=bank.words[fc], datatype=DataType.REGISTERS)] for fc in (3, 4)]
    return SimDevice(UNIT, simdata=tuple(blocks))


@contextlib.contextmanager
def in_loop(make_server):
    """Runs a pymodbus server in a thread's own loop."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    server = None

    async def start():
        nonlocal server
        server = make_server()
        await server.listen()
        ready.set()

    def run():
        asyncio.set_event_loop(loop)
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        assert ready.wait(glue.TIMEOUT_S)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.shutdown(), loop).result(glue.TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(glue.TIMEOUT_S)
        loop.close()


@contextlib.contextmanager
def pymodbus_tcp_server():
    make = lambda: ModbusTcpServer(pymodbus_device(), address=("127.0.0.1", 0))  # noqa: E731
    with in_loop(make) as server:
        client = glue.TcpClient(server.transport.sockets[0].getsockname()[1], UNIT)
        with contextlib.closing(client):
            yield client


@contextlib.contextmanager
def line():
    near, far, path = glue.open_line()
    try:
        yield near, path
    finally:
        os.close(near)
        os.close(far)


@contextlib.contextmanager
def pymodbus_rtu_server():
    with line() as (near, path):

        def make():
            return ModbusSerialServer(
                pymodbus_device(), framer=FramerType.RTU, port=path, baudrate=BAUDRATE
            )

        with in_loop(make):
            yield glue.RtuClient(near, UNIT)


def add_routes(server):
    bank = glue.Bank()
    everything = list(range(glue.SIZE))

    @server.route(slave_ids=[UNIT], function_codes=[1, 2], addresses=everything)
    def read_bits(slave_id, function_code, address):
        return int(bank.bits[function_code][address])

    @server.route(slave_ids=[UNIT], function_codes=[3, 4], addresses=everything)
    def read_words(slave_id, function_code, address):
        return bank.words[function_code][address]

    @server.route(slave_ids=[UNIT], function_codes=[5, 15], addresses=everything)
    def write_bits(slave_id, function_code, address, value):
        bank.bits[1][address] = bool(value)

    @server.route(slave_ids=[UNIT], function_codes=[6, 16], addresses=everything)
    def write_words(slave_id, function_code, address, value):
        bank.words[3][address] = value


@contextlib.contextmanager
def umodbus_tcp_server():
    server = get_tcp_server(socketserver.TCPServer, ("127.0.0.1", 0), RequestHandler)
    add_routes(server)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        client = glue.TcpClient(server.server_address[1], UNIT)
        with contextlib.closing(client):
            yield client
    finally:
        server.shutdown()
        server.server_close()
        thread.join(glue.TIMEOUT_S)


@contextlib.contextmanager
def umodbus_rtu_server():
    with line() as (near, path), serial.Serial(path, BAUDRATE) as port:
        server = get_serial_server(RTUServer, port)
        port.timeout = 0.05
        add_routes(server)
        stop = threading.Event()

        def run():
            while not stop.is_set():
                with contextlib.suppress(ValueError):  # nothing within the time-out
                    server.serve_once()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield glue.RtuClient(near, UNIT)
        finally:
            stop.set()
            thread.join(glue.TIMEOUT_S)
            assert not thread.is_alive()


def bits(data, count):
    return [bool(data[i // 8] >> i % 8 & 1) for i in range(count)]


@pytest.mark.parametrize(
    "server", [pymodbus_tcp_server, pymodbus_rtu_server, umodbus_tcp_server, umodbus_rtu_server]
)
def test_our_client(server):
    expected = glue.Bank()
    with server() as client:
        for fc in (1, 2):
            for address, count in ((0, 1), (3, 19), (100, 100)):
                right = expected.bits[fc][address : address + count]
                assert bits(client.ask(fc, address, count), count) == right
        for fc in (3, 4):
            for address, count in ((0, 1), (7, 3), (75, 125)):
                data = client.ask(fc, address, count)
                words = [int.from_bytes(data[i : i + 2], "big") for i in range(0, 2 * count, 2)]
                assert words == expected.words[fc][address : address + count]
        client.ask(6, 50, b"\x12\x34")
        client.ask(16, 51, bytes(range(246)))
        assert client.ask(3, 50, 124) == b"\x12\x34" + bytes(range(246))
        client.ask(5, 60, b"\xff\x00")
        client.ask(5, 61, b"\x00\x00")
        client.ask(15, 62, b"\xcd\x01", 10)
        assert bits(client.ask(1, 60, 12), 12) == [True, False] + bits(b"\xcd\x01", 10)
        for fc, what in ((3, 10), (4, 10), (1, 10), (16, bytes(20)), (15, b"\xff\xff")):
            with pytest.raises(ModbusException) as error:
                client.ask(fc, 199, what)  # pymodbus rounds 200 coils up to 208
            assert error.value.code == 2
        # Connection and line are still in step.
        assert client.ask(3, 7, 1) == (7 * 257).to_bytes(2, "big")


# ---- their clients ----


@contextlib.contextmanager
def pymodbus_tcp_client(bank):
    server = glue.TcpServer(bank)
    client = ModbusTcpClient("127.0.0.1", port=server.port, timeout=glue.TIMEOUT_S, retries=0)
    try:
        assert client.connect()
        yield client
    finally:
        client.close()
        server.close()


@contextlib.contextmanager
def pymodbus_rtu_client(bank):
    with line() as (near, path):
        server = glue.RtuServer(bank, near, UNIT)
        client = ModbusSerialClient(path, baudrate=BAUDRATE, timeout=glue.TIMEOUT_S, retries=0)
        try:
            assert client.connect()
            yield client
        finally:
            client.close()
            server.close()


@pytest.mark.parametrize("peer", [pymodbus_tcp_client, pymodbus_rtu_client])
def test_our_server_against_pymodbus(peer):
    bank = glue.Bank()
    fresh = glue.Bank()
    at = {"device_id": UNIT}
    with peer(bank) as client:
        assert client.read_coils(3, count=19, **at).bits[:19] == fresh.bits[1][3:22]
        assert client.read_discrete_inputs(0, count=200, **at).bits == fresh.bits[2]
        assert client.read_holding_registers(75, count=125, **at).registers == fresh.words[3][75:]
        assert client.read_input_registers(9, count=1, **at).registers == fresh.words[4][9:10]
        assert not client.write_coil(1, True, **at).isError() and bank.bits[1][1]
        assert not client.write_coils(30, [True, False, True] * 5, **at).isError()
        assert bank.bits[1][30:45] == [True, False, True] * 5
        assert not client.write_register(8, 65535, **at).isError() and bank.words[3][8] == 65535
        values = list(range(1000, 1123))
        assert not client.write_registers(20, values, **at).isError()
        assert bank.words[3][20:143] == values
        for answer in (
            client.read_holding_registers(199, count=2, **at),
            client.write_registers(199, [1, 2], **at),
            client.read_coils(200, count=1, **at),
        ):
            assert answer.isError() and answer.exception_code == 2
        refused = client.readwrite_registers(read_address=0, read_count=1, values=[1], **at)
        assert refused.isError() and refused.exception_code == 1  # FC 23 is not served
        assert client.read_holding_registers(2, count=1, **at).registers == [514]


def umodbus_session(client, send):
    fresh = glue.Bank()
    assert send(client.read_coils(UNIT, 3, 19)) == [int(b) for b in fresh.bits[1][3:22]]
    assert send(client.read_discrete_inputs(UNIT, 0, 100)) == [int(b) for b in fresh.bits[2][:100]]
    assert send(client.read_holding_registers(UNIT, 75, 125)) == fresh.words[3][75:]
    assert send(client.read_input_registers(UNIT, 9, 2)) == fresh.words[4][9:11]
    assert send(client.write_single_coil(UNIT, 1, 1)) == 1
    assert send(client.write_multiple_coils(UNIT, 30, [1, 0, 1, 1, 0, 0, 0, 1, 1])) == 9
    assert send(client.write_single_register(UNIT, 8, 4711)) == 4711
    assert send(client.write_multiple_registers(UNIT, 20, [1, 2, 65535])) == 3
    with pytest.raises(IllegalDataAddressError):
        send(client.read_holding_registers(UNIT, 199, 2))
    assert send(client.read_coils(UNIT, 30, 9)) == [1, 0, 1, 1, 0, 0, 0, 1, 1]
    assert send(client.read_holding_registers(UNIT, 20, 3)) == [1, 2, 65535]


def test_our_server_against_umodbus_tcp():
    server = glue.TcpServer(glue.Bank())
    try:
        with socket.create_connection(("127.0.0.1", server.port), glue.TIMEOUT_S) as connection:
            umodbus_session(umodbus_tcp, lambda adu: umodbus_tcp.send_message(adu, connection))
    finally:
        server.close()
    assert server.bank.bits[1][1] and server.bank.words[3][8] == 4711


def test_our_server_against_umodbus_rtu():
    with line() as (near, path), serial.Serial(path, BAUDRATE, timeout=glue.TIMEOUT_S) as port:
        server = glue.RtuServer(glue.Bank(), near, UNIT)
        try:
            umodbus_session(umodbus_rtu, lambda adu: umodbus_rtu.send_message(adu, port))
        finally:
            server.close()
        assert server.bank.bits[1][1] and server.bank.words[3][8] == 4711
