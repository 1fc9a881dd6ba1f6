"""Properties of the SunSpec server's registers that hold for every request."""

import math
import struct

from fakes.sunspec_source import MapError, Source
from hypothesis import given
from hypothesis import strategies as st
from modbus_glue import Bank  # noqa: F401  (puts lib on the path)

from sunspec.server_devices import DeviceMap
from sunspec.server_map import MANAGER, ServerMap

BASE = 40000
PUBLISHED = [("M1", False), ("E1", False), ("M2", True)]
_maps = st.sampled_from([None, PUBLISHED])
_counts = st.integers(1, 125)
_addresses = st.one_of(st.integers(BASE - 3, 41100), st.integers(0, 65410))
# What masters write: floats, in range and not, and any bytes.
_floats = st.one_of(
    st.sampled_from([0, 1, 30, 33.3, 100, 100.5, 35000, -1, 2, math.nan, math.inf]),
    st.floats(width=32),
)
_data = st.one_of(
    st.lists(_floats, min_size=1, max_size=10).map(lambda n: struct.pack(">%df" % len(n), *n)),
    st.lists(st.sampled_from([0, 1, 2, 0x42C8, 0x7FC0]), min_size=1, max_size=40).map(
        lambda n: struct.pack(">%dH" % len(n), *n)
    ),
    st.binary(min_size=2, max_size=246).map(lambda data: data[: len(data) & -2]),
)
_places = st.one_of(st.integers(40950, 41075), _addresses)


def made(published):
    source = Source()
    if published:
        return source, DeviceMap(source, published, MapError)
    return source, ServerMap(source, MANAGER, MapError)


def read(image, address, count):
    out = bytearray(2 * count)
    image.read_registers(3, address, count, out, 0)
    return bytes(out)


def whole(image):
    end = image.places()[-1][0] + 2
    return b"".join(read(image, address, 1) for address in range(BASE, end))


WHOLE = {bool(published): whole(made(published)[1]) for published in (None, PUBLISHED)}


@given(_maps, _addresses, _counts)
def test_a_read_is_the_part_of_the_whole_or_refused(published, address, count):
    image = made(published)[1]
    expected = WHOLE[bool(published)]
    inside = BASE <= address and address + count <= BASE + len(expected) // 2
    try:
        got = read(image, address, count)
    except MapError as refusal:
        assert refusal.code == 2 and not inside
    else:
        assert inside and got == expected[2 * (address - BASE) :][: 2 * count]


@given(_maps, _places, _data)
def test_a_write_is_taken_whole_or_not_at_all(published, address, data):
    source, image = made(published)
    before = source.state_of_all()
    count = len(data) // 2
    try:
        image.write_registers(16, address, count, b"\xee" + data, 1)
    except MapError as refusal:
        assert refusal.code in (2, 3)
        assert source.state_of_all() == before and whole(image) == WHOLE[bool(published)]
        return
    assert not published
    at = 2 * (address - BASE)
    after = whole(image)
    was = WHOLE[False]
    # It reads back as it was written (two zeros and NaNs aside), and nothing else has changed.
    assert after[:at] == was[:at] and after[at + len(data) :] == was[at + len(data) :]
    assert after[at : at + len(data)] == data
