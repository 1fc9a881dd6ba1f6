"""`make days`: whole days of charging with the sun, figures and a picture of each.

DAY (a name), SEED, SEEDS (so many from SEED on) and JOBS in the environment change it; --docs puts
the pictures into docs. Exit code 1 if a goal is missed.
"""

import json
import multiprocessing
import os
import shutil
import sys
import time

from . import figures, plans, world

_BUILD = world.ROOT / "build" / "days"


def _number(name, default, least, most):
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or not least <= int(text) <= most:
        raise SystemExit("%s is %r; allowed: %d to %d" % (name, text, least, most))
    return int(text)


def run_day(job):
    """Figures of a day; draws it where there is a path. job: (name, seed, path or None)."""
    name, seed, path = job
    day = world.run(plans.named(name), seed)
    found = dict(figures.of_day(day), seed=seed)
    if path:
        from . import picture

        picture.draw(day, found, path)
    return found


def main():
    """Runs, prints, draws."""
    names = [plan.name for plan in plans.PLANS]
    only = os.environ.get("DAY")
    if only and only not in names:
        raise SystemExit("DAY is %r; there are: %s" % (only, ", ".join(names)))
    seed = _number("SEED", 1, 0, 1 << 31)
    seeds = range(seed, seed + _number("SEEDS", 1, 1, 1000))
    started_s = time.monotonic()
    _BUILD.mkdir(parents=True, exist_ok=True)
    jobs = [
        (name, one, _BUILD / ("%s.png" % name) if one == seed else None)
        for one in seeds
        for name in ([only] if only else names)
    ]
    with multiprocessing.Pool(_number("JOBS", os.cpu_count() or 1, 1, 64)) as pool:
        done = pool.map(run_day, jobs, 1)
    (_BUILD / "days.json").write_text(json.dumps(done))
    failed = False
    for one in seeds:
        of_seed = [day for day in done if day["seed"] == one]
        print("seed %d\n%s" % (one, figures.table(of_seed)))
        for goal in figures.missed(of_seed):
            print("MISSED: " + goal)
            failed = True
    if "--docs" in sys.argv:
        for name, _, path in jobs:
            if path:
                shutil.copy(path, world.ROOT / "docs" / "images" / ("pv-%s.png" % name))
    print("%s, %d s" % (_BUILD.relative_to(world.ROOT), time.monotonic() - started_s))
    return failed


if __name__ == "__main__":
    sys.exit(main())
