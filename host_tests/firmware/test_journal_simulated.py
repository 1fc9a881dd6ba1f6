"""A contact dims the simulated house: the exported journal tells it, and is found whole."""

import asyncio

from simulated import simulated

from tools import journal_verify
from tools.simulation import settings


def dimmed_site(twin, http_port):
    document = settings(twin, http_port)
    document["contact_sets"] = [
        {"id": "C1", "form": "one", "inputs": ["PB.input2"], "levels": ["none", "dim"]}
    ]
    document["dimming"] = {"enabled": True}
    document["steerables"] = [
        {"id": "S1", "kind": "evse", "device": "E1", "power_w": 11000},
        {"id": "S2", "kind": "evse", "device": "E2", "power_w": 11000},
    ]
    return document


async def exported(site, path="/api/journal.bin"):
    for _ in range(5):
        async with site.session.get(site.simulation.http + path) as answer:
            if answer.status != 503:  # a full heap says: try again
                assert answer.status == 200, await answer.text()
                return await answer.read()
        print((await site.state())["heap"], path)
        await asyncio.sleep(1)
    raise AssertionError("503 again and again: " + path)


@simulated(first_settings=dimmed_site, profile="image")
async def test_a_contact_dims_and_the_journal_proves_it(site):
    await site.risen()
    site.twin.set({"contacts": {"2": True}})

    def measures():
        return journal_verify.verify(data).all_measures()

    async def within():
        nonlocal data
        data = await exported(site)
        return [one for one in measures() if one["within_ms"] is not None]

    data = b""
    await site.until(within, 30, "a draw within the limit, in the journal")
    one = measures()[0]
    assert (one["source"], one["class"], one["limit"], one["value"]) == (
        "C1",
        "operator",
        "dimming",
        None,
    )
    assert one["pmin_w"] == 7560 and one["after_ms"] < 5000 and one["within_ms"] < 20000
    assert one["begin"] is not None

    async def sampled():
        return b'"sample"' in await exported(site, "/api/journal?kinds=sample")

    await site.until(sampled, 75, "the sample of a minute")
    site.twin.set({"contacts": {"2": False}})

    async def released():
        nonlocal data
        data = await exported(site)
        return measures()[0]["ended"] == "released"

    await site.until(released, 15, "the release")
    one = measures()[0]
    assert one["obeyed"] is True and one["minutes"] >= 1 and one["minutes_over"] == 0
    # After a power cut the chain goes on.
    await site.simulation.power_off()
    await site.simulation.power_on()
    site.twin.set({"contacts": {"2": True}})

    async def again():
        nonlocal data
        data = await exported(site)
        return len(measures()) == 2

    await site.until(again, 30, "the second order")
    for path in ("/api/journal.bin", "/api/journal", "/api/journal.csv?lang=de"):
        result = journal_verify.verify(await exported(site, path))
        assert not result.faults and result.records > 10, (path, result.faults)
    events = journal_verify.verify(await exported(site, "/api/journal.csv?series=events"))
    assert not events.faults and events.records >= 4
    summary = await site.get("/api/journal/summary")
    assert len(summary["measures"]) == 2 and summary["problem"] == ""
    changed = bytearray(data)
    changed[len(data) // 2] ^= 1
    assert journal_verify.verify(bytes(changed)).faults
