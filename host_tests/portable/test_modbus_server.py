"""Server PDUs: what is served, what is refused, and that a refusal changes nothing."""

import random

from modbus.pdu import ModbusError, ModbusException, check_response, read_request, write_request
from modbus.server import handle


def hexes(text):
    return bytes([int(part, 16) for part in text.split()])


class Bank:
    """300 coils and registers, none beyond 299; values above 60000 are refused."""

    def __init__(self):
        self.coils = [False] * 300
        self.registers = [0] * 300

    def _check(self, address, count):
        if address + count > 300:
            raise ModbusException(2)

    def read_coils(self, fc, address, count, out, off):
        self._check(address, count)
        for i in range(count):
            if self.coils[address + i] != (fc == 2):
                out[off + (i >> 3)] |= 1 << (i & 7)

    def read_registers(self, fc, address, count, out, off):
        self._check(address, count)
        for i in range(count):
            value = self.registers[address + i]
            out[off + 2 * i] = value >> 8
            out[off + 2 * i + 1] = value & 255

    def write_coils(self, fc, address, count, buf, off):
        self._check(address, count)
        for i in range(count):
            self.coils[address + i] = bool(buf[off + (i >> 3)] >> (i & 7) & 1)

    def write_registers(self, fc, address, count, buf, off):
        self._check(address, count)
        values = [buf[off + 2 * i] << 8 | buf[off + 2 * i + 1] for i in range(count)]
        if max(values) > 60000:
            raise ModbusException(3)
        self.registers[address : address + count] = values


def ask(bank, pdu):
    buf = b"\xee\xee" + pdu + b"\xee"
    out = bytearray(b"\xdd" * 260)
    n = handle(buf, len(pdu), bank, out, 2, 3)
    assert n <= 253 and out[:3] == b"\xdd\xdd\xdd" and out[256:] == b"\xdd\xdd\xdd\xdd"
    return bytes(out[3 : 3 + n])


def test_examples_of_the_specification():
    bank = Bank()
    bank.registers[107:110] = [0x022B, 0, 0x64]
    assert ask(bank, hexes("03 00 6B 00 03")) == hexes("03 06 02 2B 00 00 00 64")
    assert ask(bank, hexes("04 00 6B 00 01")) == hexes("04 02 02 2B")
    assert ask(bank, hexes("06 00 01 00 03")) == hexes("06 00 01 00 03")
    assert ask(bank, hexes("10 00 01 00 02 04 00 0A 01 02")) == hexes("10 00 01 00 02")
    assert bank.registers[1:3] == [10, 0x102]
    assert ask(bank, hexes("05 00 AC FF 00")) == hexes("05 00 AC FF 00")
    assert bank.coils[172] and sum(bank.coils) == 1
    assert ask(bank, hexes("0F 00 13 00 0A 02 CD 01")) == hexes("0F 00 13 00 0A")
    assert ask(bank, hexes("01 00 13 00 0A")) == hexes("01 02 CD 01")
    assert ask(bank, hexes("05 00 13 00 00")) == hexes("05 00 13 00 00")
    assert ask(bank, hexes("01 00 13 00 03")) == hexes("01 01 04")
    assert ask(bank, hexes("02 00 13 00 03")) == hexes("02 01 03")


_REFUSALS = (
    ("07", "87 01"),
    ("2B 0E 01 00", "AB 01"),
    ("00 00 00 00 01", "80 01"),
    ("83 00", "83 01"),
    ("03 00 00 00 00", "83 03"),
    ("03 00 00 00 7E", "83 03"),
    ("01 00 00 07 D1", "81 03"),
    ("03 00", "83 03"),
    ("03 00 00 00 01 00", "83 03"),
    ("06 00 00 00", "86 03"),
    ("05 00 00 12 00", "85 03"),
    ("05 00 00 FF 01", "85 03"),
    ("05 00 00 00 01", "85 03"),
    ("05 00 00 01 00", "85 03"),
    ("06 00 00 00 01 00", "86 03"),
    ("05 00 00 FF 00 00", "85 03"),
    ("10 00 00 00 00 00", "90 03"),
    ("10 00 00 00 02 04 00 01 00", "90 03"),
    ("10 00 00 00 02 02 00 01 00 02", "90 03"),
    ("10 00 00 00 01 02 00 01 00", "90 03"),
    ("10 00 00 00 01", "90 03"),
    ("0F 00 00 00 09 01 FF", "8F 03"),
    ("0F 00 00 00 08 01", "8F 03"),
    ("03 FF FF 00 02", "83 02"),
    ("10 FF FF 00 02 04 00 01 00 02", "90 02"),
    ("03 01 2C 00 01", "83 02"),
    ("06 01 2C 00 01", "86 02"),
    ("05 01 2C FF 00", "85 02"),
    ("0F 01 28 00 08 01 FF", "8F 02"),
    ("06 00 00 FF FF", "86 03"),
)


def test_refusals_have_the_right_exception_and_change_nothing():
    for request, refusal in _REFUSALS:
        bank = Bank()
        assert ask(bank, hexes(request)) == hexes(refusal), request
        assert not any(bank.registers) and not any(bank.coils), request


def test_largest_quantities():
    bank = Bank()
    bank.registers = list(range(300))
    bank.coils = [True] * 300
    answer = ask(bank, hexes("03 00 00 00 7D"))
    assert len(answer) == 252 and answer[:4] == hexes("03 FA 00 00") and answer[-1] == 124
    assert ask(bank, hexes("10 00 00 00 7B F6") + bytes(246)) == hexes("10 00 00 00 7B")
    assert not any(bank.registers[:123]) and bank.registers[123] == 123
    assert ask(bank, hexes("10 00 00 00 7C F8") + bytes(248)) == hexes("90 03")
    assert ask(bank, hexes("01 00 00 01 2C")) == hexes("01 26") + b"\xff" * 37 + b"\x0f"


def test_missing_methods_are_illegal_functions():
    class Nothing:
        pass

    for request in (
        "01 00 00 00 01",
        "02 00 00 00 01",
        "03 00 00 00 01",
        "04 00 00 00 01",
        "05 00 00 FF 00",
        "06 00 00 00 01",
        "0F 00 00 00 01 01 01",
        "10 00 00 00 01 02 00 01",
    ):
        fc = int(request[:2], 16)
        assert ask(Nothing(), hexes(request)) == bytes([fc | 0x80, 1])


def test_registers_are_never_asked_beyond_the_last_address():
    class Endless:
        def read_registers(self, fc, address, count, out, off):
            assert address + count <= 65536

        read_coils = write_registers = write_coils = read_registers

    for request in ("03 FF FF 00 02", "01 FF FF 00 02", "04 FF 84 00 7D"):
        assert ask(Endless(), hexes(request)) == bytes([int(request[:2]) | 0x80, 2])
    assert ask(Endless(), hexes("10 FF FF 00 02 04 00 01 00 02")) == hexes("90 02")
    assert ask(Endless(), hexes("0F FF FF 00 02 01 03")) == hexes("8F 02")
    assert ask(Endless(), hexes("03 FF FF 00 01")) == hexes("03 02 00 00")
    assert ask(Endless(), hexes("06 FF FF 00 01")) == hexes("06 FF FF 00 01")


def test_failure_of_the_device_is_exception_4():
    class Broken:
        def read_registers(self, fc, address, count, out, off):
            raise ModbusException(4)

    assert ask(Broken(), hexes("03 00 00 00 01")) == hexes("83 04")


def test_nothing_is_answered_to_nothing():
    out = bytearray(260)
    assert handle(b"", 0, Bank(), out) == 0 and not any(out)


def test_random_requests_round_trip_through_the_client():
    random.seed(7)
    bank = Bank()
    tx = bytearray(260)
    rx = bytearray(260)
    for _ in range(400):
        fc = random.choice((1, 2, 3, 4, 5, 6, 15, 16))
        address = random.randrange(0, 310)
        count = random.randrange(1, 60) if fc not in (5, 6) else 1
        data = bytes([random.randrange(0, 200) for _ in range(2 * count)])
        if fc == 5:
            data = random.choice((b"\xff\x00", b"\x00\x00"))
        if fc == 15:
            data = data[: (count + 7) // 8]
        if fc < 5:
            n = read_request(tx, 0, fc, address, count)
        else:
            n = write_request(tx, 0, fc, address, data, count if fc == 15 else 0)
        m = handle(tx, n, bank, rx)
        try:
            start, end = check_response(rx, 0, m, tx)
        except ModbusException as error:
            assert error.code == 2 and address + count > 300
            continue
        assert address + count <= 300
        if fc == 16:
            written = bank.registers[address : address + count]
            assert written == [data[2 * i] << 8 | data[2 * i + 1] for i in range(count)]
        elif fc == 15:
            bits = [bool(data[i >> 3] >> (i & 7) & 1) for i in range(count)]
            assert bank.coils[address : address + count] == bits
        elif fc in (3, 4):
            words = [rx[i] << 8 | rx[i + 1] for i in range(start, end, 2)]
            assert words == bank.registers[address : address + count]


def test_garbage_never_raises():
    random.seed(11)
    bank = Bank()
    for _ in range(2000):
        pdu = [random.choice((0, 1, 2, 3, 4, 5, 6, 15, 16, random.randrange(256)))]
        for _ in range(random.randrange(13)):
            pdu.append(random.choice((0, 1, 2, 4, 255, random.randrange(256))))
        pdu = bytes(pdu)
        answer = ask(bank, pdu)
        if answer[0] == pdu[0] | 0x80 and len(answer) == 2:
            assert 1 <= answer[1] <= 4
        else:
            try:
                check_response(answer, 0, len(answer), pdu)
            except ModbusError as error:
                raise AssertionError("%r -> %r: %s" % (pdu, answer, error))
