"""`make year`: a year of charging behind a 35 A fuse, and what came of it.

DAYS, SEED, JOBS, YEAR and FUSE in the environment change it; --docs puts the picture into docs.
Exit code 1 if a goal is missed.
"""

import json
import multiprocessing
import os
import shutil
import sys
import time

from . import cars, clairvoyant, figures, house, world

_BUILD = world.ROOT / "build" / "year"
_WEEK = 7


def _number(name, default, least, most):
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or not least <= int(text) <= most:
        raise SystemExit("%s is %r; allowed: %d to %d" % (name, text, least, most))
    return int(text)


def run_day(seed, year, day, limit_ma, a_world=None):
    """(world.Day, figures of it)."""
    house_ma = house.noon_to_noon(seed, year, day)
    done = (a_world or world.World(limit_ma)).day(house_ma, cars.stays(seed, year, day))
    most_wh = clairvoyant.day_wh(
        house_ma, done.stays, limit_ma, world.SETTINGS["max_unbalance_ma"], done.delivered_wh()
    )
    return done, figures.of_day(day, done, most_wh, house.before_noon(seed, year, day))


def run_days(job):
    """[figures of a day]. job: (seed, year, days, limit_ma); one board for all of them."""
    seed, year, days, limit_ma = job
    a_world = world.World(limit_ma)
    return [run_day(seed, year, day, limit_ma, a_world)[1] for day in days]


def main():
    """Runs, prints, draws."""
    docs = "--docs" in sys.argv
    seed = _number("SEED", 1, 0, 1 << 31)
    count = _number("DAYS", house.DAYS, 1, house.DAYS)
    jobs = _number("JOBS", os.cpu_count() or 1, 1, 64)
    year = _number("YEAR", 2025, 2000, 2100)
    limit_a = _number("FUSE", 35, 16, 63)
    started_s = time.monotonic()
    weeks = [
        (seed, year, range(first, min(first + _WEEK, count)), 1000 * limit_a)
        for first in range(0, count, _WEEK)
    ]
    days = []
    with multiprocessing.Pool(jobs) as pool:
        for week in pool.imap(run_days, weeks):
            days += week
            took_s = time.monotonic() - started_s
            left_s = took_s * (count - len(days)) / len(days)
            print(
                "%3d of %d days, %3d s, about %3d s left" % (len(days), count, took_s, left_s),
                flush=True,
            )
    whole = figures.of_year(days)
    _BUILD.mkdir(parents=True, exist_ok=True)
    (_BUILD / "year.json").write_text(json.dumps({"year": whole, "days": days}))
    print("\n%s\n" % figures.table(whole, limit_a))

    from . import picture

    worst = max(days, key=lambda day: (max(day["longest_s"]), max(day["heat"])))["day"]
    done, _ = run_day(seed, year, worst, 1000 * limit_a)
    path = _BUILD / "year.png"
    picture.draw(days, worst, done, limit_a, year, path)
    if docs:
        shutil.copy(path, world.ROOT / "docs" / "images" / "year.png")
    print("%s, %d s" % (path.relative_to(world.ROOT), time.monotonic() - started_s))
    missed = figures.missed(whole)
    for goal in missed:
        print("MISSED: " + goal)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
