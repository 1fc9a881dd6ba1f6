"""Only JSON is taken for JSON, on both interpreters."""

from controller.strict_json import JsonError, parse


def refused(data):
    try:
        parse(data)
    except JsonError as error:
        assert len(str(error)) > 5
        return True
    return False


def test_takes_json():
    assert parse(b'{"a": [1, 2.5, -3e2, true, null, {"b": ""}], "c": "x"}') == {
        "a": [1, 2.5, -300, True, None, {"b": ""}],
        "c": "x",
    }
    assert parse(b"[]") == []
    assert parse(b" 5 ") == 5
    assert parse('{"ä": "\\"},[:\\\\"}'.encode()) == {"ä": '"},[:\\'}


def test_refuses_what_is_not_json():
    for data in (
        b"",
        b"  ",
        b"{",
        b'{"a": 1',
        b'{"a": {"b": 1}',
        b'{"a": "x}',
        b'{"a" 1}',
        b'{"a": 1 "b": 2}',
        b'{"a": 1,}',
        b"[1,2,]",
        b"[1 2]",
        b'{"a": 1}}',
        b'{"a": 1}x',
        b'{"a": "\xff"}',
        b'{"vars": [{ "name": "var1", "expr": 1.5 }], { "name": "var2", "expr": 2 }] }',
    ):
        assert refused(data), data


def test_refuses_a_key_that_occurs_twice():
    assert refused(b'{"a": 1, "a": 2}')
    assert refused(b'{"b": [{"a": 1, "a": 1}]}')


def test_refuses_numbers_that_are_none():
    for data in (b"[NaN]", b"[Infinity]", b"[-Infinity]", b"[1e400]", b'{"a": -1e999}'):
        assert refused(data), data


def test_refuses_long_texts():
    assert parse(b'["' + b"x" * 599 + b'"]')
    assert refused(b'["' + b"x" * 601 + b'"]')
    assert refused(b'{"' + b"x" * 3000 + b'": 1}')


def test_refuses_depth():
    assert parse(b"[" * 10 + b"]" * 10)
    assert refused(b"[" * 11 + b"]" * 11)
    assert refused(b'{"a":' * 3000 + b"1" + b"}" * 3000)
    assert refused(b"[" * 300)
