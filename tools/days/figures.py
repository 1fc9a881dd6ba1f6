"""Figures of a day, and the goals.

Energy from the grid into cars: in each second the smaller of the power of all cars in PV modes and
of what is imported: the sun goes to the house first.
Error: |what is held - target| where a car in PV mode draws more than its minimum and less than its
maximum. Held is the grid's power, with a battery less what it charges (0 where it goes first) and
with the dead zone taken off. Calm: the same where house and sun together changed by less than
30 W from second to second for 60 s.
"""

import numpy

GRID_SHARE, SWITCHINGS, ERROR_W = 0.03, 12, 100
LOCK_OUT_S, STOP_S = 210, 30  # hysteresis_s as delivered; a stop waits only so long
_CALM_W, _CALM_S = 30, 60


def _held_w(day):
    settings = day.plan.settings
    if not day.plan.battery:
        return day.grid_w
    dead_w = settings["battery_deadzone"]
    grid_w = numpy.sign(day.grid_w) * numpy.maximum(0, abs(day.grid_w) - dead_w)
    battery_w = day.battery_w
    if settings["battery_mode"] == 1:
        battery_w = numpy.minimum(0, battery_w)
    return grid_w - battery_w


def shortest_s(day):
    """(shortest time on, shortest time off, shortest between two changes of phases), of any box;
    None: there is none that ended by itself while the car was there.
    """
    found = [None] * 3
    for n in range(2):
        unplugged = {stay.end_s - day.first_s for stay in day.plan.stays if stay.box == n}
        for values, places in ((day.on[:, n], (1, 0)), (day.phases[:, n], (2, 2))):
            at = numpy.flatnonzero(numpy.diff(values)) + 1
            at = [int(k) for k in at if not unplugged & {k - 1, k, k + 1}]
            for start, end in zip(at, at[1:]):
                k = places[int(values[start] != 0)]
                if found[k] is None or end - start < found[k]:
                    found[k] = end - start
    return found


def of_day(day):
    """dict of plain numbers."""
    cars_w = (day.cars_w * day.pv).sum(axis=1)
    car_wh = day.cars_w.sum(axis=0) / 3600
    sun_wh = day.sun_w.sum() / 3600
    grid_wh = numpy.minimum(cars_w, numpy.maximum(0, day.grid_w)).sum() / 3600
    pv_wh = cars_w.sum() / 3600
    error_w = abs(_held_w(day) - day.plan.settings["target_power_from_grid"])
    moved = abs(numpy.diff(day.house_w - day.sun_w, prepend=day.house_w[0] - day.sun_w[0]))
    recent = numpy.convolve(moved > _CALM_W, numpy.ones(_CALM_S))[: len(moved)]
    # It settles after a start or another number of phases, too.
    events = numpy.zeros(len(moved))
    for n in range(2):
        drawing = (day.cars_w[:, n] > 1000).astype(int)
        events += abs(numpy.diff(drawing, prepend=drawing[0])) + day.switching[:, n]
    recent += numpy.convolve(events, numpy.ones(_CALM_S))[: len(moved)]
    calm = error_w[day.steered & (recent < 0.5)]
    steered = error_w[day.steered]
    noon = max(0, min(len(moved), 43200 - day.first_s))
    on_s, off_s, phases_s = shortest_s(day)

    def quantile(values, share):
        return round(float(numpy.quantile(values, share))) if len(values) else None

    return {
        "name": day.plan.name,
        "sun_wh": round(sun_wh),
        "self_consumption": 1 + float(numpy.minimum(0, day.grid_w).sum()) / 3600 / max(1, sun_wh),
        "car_wh": [round(wh) for wh in car_wh],
        "grid_wh": round(grid_wh),
        "grid_share": float(grid_wh / pv_wh) if pv_wh else 0.0,
        "switchings": day.switchings,
        "starts": day.starts,
        "error_w": (quantile(steered, 0.5), quantile(steered, 0.95)),
        "calm_error_w": (quantile(calm, 0.5), quantile(calm, 0.95)),
        "calm_s": len(calm),
        "car_noon_wh": round(float(cars_w[:noon].sum()) / 3600),
        "battery_noon_wh": round(float(day.battery_w[:noon].sum()) / 3600),
        "on_s": on_s,
        "off_s": off_s,
        "phase_gap_s": phases_s,
    }


def missed(all_figures):
    """[text] of the goals that the days miss. all_figures: of one seed, in any order."""
    found = []
    by_name = {day["name"]: day for day in all_figures}
    for name, day in by_name.items():
        if name == "cloudy":
            if day["grid_share"] > GRID_SHARE:
                found.append("cloudy: %.1f %% from the grid" % (100 * day["grid_share"]))
            if day["switchings"] > SWITCHINGS:
                found.append("cloudy: %d phase switchings" % day["switchings"])
        if day["calm_s"] > 600 and day["calm_error_w"][1] > ERROR_W:
            found.append("%s: held to %d W only" % (name, day["calm_error_w"][1]))
        for what in ("on_s", "off_s", "phase_gap_s"):
            least_s = STOP_S if what == "on_s" else LOCK_OUT_S
            if day[what] is not None and day[what] < least_s:
                found.append("%s: %s %d s" % (name, what, day[what]))
    battery, cars = by_name.get("battery_first"), by_name.get("cars_first")
    if battery and cars:
        if battery["battery_noon_wh"] <= 2 * cars["battery_noon_wh"]:
            found.append("battery first: no more in the battery by noon")
        if cars["car_noon_wh"] <= 2 * battery["car_noon_wh"]:
            found.append("cars first: no more in the car by noon")
    return found


def table(all_figures):
    """Lines for the screen."""
    lines = [
        "%-14s %8s %6s %11s %12s %7s %7s %11s %11s"
        % (
            "day",
            "sun kWh",
            "self",
            "cars kWh",
            "from grid",
            "switch",
            "starts",
            "error W",
            "calm",
        ),
    ]
    for day in all_figures:
        pairs = ["%s/%s" % day[name] for name in ("error_w", "calm_error_w")]
        lines.append(
            "%-14s %8.1f %5.0f%% %11s %4.2f = %4.1f%% %7d %7d %11s %11s"
            % (
                day["name"],
                day["sun_wh"] / 1000,
                100 * day["self_consumption"],
                " ".join(["%.1f" % (wh / 1000) for wh in day["car_wh"]]),
                day["grid_wh"] / 1000,
                100 * day["grid_share"],
                day["switchings"],
                day["starts"],
                pairs[0].replace("None", "-"),
                pairs[1].replace("None", "-"),
            )
        )
    lines.append("error: median/95 % of |held - target|; calm: where house and sun are steady")
    for day in all_figures:
        if day["name"] in ("battery_first", "cars_first"):
            lines.append(
                "%s: by noon %.1f kWh into the battery, %.1f kWh into the car"
                % (day["name"], day["battery_noon_wh"] / 1000, day["car_noon_wh"] / 1000)
            )
    return "\n".join(lines)
