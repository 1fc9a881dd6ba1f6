"""The nodes of a parsed formula and their evaluation.

A node is a tuple whose first item is the function that evaluates it: node[0](node, lookup).
Operands that are constants lie in the node itself, which saves a tuple and a call for each:

    (function, a, b, place, a_constant, b_constant)     two operands; a, b: node or None
    (choose, test, yes, no, yes_constant, no_constant)  test ? yes : no
    (function, a, place)                                one operand, always a node
    (function, object, field, column)                   a name
    (constant, value)                                   a constant where a node is needed

place is column << 5 | number of the operation. Six items are what fits into 32 bytes of a 32-bit
heap; few locals keep a call's state off the heap (11 words). Every result is checked: a formula
yields a finite number of a sane size or a FormulaError.
"""

from math import fmod
from math import sqrt as root

from micropython import const

_MAX_BITS = const(62)  # enough for any energy in mWh, and the product of two is still cheap
_MAX_INT = const(0x3FFFFFFFFFFFFFFF)
_SMALL = const(0x3FFFFFFF)  # an int below this needs no heap on a 32-bit MicroPython

# Numbers of the operations: their place in BINARY and in _ONE_OPERAND of parser.py.
_LESS = const(2)
_GREATER = const(4)
_SUBTRACT = const(6)
_MIN = const(7)
_MAX = const(8)
_DIVIDE = const(9)
_REMAINDER = const(10)
_POWER = const(11)
_BIT_AND = const(12)
_ADD = const(14)
_NEGATIVE = const(0)
_ABS = const(1)
_ROUND = const(2)


class FormulaError(Exception):
    """A formula that cannot be read or evaluated; str() is an English sentence.

    column: place in the text, from 1. code: key of the sentence in firmware/texts/formula.json.
    values: what fills {0}, {1} there; for code "in_variable" {1} is the FormulaError inside.
    """

    def __init__(self, code, column, *values):
        super().__init__(code, column)
        self.code = code
        self.column = column
        self.values = values

    def __str__(self):
        from .sentences import SENTENCES

        return SENTENCES[self.code].format(*self.values)


class Expression:
    """A formula that has been read and is correct in form."""

    def __init__(self, root):
        self._root = root

    def value(self, lookup):
        """The value of the formula, an int or a float; FormulaError if there is none.

        lookup(object, field) gets lower-case strings (object "" for a bare name) and returns a
        number, or None for a name that is known but has no value now. It raises KeyError for an
        unknown name; a FormulaError of its own becomes one of this formula. Anything else that
        it raises is a fault of the program and passes through.
        """
        root = self._root
        return root[0](root, lookup)

    @property
    def names(self):
        """The (object, field) pairs that the formula asks lookup for, exists() included."""
        from .parser import names

        return names(self._root)

    def adds_to(self, own):
        """True where it is one of the `own` pairs plus or minus something; see additive.py."""
        from .additive import adds_to

        return adds_to(self._root, own)


def fit(value, column):
    """Return value if it is finite and, as an integer, of at most 62 bits; else FormulaError."""
    if isinstance(value, int):
        if -_MAX_INT <= value <= _MAX_INT:
            return value
    elif value - value == 0:  # not so for infinities and nan
        return value
    raise FormulaError("too_large", column)


def constant(n, lookup):
    return n[1]


def read(n, lookup):
    try:
        value = +lookup(n[1], n[2])  # True becomes 1
        if -_SMALL < value < _SMALL:
            return value
    except (KeyError, FormulaError, RuntimeError, TypeError) as error:
        raise _not_read(n, lookup, error)
    if value == value:  # not so for nan
        return fit(value, n[3])
    raise _not_read(n, lookup, TypeError())


def _not_read(n, lookup, error):
    name = n[1] + "." + n[2] if n[1] else n[2]
    code = "unknown_name"
    if isinstance(error, FormulaError):
        # A variable that is a formula itself: our column, its cause. Of a chain, the last link.
        values = error.values if error.code == "in_variable" else (name, error)
        return FormulaError("in_variable", n[3], *values)
    if isinstance(error, RuntimeError):
        if "recursion" not in str(error):
            return error
        code = "circular"
    elif isinstance(error, TypeError):
        lookup(n[1], n[2])  # where it was lookup's own, it comes again
        code = "no_value"
    return FormulaError(code, n[3], name)


def exists(n, lookup):
    try:
        value = lookup(n[1], n[2])
    except KeyError:
        return 0
    except (FormulaError, RuntimeError) as error:
        if isinstance(error, RuntimeError):
            raise _not_read(n, lookup, error)
        return 1  # it is there; the error comes up where its value is wanted
    return 0 if value is None or value != value else 1


# These three go on with their last operand in a loop when it is of their kind, so that a chain of
# choices or conditions takes no more stack than one.
def choose(n, lookup):
    while True:
        a = n[1]
        if a[0](a, lookup):
            a = n[2]
            return a[0](a, lookup) if a else n[4]
        a = n[3]
        if not a:
            return n[5]
        if a[0] is not choose:
            return a[0](a, lookup)
        n = a


def logical_or(n, lookup):
    while True:
        a = n[1]
        if a[0](a, lookup) if a else n[4]:
            return 1
        a = n[2]
        if not a:
            return 1 if n[5] else 0
        if a[0] is not logical_or:
            return 1 if a[0](a, lookup) else 0
        n = a


def logical_and(n, lookup):
    while True:
        a = n[1]
        if not (a[0](a, lookup) if a else n[4]):
            return 0
        a = n[2]
        if not a:
            return 1 if n[5] else 0
        if a[0] is not logical_and:
            return 1 if a[0](a, lookup) else 0
        n = a


def compare(n, lookup):
    a = n[1]
    x = a[0](a, lookup) if a else n[4]
    a = n[2]
    y = a[0](a, lookup) if a else n[5]
    a = n[3] & 31
    if a < _LESS:
        x = x == y
    elif a < _GREATER:
        x = x < y
    else:
        x = x > y
    return a & 1 ^ (1 if x else 0)


def add(n, lookup):
    a = n[1]
    x = a[0](a, lookup) if a else n[4]
    a = n[2]
    x += a[0](a, lookup) if a else n[5]
    return x if -_SMALL < x < _SMALL else fit(x, n[3] >> 5)


def multiply(n, lookup):
    a = n[1]
    x = a[0](a, lookup) if a else n[4]
    a = n[2]
    x *= a[0](a, lookup) if a else n[5]
    return x if -_SMALL < x < _SMALL else fit(x, n[3] >> 5)


def calculate(n, lookup):
    a = n[1]
    x = a[0](a, lookup) if a else n[4]
    a = n[2]
    y = a[0](a, lookup) if a else n[5]
    a = n[3] & 31
    if a == _MIN:
        return x if x <= y else y
    if a == _MAX:
        return x if x >= y else y
    if a == _SUBTRACT:
        x -= y
    else:
        x = _calculate_more(a, x, y, n[3] >> 5)
    return x if -_SMALL < x < _SMALL else fit(x, n[3] >> 5)


def _calculate_more(number, x, y, column):
    whole = isinstance(x, int) and isinstance(y, int)
    if number >= _BIT_AND:
        if x % 1 or y % 1:
            raise FormulaError("not_whole", column)
        x = fit(int(x), column)
        y = fit(int(y), column)
        return x & y if number == _BIT_AND else x | y
    if number == _POWER:
        if whole and y >= 0:
            # With more bits than allowed it is too large, no matter by how much.
            return x ** (y if -2 < x < 2 else min(y, _MAX_BITS))
        if x < 0 and y % 1:
            raise FormulaError("not_real", column)
        if x or y >= 0:
            try:
                return float(x) ** float(y)
            except OverflowError:  # where MicroPython returns inf
                return float("inf")
    elif y:
        if number == _DIVIDE:
            return x // y if whole and not x % y else x / y
        # The remainder has the sign of the dividend, as in C; Python's has that of the divisor.
        return abs(x) % abs(y) * (1 if x > 0 else -1) if whole else fmod(x, y)
    raise FormulaError("division_by_zero", column)


def logical_not(n, lookup):
    n = n[1]
    return 0 if n[0](n, lookup) else 1


def change(n, lookup):
    a = n[1]
    x = a[0](a, lookup)
    a = n[2] & 31
    if a == _NEGATIVE:
        return -x
    if a == _ABS:
        return abs(x)
    if a == _ROUND:
        # Half goes away from zero. Adding 0.5 first would round 0.49999999999999994 up.
        a = int(x)
        return fit(a + (x - a >= 0.5) - (x - a <= -0.5), n[2] >> 5)
    if x < 0:
        raise FormulaError("not_real", n[2] >> 5)
    return root(x)
