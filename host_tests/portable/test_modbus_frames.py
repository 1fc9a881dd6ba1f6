"""RTU and TCP frames: checksums, lengths, silence, headers."""

import random

from modbus import rtu, server, tcp
from modbus.pdu import FrameError, ModbusError


def hexes(text):
    return bytes([int(part, 16) for part in text.split()])


def slow_crc(data):
    """The specification's bit by bit form (MODBUS over Serial Line V1.02, section 6.2.2)."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def garbled(function, *arguments):
    try:
        function(*arguments)
    except FrameError as error:
        assert isinstance(error, ModbusError) and str(error)
        return error.code
    raise AssertionError("%r was accepted" % (arguments,))


def test_crc_of_known_frames():
    assert rtu.crc16(b"123456789", 0, 9) == 0x4B37  # check value of CRC-16/MODBUS
    for frame in ("02 07 41 12", "01 04 00 00 00 12 70 07", "11 03 00 6B 00 03 76 87"):
        data = hexes(frame)
        rtu.check_crc(data, 0, len(data))


def test_crc_equals_the_definition():
    random.seed(1)
    for n in range(0, 256, 5):
        data = bytes([random.randrange(256) for _ in range(n)])
        assert rtu.crc16(data, 0, n) == slow_crc(data)
        assert rtu.crc16(b"xx" + data + b"y", 2, 2 + n) == slow_crc(data)


def test_crc_is_written_low_byte_first():
    buf = bytearray(12)
    buf[1:7] = hexes("11 03 00 6B 00 03")
    assert rtu.add_crc(buf, 1, 7) == 9
    assert buf[7:9] == b"\x76\x87" and buf[0] == 0 and not any(buf[9:])
    rtu.check_crc(buf, 1, 9)


def test_every_flipped_bit_is_noticed():
    frame = hexes("01 04 04 43 66 33 34 1B 38")
    buf = bytearray(frame)
    end = rtu.add_crc(buf, 0, 7)
    for bit in range(end * 8):
        buf[bit >> 3] ^= 1 << (bit & 7)
        assert garbled(rtu.check_crc, buf, 0, end) == "crc"
        buf[bit >> 3] ^= 1 << (bit & 7)
    rtu.check_crc(buf, 0, end)
    for n in range(4):
        garbled(rtu.check_crc, b"\xff\xff\xff", 0, n)
    garbled(rtu.check_crc, buf, 0, end - 1)


def test_length_of_an_answer_is_known_early():
    for fc in (1, 2, 3, 4):
        frame = bytes([9, fc, 40]) + bytes(42)
        assert [rtu.response_length(frame, n) for n in (0, 1, 2)] == [0, 0, 0]
        assert rtu.response_length(frame, 3) == rtu.response_length(frame, 45) == 45
    for fc in (5, 6, 15, 16):
        assert rtu.response_length(bytes([9, fc]), 2) == 8
    for fc in (0x81, 0x83, 0x90, 0xFF):
        assert rtu.response_length(bytes([9, fc]), 2) == 5
    for start in ((9, 0), (9, 7), (9, 14), (9, 17), (9, 3, 0), (9, 3, 251), (9, 1, 255)):
        garbled(rtu.response_length, bytes(start), len(start))


def test_length_of_a_request():
    for fc in (1, 2, 3, 4, 5, 6):
        assert server.request_length(bytes([1, fc]), 2) == 8
    frame = hexes("01 10 00 01 00 02 04 00 0A 01 02 00 00")
    assert [server.request_length(frame, n) for n in (1, 2, 6, 7, 13)] == [0, 0, 0, 13, 13]
    assert server.request_length(b"\x01\x2b", 2) == -1


def test_silence_on_the_wire():
    assert rtu.silent_ms(9600) == 5  # 4.01 ms
    assert rtu.silent_ms(19200) == 3  # 2.005 ms
    assert rtu.silent_ms(9600, 10) == 4  # 3.65 ms
    assert rtu.silent_ms(1200) == 33
    assert rtu.silent_ms(38400) == rtu.silent_ms(115200) == 2  # fixed 1.75 ms


def test_mbap_header():
    buf = bytearray(20)
    # MODBUS Messaging on TCP/IP V1.0b, section 4.4.2.1: transaction 1501h, unit FFh, read 1 at 4.
    buf[7:12] = hexes("03 00 04 00 01")
    assert tcp.pack_header(buf, 0, 0x1501, 255, 5) == 12
    assert buf[:12] == hexes("15 01 00 00 00 06 FF 03 00 04 00 01")
    assert tcp.unpack_header(buf, 0) == (0x1501, 255, 5)
    assert tcp.pack_header(buf, 3, 0x12345, 1, 253) == 263
    assert tcp.unpack_header(buf, 3) == (0x2345, 1, 253)


def test_headers_that_are_not_modbus():
    for header in (
        "00 01 00 01 00 06 FF",
        "00 01 01 00 00 06 FF",  # another protocol
        "00 01 00 00 00 01 FF",
        "00 01 00 00 00 00 FF",  # no PDU
        "00 01 00 00 00 FF FF",
        "00 01 00 00 01 06 FF",  # longer than a PDU can be
        "48 54 54 50 2F 31 2E",  # HTTP/1.
    ):
        assert garbled(tcp.unpack_header, hexes(header), 0) == "mbap"


def test_chopped_stream_gives_every_frame_once():
    """A reader that asks response_length after each byte finds the frames, whatever the chunks."""
    random.seed(5)
    frames = []
    for _ in range(60):
        fc = random.choice((1, 3, 4, 6, 16, 0x83))
        if fc < 5:
            n = random.randrange(1, 60)
            body = bytes([fc, n]) + bytes([random.randrange(256) for _ in range(n)])
        else:
            body = bytes([fc] + [random.randrange(256) for _ in range(1 if fc > 127 else 4)])
        buf = bytearray(bytes([random.randrange(1, 248)]) + body + b"  ")
        rtu.add_crc(buf, 0, len(body) + 1)
        frames.append(bytes(buf))
    stream = b"".join(frames)
    found = []
    have = b""
    for i in range(len(stream)):
        have += stream[i : i + 1]
        if rtu.response_length(have, len(have)) == len(have):
            rtu.check_crc(have, 0, len(have))
            found.append(have)
            have = b""
    assert found == frames and not have
