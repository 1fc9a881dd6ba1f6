"""The picture of a day."""

import matplotlib

matplotlib.use("Agg")
import numpy  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

_SUN, _HOUSE, _BATTERY, _GRID = "#e6b800", "#7f8c8d", "#2ca02c", "#c0392b"
_CARS = ("#1f77b4", "#8e44ad")
_MEAN_S = 30


def _mean(values):
    count = len(values) // _MEAN_S * _MEAN_S
    return values[:count].reshape(-1, _MEAN_S).mean(axis=1) / 1000


def draw(day, figures, path):
    """day: world.Day; figures: of it."""
    picture = Figure(figsize=(10, 6.2), layout="constrained")
    power, grid, state = picture.subplots(3, 1, height_ratios=[3, 1.3, 0.9], sharex=True)
    hours = day.first_s / 3600 + (numpy.arange(len(_mean(day.sun_w))) + 0.5) * _MEAN_S / 3600
    power.fill_between(hours, _mean(day.sun_w), color=_SUN, alpha=0.35, lw=0, label="sun")
    floor = _mean(day.house_w)
    power.fill_between(hours, floor, color=_HOUSE, alpha=0.7, lw=0, label="house")
    for n in range(2):
        if figures["car_wh"][n]:
            top = floor + _mean(day.cars_w[:, n])
            label = "car at E%d, %s" % (n + 1, "1 or 3 phases" if n == 0 else "fixed 3 phases")
            power.fill_between(hours, floor, top, color=_CARS[n], alpha=0.8, lw=0, label=label)
            floor = top
    if day.plan.battery:
        into = numpy.maximum(0, _mean(day.battery_w))
        power.fill_between(
            hours, floor, floor + into, color=_BATTERY, alpha=0.6, lw=0, label="into the battery"
        )
    power.set_ylabel("kW")
    power.set_ylim(bottom=0)
    power.legend(ncols=2, fontsize="small", loc="upper left")
    power.set_title(
        "%s: %.1f kWh into cars, %.1f %% of it from the grid; %d phase switchings, %d starts"
        % (
            day.plan.title[0].upper() + day.plan.title[1:],
            sum(figures["car_wh"]) / 1000,
            100 * figures["grid_share"],
            figures["switchings"],
            figures["starts"],
        ),
        loc="left",
        fontsize="medium",
    )
    at_grid = _mean(day.grid_w)
    grid.fill_between(hours, numpy.maximum(0, at_grid), color=_GRID, lw=0, label="import")
    grid.fill_between(hours, numpy.minimum(0, at_grid), color=_SUN, lw=0, label="export")
    grid.set_ylabel("grid, kW")
    grid.legend(ncols=2, fontsize="small", loc="lower left")
    seconds = day.first_s / 3600 + numpy.arange(len(day.sun_w)) / 3600
    if day.plan.battery:
        charge = grid.twinx()
        charge.plot(seconds[::60], day.soc[::60], color=_BATTERY, lw=1.2)
        charge.set_ylim(0, 105)
        charge.set_ylabel("battery, %", color=_BATTERY)
        charge.spines["top"].set_visible(False)
    for n in range(2):
        if not figures["car_wh"][n]:
            continue
        lines = (day.cars_w[:, n] > 500) * day.phases[:, n]
        for stay in day.plan.stays:
            if stay.box == n:
                lines = numpy.minimum(lines, stay.lines)
        state.step(seconds[::10], lines[::10], color=_CARS[n], lw=1, label="E%d" % (n + 1))
    state.set_yticks([0, 1, 2, 3])
    state.set_ylim(-0.2, 3.3)
    state.set_ylabel("phases")
    state.set_xlim(seconds[0], seconds[-1])
    ticks = range(int(seconds[0]) // 2 * 2 + 2, int(seconds[-1]) + 1, 2)
    state.set_xticks(ticks, ["%d:00" % hour for hour in ticks])
    for axes in (power, grid, state):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    picture.savefig(path, dpi=85)
