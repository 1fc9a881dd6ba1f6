"""/cnf as both documents of the grid operator's interface have it, and against bad input."""

import json
import random
import shlex
import subprocess
import threading
import time

import pytest
from fakes.door import Door

# Every line of curl in the documents "Grid-serving control" and "Smart Meter Gateway" (Dutch).
# Quotation marks that a document forgot are added.
CURL_LINES = r"""
curl -i -X GET --user admin:1234abcd 'http://localhost/cnf?cmd=set_cm_vars&name=var3&val=123'
curl -i -X GET --user admin:1234abcd "http://localhost/cnf?cmd=set_cm_vars&name=var3&val=123"
curl -i -X POST -d '{ "vars": [{ "name": "tarif", "expr": 1 }, { "name": "PWR", "expr": 70 }] }' --user admin:1234abcd 'http://localhost/cnf?cmd=set_cm_vars'
curl -i -X POST -d "{ \"vars\": [{ \"name\": \"tarif\", \"expr\": 1 }, { \"name\": \"PWR\", \"expr\": 70 }] }" --user admin:1234abcd "http://localhost/cnf?cmd=set_cm_vars"
curl -i -X GET --user admin:1234abcd 'http://localhost/cnf?cmd=get_cm_vars'
curl -i -X GET --user admin:1234abcd "http://localhost/cnf?cmd=get_cm_vars"
curl -i -X POST -d '{ "tarif": 1, "PWR": 70 }' --user admin:1234abcd 'http://localhost/cnf?cmd=set_cm_vars'
curl -i -X POST -d "{ \"tarif\": 1, \"PWR\": 70 }" --user admin:1234abcd "http://localhost/cnf?cmd=set_cm_vars"
curl -i -X GET --user admin:1234abcd 'http://localhost/cnf?cmd=get_cm_vars&name=var3&val=123'
curl -i -X GET --user admin:1234abcd "http://localhost/cnf?cmd=get_cm_vars&name=var3&val=123"
"""  # noqa: E501


@pytest.fixture(scope="module", params=["cpython", "micropython"])
def door(request):
    runtime = request.param
    if runtime == "micropython":
        runtime = request.getfixturevalue("micropython")
    door = Door(runtime)
    yield door
    door.close()


@pytest.fixture(autouse=True)
def empty(door):
    assert door.curl("/cnf?cmd=set_cm_vars&clear=1")[:2] == (200, "ok")


def post(door, query, body):
    if not isinstance(body, str):
        body = json.dumps(body)
    return door.curl("/cnf?cmd=set_cm_vars" + query, "-d", body)


def exprs(door):
    return {name: item["expr"] for name, item in door.variables().items()}


def writes(door):
    return door.curl("/cnf?cmd=get_cm_vars")[1]["flash_writes"]


@pytest.mark.parametrize("line", CURL_LINES.strip().split("\n"))
def test_curl_lines_of_the_documents(door, line):
    door.curl("/cnf?cmd=set_cm_vars&name=before&val=9")
    line = line.replace("admin:1234abcd", "admin:" + door.password)
    line = line.replace("localhost", "localhost:%d" % door.port)
    done = subprocess.run(shlex.split(line), capture_output=True, text=True, timeout=30)
    head, body = done.stdout.split("\n\n", 1)
    assert " 200 " in head.split("\n")[0]
    if "get_cm_vars" in line:
        assert json.loads(body)["vars"] == [{"name": "before", "expr": 9, "val": 9}]
    else:
        assert json.loads(body) == "ok"
        expected = {"var3": 123} if "var3" in line else {"tarif": 1, "PWR": 70}
        if "-d" not in line or "vars" in line.split("-d")[1].split("--user")[0]:
            expected["before"] = 9  # the flat object replaces all, the list does not
        assert exprs(door) == expected


def test_clear(door):
    post(door, "", {"a": 1})
    post(door, "&clear=1", {"vars": [{"name": "var1", "expr": 1.5}, {"name": "var2", "expr": 2}]})
    assert exprs(door) == {"var1": 1.5, "var2": 2}
    door.curl("/cnf?cmd=set_cm_vars&name=x&val=1&clear=1")
    assert exprs(door) == {"x": 1}
    post(door, "", {})
    assert exprs(door) == {}


def test_formulas_and_encoding(door):
    door.curl("/cnf?cmd=set_cm_vars&name=AVAIL&val=50")
    door.curl(
        "/cnf",
        "-G",
        "-d",
        "cmd=set_cm_vars",
        "-d",
        "name=limit",
        "--data-urlencode",
        "val=55000 * CM.AVAIL / 100 + 0 * PB.input1",
    )
    door.curl("/cnf?cmd=set_cm_vars&name=bad&val=1%2F0")
    got = door.variables()
    assert got["limit"] == {
        "name": "limit",
        "expr": "55000 * CM.AVAIL / 100 + 0 * PB.input1",
        "val": 27500,
    }
    assert got["bad"]["expr"] == "1/0" and "val" not in got["bad"] and len(got["bad"]["error"]) > 5


def test_answer_of_get_may_be_sent_back(door):
    post(door, "", {"a": 1, "b": "a + 1", "c": 2.5})
    answer = door.curl("/cnf?cmd=get_cm_vars")[1]
    before = exprs(door)
    count = writes(door)
    assert post(door, "&clear=1", answer)[0] == 200
    assert exprs(door) == before and writes(door) == count


def test_triggers(door):
    """A variable that is 1 for some seconds when a condition becomes true."""
    item = {"name": "boost", "expr": "PB.input1", "trigger_s": 30, "retrigger": True}
    assert (
        post(door, "", {"vars": [item, {"name": "once", "expr": "1", "trigger_s": 5}]})[0] == 200
    )
    got = door.variables()
    assert (got["boost"]["trigger_s"], got["boost"]["retrigger"]) == (30, True)
    assert (got["once"]["trigger_s"], got["once"]["retrigger"]) == (5, False)
    answer = door.curl("/cnf?cmd=get_cm_vars")[1]
    assert post(door, "&clear=1", answer)[0] == 200
    assert door.variables() == got
    for bad in (0, -1, 86401, "30", True, 1.5):
        item["trigger_s"] = bad
        assert post(door, "", {"vars": [item]})[0] == 400, bad
    assert door.variables() == got


def test_flash_is_written_only_for_what_is_new(door):
    post(door, "", {"a": 1})
    count = writes(door)
    for _ in range(3):
        post(door, "", {"a": 1})
        door.curl("/cnf?cmd=set_cm_vars&name=A&val=1")
        door.curl("/cnf?cmd=set_cm_vars&tmp=1&name=a&val=7")
        door.curl("/cnf?cmd=set_cm_vars&name=a&val=1")
    assert writes(door) == count
    door.curl("/cnf?cmd=set_cm_vars&name=a&val=2")
    assert writes(door) == count + 1


def test_kill_at_once_after_the_answer(door):
    post(door, "", {"a": 1})
    door.curl("/cnf?cmd=set_cm_vars&tmp=1&name=t&val=5")
    door.curl("/cnf?cmd=set_cm_vars&tmp=1&name=a&val=6")
    assert exprs(door) == {"a": 6, "t": 5} and door.variables()["t"]["tmp"] is True
    assert door.curl("/cnf?cmd=set_cm_vars&name=b&val=a%2B1")[0] == 200
    count = writes(door)
    door.kill()
    door.start()
    assert exprs(door) == {"a": 1, "b": "a+1"}
    assert writes(door) == count  # counted over the life of the documents


def test_kill_at_any_moment(door):
    """What was answered "ok" is there after a start, and nothing is there that was not sent."""
    moments = random.Random(5)
    value = 0
    for _ in range(6):
        answered = [value]

        def send(first=value + 1, answered=answered):
            for i in range(first, first + 100):
                if (door.curl("/cnf?cmd=set_cm_vars&name=n&val=%d" % i) or [0])[0] != 200:
                    return
                answered.append(i)

        thread = threading.Thread(target=send)
        thread.start()
        time.sleep(moments.uniform(0.02, 1.2))
        door.kill()
        thread.join()
        door.start()
        value = exprs(door).get("n", 0)
        assert answered[-1] <= value <= answered[-1] + 1


def test_unknown_commands(door):
    for query in ("?cmd=bla", "", "?cmd=", "?cmd=SET_CM_VARS", "?name=a&val=1"):
        status, body, _ = door.curl("/cnf" + query)
        assert status == 400 and "get_cm_vars, set_cm_vars" in body["error"]


BAD_QUERIES = (
    ("&name=a", "name and val"),
    ("&val=1", "name and val"),
    ("&name=&val=1", "needs a name"),
    ("&name=a&val=", "column 1"),
    ("&name=a&val=1&tmp=yes", "tmp"),
    ("&name=a&val=1&clear=2", "clear"),
    ("&name=a&val=1&name=b", "name occurs twice"),
    ("&name=_price&val=1", "reserved"),
    ("&name=a.b&val=1", "a.b"),
    ("&name=a&val=1%2B", "column"),
    ("&name=a&val=" + "(" * 300, "column"),
    ("&name=a&val=1e400", "too large"),
    ("&name=a&val=" + "9" * 80, "too large"),
    ("&name=" + "n" * 1000 + "&val=1", "32 characters"),
)
BAD_BODIES = (
    ("", "vars"),
    ("5", "vars"),
    ('"x"', "vars"),
    ("[]", "vars"),
    ("null", "vars"),
    ('{"vars": [5]}', "vars"),
    ('{"vars": [{"name": "a"}]}', "vars"),
    ('{"vars": [{"name": "a", "val": 1}]}', "vars"),
    ('{"vars": [{"name": "a", "expr": 1}], "b": 2}', "vars"),
    ('{"vars": [{"name": "a", "expr": 1}, {"name": "A", "expr": 2}]}', "twice"),
    ('{"vars": [{"name": 5, "expr": 1}]}', "name"),
    ('{"a": 1, "a": 2}', "twice"),
    ('{"a": true}', "number or a formula"),
    ('{"a": null}', "number or a formula"),
    ('{"a": [1]}', "number or a formula"),
    ('{"a": {"b": 1}}', "number or a formula"),
    ('{"a": NaN}', "JSON"),
    ('{"a": Infinity}', "JSON"),
    ('{"a": 1e400}', "JSON"),
    ('{"a": 1', "JSON"),
    ('{"a" 1}', "JSON"),
    ("{'a': 1}", "JSON"),
    ("[" * 3000, "deeper"),
    ('{"vars": [{ "name": "var1", "expr": 1.5 }], { "name": "var2", "expr": 2 }] }', "JSON"),
    ('{"good": 1, "9bad": 1}', "9bad"),
    ('{"good": 1, "bad": "1 +"}', "bad"),
    (json.dumps({"v%d" % i: i for i in range(33)}), "32"),
    (json.dumps({"n" * 3900: 1}), "600 bytes"),
    (json.dumps({"n" * 500: 1}), "32 characters"),
)


def test_bad_input_is_named_and_changes_nothing(door):
    post(door, "", {"keep": 1, "formula": "keep + 1"})
    before = door.everything()
    cases = [
        (door.curl("/cnf?cmd=set_cm_vars" + query), query, words) for query, words in BAD_QUERIES
    ]
    cases += [(post(door, "", body), body, words) for body, words in BAD_BODIES]
    for answer, sent, words in cases:
        assert answer[0] == 400 and words in answer[1]["error"], (sent[:60], answer)
        assert len(answer[1]["error"]) < 300
    status, body, _ = post(door, "", {"n" * 10000: 1})
    assert status == 413 and "4096" in body["error"]
    assert door.curl("/cnf?cmd=set_cm_vars&val=1&name=" + "n" * 10000)[0] == 431
    assert door.everything() == before


def test_formulas_that_have_no_value(door):
    for text in ("1/0", "9^9^9", "nope", "self_", "sqrt(-1)"):
        door.curl("/cnf?cmd=set_cm_vars&tmp=1", "-d", json.dumps({"self_": text}))
        item = door.variables()["self_"]
        assert "error" in item and "val" not in item, item


def test_a_change_starts_a_cycle(door):
    wakes = door.curl("/api/state")[1]["wakes"]
    door.curl("/cnf?cmd=set_cm_vars&tmp=1&name=w&val=1")
    assert door.curl("/api/state")[1]["wakes"] == wakes + 1
    door.curl("/cnf?cmd=set_cm_vars&tmp=1&name=w&val=1")
    assert door.curl("/api/state")[1]["wakes"] == wakes + 1
