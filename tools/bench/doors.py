"""What each door of the grid operator costs in RAM: python -m tools.bench.doors [RUN ...].

Live heap of the usual simulated site (grid meter, two wallboxes, two contacts) on the 32-bit VM
with one thing more, less that of the site alone, from files and from an image; docs/doors-cost.md.
The heap is larger than a chip's, so that all of it can be measured.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from tools.simulation import Simulation, settings

from .site import state

_HEAP = "320k"
_SETTLED_S = 35  # seldom used modules have left the RAM by then
_BOXES = [
    {"id": "S1", "kind": "evse", "device": "E1", "power_w": 11000},
    {"id": "S2", "kind": "evse", "device": "E2", "power_w": 11000},
]
_SET = {"id": "C1", "inputs": ["PB.input1"], "levels": ["none", "60 %"]}
_QUIET = {"journal": {"enabled": False}}
# name: settings laid over the usual ones; each is measured against the site alone.
DOORS = {
    "contact set": {"contact_sets": [_SET], **_QUIET},
    "channel over HTTP": {"channels": [{"channel": "http", "failsafe": "60 %"}], **_QUIET},
    "dimming, two wallboxes": {
        "dimming": {"enabled": True, "active": "PB.input1"},
        "steerables": _BOXES,
        **_QUIET,
    },
    "outputs, one relay": {"outputs": [{"relay": 1, "closed_when": "PB.input1"}], **_QUIET},
    "journal, at rest": {"journal": {"enabled": True}},
    "dimming and journal, dimmed": {
        "dimming": {"enabled": True, "active": "1"},
        "steerables": _BOXES,
        "journal": {"enabled": True},
    },
    "SunSpec server": {"sunspec_server": {"enabled": True}},
    "HTTPS": {"tls": {"enabled": True}},
    "gateway": {"gateway": {"enabled": True}},
}


def _all():
    together = {}
    for patch in DOORS.values():
        together.update(patch)
    together["contact_sets"] = [dict(_SET, levels=["none", "dim"])]
    return dict(together, dimming={"enabled": True}, journal={"enabled": True})


BUDGET = "SunSpec, HTTPS and journal"
RUNS = {
    "site alone": {},
    **DOORS,
    BUDGET: {**DOORS["SunSpec server"], **DOORS["HTTPS"], **DOORS["journal, at rest"]},
    "all of it": _all(),
}


async def live_bytes(folder, profile, patch):
    """Live heap of the site with `patch` laid over its settings."""

    def first(twin, port):
        return dict(settings(twin, port), **patch)

    simulation = Simulation(Path(folder), profile=profile, heap=_HEAP, first_settings=first)
    async with simulation:
        await asyncio.sleep(_SETTLED_S)
        heap = (await state(simulation))["heap"]
        return heap["live"]


def measure(names, tell):
    """{name: {profile: bytes}}"""
    found = {}
    for name in names:
        tell(name)
        with tempfile.TemporaryDirectory() as folder:
            found[name] = asyncio.run(_both(folder, RUNS[name]))
    return found


async def _both(folder, patch):
    profiles = ("files", "image")
    runs = [live_bytes(Path(folder) / profile, profile, patch) for profile in profiles]
    return dict(zip(profiles, await asyncio.gather(*runs), strict=True))


def table(found):
    """The figures as a table of docs/doors-cost.md, in kB of 1000 bytes."""
    alone = found["site alone"]
    yield "| | files, kB | image, kB |\n|---|---|---|"
    for name, bytes_ in found.items():
        kb = [bytes_[profile] / 1000 for profile in ("files", "image")]
        more = [(bytes_[profile] - alone[profile]) / 1000 for profile in ("files", "image")]
        if name in DOORS:
            yield "| %s | + %.1f | + %.1f |" % (name, *more)
        else:
            yield "| **%s** | %.1f | %.1f |" % (name, *kb)


def main(names):
    names = ["site alone", *(name for name in names or RUNS if name != "site alone")]
    found = measure(names, lambda text: print("...", text, file=sys.stderr, flush=True))
    print("\n".join(table(found)))


if __name__ == "__main__":
    main(sys.argv[1:])
