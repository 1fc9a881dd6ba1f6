"""Formulas cannot harm: bounded text, depth, stack, heap and numbers, whatever is thrown in."""

import gc
import random
import sys

from formula import FormulaError, parse

ON_MICROPYTHON = sys.implementation.name == "micropython"
if ON_MICROPYTHON:
    import micropython

VALUES = {("", "a"): 3, ("", "b"): -2.5, ("", "c"): 0, ("m1", "x"): 7}


def lookup(name, field):
    return VALUES[(name, field)]


def code_of(text):
    try:
        parse(text).value(lookup)
    except FormulaError as error:
        assert 1 <= error.column <= len(text) + 1, (text, error.column)
        assert str(error)
        return error.code
    return None


def test_length():
    assert code_of("1" + " " * 511) is None
    assert code_of("1" + " " * 512) == "too_long"
    assert code_of("a+" * 5000 + "a") == "too_long"
    assert code_of("x" * 10000) == "too_long"


def test_depth():
    assert code_of("(" * 300) == "too_deep"
    assert code_of("(" * 300 + "1" + ")" * 300) == "too_long"
    assert code_of("(" * 200 + "1" + ")" * 200) == "too_deep"
    assert code_of("-" * 300 + "1") == "too_deep"
    assert code_of("!" * 300 + "a") == "too_deep"
    assert code_of("2^" * 200 + "1") == "too_deep"
    assert code_of("1?" * 200 + "1") == "too_deep"
    assert code_of("abs(" * 100 + "1" + ")" * 100) == "too_deep"
    assert code_of("a+" * 200 + "a") == "too_deep"
    assert code_of("1 - min(" * 21 + "1" + ", a)" * 21) == "too_deep"
    for head, tail in (("(1 + ", ")"), ("(", " + 1)"), ("!", ""), ("(", " ? 1 : 0)")):
        assert code_of(head * 20 + "a" + tail * 20) is None, head
        assert code_of(head * 21 + "a" + tail * 21) == "too_deep", head


def test_what_sensible_formulas_need_is_there():
    fifteen = " + ".join(["E%d.power_w" % i for i in range(1, 17)])
    assert parse(fifteen).value(lambda name, field: 1000) == 16000
    assert parse("max(" + fifteen.replace(" +", ",") + ")").value(lambda name, field: 7) == 7
    assert code_of("(" * 20 + "a" + ")" * 20) is None
    assert parse("(1 + " * 20 + "a" + ")" * 20).value(lookup) == 23
    # A table of many steps, and many conditions, are no nesting.
    steps = "".join(["a == %d ? %d : " % (i, i * 10) for i in range(24)])
    assert parse(steps + "5").value(lookup) == 30
    assert parse(steps.replace("==", ">") + "5").value(lookup) == 0
    assert parse("a && " * 40 + "a").value(lookup) == 1
    assert parse("c || " * 40 + "c").value(lookup) == 0


def deepest():
    """The deepest formulas that are allowed, one of each kind of node."""
    for head, tail in (
        ("(1 + ", ")"),
        ("(1 - ", ")"),
        ("(1 ^ ", ")"),
        ("(1 < ", ")"),
        ("(1 && (0 || ", "))"),
        ("abs(", ")"),
        ("!", ""),
        ("min(5, ", ")"),
        ("(a ? ", " : 0)"),
        ("(0 ? 1 : -", ")"),
    ):
        for times in range(30, 0, -1):
            text = head * times + "a" + tail * times
            if code_of(text) is None:
                assert times >= 9, text
                yield text
                break


def test_stack():
    # An ESP32 gives a task 16 kB of C stack, of which the firmware takes a few. Here the deepest
    # formulas run where at most 9 kB are left of the 40 kB of this interpreter.
    texts = list(deepest())
    assert len(texts) == 10
    if not ON_MICROPYTHON:
        return

    def down(text):
        if micropython.stack_use() < 31000:
            return down(text)
        return parse(text).value(lookup)

    for text in texts:
        down(text)


def test_heap():
    if not ON_MICROPYTHON:
        return
    names = ["abcdefghijklmnopqrstuvwxyz"[i] + ".x" for i in range(20)]
    for text in ("*".join(names), "a?b:" * 40 + "c", "1+(" * 20 + "a" + ")" * 20, "a," * 250):
        gc.collect()
        before = gc.mem_alloc()
        try:
            kept = parse(text[:512])
        except FormulaError as error:
            kept = error
        gc.collect()
        grown = gc.mem_alloc() - before
        assert grown < 8000, (text, grown)
        del kept


def test_numbers_stay_bounded():
    for text in ("9^9^9", "9^9999", "(2^61)^(2^61)", "99999999999999999999", "9" * 500):
        assert code_of(text) == "too_large"
    assert code_of("2^61*" * 19 + "2") == "too_large"
    assert code_of("1e30*" * 19 + "1e30") == "too_large"


TOKENS = (
    "a b c M1.x nope 0 1 2 7 62 1e3 0.5 1e999 9999999999 + - * / % ^ & | < <= > >= == != ! && || "
    "? : ( ) ( ) , min( max( clamp( round( abs( sqrt( exists( foo( . .. e . = $ "
).split(" ")


def check(text):
    """Nothing but a number or a FormulaError comes out. Returns 1 for a number."""
    asked = [0]

    def counting(name, field):
        assert name == name.lower() and field == field.lower()
        asked[0] += 1
        return VALUES[(name, field)]

    try:
        got = parse(text).value(counting)
    except FormulaError as error:
        assert 1 <= error.column <= len(text) + 1, (text, error.column)
        assert str(error) and error.code
        return 0
    assert isinstance(got, (int, float)) and not isinstance(got, bool), (text, got)
    assert got - got == 0 and (isinstance(got, float) or abs(got) < 1 << 62), (text, got)
    assert asked[0] <= len(text)
    return 1


def test_soup_of_tokens():
    random.seed(4711)
    numbers = 0
    for _ in range(3000):
        numbers += check(" ".join([random.choice(TOKENS) for _ in range(random.randint(1, 14))]))
    assert numbers > 50


def test_soup_of_characters():
    random.seed(815)
    letters = "0123456789.eE+-*/%^&|!<>=?:(), aMx_\t\n~#'\"\\\x00\u00e4\u20ac"
    for _ in range(2000):
        check("".join([random.choice(letters) for _ in range(random.randint(0, 40))]))


def test_cut_and_changed_formulas():
    whole = "(a && !c) ? min(25000, M1.x * 1000 + 6000) : exists(nope) ? clamp(a, b, c) : 2 ^ -a"
    random.seed(42)
    for cut in range(len(whole)):
        check(whole[:cut])
        check(whole[cut:])
    for _ in range(500):
        place = random.randint(0, len(whole) - 1)
        check(whole[:place] + random.choice(TOKENS) + whole[place + random.randint(0, 3) :])


def remainder(x, y):
    return abs(x) % abs(y) * (-1 if x < 0 else 1)


def random_formula(levels):
    """(formula, the same in Python), fully bracketed, on integers."""
    if levels == 0 or random.randint(0, 9) == 0:
        number = str(random.randint(0, 99))
        return random.choice(((number, number), ("a", "3"), ("c", "0"), ("M1.x", "7")))
    p, q = random_formula(levels - 1)
    r, s = random_formula(levels - 1)
    sign = random.choice("+-*&|<>=!%AO?n-")
    if sign in "+-*&|":
        return "(%s %s %s)" % (p, sign, r), "(%s %s %s)" % (q, sign, s)
    if sign in "<>":
        return "(%s %s %s)" % (p, sign, r), "int(%s %s %s)" % (q, sign, s)
    if sign in "=!":
        return "(%s %s= %s)" % (p, sign, r), "int(%s %s= %s)" % (q, sign, s)
    if sign == "%":
        return "(%s %% (%s * 2 + 1))" % (p, r), "remainder(%s, %s * 2 + 1)" % (q, s)
    if sign == "A":
        return "(%s && %s)" % (p, r), "int(bool(%s and %s))" % (q, s)
    if sign == "O":
        return "(%s || %s)" % (p, r), "int(bool(%s or %s))" % (q, s)
    if sign == "n":
        return "-max(%s, !%s)" % (p, r), "(-max(%s, int(not %s)))" % (q, s)
    t, u = random_formula(levels - 1)
    return "(%s ? %s : %s)" % (t, p, r), "(%s if %s else %s)" % (q, u, s)


def test_random_formulas_against_python():
    random.seed(1)
    for _ in range(300):
        text, python = random_formula(random.randint(1, 4))
        if len(text) <= 512:
            wanted = eval(python)
            got = parse(text).value(lookup)
            assert got == wanted and isinstance(got, int), (text, got, wanted)
