"""Figures of a day, their sum over the year, and the goals."""

import numpy

from . import house
from .cars import CARS

MOST_OVER_S = 10
LEAST_SHARE = 0.95


def longest(seconds):
    """The longest stretch of true values, in seconds."""
    edges = numpy.flatnonzero(
        numpy.diff(numpy.concatenate([[0], seconds.astype(numpy.int8), [0]]))
    )
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def of_day(day, done, most_wh, before_ma):
    """dict of one day, plain numbers. done: world.Day; before_ma: (n, 3) before noon."""
    cars_ma = done.cars_ma
    grid_ma = done.house_ma + cars_ma
    over = grid_ma > done.limit_ma
    by_car, most_by_car = [0.0] * 3, [0.0] * 3
    delivered_wh = done.delivered_wh()
    for stay, got, most in zip(done.stays, delivered_wh, most_wh):
        by_car[stay.evse] += min(got, stay.need_wh)  # the last second may give a little more
        most_by_car[stay.evse] += most
    heats = [house.heat(done.limit_ma // 1000, before_ma[:, n], grid_ma[:, n]) for n in range(3)]
    return {
        "day": day,
        "simulated_s": len(grid_ma),
        "decided_s": done.decided_s,
        "charging_s": len(done.rows),
        "heat": [highest for highest, _ in heats],
        "house_heat": [
            house.heat(done.limit_ma // 1000, before_ma[:, n], done.house_ma[:, n])[0]
            for n in range(3)
        ],
        "trips": [int(tripped) for _, tripped in heats],
        "over_s": [int((over[:, n] & (cars_ma[:, n] > 0)).sum()) for n in range(3)],
        "longest_s": [longest(over[:, n] & (cars_ma[:, n] > 0)) for n in range(3)],
        "house_over_s": [int((done.house_ma[:, n] > done.limit_ma).sum()) for n in range(3)],
        "peak_ma": [int(grid_ma[:, n].max()) for n in range(3)],
        "need_wh": sum(stay.need_wh for stay in done.stays),
        "wh": by_car,
        "most_wh": most_by_car,
        "stays": len(done.stays),
    }


def of_year(days):
    """dict of all days."""

    def column(name, of):
        return [of([day[name][n] for day in days]) for n in range(3)]

    wh, most_wh = column("wh", sum), column("most_wh", sum)
    tight = [day for day in days if sum(day["most_wh"]) < 0.999 * day["need_wh"]]
    shares = [sum(day["wh"]) / sum(day["most_wh"]) for day in days if sum(day["most_wh"])]
    return {
        "days": len(days),
        "simulated_s": sum(day["simulated_s"] for day in days),
        "decided_s": sum(day["decided_s"] for day in days),
        "charging_s": sum(day["charging_s"] for day in days),
        "heat": column("heat", max),
        "house_heat": column("house_heat", max),
        "trips": column("trips", sum),
        "over_s": column("over_s", sum),
        "longest_s": column("longest_s", max),
        "house_over_s": column("house_over_s", sum),
        "peak_ma": column("peak_ma", max),
        "need_wh": sum(day["need_wh"] for day in days),
        "wh": wh,
        "most_wh": most_wh,
        "stays": sum(day["stays"] for day in days),
        "share": sum(wh) / sum(most_wh) if sum(most_wh) else 1.0,
        "worst_share": min(shares) if shares else 1.0,
        "tight_days": len(tight),
        "tight_share": (
            sum(sum(day["wh"]) for day in tight) / sum(sum(day["most_wh"]) for day in tight)
            if tight
            else 1.0
        ),
    }


def missed(year):
    """[str]: goals that are missed."""
    found = []
    if sum(year["trips"]):
        found.append("%d fuse(s) tripped" % sum(year["trips"]))
    if max(year["longest_s"]) > MOST_OVER_S:
        found.append("an overload lasted %d s" % max(year["longest_s"]))
    if year["share"] < LEAST_SHARE:
        found.append("only %.1f %% of the clairvoyant's energy" % (100 * year["share"]))
    return found


def table(year, limit_a):
    """The figures as text."""
    lines = [
        "%d days: %d s simulated, %d s decided, in %d s somebody charges"
        % (year["days"], year["simulated_s"], year["decided_s"], year["charging_s"]),
        "",
        "House connection %d A %17s %9s %9s" % (limit_a, "L1", "L2", "L3"),
    ]

    def row(name, values, form="%d"):
        lines.append("  %-30s" % name + " ".join(["%9s" % (form % value) for value in values]))

    row("fuses that tripped", year["trips"])
    row("highest heat (100 %: opens)", [100 * value for value in year["heat"]], "%.1f %%")
    row("  without any car", [100 * value for value in year["house_heat"]], "%.1f %%")
    row("highest current", [ma / 1000 for ma in year["peak_ma"]], "%.1f A")
    row("longest overload with cars", year["longest_s"], "%d s")
    row("overload with cars, all", year["over_s"], "%d s")
    row("house alone above the fuse", year["house_over_s"], "%d s")
    lines += ["", "%-28s %11s %13s %9s" % ("Energy", "delivered", "clairvoyant", "share")]
    for name, wh, most_wh in zip(
        CARS + ("all",), year["wh"] + [sum(year["wh"])], year["most_wh"] + [sum(year["most_wh"])]
    ):
        share = 100 * wh / most_wh if most_wh else 100
        lines.append("  %-26s %7d kWh %9d kWh %7.2f %%" % (name, wh / 1000, most_wh / 1000, share))
    lines += [
        "  wanted in %d stays: %d kWh" % (year["stays"], year["need_wh"] / 1000),
        "  on the %d days on which not even the clairvoyant fills all cars: %.2f %%"
        % (year["tight_days"], 100 * year["tight_share"]),
        "  on the worst day: %.1f %%" % (100 * year["worst_share"]),
    ]
    return "\n".join(lines)
