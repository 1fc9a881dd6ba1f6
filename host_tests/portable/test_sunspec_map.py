"""The SunSpec server's registers: places, contents, any part of them, and what may be written."""

from struct import pack, unpack

from fakes.sunspec_source import MapError, Source

from sunspec.server_devices import DeviceMap
from sunspec.server_map import MANAGER, ServerMap

END = 41004 + 2 + 3 * 22


def made(published=None):
    source = Source()
    if published:
        return source, DeviceMap(source, published, MapError)
    return source, ServerMap(source, MANAGER, MapError)


def read(image, address, count):
    out = bytearray(b"\xee" * (2 * count + 6))
    image.read_registers(3, address, count, out, 3)
    assert out[:3] == b"\xee" * 3 and out[-3:] == b"\xee" * 3
    return bytes(out[3:-3])


def words(image, address, count):
    return list(unpack(">%dH" % count, read(image, address, count)))


def number(image, address):
    return unpack(">f", read(image, address, 2))[0]


def refused(function, *arguments):
    try:
        function(*arguments)
    except MapError as error:
        return error.code
    return None


def put(image, address, data):
    return refused(image.write_registers, 16, address, len(data) // 2, b"\xee\xee" + data, 2)


def chain(image):
    """[(start, model, length)] as a client walks it."""
    assert read(image, 40000, 2) == b"SunS"
    at = 40002
    found = []
    while True:
        model, length = words(image, at, 2)
        found.append((at, model, length))
        if model == 0xFFFF:
            return found
        at += 2 + length


def test_models_lie_where_the_operator_expects_them():
    _, image = made()
    found = chain(image)
    meters = [(40070 + 126 * i, 213, 124) for i in range(7)]
    rest = [(40952, 60000, 16), (40970, 60001, 32), (41004, 60002, 66), (END, 0xFFFF, 0)]
    assert found == [(40002, 1, 66)] + meters + rest
    assert number(image, 40098) == -690 and number(image, 40968) == 100
    for n in range(7):  # the counters in their order, by their power
        assert number(image, 40098 + 126 * n) == -690 * (n + 1)


def test_outside_is_refused():
    _, image = made()
    for address, count in (
        (39999, 1),
        (39990, 20),
        (END + 2, 1),
        (END + 1, 2),
        (0, 125),
        (65535, 1),
    ):
        assert refused(read, image, address, count) == 2, address
    assert words(image, END, 2) == [0xFFFF, 0]


def test_any_part_is_the_part_of_the_whole():
    _, image = made()
    whole = bytearray(2 * (END + 2 - 40000))
    for at in range(40000, END + 2):
        image.read_registers(4, at, 1, whole, 2 * (at - 40000))
    for count in (2, 3, 124, 125):
        for address in list(range(40000, END + 3 - count, 61)) + [END + 2 - count]:
            part = read(image, address, count)
            assert part == whole[2 * (address - 40000) :][: 2 * count], (address, count)


def test_common_model():
    _, image = made()
    data = read(image, 40004, 66)
    assert data[:32] == b"RippleGate" + bytes(22)
    assert data[32:64] == b"Charging manager" + bytes(16) and data[64:80] == bytes(16)
    assert data[80:85] == b"0.1.0" and data[96:108] == b"020000000001"
    assert data[128:] == b"\x00\x07\x80\x00"


def test_meter():
    source, image = made()
    start = 40070
    expected = {2: -3, 4: -1, 6: -2, 8: 0, 10: 230, 12: 231, 14: 229, 26: 50, 28: -690, 30: -230}
    # Not measured: current by voltage, the site's where that is not known either.
    expected.update({32: -458, 34: 0, 36: 689, 38: 231, 40: 458, 42: 0, 44: 10})
    expected.update({60: 16777216, 68: 1000000})
    for offset in range(2, 124, 2):
        value = number(image, start + offset)
        if offset in expected:
            assert value == expected[offset], offset
        else:
            assert read(image, start + offset, 2) == b"\x7f\xc0\x00\x00", offset
    assert words(image, start + 124, 2) == [0, 0]
    source.energy_asked, source.phases_asked = [], []
    read(image, start, 60)
    assert not source.energy_asked  # what is not asked for is not counted
    assert source.phases_asked == ["grid_demand"]
    read(image, 40098, 2)
    assert source.phases_asked == ["grid_demand"]
    source.silent = ("grid_demand",)
    assert read(image, start + 2, 122) == b"\x7f\xc0\x00\x00" * 61


def test_devices():
    source, image = made([("M1", False), ("E1", False), ("M2", True)])
    places = [(40002, 1, 66), (40070, 213, 126), (40198, 113, 62), (40262, 213, 126)]
    assert chain(image) == places + [(40390, 124, 25), (40417, 0xFFFF, 0)]
    assert words(image, 40070 + 124, 4) == [0, 0, 3, 0xFFFF]  # grid, -1 = M1
    assert words(image, 40262 + 126, 2) == [5, 0xFFFE]
    # The wallbox: A, V, W, Hz, VA, Wh; its state and id.
    assert [number(image, 40198 + n) for n in (2, 4, 6)] == [-30, -10, -20]
    assert [number(image, 40198 + n) for n in (16, 18, 22, 24)] == [231, 229, -6900, 50]
    assert number(image, 40198 + 32) == 10000000
    assert words(image, 40198 + 62, 2) == [3, 1]
    storage = words(image, 40392, 25)
    assert storage[6] == 55 and storage[9] == 3 and storage[24] == 0xFFFE
    assert storage[0] == 0xFFFF and storage[16:25] == [0, 0] + [0x8000] * 2 + [0] + [
        0x8000
    ] * 3 + [0xFFFE]
    source.silent = ("M1", "M2", "E1")
    assert words(image, 40392, 25)[6] == 0xFFFF
    assert words(image, 40198 + 48, 2) == [0xFFFF, 0xFFFF]
    assert words(image, 40070 + 126, 2) == [3, 0xFFFF]
    assert put(image, 40072, b"\x00" * 4) == 2


def test_variables():
    source, image = made()
    assert read(image, 41006, 22) == b"AVAIL" + bytes(35) + pack(">f", 0.5)
    assert read(image, 41028, 22) == b"b" + bytes(39) + b"\x7f\xc0\x00\x00"
    assert number(image, 41026 + 22 + 22) == 1
    source.known["zz"] = 3e39
    assert chain(image)[-2:] == [(41004, 60002, 88), (END + 22, 0xFFFF, 0)]
    assert words(image, END + 20, 2) == [0x7FC0, 0]  # too large for a float
    assert not put(image, 41026, pack(">f", 0.25)) and source.known["AVAIL"] == 0.25
    assert (
        put(image, 41026, b"\x7f\xc0\x00\x00") == put(image, 41026, pack(">f", float("inf"))) == 3
    )
    assert put(image, 41025, b"\x00" * 6) == 2  # the name
    source.known.clear()
    assert chain(image)[-2:] == [(41004, 60002, 0), (41006, 0xFFFF, 0)]
    assert put(image, 41026, pack(">f", 1)) == 2


def test_flags():
    source, image = made()
    assert not put(image, 40972, pack(">3H", 1, 0, 1)) and source.flags == {1: 1, 2: 0, 3: 1}
    source.flags[32] = -1
    assert words(image, 40972, 4) == [1, 0, 1, 0] and words(image, 41003, 1) == [0xFFFF]
    for value in (2, 0xFFFF, 0x8000):
        assert put(image, 40980, pack(">2H", 1, value)) == 3
    assert 9 not in source.flags
    assert put(image, 41003, pack(">2H", 0, 0)) == put(image, 40971, pack(">2H", 0, 0)) == 2


def test_parameters():
    source, image = made()
    before = source.state_of_all()
    for address, value in (
        (40968, 33.3),
        (40968, 0),
        (40954, 63000),
        (40958, 0),
        (40964, 0),
        (40966, 1),
    ):
        assert not put(image, address, pack(">f", value)), address
        assert abs(number(image, address) - value) < 1e-4
    whole = pack(">8f", 16000, 500, 0, 0, 20000, 1, 0, 50)
    assert not put(image, 40954, whole) and read(image, 40954, 16) == whole
    source.parameters.update(before[0])
    for address, value in (
        (40968, -0.5),
        (40968, 100.5),
        (40968, float("nan")),
        (40968, float("inf")),
        (40954, -1),
        (40964, 2),
        (40966, 0.5),
    ):
        assert put(image, address, pack(">f", value)) == 3, (address, value)
    # Half a float, at both ends and alone; all or nothing.
    assert put(image, 40968, b"\x42\xc8") == put(image, 40969, b"\x00\x00") == 3
    assert put(image, 40966, pack(">f", 0) + b"\x42\xc8") == 3
    assert put(image, 40967, b"\x00\x00" + pack(">f", 50)) == 3
    assert put(image, 40954, pack(">8f", 16000, 500, 0, 0, 20000, 1, 0, 101)) == 3
    assert put(image, 40968, pack(">f", 50) + b"\xea\x61") == 2
    assert put(image, 40952, b"\xea\x60\x00\x10" + whole) == 2
    assert source.state_of_all() == before
    source.refuse = 4
    assert put(image, 40968, pack(">f", 50)) == 4
