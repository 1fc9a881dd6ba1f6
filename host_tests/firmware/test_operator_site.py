"""Contacts, tests and limits over HTTP on the real firmware: setpoints follow."""

import asyncio

import pytest
from aiohttp import ClientError
from load_management import quiet
from simulated import simulated

PAIR = {
    "id": "C1",
    "name": "Receiver",
    "form": "binary",
    "inputs": ["PB.input1", "PB.input2"],
    "levels": ["100 %", "60 %", "30 %", "0 %"],
}
SETTINGS = {
    "site": {"max_total_current": 50000, "max_total_power": None},
    "contact_sets": [PAIR],
    "channels": [{"channel": "http", "timeout_s": 4, "failsafe": "40 %", "duration_s": 7200}],
}


def scenario():
    made = quiet("dinner")
    made["settings"] = SETTINGS
    return made


def limit_of(document, source, part=None):
    """The level of the one limit of a source that holds, "none" where none does."""
    found = [
        limit["level"]
        for limit in document["limits"]
        if limit["source"] == source and part in (None, limit["part"]) and limit["level"] != "none"
    ]
    assert len(found) <= 1
    return found[0] if found else "none"


@simulated(scenario=scenario(), profile="image")
async def test_contacts_a_test_and_http_limit_the_cars(site):
    async def sets():
        return (await site.get("/api/operator"))["sets"][0]

    def told(most_ma):
        return lambda: site.sum_ma() <= most_ma

    def full():
        told = all(box.report()["written_ms"] for box in site.twin.boxes.values())
        return told and site.sum_ma() > 30000

    # The channel is not heard yet: its fail-safe level holds, then nobody's.
    document = await site.get("/api/operator?lang=de")
    assert document["channels"][0]["state"] in ("init", "autonomous"), document["channels"]
    assert all(limit["reason"]["text"] for limit in document["limits"])
    await site.until(full, 40, "the rise")
    one = await sets()
    assert one["pattern"] == "00" and one["settled"] and one["in_force"] == ["100 %"], one
    # Contact 2: 30 % of 50 A, the house draws from it, too.
    site.twin.set({"contacts": {"2": True}})
    await site.until(told(15000), 4, "30 %")
    assert (await sets())["number"] == 2
    # From contact 2 to contact 1: never more than 60 %, and never a pause in between.
    site.twin.set({"contacts": {"2": False, "1": True}})
    least = []
    await site.until(
        lambda: least.append(site.sum_ma()) or site.sum_ma() > 20000, 20, "the rise to 60 %"
    )
    assert min(least) >= 12000, "0 % slipped through"
    site.twin.set({"contacts": {"2": True}})
    await site.until(told(0), 4, "0 %")
    site.twin.set({"contacts": {"1": False, "2": False}})
    await site.until(full, 40, "the rise")

    # A test acts at once, and ends by itself.
    body = {"source": "C1", "level": "30 %", "seconds": 3}
    assert await site.post("/api/operator/test", body) == {"test": body}
    assert await site.until(told(15000), 3, "the test") < 1
    document = await site.get("/api/operator")
    assert document["test"]["source"] == "C1" and limit_of(document, "test") == "30 %"
    assert limit_of(document, "C1") == "100 %" and document["sets"][0]["number"] == 2
    await asyncio.sleep(3)
    assert (await site.get("/api/operator"))["test"] is None
    await site.post("/api/operator/test", {"source": "C1", "level": "0 %", "seconds": 600})
    await site.until(told(0), 3, "another test")
    await site.post("/api/operator/test", {"source": "C1", "level": None})
    await site.until(full, 40, "the rise")

    # A limit over HTTP, then silence, then the fail-safe level; variables are a sign of life.
    answer = await site.post("/api/operator/limit", {"level": "10 %"})
    assert answer == {"state": "limited", "level": "10 %"}
    assert await site.until(told(5000), 3, "10 %") < 1
    await asyncio.sleep(5)
    document = await site.get("/api/operator")
    assert document["channels"][0]["state"] == "failsafe"
    assert limit_of(document, "http", "failsafe") == "40 %"
    assert limit_of(document, "http", "command") == "none"
    state = await site.state()
    assert "channel_failsafe" in [limit["reason"]["code"] for limit in state["limits"]]
    await site.post("/api/operator/limit", {"level": "none"})
    document = await site.get("/api/operator")
    assert document["channels"][0]["state"] == "controlled"
    assert limit_of(document, "http") == "none"
    await nonsense(site)


async def nonsense(site):
    """What can't be obeyed is refused with a sentence that names the field."""
    before = await site.get("/api/operator")
    for path, body, field, part in (
        ("test", {}, "level", "60 %"),
        ("test", [1], "body", "source"),
        ("test", {"source": "C7", "level": "0 %", "seconds": 5}, "source", "C1, http"),
        ("test", {"source": "C1", "level": "0 %", "seconds": 601}, "seconds", "600"),
        ("test", {"source": "C1", "level": "0 %"}, "seconds", "600"),
        ("test", {"source": "C1", "level": "50 %", "seconds": 5}, "level", "100 %, 60 %"),
        ("test", {"source": "C1", "level": "dim", "seconds": 5}, "level", "dimming.enabled"),
        ("limit", {"level": "none", "until": 5}, "until", "seconds"),
        ("limit", {"level": 30}, "level", "60 %"),
        ("limit", {"level": None}, "level", "none"),
        ("limit", {"level": "30 %", "seconds": -1}, "seconds", "1"),
        ("limit", {"level": "NaN %"}, "level", "NaN %"),
    ):
        answer = await site.post("/api/operator/" + path, body, 400)
        assert answer["field"] == field and part in answer["error"], (body, answer)
        assert answer["error"].startswith(field + " ")
    async with site.session.get(site.simulation.http + "/api/operator/test") as answer:
        assert answer.status == 405
    after = await site.get("/api/operator")
    for key in ("test", "sets"):
        assert [after[key], before[key]][0] is None or key == "sets"
    assert after["channels"][0]["level"] == "none"


@simulated(scenario=scenario(), profile="image")
async def test_a_restart_in_failsafe_goes_on_with_it(site):
    async def restarted():
        try:
            state = await site.state()
        except (ClientError, ValueError):  # it went away in between
            return False
        return state["uptime_s"] < uptime_s

    await site.post("/api/operator/limit", {"level": "10 %"})
    await asyncio.sleep(8)
    (channel,) = (await site.get("/api/operator"))["channels"]
    assert channel["state"] == "failsafe" and channel["until_s"] > 7190
    uptime_s = (await site.state())["uptime_s"]
    await site.post("/api/restart", {}, 202)
    await site.until(restarted, 20, "the restart")
    document = await site.get("/api/operator")
    (channel,) = document["channels"]
    assert channel["state"] == "failsafe" and 7100 < channel["until_s"] <= 7200
    assert limit_of(document, "http") == "40 %"
    await site.post("/api/operator/limit", {"level": "10 %"})
    document = await site.get("/api/operator")
    assert document["channels"][0]["state"] == "limited"
    await site.until(lambda: site.sum_ma() <= 5000, 5, "10 %")


@pytest.mark.parametrize("profile", ["files"])
def test_without_settings_there_is_nothing_to_ask(profile, tmp_path):
    @simulated(scenario=quiet("dinner"), profile=profile)
    async def ask(site):
        answer = await site.get("/api/operator", 400)
        assert "contact_sets" in answer["error"]

    ask(tmp_path)


def alone():
    made = quiet("dinner")
    made["settings"] = dict(SETTINGS, channels=[], journal={"enabled": False})
    return made


@simulated(scenario=alone(), profile="files")
async def test_a_board_without_an_image_has_room_for_a_contact_set(site):
    def full():
        told = all(box.report()["written_ms"] for box in site.twin.boxes.values())
        return told and site.sum_ma() > 30000

    assert (await site.state())["faults"] == []
    await site.until(full, 40, "the rise")
    site.twin.set({"contacts": {"2": True}})
    await site.until(lambda: site.sum_ma() <= 15000, 8, "30 %")
    (one,) = (await site.get("/api/operator?lang=de"))["sets"]
    assert "30 %" in one["in_force"]
    site.twin.set({"contacts": {"2": False}})
    await site.until(lambda: site.sum_ma() > 15000, 40, "the end")
    state = await site.state()
    assert state["faults"] == [] and not [task for task in state["tasks"] if task["restarts"]]
    assert site.simulation.board.restarts == 0
