"""Properties of lib/modbus that hold for every input."""

import math
import struct

from hypothesis import given
from hypothesis import strategies as st
from modbus_glue import Bank

from modbus import rtu, tcp
from modbus.pdu import ModbusError, check_response, read_request, write_request
from modbus.server import handle, request_length
from modbus.template import Template, TemplateError
from modbus.types import decode, encode, scaled

_BITS = {"u16": 16, "i16": 16, "u32": 32, "i32": 32, "u64": 64, "i64": 64}
_integers = st.sampled_from(sorted(_BITS)).flatmap(
    lambda kind: st.tuples(
        st.just(kind),
        st.integers(0, 2 ** _BITS[kind] - 2)
        if kind[0] == "u"
        else st.integers(1 - 2 ** (_BITS[kind] - 1), 2 ** (_BITS[kind] - 1) - 2),
    )
)
_orders = st.sampled_from(["hl", "lh"])


@given(_integers, _orders)
def test_integers_round_trip(number, order):
    kind, value = number
    buf = bytearray(8)
    size = encode(kind, order, value, buf, 0)
    assert decode(kind, order, buf, 0) == value
    if order == "hl":
        assert bytes(buf[:size]) == value.to_bytes(size, "big", signed=kind[0] == "i")


@given(_integers, st.integers(1, 10**6), st.integers(1, 10**6))
def test_scaling_of_integers_is_the_nearest(number, num, den):
    kind, value = number
    buf = bytearray(8)
    encode(kind, "hl", value, buf, 0)
    result = scaled(kind, "hl", buf, 0, num, den)
    assert 2 * abs(result * den - value * num) <= den
    assert isinstance(result, int)


@given(st.floats(width=32), _orders)
def test_floats_are_finite_or_none(value, order):
    buf = bytearray(4)
    encode("f32", order, value, buf, 0)
    decoded = decode("f32", order, buf, 0)
    result = scaled("f32", order, buf, 0, 1000, 1)
    if not math.isfinite(value):
        assert decoded is None and result is None
        return
    assert decoded == value
    if result is not None:
        assert isinstance(result, int) and abs(result - value * 1000) <= 0.5 + abs(value) / 1e9


@given(st.binary(min_size=2, max_size=250))
def test_crc_frames(data):
    buf = bytearray(data) + b"\0\0"
    end = rtu.add_crc(buf, 0, len(data))
    rtu.check_crc(buf, 0, end)
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    assert bytes(buf[-2:]) == struct.pack("<H", crc)


@given(st.binary(max_size=260))
def test_any_bytes_as_an_answer(data):
    request = bytearray(260)
    for fc in (1, 3, 6, 16):
        if fc < 5:
            read_request(request, 0, fc, 3, 9)
        else:
            write_request(request, 0, fc, 3, b"\1\2")
        try:
            start, end = check_response(data, 0, len(data), request)
            assert 0 < start < end <= len(data)
        except ModbusError as error:
            assert str(error)


@given(st.binary(min_size=1, max_size=260))
def test_any_bytes_as_a_request(data):
    out = bytearray(260)
    n = handle(data, len(data), Bank(), out)
    assert 2 <= n <= 253
    if out[0] & 0x80 or data[0] & 0x80:
        assert n == 2 and out[1] in (1, 2, 3)
    else:
        check_response(out, 0, n, data)


@given(st.binary(max_size=260))
def test_a_reader_never_waits_for_more_than_a_frame(data):
    for length in (rtu.response_length, request_length):
        try:
            total = length(data, len(data))
            assert total in (0, -1) or 4 < total <= 264
            assert total or len(data) < 7
        except ModbusError:
            assert length is rtu.response_length


@given(st.binary(min_size=7, max_size=7))
def test_any_bytes_as_a_header(data):
    try:
        transaction, unit, n = tcp.unpack_header(data, 0)
    except ModbusError:
        return
    buf = bytearray(7)
    tcp.pack_header(buf, 0, transaction, unit, n)
    assert bytes(buf) == data


@given(
    st.integers(-(10**6), 10**6),
    st.sampled_from([("u16", 6), ("u16", 16), ("u32", 16), ("i32", 16), ("f32", 16)]),
    st.sampled_from([("A", 0), ("A", -1), ("A", -2), ("mA", 0), ("mA", 1)]),
    st.sampled_from([1, 10, 60, 100, 500, 1000]),
    _orders,
)
def test_what_is_written_never_exceeds_the_wish(wish_ma, register, unit, step_ma, order):
    """Read back with the same scale, the limit is a pause or not above the wish, and in range."""
    kind, fc = register
    limit = {
        "fc": fc,
        "address": 1,
        "type": kind,
        "order": order,
        "unit": unit[0],
        "scale": unit[1],
        "min_ma": 6000,
        "max_ma": 32000,
        "step_ma": step_ma,
    }
    value = {"reading": "offered_ma", "address": 1, "unit": unit[0], "scale": unit[1]}
    block = {"fc": 3, "address": 1, "count": 2, "every_ms": 1000, "type": kind, "order": order}
    block["values"] = [value]
    device = Template({"kind": "evse", "blocks": [block], "limit": limit})
    ((_, _, data),) = device.limit_writes(wish_ma)
    readings = {}
    device.decode(0, data + b"\0\0", 0, readings)
    got_ma = readings["offered_ma"]
    if wish_ma < 6000:
        assert got_ma == 0
    else:
        coarse_ma = max(step_ma, {("A", 0): 1000, ("A", -1): 100}.get(unit, 10))
        assert min(wish_ma, 32000) - 2 * coarse_ma < got_ma <= min(wish_ma, 32000)
        assert got_ma >= 6000


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)
_KEYS = (
    "kind",
    "serial",
    "blocks",
    "limit",
    "init",
    "watchdog",
    "max_registers",
    "port",
    "quiet_ms",
)


@given(st.sampled_from(_KEYS), _json)
def test_any_json_in_a_template_is_a_template_or_a_sentence(key, junk):
    value = {"reading": "state", "address": 0, "type": "u16", "map": {"1": "A"}}
    data = {
        "kind": "evse",
        "blocks": [{"fc": 3, "address": 0, "count": 2, "every_ms": 1000, "values": [value]}],
        "limit": {"fc": 6, "address": 1, "unit": "A", "step_ma": 100},
    }
    data["limit"].update(min_ma=6000, max_ma=16000)
    _either({**data, key: junk})


_VALUE_KEYS = (
    "reading address type order unit scale factor sign nan words"
    " mask shift map and_if sign_of sum_of"
)
_LIKELY = ["f32", "char", "str", "state", "soc", [1, 2], {"reading": "soc", "in": [1]}]


@given(
    st.sampled_from(_VALUE_KEYS.split()),
    _json | st.sampled_from(_LIKELY),
    st.binary(min_size=8, max_size=8),
)
def test_any_json_in_a_value_is_a_reading_or_a_sentence(key, junk, registers):
    for reading in ("state", "power_w", "soc"):
        value = {"reading": reading, "address": 0, "type": "u16", "unit": "W", key: junk}
        block = {"fc": 3, "address": 0, "count": 4, "every_ms": 1000, "values": [value]}
        device = _either({"kind": "meter", "blocks": [block]})
        if device:
            readings = {"soc": 1}
            device.decode(0, registers, 0, readings)


def _either(data):
    try:
        return Template(data)
    except TemplateError as error:
        assert error.field and str(error).startswith(error.field)
        return None
