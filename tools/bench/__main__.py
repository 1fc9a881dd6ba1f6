"""Measures the budgets: `make bench`, as one JSON object with JSON=1.

Figures are from the 32-bit VM on this machine. Times on an ESP32 are estimated with the factor
140 (docs/architecture.md); ratios are what to look at, since machines differ and are shared.
"""

import asyncio
import json
import os
import sys

from tools import build

from . import site, vm

_ESP32_FACTOR = 140
# name in the figures, what it is, unit, budget, whether more is better
_BUDGETS = (
    ("live_files_bytes", "live heap, files profile", "B", 92160, False),
    ("largest_files_bytes", "largest free block, files profile", "B", 12288, True),
    ("live_image_bytes", "live heap, image profile", "B", 102400, False),
    ("contact_to_wire_E2_ms", "contact to setpoint on the wire, TCP", "ms", 50, False),
    ("contact_to_wire_E1_ms", "contact to setpoint on the wire, RS-485", "ms", 50, False),
    ("dimming_to_wire_E2_ms", "dimming contact to setpoint, TCP", "ms", 50, False),
    ("dimming_to_wire_E1_ms", "dimming contact to setpoint, RS-485", "ms", 50, False),
    ("contact_to_wire_esp32_ms", "the same, estimated on an ESP32", "ms", 200, False),
    ("cycle_8_us", "cycle: 8 EVSEs, 6 meters, 24 formulas, 24 rules", "us", 1000, False),
    ("formula_ratio", "formula against a function by hand", "x", 5, False),
    ("bus_use", "use of a full RS-485 bus", "", 0.85, True),
    ("dead_device_keeps", "polling that others keep beside a dead device", "", 0.9, True),
    ("cycle_late_max_ms", "latest cycle, beside 600 requests", "ms", 100, False),
    ("cnf_ratio", "/cnf against an empty microdot route", "", 0.6, True),
)


def _tell(text):
    print("... " + text, file=sys.stderr, flush=True)


def figures():
    """Everything that is measured, by name."""
    lib = build.build_files() / "lib"
    found = {}
    for script in ("formula", "sharing", "modbus", "cycle"):
        _tell(script)
        found.update(vm.run("bench_%s.py" % script, lib))
    _tell("a whole cycle")
    found.update(vm.run("bench_whole_cycle.py", lib.parent, vm.CHIP, heap="1M"))
    _tell("heap of each module")
    found["modules"] = vm.heap_by_module()
    found.update(asyncio.run(site.measure(_tell)))
    found["cnf_ratio"] = found["cnf_per_s"] / found["empty_route_per_s"]
    # What the chip computes between the edge and the wire is slower there; the wire is not.
    found["contact_to_wire_esp32_ms"] = (
        found["contact_to_wire_E2_ms"] + found["decide_2_us"] * _ESP32_FACTOR / 1000
    )
    return found


def _rows(found):
    for name, text, unit, budget, more in _BUDGETS:
        figure = found[name]
        ratio = figure / budget
        held = ratio >= 1 if more else ratio <= 1
        yield name, text, unit, figure, budget, ratio, held


def main():
    found = figures()
    budgets = {
        name: {
            "figure": figure,
            "budget": budget,
            "unit": unit,
            "ratio": round(ratio, 3),
            "held": held,
        }
        for name, _, unit, figure, budget, ratio, held in _rows(found)
    }
    if os.environ.get("JSON"):
        print(json.dumps({"budgets": budgets, "figures": found}))
        return
    print("%-48s %10s %10s %6s" % ("budget", "figure", "budget", "ratio"))
    for _, text, unit, figure, budget, ratio, held in _rows(found):
        print(
            "%-48s %10s %10s %6.2f %s"
            % (
                text,
                "%.4g %s" % (figure, unit),
                "%g %s" % (budget, unit),
                ratio,
                "" if held else "MISSED",
            )
        )
    print("\n%-28s %8s %8s   (bytes of heap after import)" % ("module", "files", "image"))
    for name, (files, image) in found["modules"].items():
        print("%-28s %8d %8d" % (name, files, image))
    print("%-28s %8d %8d" % ("together", *map(sum, zip(*found["modules"].values()))))
    for name in sorted(found):
        if name not in budgets and name != "modules":
            print("%-28s %s" % (name, found[name]))


if __name__ == "__main__":
    main()
