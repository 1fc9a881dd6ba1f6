"""What formulas mean: every operator and function, and the names they read."""

from formula import FormulaError, parse

VALUES = {
    ("pb", "input1"): 1,
    ("pb", "input2"): 0,
    ("pb", "closed"): True,
    ("m1", "power_w"): 7000,
    ("m1", "current"): 29000.5,
    ("m1", "soc"): None,
    ("m1", "text"): "on",
    ("m1", "nan"): float("nan"),
    ("m1", "inf"): float("inf"),
    ("m1", "list"): [],
    ("m1", "huge"): 1 << 62,
    ("gm", "surplus.power_w"): -300,
    ("cm", "_flag1"): 4,
    ("", "avail"): 50,
    ("", "dt"): 5,
}


def lookup(name, field):
    return VALUES[(name, field)]


def value(text):
    return parse(text).value(lookup)


def same(text, wanted):
    got = value(text)
    assert got == wanted, "%s is %r, not %r" % (text, got, wanted)
    assert type(got) is type(wanted), "%s is %r" % (text, got)


def fails(text, code, column):
    try:
        got = value(text)
    except FormulaError as error:
        assert (error.code, error.column) == (code, column), "%s: %s in column %d" % (
            text,
            error.code,
            error.column,
        )
        assert str(error)[-1] in ".)" and "{" not in str(error), str(error)
        return error
    raise AssertionError("%s is %r" % (text, got))


def test_numbers():
    for text, wanted in (
        ("0", 0),
        ("007", 7),
        ("12345678901", 12345678901),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("2E-2", 0.02),
        ("1.5e+2", 150.0),
        (" \t1\r\n", 1),
    ):
        same(text, wanted)


def test_arithmetic_keeps_integers():
    for text, wanted in (
        ("2 + 3", 5),
        ("2 - 3", -1),
        ("7 * 6", 42),
        ("2 + 0.5", 2.5),
        ("2.0 + 3", 5.0),
        ("10 ^ 2", 100),
        ("2 ^ 61", 1 << 61),
        ("(-3) ^ 3", -27),
        ("0 ^ 0", 1),
        ("2 ^ -1", 0.5),
        ("4 ^ 0.5", 2.0),
        ("(-2.0) ^ 3", -8.0),
        ("(-1) ^ 1000000", 1),
        ("(-1) ^ 1000001", -1),
        ("0.0 ^ 0", 1.0),
        ("0 ^ 0.0", 1.0),
        ("1 ^ 4611686018427387903", 1),
        ("2000000000 * 2000000000", 4000000000000000000),
        ("4611686018427387903", 4611686018427387903),
        ("-4611686018427387903", -4611686018427387903),
    ):
        same(text, wanted)


def test_division():
    for text, wanted in (
        ("6 / 3", 2),
        ("-6 / 3", -2),
        ("7 / 2", 3.5),
        ("6.0 / 3", 2.0),
        ("0 / 5", 0),
        ("1e3 / 8", 125.0),
        ("7 % 3", 1),
        ("-7 % 3", -1),
        ("7 % -3", 1),
        ("-7 % -3", -1),
        ("-6 % 3", 0),
        ("7.5 % 2", 1.5),
        ("-7.5 % 2", -1.5),
        ("7 % 2.5", 2.0),
    ):
        same(text, wanted)


def test_bits():
    for text, wanted in (
        ("6 & 3", 2),
        ("6 | 3", 7),
        ("-1 & 255", 255),
        ("-4 | 1", -3),
        ("6.0 & 3", 2),
        ("4294967296 | 1", 4294967297),
    ):
        same(text, wanted)


def test_comparisons_and_logic_give_1_or_0():
    for text, wanted in (
        ("1 == 1.0", 1),
        ("1 == 2", 0),
        ("1 != 2", 1),
        ("2 != 2", 0),
        ("1 < 2", 1),
        ("2 < 2", 0),
        ("2 <= 2", 1),
        ("3 <= 2", 0),
        ("3 > 2", 1),
        ("2 > 2", 0),
        ("2 >= 2", 1),
        ("1 >= 2", 0),
        ("0.5 < 1", 1),
        ("7 && -3", 1),
        ("7 && 0", 0),
        ("0.0 && 1", 0),
        ("0 || 5", 1),
        ("0 || 0.0", 0),
        ("!0", 1),
        ("!7", 0),
        ("!0.1", 0),
        ("!!7", 1),
        ("1 && 2 && 3", 1),
        ("1 && 2 && 0", 0),
        ("0 || 0 || 3", 1),
        ("0 || 0 || 0", 0),
    ):
        same(text, wanted)


def test_choice():
    for text, wanted in (
        ("1 ? 2 : 3", 2),
        ("0 ? 2 : 3", 3),
        ("0.0 ? 2 : 3.5", 3.5),
        ("0 ? 1 : 0 ? 2 : 3", 3),
        ("0 ? 1 : 1 ? 2 : 3", 2),
        ("1 ? 0 ? 1 : 2 : 3", 2),
        ("1 ? 1 ? 1 : 2 : 3", 1),
        ("1 + 1 == 2 ? 1 + 1 : 5", 2),
        ("(1 ? 2 : 3) * 2", 4),
        ("1 ? avail : dt", 50),
        ("0 ? avail : dt", 5),
    ):
        same(text, wanted)


def test_only_what_is_needed_is_evaluated():
    for text, wanted in (
        ("0 && 1/0", 0),
        ("1 || 1/0", 1),
        ("1 || nope", 1),
        ("0 && nope && 1/0", 0),
        ("1 ? 2 : nope", 2),
        ("0 ? nope : 2", 2),
        ("exists(nope) && nope > 5", 0),
        ("exists(M9.power_w) ? M9.power_w : 10", 10),
    ):
        same(text, wanted)
    for text in ("1 && 1/0", "0 || 1/0", "0 ? 1 : 1/0", "1 ? 1/0 : 1"):
        fails(text, "division_by_zero", text.find("/") + 1)


def test_precedence():
    for text, bracketed in (
        ("1 ? 0 : 1 || 1", "1 ? 0 : (1 || 1)"),
        ("0 || 1 ? 7 : 8", "(0 || 1) ? 7 : 8"),
        ("1 || 1 && 0", "1 || (1 && 0)"),
        ("0 && 1 || 1", "(0 && 1) || 1"),
        ("0 && 1 | 1", "0 && (1 | 1)"),
        ("1 | 2 & 2", "1 | (2 & 2)"),
        ("4 & 5 == 4", "4 & (5 == 4)"),
        ("2 == 1 < 2", "2 == (1 < 2)"),
        ("3 < 1 + 1", "3 < (1 + 1)"),
        ("3 > 1 - 5", "3 > (1 - 5)"),
        ("2 + 3 * 4", "2 + (3 * 4)"),
        ("20 - 6 / 2", "20 - (6 / 2)"),
        ("9 - 7 % 4", "9 - (7 % 4)"),
        ("-3 * 2", "(-3) * 2"),
        ("!0 + 1", "(!0) + 1"),
        ("!0 == 0", "(!0) == 0"),
        ("-2 ^ 2", "-(2 ^ 2)"),
        ("!2 ^ 0", "!(2 ^ 0)"),
        ("2 ^ -1 * 4", "(2 ^ (-1)) * 4"),
        ("2 ^ -1 ^ 3", "2 ^ (-(1 ^ 3))"),
        ("2 ^ 3 ^ 2", "2 ^ (3 ^ 2)"),
        ("10 - 3 - 2", "(10 - 3) - 2"),
        ("100 / 10 / 5", "(100 / 10) / 5"),
        ("100 / 10 * 5", "(100 / 10) * 5"),
        ("17 % 7 % 2", "(17 % 7) % 2"),
        ("3 > 2 > 1", "(3 > 2) > 1"),
        ("2 == 2 != 2", "(2 == 2) != 2"),
    ):
        same(text, value(bracketed))
    same("-2^2", -4)
    same("3 > 2 > 1", 0)
    same("2^3^2", 512)
    same("--5", 5)
    same("-!0", -1)
    same("5--5", 10)


def test_functions():
    for text, wanted in (
        ("min(3, 2)", 2),
        ("min(4)", 4),
        ("min(4, 2.5, 3, 9)", 2.5),
        ("max(3, 2)", 3),
        ("max(1, 2, 7, 3, 5)", 7),
        ("MIN(3, Max(1, 2))", 2),
        ("clamp(5, 6, 16)", 6),
        ("clamp(20, 6, 16)", 16),
        ("clamp(8, 6, 16)", 8),
        ("clamp(8, 6, 3)", 3),
        ("abs(-2)", 2),
        ("abs(2.5)", 2.5),
        ("abs(2 - 4.5)", 2.5),
        ("sqrt(9)", 3.0),
        ("sqrt(0.25)", 0.5),
        ("round(2.4)", 2),
        ("round(2.5)", 3),
        ("round(3.5)", 4),
        ("round(-2.4)", -2),
        ("round(-2.5)", -3),
        ("round(7)", 7),
        ("round(10 * 1.26) / 10", 1.3),
        ("round (1.5)", 2),
        ("-min(1, 2)", -1),
        ("2 ^ max(1, 3)", 8),
        ("min((1), (2))", 1),
    ):
        same(text, wanted)


def test_names():
    for text, wanted in (
        ("PB.input1", 1),
        ("pb.INPUT1", 1),
        ("PB.closed", 1),
        ("PB.closed + PB.closed", 2),
        ("avail", 50),
        ("Avail", 50),
        ("M1.power_w", 7000),
        ("CM._flag1", 4),
        ("GM.surplus.power_w", -300),
        ("16000 - M1.power_w", 9000),
        ("min(16000, 29000 - M1.current)", -0.5),
        ("55000 * AVAIL / 100", 27500),
        ("(M1.power_w * (20 - dt) + 1000 * dt) / 20", 5500),
    ):
        same(text, wanted)
    asked = parse("min(B.c.D, a) + exists(X.y) ? a : z + B.C.d").names
    assert asked == (("b", "c.d"), ("", "a"), ("x", "y"), ("", "z")), asked
    assert parse("1 + 2").names == ()


def test_functions_are_no_reserved_words():
    for name in ("min", "max", "clamp", "round", "abs", "sqrt", "exists"):
        assert parse(name + " + 1").names == (("", name),)


def test_exists():
    for text, wanted in (
        ("exists(avail)", 1),
        ("EXISTS(M1.power_w)", 1),
        ("exists(nope)", 0),
        ("exists(M1.nope)", 0),
        ("exists(M1.soc)", 0),
        ("exists(M1.nan)", 0),
        ("!exists(nope) && avail", 1),
    ):
        same(text, wanted)
    fails("exists(1)", "bad_exists", 1)
    fails("1 + exists(avail + 1)", "bad_exists", 5)
    fails("exists(avail, dt)", "bad_count", 1)


def test_values_that_are_none():
    fails("nope", "unknown_name", 1)
    fails("1 + (2 * nope)", "unknown_name", 10)
    fails("M1.nope + 1", "unknown_name", 1)
    assert "m1.nope" in str(fails("M1.nope + 1", "unknown_name", 1))
    fails("1 + M1.soc", "no_value", 5)
    fails("1 + M1.text", "no_value", 5)
    fails("1 + M1.list", "no_value", 5)
    fails("M1.nan ? 1 : 2", "no_value", 1)
    fails("min(M1.inf, 5)", "too_large", 5)
    fails("M1.huge / 2", "too_large", 1)


def test_errors_of_values():
    for text, code, column in (
        ("1/0", "division_by_zero", 2),
        ("1 + 5 / (2 - 2)", "division_by_zero", 7),
        ("1/0.0", "division_by_zero", 2),
        ("5 % 0", "division_by_zero", 3),
        ("5.5 % 0.0", "division_by_zero", 5),
        ("0 ^ -1", "division_by_zero", 3),
        ("0.0 ^ -0.5", "division_by_zero", 5),
        ("6.5 & 1", "not_whole", 5),
        ("6 | 0.5", "not_whole", 3),
        ("sqrt(-1)", "not_real", 1),
        ("1 + (-8) ^ 0.5", "not_real", 10),
        ("9^9^9", "too_large", 2),
        ("2 ^ 62", "too_large", 3),
        ("4611686018427387903 + 1", "too_large", 21),
        ("-4611686018427387903 - 1", "too_large", 22),
        ("4611686018427387903 * 2", "too_large", 21),
        ("1e300 * 1e300", "too_large", 7),
        ("1e300 ^ 2", "too_large", 7),
        ("1e300 / 1e-300", "too_large", 7),
        ("-1e308 - 1e308", "too_large", 8),
        ("round(1e300)", "too_large", 1),
        ("1e300 & 1", "too_large", 7),
    ):
        fails(text, code, column)


def test_errors_of_form():
    for text, code, column in (
        ("", "no_value_here", 1),
        ("   ", "no_value_here", 4),
        ("1 +", "no_value_here", 4),
        ("* 2", "no_value_here", 1),
        ("2 ** 3", "no_value_here", 4),
        ("+5", "no_value_here", 1),
        ("()", "no_value_here", 2),
        ("min()", "no_value_here", 5),
        ("min(1,)", "no_value_here", 7),
        ("1 ? : 2", "no_value_here", 5),
        ("1 2", "no_operator", 3),
        ("a b", "no_operator", 3),
        ("2(3)", "no_operator", 2),
        ("(a)(b)", "no_operator", 4),
        ("1 max 2", "no_operator", 3),
        ("1 ! 2", "no_operator", 3),
        ("(1", "not_closed", 1),
        ("2 * ((1)", "not_closed", 5),
        ("min(1, 2", "not_closed", 1),
        ("1)", "not_opened", 2),
        ("1 ? 2", "no_colon", 3),
        ("(1 ? 2)", "no_colon", 4),
        ("min(1 ? 2, 3)", "no_colon", 7),
        ("1 : 2", "no_question", 3),
        ("1 ? 2 : 3 : 4", "no_question", 11),
        ("1 ? (2 : 3)", "no_question", 8),
        ("1, 2", "bad_comma", 2),
        ("(1, 2)", "bad_comma", 3),
        ("foo(1)", "no_function", 1),
        ("1 + M1.foo(1)", "no_function", 5),
        ("e(1)", "no_function", 1),
        ("abs(1, 2)", "bad_count", 1),
        ("clamp(1, 2)", "bad_count", 1),
        ("1 + round(1, 2)", "bad_count", 5),
        ("a = 1", "bad_character", 3),
        ("a; b", "bad_character", 2),
        ("5 \u20ac", "bad_character", 3),
        ("'a'", "bad_character", 1),
        ("~1", "bad_character", 1),
        ("5kW", "bad_number", 1),
        ("1_000", "bad_number", 1),
        ("1.2.3", "bad_number", 1),
        ("0x10", "bad_number", 1),
        ("1e", "bad_number", 1),
        ("1e+", "bad_number", 1),
        ("2 + .", "bad_number", 5),
        ("1e400", "too_large", 1),
        ("4611686018427387904", "too_large", 1),
        ("M1.", "bad_name", 1),
        ("1 + M1..x", "bad_name", 5),
    ):
        fails(text, code, column)


def test_only_text_is_read():
    for thing in (None, 5, b"1 + 1", ["1"]):
        try:
            parse(thing)
        except FormulaError as error:
            assert error.code == "not_text" and error.column == 1
        else:
            raise AssertionError(repr(thing))


def test_sentences_name_what_is_wrong_and_what_is_allowed():
    for text, parts in (
        ("wurzel(9)", ("wurzel", "sqrt")),
        ("clamp(1, 2)", ("clamp", "3", "2")),
        ("5kW", ("5kW",)),
        ("1 $ 2", ("$",)),
        ("M1.nope", ("m1.nope",)),
        ("exists(5)", ("exists(M1.soc)",)),
    ):
        try:
            value(text)
            raise AssertionError(text)
        except FormulaError as error:
            for part in parts:
                assert part in str(error), str(error)


def chain(name, field):
    """Variables that are formulas: a needs b, b needs c, c divides by zero; x needs itself."""
    inner = {"a": "1 + b", "b": "c", "c": "4 / 0", "x": "1 + x", "y": "exists(y)", "ok": "dt * 2"}
    if field in inner:
        return parse(inner[field]).value(chain)
    return lookup(name, field)


def test_variables_that_are_formulas():
    assert parse("ok + 1").value(chain) == 11
    assert parse("exists(c)").value(chain) == 1
    for text, column in (("2 * c", 5), ("2 *  a", 6)):
        try:
            parse(text).value(chain)
            raise AssertionError(text)
        except FormulaError as error:
            assert error.code == "in_variable" and error.column == column, (text, error.column)
            assert error.values[0] == "c" and error.values[1].code == "division_by_zero"
            assert "Division by zero" in str(error), str(error)


def test_variables_in_a_circle_end_with_an_error():
    for text in ("x", "1 + x"):
        try:
            parse(text).value(chain)
            raise AssertionError(text)
        except FormulaError as error:
            assert error.code in ("circular", "in_variable"), error.code
            assert error.column == len(text)
    try:
        assert parse("y").value(chain) in (0, 1)
    except FormulaError:
        pass


def test_other_exceptions_of_lookup_pass_and_leave_the_expression_usable():
    class Broken(Exception):
        pass

    for error in (Broken(), ValueError("x"), TypeError("x"), RuntimeError("x"), OSError(5)):

        def broken(name, field):
            raise error

        expression = parse("1 + avail")
        for text in ("1 + avail", "avail ? 1 : 0"):
            expression = parse(text)
            try:
                expression.value(broken)
                raise AssertionError(repr(error))
            except type(error) as caught:
                assert not isinstance(caught, FormulaError)
            assert expression.value(lookup) in (51, 1)


def test_each_name_is_asked_at_most_once_for_each_use():
    asked = []

    def counting(name, field):
        asked.append((name, field))
        return lookup(name, field)

    parse("avail + avail * M1.power_w").value(counting)
    assert asked == [("", "avail"), ("", "avail"), ("m1", "power_w")], asked
