"""Sockets and serial lines for lib/modbus on CPython, as small as a test needs them.

Everything is bound to loopback or to a pseudo terminal, has time-outs and is closed by `close`.
"""

import os
import select
import socket
import threading
import tty

from modbus import pdu, rtu, tcp
from modbus.pdu import ModbusException
from modbus.server import handle, request_length

TIMEOUT_S = 5
SIZE = 200


class Bank:
    """Data of a server, and what each peer's server is filled with: 200 of each kind."""

    def __init__(self):
        self.bits = {1: [i % 3 == 0 for i in range(SIZE)], 2: [i % 5 == 0 for i in range(SIZE)]}
        self.words = {3: [i * 257 for i in range(SIZE)], 4: [60000 - i for i in range(SIZE)]}

    def _check(self, address, count):
        if address + count > SIZE:
            raise ModbusException(2)

    def read_coils(self, fc, address, count, out, off):
        self._check(address, count)
        for i in range(count):
            out[off + i // 8] |= self.bits[fc][address + i] << i % 8

    def read_registers(self, fc, address, count, out, off):
        self._check(address, count)
        for i, word in enumerate(self.words[fc][address : address + count]):
            out[off + 2 * i : off + 2 * i + 2] = word.to_bytes(2, "big")

    def write_coils(self, fc, address, count, buf, off):
        self._check(address, count)
        for i in range(count):
            self.bits[1][address + i] = bool(buf[off + i // 8] >> i % 8 & 1)

    def write_registers(self, fc, address, count, buf, off):
        self._check(address, count)
        for i in range(count):
            at = off + 2 * i
            self.words[3][address + i] = int.from_bytes(buf[at : at + 2], "big")


def open_line():
    """(file descriptor, path) of the two ends of a raw pseudo terminal."""
    near, far = os.openpty()
    tty.setraw(near)
    tty.setraw(far)
    path = os.ttyname(far)
    return near, far, path


class Client:
    """Our client: requests through pdu.py, frames through rtu.py or tcp.py."""

    def __init__(self, unit):
        self.unit = unit
        self.tx = bytearray(264)
        self.rx = bytearray(264)

    def ask(self, fc, address, what, count=0):
        """Data of the answer; `what` is a count to read or the bytes to write."""
        if isinstance(what, int):
            n = pdu.read_request(self.tx, self.pdu_at, fc, address, what)
        else:
            n = pdu.write_request(self.tx, self.pdu_at, fc, address, what, count)
        start, end = self.transact(n)
        start, end = pdu.check_response(self.rx, start, end - start, self.tx, self.pdu_at)
        return bytes(self.rx[start:end])


class TcpClient(Client):
    pdu_at = 7
    transaction = 65530  # the tests pass the wrap

    def __init__(self, port, unit):
        super().__init__(unit)
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)

    def _read(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            assert more, "the server closed the connection"
            data += more
        return data

    def transact(self, n):
        self.transaction += 1
        end = tcp.pack_header(self.tx, 0, self.transaction, self.unit, n)
        self.socket.sendall(self.tx[:end])
        transaction, unit, n = tcp.unpack_header(self._read(7), 0)
        assert (transaction, unit) == (self.transaction & 0xFFFF, self.unit)
        self.rx[:n] = self._read(n)
        return 0, n

    def close(self):
        self.socket.close()


class RtuClient(Client):
    pdu_at = 1

    def __init__(self, line, unit):
        super().__init__(unit)
        self.line = line

    def transact(self, n):
        self.tx[0] = self.unit
        os.write(self.line, self.tx[: rtu.add_crc(self.tx, 0, 1 + n)])
        have = total = 0
        while not total or have < total:
            assert select.select([self.line], [], [], TIMEOUT_S)[0], "no answer"
            more = os.read(self.line, 300)
            self.rx[have : have + len(more)] = more
            have += len(more)
            total = rtu.response_length(self.rx, have)
        rtu.check_crc(self.rx, 0, total)
        assert have == total and self.rx[0] == self.unit
        return 1, total - 2


class Server(threading.Thread):
    """Our server in a thread; subclasses know the frames."""

    def __init__(self, bank):
        super().__init__(daemon=True)
        self.bank = bank
        self.stopping = False
        self.out = bytearray(264)

    def close(self):
        self.stopping = True
        self.join(TIMEOUT_S)
        assert not self.is_alive()


class TcpServer(Server):
    def __init__(self, bank):
        super().__init__(bank)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(0.05)
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while not self.stopping:
            try:
                connection, _ = self.listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(0.05)
                self.serve(connection)
        self.listener.close()

    def serve(self, connection):
        data = b""
        while not self.stopping:
            try:
                more = connection.recv(300)
            except TimeoutError:
                continue
            if not more:
                return
            data += more
            while len(data) >= 7:
                transaction, unit, n = tcp.unpack_header(data, 0)
                if len(data) < 7 + n:
                    break
                answered = handle(data, n, self.bank, self.out, 7, 7)
                end = tcp.pack_header(self.out, 0, transaction, unit, answered)
                connection.sendall(self.out[:end])
                data = data[7 + n :]


class RtuServer(Server):
    def __init__(self, bank, line, unit):
        super().__init__(bank)
        self.line = line
        self.unit = unit
        self.start()

    def run(self):
        data = b""
        while not self.stopping:
            if not select.select([self.line], [], [], 0.05)[0]:
                continue
            data += os.read(self.line, 300)
            total = request_length(data, len(data))
            if total == -1:
                total = len(data)  # the peers write a frame at once: a pause is its end
            if total and len(data) >= total:
                self.serve(data[:total])
                data = data[total:]

    def serve(self, frame):
        rtu.check_crc(frame, 0, len(frame))
        if frame[0] == self.unit:
            n = handle(frame, len(frame) - 3, self.bank, self.out, 1, 1)
            self.out[0] = self.unit
            os.write(self.line, self.out[: rtu.add_crc(self.out, 0, 1 + n)])
