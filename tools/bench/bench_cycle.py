"""Time of one decision of the site on the VM: bench_cycle.py LIB. Prints one JSON object."""

import gc
import json
import sys
import time

sys.path.insert(0, sys.argv[1])

from chargecontrol.evse import Evse  # noqa: E402
from chargecontrol.site import Site  # noqa: E402

SETTINGS = {
    "max_total_current": "exists(AVAIL) ? 55000 * AVAIL / 100 : 55000",
    "max_total_power": "PB.input1 ? 9660 : 25000",
    "failsafe_current_ma": 6000,
    "reserve_current_ma": 0,
    "voltage_v": 230,
    "meter_loss_current_ma": 6000,
}
VALUES = {"input1": 0, "avail": 100}


def lookup(name, field):
    return VALUES[field]


def decide_us(boxes, runs=300):
    evses = []
    for number in range(boxes):
        config = {
            "id": "E%d" % (number + 1),
            "priority": 1 + number % 2,
            "min_current_ma": 6000,
            "max_current_ma": 16000,
            "failsafe_current_ma": 6000,
            "phases": 3 - number % 3,
            "phase_rotation": number % 3 * 120,
        }
        evse = Evse(config, 100)
        evse.state = "C"
        evse.silent_since_ms = None
        evses.append(evse)
    site = Site(SETTINGS, evses, "M1")
    lookups = (lookup, lookup, lookup)
    best = 1 << 29
    for run in range(runs):
        gc.collect()
        now_ms = run * 1000
        site.house.reading_ma = [9000 + run, 8000, 7000]
        site.house.read_ms = now_ms
        start = time.ticks_us()
        site.decide(now_ms, True, lookups)
        best = min(best, time.ticks_diff(time.ticks_us(), start))
    return best


print(json.dumps({"decide_2_us": decide_us(2), "decide_8_us": decide_us(8)}))
