"""Any formula means what an evaluator written from the description says, however bracketed."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import fmod, isfinite, sqrt

from hypothesis import given, settings
from hypothesis import strategies as st

from formula import FormulaError, parse

VALUES = {"a": 3, "b": -2.5, "c": 0, "m1.power_w": 7000, "gm.surplus.power_w": -1, "big": 1 << 61}
LARGEST = (1 << 62) - 1

# A tree is a number, a name, or (operator or function, operands...).
BINARY = {
    "||": 2,
    "&&": 3,
    "|": 4,
    "&": 5,
    "==": 6,
    "!=": 6,
    "<": 7,
    "<=": 7,
    ">": 7,
    ">=": 7,
    "+": 8,
    "-": 8,
    "*": 9,
    "/": 9,
    "%": 9,
    "^": 11,
}
UNARY = 10
ATOM = 12


class Refused(Exception):
    pass


def checked(value):
    if isinstance(value, complex):
        raise Refused("not_real")
    if isinstance(value, int) and abs(value) > LARGEST or not isfinite(value):
        raise Refused("too_large")
    return value


def divided(x, y):
    if y == 0:
        raise Refused("division_by_zero")
    if isinstance(x, int) and isinstance(y, int) and Fraction(x, y).denominator == 1:
        return int(Fraction(x, y))
    return x / y


def remainder(x, y):
    if y == 0:
        raise Refused("division_by_zero")
    if isinstance(x, int) and isinstance(y, int):
        return x - y * int(Fraction(x, y))
    return fmod(x, y)


def power(x, y):
    if isinstance(x, int) and isinstance(y, int) and y >= 0:
        if abs(x) > 1 and y > 62:
            raise Refused("too_large")
        return x**y
    try:
        return float(x) ** float(y)
    except ZeroDivisionError:
        raise Refused("division_by_zero") from None
    except OverflowError:
        raise Refused("too_large") from None


def bits(x, y, both):
    if x != int(x) or y != int(y):
        raise Refused("not_whole")
    x, y = checked(int(x)), checked(int(y))
    return x & y if both else x | y


OPERATIONS = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": divided,
    "%": remainder,
    "^": power,
    "&": lambda x, y: bits(x, y, True),
    "|": lambda x, y: bits(x, y, False),
    "==": lambda x, y: int(x == y),
    "!=": lambda x, y: int(x != y),
    "<": lambda x, y: int(x < y),
    "<=": lambda x, y: int(x <= y),
    ">": lambda x, y: int(x > y),
    ">=": lambda x, y: int(x >= y),
    "neg": lambda x: -x,
    "!": lambda x: int(not x),
    "abs": abs,
    "sqrt": lambda x: sqrt(x) if x >= 0 else complex(),
    "round": lambda x: int(Decimal(x).to_integral_value(ROUND_HALF_UP)),
    "min": lambda *each: min(each),
    "max": lambda *each: max(each),
    "clamp": lambda x, low, high: min(max(x, low), high),
}


def wanted(tree):
    if isinstance(tree, str):
        if tree not in VALUES:
            raise Refused("unknown_name")
        return VALUES[tree]
    if not isinstance(tree, tuple):
        return tree
    kind, *operands = tree
    if kind == "?":
        return wanted(operands[1]) if wanted(operands[0]) else wanted(operands[2])
    if kind == "&&":
        return int(bool(wanted(operands[0]) and wanted(operands[1])))
    if kind == "||":
        return int(bool(wanted(operands[0]) or wanted(operands[1])))
    if kind == "exists":
        return int(operands[0] in VALUES)
    return checked(OPERATIONS[kind](*[wanted(operand) for operand in operands]))


def printed(tree, full):
    """(text, precedence): with all brackets, or with only those that are needed."""

    def inside(operand, needed):
        text, precedence = printed(operand, full)
        brackets = precedence < ATOM if full else precedence < needed
        return "(%s)" % text if brackets else text

    if not isinstance(tree, tuple):
        return (tree.upper() if isinstance(tree, str) and full else str(tree)), ATOM
    kind, *operands = tree
    if kind == "?":
        test, yes, no = inside(operands[0], 2), inside(operands[1], 1), inside(operands[2], 1)
        return "%s ? %s : %s" % (test, yes, no), 1
    if kind in ("neg", "!"):
        return ("-" if kind == "neg" else "!") + inside(operands[0], UNARY), UNARY
    if kind == "^":
        return inside(operands[0], ATOM) + "^" + inside(operands[1], UNARY), 11
    if kind in BINARY:
        own = BINARY[kind]
        return "%s %s %s" % (inside(operands[0], own), kind, inside(operands[1], own + 1)), own
    return "%s(%s)" % (kind, ", ".join(printed(each, full)[0] for each in operands)), ATOM


NUMBERS = st.one_of(
    st.integers(0, 20),
    st.integers(0, LARGEST),
    st.sampled_from([0.0, 0.5, 1.5, 2.5, 1e-3, 1e300, 4.0]),
    st.floats(0, allow_infinity=False, allow_nan=False),
)
NAMES = st.sampled_from(sorted(VALUES) + ["nope", "m1.nope"])


def branches(children):
    return st.one_of(
        st.tuples(st.sampled_from(sorted(BINARY)), children, children),
        st.tuples(st.sampled_from(["neg", "!", "abs", "round", "sqrt"]), children),
        st.tuples(st.sampled_from(["?", "clamp"]), children, children, children),
        st.lists(children, min_size=1, max_size=5).map(lambda each: ("min", *each)),
        st.lists(children, min_size=1, max_size=5).map(lambda each: ("max", *each)),
        st.tuples(st.just("exists"), NAMES),
    )


TREES = st.recursive(st.one_of(NUMBERS, NAMES), branches, max_leaves=16)


def lookup(name, field):
    return VALUES[name + "." + field if name else field]


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except Refused as refused:
        return str(refused)
    except FormulaError as error:
        return error.code


def names_in(tree):
    if isinstance(tree, str):
        return {tree}
    if isinstance(tree, tuple):
        return set().union(*[names_in(operand) for operand in tree[1:]])
    return set()


@settings(max_examples=400, deadline=None)
@given(TREES)
def test_value_is_that_of_the_description(tree):
    should = outcome(wanted, tree)
    for full in (True, False):
        text, _ = printed(tree, full)
        if len(text) > 512:
            return
        expression = outcome(parse, text)
        if expression == "too_deep":
            return
        assert not isinstance(expression, str), (text, expression)
        got = outcome(expression.value, lookup)
        assert got == should and type(got) is type(should), text
        asked = {name + "." + field if name else field for name, field in expression.names}
        assert asked == names_in(tree), text


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.text(max_size=600), st.text("0123456789.eE+-*/%^&|!<>=?:(), aM_", max_size=60))
)
def test_any_text_is_a_number_or_a_formula_error(text):
    try:
        got = parse(text).value(lookup)
    except FormulaError as error:
        assert 1 <= error.column <= len(text) + 1
        assert str(error).endswith((".", ")")) or error.code == "in_variable"
    else:
        assert isinstance(got, (int, float)) and isfinite(got)


@given(st.integers(), st.booleans())
def test_integers_are_read_exactly_up_to_62_bits(number, spaced):
    text = (" %d" if spaced else "%d") % abs(number)
    assert outcome(lambda: parse(text).value(lookup)) == (
        abs(number) if abs(number) <= LARGEST else "too_large"
    )


@given(st.floats(allow_nan=True, allow_infinity=True) | st.integers())
def test_what_lookup_returns_comes_out_or_is_refused(value):
    got = outcome(parse("x").value, lambda name, field: value)
    if value != value:
        assert got == "no_value"
    elif isinstance(value, int) and abs(value) > LARGEST or not isfinite(value):
        assert got == "too_large"
    else:
        assert got == value and type(got) is type(value)
