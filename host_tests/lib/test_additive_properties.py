"""A formula that "only adds" gives with its own field as 0 just what is to be added."""

from hypothesis import given
from hypothesis import strategies as st

from formula import parse

OWN = [("", "own"), ("m5", "own")]
VALUES = {("", "a"): 3, ("", "b"): -7, ("m1", "c"): 0}

formulas = st.recursive(
    st.sampled_from(["own", "own", "M5.own", "a", "b", "M1.c", "5", "-2"]),
    lambda part: st.one_of(
        st.tuples(part, st.sampled_from("+-+-+-*"), part).map("({0[0]} {0[1]} {0[2]})".format),
        st.tuples(part, part, part).map("({0[0]} ? {0[1]} : {0[2]})".format),
        st.tuples(part, part).map("{0[0]} < {0[1]} ? own : {0[1]}".format),
        part.map("-{0}".format),
        part.map("max({0}, a)".format),
    ),
    max_leaves=8,
)


@given(formulas, st.integers(-(10**9), 10**9))
def test_the_rest_is_what_is_added(text, own):
    expression = parse(text)
    if not expression.adds_to(OWN):
        return
    read = []

    def lookup(name, field):
        if (name, field) in OWN:
            read.append(field)
            return 0
        return VALUES[(name, field)]

    def whole(name, field):
        return own if (name, field) in OWN else VALUES[(name, field)]

    rest = expression.value(lookup)
    assert expression.value(whole) == rest + (own if read else 0)


@given(st.lists(st.sampled_from(["+ a", "- b", "+ (a ? b : 2)", "- a * M1.c"]), max_size=6))
def test_sums_are_recognised(parts):
    assert parse("own " + " ".join(parts)).adds_to(OWN)
    assert not parse("own * 2 " + " ".join(parts)).adds_to(OWN)
