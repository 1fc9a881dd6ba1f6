"""Records of the journal: what goes in comes out; anything else is refused."""

import hashlib
import io

from hypothesis import given
from hypothesis import strategies as st

from journal import measures, reading, records

_NUMBER = st.integers(0, 1 << 34)
_SIGNED = st.one_of(st.none(), st.integers(-(1 << 34), 1 << 34))
_TEXT = st.text(max_size=11)  # up to 44 bytes
_VALUES = {
    "v": _NUMBER,
    "z": _SIGNED,
    "s": _TEXT,
    "S": st.lists(_TEXT, max_size=3),
    "p": st.lists(st.tuples(st.sampled_from(["S1", "E12"]), _SIGNED).map(list), max_size=16),
    "h": st.binary(min_size=32, max_size=32),
    "q": st.binary(min_size=4, max_size=4),
}


def record(kind):
    values = st.tuples(*[_VALUES[what] for what in records.TYPES[kind]])
    return st.tuples(st.just(kind), _NUMBER, values)


ANY = st.integers(0, len(records.TYPES) - 1).flatmap(record)


@given(ANY)
def test_round_trip(item):
    kind, passed_cs, values = item
    data = records.encode(kind, passed_cs, values)
    assert reading.decode(data) == (kind, passed_cs, list(values))
    whole = data + b"1234"
    assert reading.frame(io.BytesIO(whole + b"more").read) == whole


@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_are_a_record_or_refused(data):
    try:
        kind, passed_cs, values = reading.decode(data)
    except records.BadRecord:
        return
    assert len(values) == len(records.TYPES[kind]) and passed_cs >= 0


@given(st.text(max_size=80))
def test_long_texts_are_cut_between_letters(text):
    values = reading.decode(records.encode(11, 0, (text, [], 0)))[2]
    assert text.startswith(values[0]) and len(values[0].encode()) <= 48


@given(st.lists(record(8), min_size=1, max_size=8), st.data())
def test_a_changed_bit_of_a_chain_is_found(items, data):
    state = hashlib.sha256(b"first").digest()
    chain = bytearray()
    head = (1, 0, state, 1, 0, None, 0, None, None)
    for kind, passed_cs, values in [(0, 0, head), *items]:
        one = records.encode(kind, passed_cs, values)
        state = records.follow(state, one)
        chain += one + state[: records.CHECK]

    def whole():
        reader = reading.Reader()
        found = list(reading.rows(reader, io.BytesIO(chain), len(chain)))
        return reader.fault is None and len(found) == len(items) + 1

    assert whole()
    i = data.draw(st.integers(0, len(chain) - 1))
    chain[i] ^= 1 << data.draw(st.integers(0, 7))
    assert not whole()


def test_every_kind_has_names_for_its_values():
    assert len(reading.NAMES) == len(records.TYPES)
    for names, types in zip(reading.NAMES, records.TYPES, strict=True):
        assert len(names.split()) == len(types) + 1
    assert measures.LATE_S == 300
