"""Numbers and texts in registers: exact integers, word order, what means "not available"."""

import random
from struct import pack

from modbus.types import decode, encode, scaled, words

_INTEGERS = ("u16", "i16", "u32", "i32", "u64", "i64")


def raises_value_error(*arguments):
    try:
        encode(*arguments)
    except ValueError:
        return
    raise AssertionError("%r was accepted" % (arguments,))


def test_words():
    assert [words(kind) for kind in _INTEGERS + ("f32",)] == [1, 1, 2, 2, 4, 4, 2]


def test_word_order():
    buf = b"..\x01\x02\x03\x04\x05\x06\x07\x08"
    assert decode("u16", "hl", buf, 2) == decode("u16", "lh", buf, 2) == 0x0102
    assert decode("u32", "hl", buf, 2) == 0x01020304
    assert decode("u32", "lh", buf, 2) == 0x03040102
    assert decode("u64", "hl", buf, 2) == 0x0102030405060708
    assert decode("u64", "lh", buf, 2) == 0x0708050603040102
    assert decode("f32", "hl", b"\x43\x66\x80\x00", 0) == 230.5
    assert decode("f32", "lh", b"\x80\x00\x43\x66", 0) == 230.5


def test_integers_survive_both_ways():
    random.seed(2)
    buf = bytearray(12)
    for kind in _INTEGERS:
        bits = int(kind[1:])
        for _ in range(60):
            value = random.getrandbits(bits - 1 if bits < 32 else 30)
            if bits > 31:
                value = value << (bits - 31) | random.getrandbits(20)
            if kind[0] == "i":
                value -= 1 << random.randrange(1, bits - 1)
            for order in ("hl", "lh"):
                assert encode(kind, order, value, buf, 2) == bits // 8
                assert decode(kind, order, buf, 2) == value, (kind, order, value)
                assert buf[0] == buf[1] == 0


def test_negative_numbers():
    assert decode("i16", "hl", b"\xff\xff", 0) == -1
    assert decode("i32", "lh", b"\xff\xfe\xff\xff", 0) == -2
    assert scaled("i16", "hl", b"\xff\xf1", 0, 1, 10) == -2  # -1.5
    assert scaled("i16", "hl", b"\xff\xf2", 0, 1, 10) == -1  # -1.4


def test_not_available():
    for kind, pattern in (
        ("u16", "ffff"),
        ("i16", "8000"),
        ("i16", "7fff"),
        ("u32", "ffffffff"),
        ("i32", "80000000"),
        ("i32", "7fffffff"),
        ("u64", "ffffffffffffffff"),
        ("i64", "8000000000000000"),
        ("i64", "7fffffffffffffff"),
        ("f32", "7fc00000"),
        ("f32", "ffc00000"),
        ("f32", "7f800000"),
        ("f32", "ff800000"),
        ("f32", "7f800001"),
        ("f32", "ffffffff"),
    ):
        n = len(pattern) // 2
        buf = bytes([int(pattern[2 * i : 2 * i + 2], 16) for i in range(n)])
        swapped = b"".join([buf[i : i + 2] for i in range(n - 2, -1, -2)])
        assert decode(kind, "hl", buf, 0) is None, pattern
        assert decode(kind, "lh", swapped, 0) is None, pattern
        assert scaled(kind, "hl", buf, 0, 1000, 1) is None, pattern


def test_neighbours_of_the_patterns_are_values():
    assert decode("u16", "hl", b"\xff\xfe", 0) == 65534
    assert decode("u16", "hl", b"\x80\x00", 0) == 32768
    assert decode("u16", "hl", b"\x7f\xff", 0) == 32767
    assert decode("i16", "hl", b"\x80\x01", 0) == -32767
    assert decode("i16", "hl", b"\x7f\xfe", 0) == 32766
    assert decode("u32", "hl", b"\xff\xff\xff\xfe", 0) == 4294967294
    assert decode("i32", "hl", b"\xff\xff\xff\xff", 0) == -1


def test_scaling_of_integers_is_exact():
    big = bytearray(8)
    encode("u64", "hl", 123456789012345678, big, 0)
    assert scaled("u64", "hl", big, 0, 1000, 1) == 123456789012345678000
    assert scaled("u64", "hl", big, 0, 1, 10) == 12345678901234568
    assert scaled("u16", "hl", b"\x00\x05", 0, 1, 10) == 1  # 0.5 away from zero
    assert scaled("u16", "hl", b"\x00\x04", 0, 1, 10) == 0
    assert scaled("u16", "hl", b"\x00\xa0", 0, 100, 1) == 16000  # 16.0 A in 0.1 A
    assert scaled("u16", "hl", b"\x00\x01", 0, -100, 1) == -100
    assert scaled("u16", "hl", b"\x00\x02", 0, 1, 3) == 1


def test_scaling_of_floats():
    for value, num, den, expected in (
        (15.234, 1000, 1, 15234),
        (-7.5, 1000, 1, -7500),
        (230.12, 1, 1, 230),
        (0.0, 1000, 1, 0),
        (1234.567, 1000, 1, 1234567),
        (2999.6, 1, 1000, 3),
        (-0.4, 1, 1, 0),
        (1e-30, 1000, 1, 0),
    ):
        assert scaled("f32", "hl", pack(">f", value), 0, num, den) == expected, value
    for value in (1e16, -3e38, 1e30):
        assert scaled("f32", "hl", pack(">f", value), 0, 1000, 1) is None, "no credible reading"


def test_random_floats_give_integers():
    random.seed(9)
    for _ in range(500):
        buf = bytes([random.randrange(256) for _ in range(4)])
        value = scaled("f32", "hl", buf, 0, 1000, 1)
        assert value is None or isinstance(value, int)
        value = decode("f32", "hl", buf, 0)
        assert value is None or value - value == 0


def test_texts():
    assert decode("str", "hl", b"xxC2\0\0\0\0", 2, 3) == "C2"
    assert decode("str", "hl", b"  E \x01\xff", 0, 3) == "E"
    assert decode("str", "hl", b"\0\0\xff\xff", 0, 2) is None
    assert decode("str", "hl", b"AB", 0, 1) == "AB"


def test_encode_refuses_what_does_not_fit():
    buf = bytearray(8)
    for kind, value in (
        ("u16", 65536),
        ("u16", -1),
        ("i16", 32768),
        ("i16", -32769),
        ("u32", 1 << 32),
        ("u32", -1),
        ("i32", 1 << 31),
        ("u64", 1 << 64),
        ("i64", 1 << 63),
    ):
        raises_value_error(kind, "hl", value, buf, 0)
    assert not any(buf)


def test_encode():
    buf = bytearray(6)
    assert encode("f32", "hl", 13.5, buf, 1) == 4 and buf == b"\0\x41\x58\0\0\0"
    encode("f32", "lh", 13.5, buf, 0)
    assert buf[:4] == b"\0\0\x41\x58"
    encode("i32", "lh", -2, buf, 0)
    assert buf[:4] == b"\xff\xfe\xff\xff"
