"""Time and heap of the sharing, on the VM: bench_sharing.py LIB. Prints one JSON line.

*_us: median of one share() in microseconds over mixed sites (two classes, limits too small for
all); *_worst_us: the dearest of them; *_unbalance_*: with 6 rows more, of boxes on one or two
lines and of a house that is near its limit; bytes, rows_bytes: heap that sharing.py and rows.py
keep.
"""

import gc
import json
import sys
import time

sys.path.insert(0, sys.argv[1])
gc.collect()
before = gc.mem_alloc()
from chargecontrol.sharing import Row, share  # noqa: E402

gc.collect()
after = gc.mem_alloc()
from chargecontrol.rows import phase_rows, power_row, unbalance_rows  # noqa: E402

gc.collect()
rows_bytes = gc.mem_alloc() - after


class Evse:
    def __init__(
        self,
        id,
        priority,
        min_ma,
        max_ma,
        step_ma,
        charging=True,
        waiting_s=0,
        energy_wh_per_h=0,
        paused=False,
        phases=3,
        phase_rotation=0,
    ):
        self.id = id
        self.priority = priority
        self.min_ma = min_ma
        self.max_ma = max_ma
        self.step_ma = step_ma
        self.charging = charging
        self.waiting_s = waiting_s
        self.energy_wh_per_h = energy_wh_per_h
        self.paused = paused
        self.phases = phases
        self.lines = (1 << phases) - 1
        self.phase_rotation = phase_rotation


def evses_of(count, site):
    return [
        Evse(
            "E%d" % i,
            1 + (i * 7 + site) % 3 // 2,
            6000,
            (16000, 32000, 20000, 13000)[(i + site) % 4],
            (100, 100, 1000, 1)[i * site % 4],
            (i + site) % 3 > 0,
            i * 60,
            i * 100 + site,
            False,
            1 + (i + site) % 3,
            i % 3 * 120,
        )
        for i in range(count)
    ]


def rows_of(evses, count, site):
    n = len(evses)
    rows = phase_rows("", [(4000 + 700 * ((site + k) % 5)) * n for k in range(3)], evses, None)
    rows.append(power_row("power", 2000 * n, evses, None, 230))
    while len(rows) < count:
        k = len(rows)
        weights = [1 if (i + k) % 3 else 0 for i in range(n)]
        rows.append(Row("F%d" % k, (3000 + 500 * ((site + k) % 4)) * n, weights))
    return rows


def measure(n_evses, n_rows, unbalance=False, sites=40, repeat=5):
    times = []
    for site in range(sites):
        evses = evses_of(n_evses, site)
        rows = rows_of(evses, n_rows, site)
        if unbalance:
            rows += unbalance_rows(20000, (site * 500, 0, site % 7 * 2000), evses)
        best = 1 << 29
        for _ in range(repeat):
            gc.collect()
            start = time.ticks_us()
            share(evses, rows)
            best = min(best, time.ticks_diff(time.ticks_us(), start))
        times.append(best)
    times.sort()
    return times[sites // 2], times[-1]


result = {"bytes": after - before, "rows_bytes": rows_bytes}
for name, n_evses, n_rows in (("2x3", 2, 3), ("8x6", 8, 6), ("16x24", 16, 24)):
    middle, worst = measure(n_evses, n_rows)
    result["share_%s_us" % name] = middle
    result["share_%s_worst_us" % name] = worst
    middle, worst = measure(n_evses, n_rows, True)
    result["share_%s_unbalance_us" % name] = middle
    result["share_%s_unbalance_worst_us" % name] = worst
evses = evses_of(8, 1)
rows = rows_of(evses, 6, 1)
gc.collect()
gc.disable()
start = gc.mem_alloc()
share(evses, rows)
result["garbage_8x6_bytes"] = gc.mem_alloc() - start
gc.enable()
print(json.dumps(result))
