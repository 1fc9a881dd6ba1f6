"""CM variables: names, values, formulas, and when flash is written."""

import asyncio

from controller.refusal import Refusal
from controller.store import StoreError
from controller.variables import Variables
from formula import FormulaError


class FakeStore:
    def __init__(self, document=None):
        self.document = document
        self.writes = 0
        self.full = False

    def load(self, name):
        return self.document, None

    def save(self, name, document):
        if self.full:
            raise StoreError("not_saved", name, "full")
        if document == self.document:
            return False
        self.document = document
        self.writes += 1
        return True


class Clock:
    def __init__(self):
        self.ms = 0
        self.step_ms = 1

    def now_ms(self):
        self.ms += self.step_ms
        return self.ms


def variables(document=None):
    store = FakeStore(document)
    clock = Clock()
    return Variables(store, clock.now_ms), store, clock


def lookup_of(v):
    def lookup(name, field):
        if name in ("", "cm"):
            return v.value(field, lookup)
        if name == "pb":
            return 1
        raise KeyError(field)

    return lookup


def listing(v):
    return {item["name"]: item for item in v.listing(lookup_of(v))}


def stored(store):
    return sorted([(item["name"], item["expr"]) for item in store.document["vars"]])


def save(v):
    asyncio.run(v.saved())


def refused(v, *args, **kwargs):
    before = repr(list(v.listing(lookup_of(v))))
    try:
        v.set_many(*args, **kwargs)
    except Refusal as error:
        assert len(str(error)) > 10 and error.text("de") != str(error)
        assert len(str(error)) < 200, str(error)
        assert repr(list(v.listing(lookup_of(v)))) == before
        return error.code
    return None


def test_numbers_and_formulas():
    v, store, _ = variables()
    assert v.set_many(
        [("AVAIL", 50), ("half", "55000 * avail / 100"), ("input", "PB.input1 ? 3 : 4")]
    )
    assert listing(v)["AVAIL"] == {"name": "AVAIL", "expr": 50, "val": 50}
    assert listing(v)["half"]["val"] == 27500
    assert listing(v)["input"]["val"] == 3
    v.set_many([("avail", "100")])  # other case: the same variable
    assert listing(v)["AVAIL"]["expr"] == 100 and listing(v)["half"]["val"] == 55000


def test_text_that_is_a_number_becomes_one():
    v, _, _ = variables()
    for text, value in (("123", 123), ("-1.5", -1.5), ("1e3", 1000), ("+7", 7), ("007", 7)):
        v.set_many([("x", text)])
        assert listing(v)["x"] == {"name": "x", "expr": value, "val": value}
    v.set_many([("x", "--5")])
    assert listing(v)["x"]["val"] == 5 and listing(v)["x"]["expr"] == "--5"


def test_errors_of_evaluation_are_said_not_raised():
    v, _, _ = variables()
    v.set_many(
        [("a", "1/0"), ("b", "nope + 1"), ("c", "9^9^9"), ("d", "d + 1"), ("e", "f"), ("f", "e")]
    )
    got = listing(v)
    for name in "abcdef":
        assert "error" in got[name] and "val" not in got[name], got[name]
    v.set_many([("v%d" % i, "v%d + 1" % (i + 1)) for i in range(20)], clear=True)
    assert "error" in listing(v)["v0"]
    v.set_many([("one", "two"), ("two", "three"), ("three", "four"), ("four", 4)], clear=True)
    assert listing(v)["one"]["val"] == 4
    try:
        v.value("gone", None)
    except KeyError:
        pass
    else:
        raise AssertionError("unknown name has a value")


def test_a_loop_leaves_the_others_usable():
    v, _, _ = variables()
    v.set_many([("a", "b"), ("b", "a"), ("c", 7)])
    lookup = lookup_of(v)
    for _ in range(10):
        try:
            v.value("a", lookup)
        except FormulaError:
            pass
    assert v.value("c", lookup) == 7
    v.set_many([("b", "c")])
    assert v.value("a", lookup) == 7


def test_bad_names():
    v, _, _ = variables()
    for name, code in (
        ("", "name_absent"),
        (None, "name_absent"),
        (5, "name_absent"),
        ("a" * 33, "name_long"),
        ("a" * 10000, "name_long"),
        ("_price", "name_reserved"),
        ("1a", "name_unusable"),
        ("a b", "name_letters"),
        ("a.b", "name_letters"),
        ("größe", "name_letters"),
        ("a\n", "name_letters"),
    ):
        assert refused(v, [(name, 1)]) == code, name
    assert v.set_many([("a" * 32, 1), ("Z_9", 2)])


def test_bad_values():
    v, _, _ = variables()
    inf = float("inf")
    for value, code in (
        (True, "value"),
        (None, "value"),
        ([1], "value"),
        ({"a": 1}, "value"),
        (inf, "too_large"),
        (-inf, "too_large"),
        (inf - inf, "too_large"),
        (10**40, "too_large"),
        ("9" * 60, "too_large"),
        ("1e400", "too_large"),
        ("", "formula"),
        ("1 +", "formula"),
        ("(" * 300, "formula"),
        ("x" * 10000, "formula"),
        ("1;2", "formula"),
    ):
        assert refused(v, [("good", 1), ("x", value)]) == code, value


def test_bounds():
    v, _, _ = variables()
    assert refused(v, [("v%d" % i, i) for i in range(33)]) == "too_many"
    v.set_many([("v%d" % i, i) for i in range(32)])
    assert refused(v, [("one_more", 1)]) == "too_many"
    assert refused(v, [("one_more", 1)], tmp=True) == "too_many"
    v.set_many([("one_more", 1)], clear=True)
    assert refused(v, [("w%d" % i, ("n" * 30 + "+") * 6 + "1") for i in range(6)]) == "too_long"
    assert refused(v, [("a", 1), ("A", 2)]) == "name_twice"


def test_saved_only_when_something_differs():
    v, store, _ = variables()
    assert v.set_many([("a", 1), ("b", "a + 1")])
    save(v)
    assert stored(store) == [("a", 1), ("b", "a + 1")] and store.writes == 1
    assert not v.set_many([("A", 1), ("b", "a + 1")])
    save(v)
    assert store.writes == 1
    assert v.set_many([("a", 2)])
    assert v.set_many([("a", 1)])
    save(v)
    assert store.writes == 1  # there and back before the write


def test_restart_gives_back_what_was_not_tmp():
    v, store, clock = variables()
    v.set_many([("a", 1), ("b", "a + 1")])
    save(v)
    v.set_many([("a", 5), ("t", 6)], tmp=True)
    save(v)
    assert store.writes == 1
    assert listing(v)["a"] == {"name": "a", "expr": 5, "val": 5, "tmp": True}
    assert listing(v)["b"]["val"] == 6 and "tmp" not in listing(v)["b"]
    again = Variables(store, clock.now_ms)
    assert sorted(listing(again)) == ["a", "b"] and listing(again)["b"]["val"] == 2
    assert again.problem is None


def test_clear():
    v, store, clock = variables()
    v.set_many([("a", 1), ("b", 2)])
    v.set_many([("t", 3)], tmp=True)
    v.set_many([("c", 4)], clear=True, tmp=True)
    save(v)
    assert sorted(listing(v)) == ["c"] and stored(store) == [("a", 1), ("b", 2)]
    v.set_many([("d", 5)], clear=True)
    save(v)
    assert sorted(listing(v)) == ["d"] and stored(store) == [("d", 5)]


def test_set_over_a_tmp_value_is_saved():
    v, store, _ = variables()
    v.set_many([("a", 1)])
    v.set_many([("a", 2)], tmp=True)
    assert v.set_many([("a", 2)])
    save(v)
    assert stored(store) == [("a", 2)] and "tmp" not in listing(v)["a"]


def test_sets_close_together_share_a_write():
    v, store, clock = variables()

    async def many():
        v.set_many([("a", -1)])
        await v.saved()
        tasks = []
        for i in range(6):
            v.set_many([("a", i)])
            tasks.append(asyncio.create_task(v.saved()))
        await asyncio.gather(*tasks)

    clock.ms = 0
    clock.step_ms = 50
    asyncio.run(many())
    assert stored(store) == [("a", 5)] and store.writes == 2


def test_write_that_fails_is_said_and_made_up_for():
    v, store, clock = variables()
    store.full = True
    v.set_many([("a", 1)])
    try:
        save(v)
    except StoreError:
        pass
    else:
        raise AssertionError("said to be saved")
    assert listing(v)["a"]["val"] == 1  # an operator's limit holds all the same
    store.full = False
    clock.ms += 1000
    v.flush_due()
    assert stored(store) == [("a", 1)]


def test_bad_document_is_said_and_the_rest_taken():
    for rest in ({"name": "1x", "expr": 1}, {"name": "b", "expr": "1 +"}, {"name": "b"}, 5):
        v, _, _ = variables({"vars": [{"name": "a", "expr": 1}, rest]})
        assert v.problem and listing(v)["a"]["val"] == 1, rest
    v, _, _ = variables({"vars": 5})
    assert v.problem and listing(v) == {}
