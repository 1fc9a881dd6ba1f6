"""Client PDUs: the examples of the Modbus specification, and answers to something else."""

import random

from modbus.pdu import ModbusError, ModbusException, check_response, read_request, write_request


def hexes(text):
    return bytes([int(part, 16) for part in text.split()])


def request(fc, address, what, count=0):
    buf = bytearray(260)
    build = write_request if isinstance(what, bytes) else read_request
    arguments = (fc, address, what) + ((count,) if count else ())
    n = build(buf, 3, *arguments)
    assert buf[:3] == b"\0\0\0" and not any(buf[3 + n :]), "writes outside of its PDU"
    return bytes(buf[3 : 3 + n])


def answer(text, asked):
    data = hexes(text)
    buf = b"\xee\xee" + data + b"\xee"
    start, end = check_response(buf, 2, len(data), asked)
    return buf[start:end]


def refused(text, asked):
    data = hexes(text)
    try:
        check_response(data, 0, len(data), asked)
    except ModbusError as error:
        return error
    raise AssertionError("%s was taken for an answer" % text)


def raises_value_error(function, *arguments):
    try:
        function(*arguments)
    except ValueError as error:
        return str(error)
    raise AssertionError("%r was accepted" % (arguments,))


# MODBUS Application Protocol Specification V1.1b3, sections 6.1 to 6.12: request, answer, data.
_EXAMPLES = (
    (1, 19, 19, "01 00 13 00 13", "01 03 CD 6B 05", "CD 6B 05"),
    (2, 196, 22, "02 00 C4 00 16", "02 03 AC DB 35", "AC DB 35"),
    (3, 107, 3, "03 00 6B 00 03", "03 06 02 2B 00 00 00 64", "02 2B 00 00 00 64"),
    (4, 8, 1, "04 00 08 00 01", "04 02 00 0A", "00 0A"),
    (5, 172, b"\xff\x00", "05 00 AC FF 00", "05 00 AC FF 00", "FF 00"),
    (6, 1, b"\x00\x03", "06 00 01 00 03", "06 00 01 00 03", "00 03"),
    (16, 1, b"\0\x0a\x01\x02", "10 00 01 00 02 04 00 0A 01 02", "10 00 01 00 02", "00 02"),
)


def test_examples_of_the_specification():
    for fc, address, what, sent, answered, data in _EXAMPLES:
        asked = request(fc, address, what)
        assert asked == hexes(sent), sent
        assert answer(answered, asked) == hexes(data), answered


def test_coils_count_bits_not_bytes():
    asked = request(15, 19, b"\xcd\x01", 10)
    assert asked == hexes("0F 00 13 00 0A 02 CD 01")
    assert answer("0F 00 13 00 0A", asked) == b"\x00\x0a"
    assert request(15, 0, b"\xff") == hexes("0F 00 00 00 08 01 FF")


def test_every_exception_has_its_code_and_a_sentence():
    asked = request(3, 0, 1)
    for code in (1, 2, 3, 4, 5, 6, 8, 10, 11):
        error = refused("83 %02X" % code, asked)
        assert isinstance(error, ModbusException) and error.code == code
        assert "not in the standard" not in str(error) and str(code) in str(error)
    for code in (0, 7, 9, 12, 255):
        error = refused("83 %02X" % code, asked)
        assert error.code == code and "not in the standard" in str(error)
    assert "illegal data address" in str(refused("83 02", asked))
    assert "gateway target" in str(refused("83 0B", asked))


def test_answers_to_something_else():
    read = request(3, 107, 3)
    assert refused("04 06 02 2B 00 00 00 64", read).code == "function"
    assert refused("84 02", read).code == "function"
    assert refused("03 04 02 2B 00 00", read).code == "length"
    assert refused("03 06 02 2B 00 00 00", read).code == "length"
    assert refused("03 06 02 2B 00 00 00 64 00", read).code == "length"
    assert refused("03", read).code == "short"
    assert refused("", read).code == "short"
    assert refused("83 02 00", read).code == "function"
    write = request(6, 1, b"\x00\x03")
    assert refused("06 00 01 00 04", write).code == "echo"
    assert refused("06 00 02 00 03", write).code == "echo"
    assert refused("06 00 01 00", write).code == "length"
    many = request(16, 1, b"\0\x0a\x01\x02")
    assert refused("10 00 01 00 03", many).code == "echo"
    assert refused("10 00 01 00 02 04", many).code == "length"
    assert not isinstance(refused("10 01 01 00 02", many), ModbusException)


def test_requests_out_of_bounds_are_refused():
    buf = bytearray(260)
    for arguments in (
        (0, 0, 1),
        (5, 0, 1),
        (16, 0, 1),  # these do not read
        (3, 0, 0),
        (3, 0, 126),
        (1, 0, 2001),
        (3, 65535, 2),
        (4, -1, 1),
        (3, 65536, 1),
    ):
        raises_value_error(read_request, buf, 0, *arguments)
    for arguments in (
        (3, 0, b"\0\0"),
        (6, 65536, b"\0\0"),
        (6, 0, b"\0\0\0"),
        (16, 65535, b"\0\0\0\0"),
        (16, 0, b""),
        (16, 0, b"\0\0\0"),
        (16, 0, bytes(248)),
        (15, 0, b"\0\0", 8),
        (15, 0, b"", 0),
        (15, 0, bytes(247)),
    ):
        raises_value_error(write_request, buf, 0, *arguments)
    assert not any(buf), "a refused request leaves no trace"
    assert "65535" in raises_value_error(read_request, buf, 0, 3, 65535, 2)


def test_largest_requests_fit():
    buf = bytearray(260)
    assert write_request(buf, 7, 16, 65413, bytes(range(246))) == 252
    assert len(buf) == 260
    assert write_request(buf, 7, 15, 0, bytes(246), 1968) == 252
    assert read_request(buf, 7, 3, 65411, 125) == 5
    assert read_request(buf, 7, 1, 63536, 2000) == 5
    raises_value_error(write_request, bytearray(100), 7, 16, 0, bytes(100))


def test_no_garbage_ever_raises_anything_else():
    random.seed(3)
    asked = request(3, 0, 2)
    taken = 0
    for _ in range(3000):
        n = random.randrange(0, 12)
        data = bytes([random.choice((3, 4, 0x83, 0, random.randrange(256))) for _ in range(n)])
        try:
            start, end = check_response(data, 0, n, asked)
            assert (start, end) == (2, 6) and data[:2] == b"\x03\x04" and n == 6
            taken += 1
        except ModbusError as error:
            assert str(error)
    assert taken < 100
