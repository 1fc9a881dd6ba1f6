"""Nonsense at the door of the running firmware: a clear error, nothing changed, nothing late."""

import asyncio
import json

from simulated import simulated

CNF = "/cnf?cmd=set_cm_vars"
BAD_BODIES = (
    (CNF, b'{"vars": [', 400),
    (CNF, b'{"vars": [{"name": "a"}]}', 400),
    (CNF, json.dumps({"x" * 10000: 1}).encode(), 413),
    (CNF, b'{"a": ' + b"9" * (1 << 20) + b"}", 413),
    (CNF, b'{"a": "' + b"(" * 300 + b'1"}', 400),
    (CNF, b'{"a": "1 +"}', 400),
    (CNF, b"[" * 3000 + b"]" * 3000, 413),
    ("/api/settings", b'{"site": {"max_total_power": "5 *"}}', 400),
    ("/api/settings", b'{"site": {"max_total_current": -1}, "contacts": []}', 400),
    ("/api/settings", b'{"login": {"hash": ""}}', 400),
)
BAD_QUERIES = (
    ("/cnf?cmd=format_disk", 400),
    ("/cnf", 400),
    (CNF + "&name=" + "n" * 10000 + "&val=1", 431),
    (CNF + "&name=a&val=nope(", 400),
    (CNF + "&name=_price&val=1", 400),
    (CNF + "&name=a", 400),
    ("/nothing", 404),
)


@simulated()
async def test_bad_input_changes_nothing_and_holds_nothing_up(site):
    await site.risen()
    before = (await site.get("/cnf?cmd=get_cm_vars"), await site.get("/api/settings"))
    for path, status in BAD_QUERIES:
        assert (await site.get(path, status=status))["error"]
    for path, body, status in BAD_BODIES:
        async with site.session.post(site.simulation.http + path, data=body) as answer:
            assert answer.status == status, (path, body[:40], await answer.text())
            assert (await answer.json())["error"]
    await wrong_passwords(site)
    await half_a_request(site)
    # Formulas that are right in form but have no value: an error where they are read.
    for number, text in enumerate(("1/0", "9^9^9")):
        assert await site.get("%s&tmp=1&name=bad%d&val=%s" % (CNF, number, text)) == "ok"
    listed = (await site.get("/cnf?cmd=get_cm_vars"))["vars"]
    assert [bool(item.get("error")) for item in listed] == [True, True]
    assert before == (await site.get("/cnf?cmd=get_cm_vars") | {"vars": []}, await settings(site))
    state = await site.state()
    assert state["cycle"]["late_max_ms"] <= 100
    assert [task for task in state["tasks"] if task["restarts"]] == []
    assert site.sum_ma() > 33000


async def settings(site):
    return await site.get("/api/settings")


async def wrong_passwords(site):
    url = site.simulation.http + "/cnf?cmd=get_cm_vars"
    seen = set()
    for number in range(100):
        headers = {"Authorization": "Basic " + "YWRtaW46" + "eHh4%04d" % number}
        async with site.session.get(url, headers=headers) as answer:
            seen.add(answer.status)
    assert seen <= {401, 429}
    await site.get("/cnf?cmd=get_cm_vars")  # the right one still opens


async def half_a_request(site):
    _, writer = await asyncio.open_connection("127.0.0.1", site.simulation.port)
    writer.write(b"GET /cnf?cmd=get_cm_vars HTTP/1.1\r\nHost:")
    await writer.drain()
    await site.get("/cnf?cmd=get_cm_vars")
    writer.close()
