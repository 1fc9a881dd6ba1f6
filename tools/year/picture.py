"""The picture of the year."""

import datetime

import matplotlib

matplotlib.use("Agg")
import numpy  # noqa: E402
from matplotlib.dates import DateFormatter  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

_PHASES = ("#8c564b", "#222222", "#7f8c8d")
_CARS = ("#1f77b4", "#e69f00", "#2ca02c")
_FUSE = "#c0392b"


def draw(days, worst, done, limit_a, year, path):
    """days: figures of each day; worst: number of a day, done: its world.Day."""
    picture = Figure(figsize=(10, 11), layout="constrained")
    energy, peak, day, moment = picture.subplots(4, 1, height_ratios=[1.1, 1, 1.2, 1])
    dates = [datetime.date(year, 1, 1) + datetime.timedelta(days=at["day"]) for at in days]

    floor = numpy.zeros(len(days))
    for n in range(3):
        kwh = numpy.array([at["wh"][n] / 1000 for at in days])
        energy.bar(dates, kwh, 1.0, bottom=floor, color=_CARS[n], label="E%d" % (n + 1))
        floor += kwh
    most = [sum(at["most_wh"]) / 1000 for at in days]
    energy.step(dates, most, where="mid", color="black", lw=0.7, label="clairvoyant")
    share = 100 * sum(floor) / max(1e-9, sum(most))
    energy.set_title(
        "Energy charged per day: %.2f %% of what a clairvoyant could deliver" % share,
        loc="left",
        fontsize="medium",
    )
    energy.set_ylabel("kWh")
    energy.legend(ncols=4, fontsize="small", loc="upper right")

    for n in range(3):
        peaks = [at["peak_ma"][n] / 1000 for at in days]
        peak.plot(dates, peaks, ".", ms=3, color=_PHASES[n], label="L%d" % (n + 1))
    peak.axhline(limit_a, color=_FUSE, lw=1, label="fuse")
    longest = max(max(at["longest_s"]) for at in days)
    heat = 100 * max(max(at["heat"]) for at in days)
    peak.set_title(
        "Highest current of each day (one second): never above the fuse for more than %d s with "
        "cars; heat at most %d %% of what opens it" % (longest, heat),
        loc="left",
        fontsize="medium",
    )
    peak.set_ylabel("A, highest second")
    peak.set_ylim(bottom=0)
    peak.legend(ncols=4, fontsize="small", loc="lower right")

    cars_ma = done.cars_ma
    grid_ma = done.house_ma + cars_ma
    hours = numpy.arange(0, len(grid_ma), 60) / 3600 + 12
    for n in range(3):
        top_a = grid_ma[:, n].reshape(-1, 60).max(axis=1) / 1000
        day.plot(hours, top_a, color=_PHASES[n], lw=0.8, label="L%d" % (n + 1))
    for n in range(3):
        house_a = done.house_ma[:, n].reshape(-1, 60).mean(axis=1) / 1000
        day.plot(hours, house_a, color=_PHASES[n], lw=0.5, alpha=0.5, ls=":")
    for stay in done.stays:
        day.plot(
            [stay.start_s / 3600 + 12, stay.end_s / 3600 + 12],
            [-4 - 3 * stay.evse] * 2,
            color=_CARS[stay.evse],
            lw=4,
            solid_capstyle="butt",
        )
    day.axhline(limit_a, color=_FUSE, lw=1)
    day.set_xlim(12, 36)
    day.set_xticks(range(12, 37, 2), ["%d:00" % (hour % 24) for hour in range(12, 37, 2)])
    date = datetime.date(year, 1, 1) + datetime.timedelta(days=worst)
    day.set_title(
        "The hardest day, %s: highest current in each minute; dotted: the house alone; bars: "
        "plugged in" % date.strftime("%B %d").replace(" 0", " "),
        loc="left",
        fontsize="medium",
    )
    day.set_ylabel("A")

    at_s, phase = _hardest(grid_ma, cars_ma, done.limit_ma)
    span = slice(max(0, at_s - 20), at_s + 40)  # a minute
    seconds = numpy.arange(len(grid_ma))[span] - at_s
    for n in range(3):
        width = 1.8 if n == phase else 0.8
        moment.step(
            seconds, grid_ma[span, n] / 1000, where="post", color=_PHASES[n], lw=width,
            label="L%d" % (n + 1),
        )  # fmt: skip
    moment.step(
        seconds, cars_ma[span, phase] / 1000, where="post", color=_CARS[0], lw=1.2,
        label="cars on L%d" % (phase + 1),
    )  # fmt: skip
    moment.axhline(limit_a, color=_FUSE, lw=1)
    clock = (at_s // 3600 + 12) % 24, at_s // 60 % 60
    moment.set_title(
        "Its hardest minute, second by second, from %d:%02d on" % clock,
        loc="left",
        fontsize="medium",
    )
    moment.set_xlabel("s")
    moment.set_ylabel("A")
    moment.legend(ncols=4, fontsize="small", loc="lower right")
    for axes in (energy, peak):
        axes.xaxis.set_major_formatter(DateFormatter("%b" if len(days) > 60 else "%b %-d"))
    for axes in (energy, peak, day, moment):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.005)
    picture.savefig(path, dpi=90)


def _hardest(grid_ma, cars_ma, limit_ma):
    """(second, phase) where the longest overload with cars begins, else the highest current."""
    best = (0, 0, 0)
    for n in range(3):
        over = (grid_ma[:, n] > limit_ma) & (cars_ma[:, n] > 0)
        edges = numpy.flatnonzero(numpy.diff(numpy.concatenate([[0], over.astype(int), [0]])))
        for start, end in zip(edges[::2], edges[1::2]):
            excess = int((grid_ma[start:end, n] - limit_ma).sum())
            best = max(best, (excess, int(start), n))
    if best[0]:
        return best[1], best[2]
    at_s, phase = numpy.unravel_index(grid_ma.argmax(), grid_ma.shape)
    return int(at_s), int(phase)
