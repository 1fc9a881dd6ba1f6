"""Draw a recording of the twin: python picture.py twin.csv twin.png [en|de].

Runs as a program of its own, so that drawing never holds up the simulated wires. From top to
bottom: power of the house and what the setpoints would allow; with a sun or a battery where the
surplus goes; with a dimming what it is about; the phases at each meter that has a fuse; setpoint
and currents of each car; contacts, relays, what the operator writes, faults, appliances, cars
asleep, boxes on three phases.
"""

import csv
import io
import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: E402
from PIL import Image  # noqa: E402  (matplotlib needs it too)

_TEXTS = json.loads(pathlib.Path(__file__).with_name("picture_texts.json").read_text("utf-8"))
_HOUSE, _BOXES, _PHASES = (
    "#ccd3da",
    ("#8fbbe0", "#93cfb3", "#c6abdd", "#e6bf85"),
    ("#0b5fa5", "#e07b00", "#3a9d5d"),
)
_LIMIT, _METER, _CONTACT, _FAULT = "#c8322b", "#14213d", "#f2c14e", "#c8322b"
_BATTERY, _CARS = "#58b6a8", "#8fbbe0"
_STORED, _OPERATOR, _RELAY = "#1c7a6c", "#8e1b5c", "#5b8c5a"
_PV, _ASLEEP, _APART, _APPLIANCE = "#d59a00", "#7d8794", "#7a4fa3", "#a9b4bf"
# So many cars have a panel each with their phases; more have a strip with their fullest phase.
_PANELS = 3


def _column(rows, name, scale=1000):
    return [int(row[name] or 0) / scale for row in rows]


def _seen(rows, name):
    """Return all words that the column ever held."""
    return sorted({item for row in rows for item in (row.get(name) or "").split()})


def _switched(rows):
    """Return the boxes that charged on one phase and on three."""
    names = [name for name in rows[0] if name.endswith("_phases")]
    return [name[:-7] for name in names if len({row[name] for row in rows}) > 1]


def _spans(times, on):
    """Return (start, length) of each stretch in which `on` is true."""
    spans, start = [], None
    for time_s, is_on in zip(times, on):
        if is_on and start is None:
            start = time_s
        elif not is_on and start is not None:
            spans.append((start, time_s - start))
            start = None
    if start is not None:
        spans.append((start, times[-1] - start + 1))
    return spans


def _power(axes, rows, times, boxes, words):
    stack = _column(rows, "house_w")
    axes.fill_between(times, stack, color=_HOUSE, lw=0, label=words["house"])
    allowed = list(stack)
    many = len(boxes) > len(_BOXES)
    for i, box in enumerate(boxes):
        color = _BOXES[i % 2] if many else _BOXES[i]
        label = words["charging"].format(box)
        if many:
            label = None if i else words["cars"].format(boxes[0], boxes[-1])
        top = [a + b for a, b in zip(stack, _column(rows, f"{box}_power_w"))]
        axes.fill_between(times, stack, top, color=color, lw=0, label=label)
        stack = top
        setpoint, phases = _column(rows, f"{box}_setpoint_ma"), _column(rows, f"{box}_phases", 1)
        allowed = [a + ma * n * 0.23 for a, ma, n in zip(allowed, setpoint, phases)]
    meters = [name[:-8] for name in rows[0] if name.endswith("_power_w")]
    for meter in [m for m in meters if m not in boxes][:1]:
        axes.plot(
            times,
            _column(rows, f"{meter}_power_w"),
            color=_METER,
            lw=1.4,
            label=f"{words['meter']} {meter}",
        )
    battery = _column(rows, "battery_w")
    if any(battery):
        top = [a + max(0, b) for a, b in zip(stack, battery)]
        axes.fill_between(times, stack, top, color=_BATTERY, lw=0, label=words["stored"])
        stack = top
    pv = _column(rows, "pv_w")
    if any(pv):
        axes.plot(times, pv, color=_PV, lw=1.8, label=words["pv"])
    axes.step(times, allowed, where="post", color=_LIMIT, lw=1.6, ls="--", label=words["allowed"])
    _limit(axes, rows, times, "operator_grid_w", words["operator_limit"])
    # Before the first setpoint a box offers all that it has: that is no measure for the picture.
    top = max(*stack, *pv, *(allowed[5:] or allowed))
    axes.set_ylim(0, 1.1 * top)
    axes.set_ylabel(words["power"])


def _asked(rows, name):
    """Return whether a limit of the operator was ever there."""
    return any(row.get(name) for row in rows)


def _limit(axes, rows, times, name, label):
    """A limit of the operator, drawn where it is there."""
    if _asked(rows, name):
        limit = [int(row[name]) / 1000 if row[name] else float("nan") for row in rows]
        axes.step(times, limit, where="post", color=_OPERATOR, lw=2.6, label=label, zorder=5)


def _dimming(axes, rows, times, words):
    """What the controllable devices draw from the grid, and how much that may be."""
    drawn = _column(rows, "controllable_w")
    axes.fill_between(times, drawn, color=_CARS, lw=0, label=words["controllable"])
    _limit(axes, rows, times, "operator_dim_w", words["dimmed"])
    axes.set_ylim(bottom=0)
    axes.set_ylabel(words["from_grid"])


def _surplus(axes, rows, times, boxes, words):
    """Where the sun goes: what is left of it after the house, and what cars and battery do."""
    house, pv = _column(rows, "house_w"), _column(rows, "pv_w")
    surplus = [p - h for p, h in zip(pv, house)]
    clear = _column(rows, "clear_w")
    if clear != pv:
        under = [c - h for c, h in zip(clear, house)]
        axes.plot(times, under, color=_PV, lw=1.1, ls=":", label=words["clear"])
    cars = [sum(now) for now in zip(*(_column(rows, f"{box}_power_w") for box in boxes))]
    axes.fill_between(times, cars, color=_CARS, lw=0, label=words["cars_draw"])
    battery = _column(rows, "battery_w")
    if any(battery):
        top = [c + max(0, b) for c, b in zip(cars, battery)]
        axes.fill_between(times, cars, top, color=_BATTERY, lw=0)
        gives = [min(0, b) for b in battery]
        axes.fill_between(times, gives, color=_BATTERY, lw=0, label=words["battery"])
    axes.plot(times, surplus, color=_PV, lw=1.8, label=words["surplus"])
    axes.axhline(0, color="#444", lw=0.8)
    axes.set_ylabel(words["sun"])


def _stored(axes, rows, times, words):
    """The battery's state of charge."""
    soc = _column(rows, "battery_soc", 1)
    axes.fill_between(times, soc, color=_BATTERY, lw=0, alpha=0.35)
    axes.plot(times, soc, color=_STORED, lw=1.6, label=words["soc"].format(soc[-1]))
    axes.set_ylim(0, 100)
    axes.set_ylabel(words["stored_pct"])


def _phases(axes, rows, times, meter, words):
    """The three phases at a meter, with its fuse or how far apart they may be."""
    phases = [_column(rows, f"{meter}_l{line}_ma") for line in (1, 2, 3)]
    for i, (phase, color) in enumerate(zip(phases, _PHASES)):
        axes.plot(times, phase, color=color, lw=4.4 - 1.5 * i, label=f"L{i + 1}")
    if rows[0][f"{meter}_fuse_ma"]:
        fuse = _column(rows, f"{meter}_fuse_ma")
        axes.plot(times, fuse, color=_LIMIT, lw=1.6, ls="--", label=words["fuse"])
    if rows[0][f"{meter}_unbalance_ma"]:
        apart = [max(now) - min(now) for now in zip(*phases)]
        axes.plot(times, apart, color=_APART, lw=1.2, ls=":", label=words["apart"])
        most = _column(rows, f"{meter}_unbalance_ma")
        axes.plot(times, most, color=_APART, lw=1.6, ls="--", label=words["unbalance"])
    axes.set_ylabel(words["phases"].format(meter))


def _strip(axes, rows, times, box, top):
    """A car among many: what it was told, and the current of its fullest phase."""
    lines = [_column(rows, f"{box}_l{line}_ma") for line in (1, 2, 3)]
    axes.fill_between(times, [max(now) for now in zip(*lines)], color=_BOXES[0], lw=0)
    setpoint = _column(rows, f"{box}_setpoint_ma")
    axes.step(times, setpoint, where="post", color=_LIMIT, lw=1.3, ls="--")
    for start, length in _spans(times, [row[f"{box}_state"] == "A" for row in rows]):
        axes.axvspan(start, start + length, color="#eef0f3", lw=0, zorder=0)
    axes.set_ylabel(box, rotation=0, ha="right", va="center", fontweight="bold")
    axes.set_ylim(0, top)


def _current(axes, rows, times, box, words):
    axes.step(
        times,
        _column(rows, f"{box}_setpoint_ma"),
        where="post",
        color=_LIMIT,
        lw=1.6,
        ls="--",
        label=words["setpoint"],
        zorder=4,
    )
    axes.step(
        times,
        _column(rows, f"{box}_offered_ma"),
        where="post",
        color="#444",
        lw=1.3,
        ls=":",
        zorder=4,
        label=words["failsafe"],
    )
    # Thick to thin: three phases that lie on one another stay visible.
    for i, color in enumerate(_PHASES):
        axes.plot(
            times,
            _column(rows, f"{box}_l{i + 1}_ma"),
            color=color,
            lw=5.4 - 2 * i,
            label=f"L{i + 1}",
            solid_capstyle="butt",
        )
    axes.set_ylabel(words["current"].format(box))
    axes.set_ylim(bottom=0)


def _relays(rows):
    """Return the relays that were ever closed."""
    names = [name for name in rows[0] if name.startswith("relay")]
    return [name for name in names if any(row[name] == "1" for row in rows)]


def _events(axes, rows, times, contacts, words):
    tracks = [
        (words["contact"].format(c[7:]), _CONTACT, [row[c] == "1" for row in rows])
        for c in contacts
    ]
    for relay in _relays(rows):
        on = [row[relay] == "1" for row in rows]
        tracks.append((words["relay"].format(relay[5:]), _RELAY, on))
    for item in _seen(rows, "operator"):
        on = [item in (row.get("operator") or "").split() for row in rows]
        tracks.append((item.replace("_", " "), _OPERATOR, on))
    faults = _seen(rows, "faults")
    for item in faults:
        place, fault = item.split(":")
        if place.startswith("contact"):
            place = words["contact"].format(place[7:])
        tracks.append(
            (
                f"{place}: {words['faults'][fault]}",
                _FAULT,
                [item in row["faults"].split() for row in rows],
            )
        )
    for name in _seen(rows, "appliances"):
        on = [name in row["appliances"].split() for row in rows]
        tracks.append((words["appliances"].get(name, name), _APPLIANCE, on))
    for box in _seen(rows, "asleep"):
        on = [box in row["asleep"].split() for row in rows]
        tracks.append((words["asleep"].format(box), _ASLEEP, on))
    for box in _switched(rows):
        tracks.append(
            (words["three"].format(box), _BOXES[0], [row[f"{box}_phases"] == "3" for row in rows])
        )
    for i, (_, color, on) in enumerate(tracks):
        axes.broken_barh(
            [(times[0], max(1, times[-1] - times[0]))], (i - 0.06, 0.12), color="#d5dae0", lw=0
        )
        axes.broken_barh(_spans(times, on), (i - 0.35, 0.7), color=color, lw=0)
    axes.set_yticks(range(len(tracks)), [name for name, _, _ in tracks])
    axes.set_ylim(len(tracks) - 0.4, -0.6)
    axes.grid(False)
    return len(tracks)


def _clock(rows):
    """Return a formatter of the time axis that says the time of day."""
    hours, minutes, seconds = map(int, rows[0]["clock"].split(":"))
    zero_s = 3600 * hours + 60 * minutes + seconds - int(rows[0]["t_ms"]) // 1000

    def text(at_s, _):
        now_s = (zero_s + int(at_s)) % 86400
        return f"{now_s // 3600:02d}:{now_s // 60 % 60:02d}:{now_s % 60:02d}"

    return text


def draw(rows, lang="en"):
    """Return a matplotlib figure of the recorded rows (dicts of text, as csv reads them)."""
    words = _TEXTS[lang]
    times = [int(row["t_ms"]) / 1000 for row in rows]
    boxes = [name[:-12] for name in rows[0] if name.endswith("_setpoint_ma")]
    contacts = [name for name in rows[0] if name.startswith("contact")]
    marks = [
        n for n, text in rows[0].items() if n.endswith(("_fuse_ma", "_unbalance_ma")) and text
    ]
    meters = list(dict.fromkeys(name.split("_")[0] for name in marks))
    seen = ("faults", "appliances", "asleep", "operator")
    tracks = [item for name in seen for item in _seen(rows, name)]
    tracks += _switched(rows) + _relays(rows)
    used = [name for name in contacts if any(row[name] == "1" for row in rows)]
    contacts = used or ([] if tracks else contacts)
    strips = len(boxes) > _PANELS
    sunny = any(int(row["pv_w"] or 0) or row["battery_soc"] for row in rows)
    stores = any(row["battery_soc"] for row in rows)
    dimmed = _asked(rows, "operator_dim_w")
    heights = (
        [2.4]
        + [2.2] * sunny
        + [0.9] * stores
        + [1.7] * dimmed
        + [1.9] * len(meters)
        + [0.62 if strips else 1.7] * len(boxes)
    )
    heights += [0.25 + 0.3 * (len(contacts) + len(tracks))]
    figure = Figure(figsize=(11, sum(heights) + 1.2), dpi=110, layout="constrained")
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)
    panels = [row[0] for row in panels]
    _power(panels[0], rows, times, boxes, words)
    if sunny:
        _surplus(panels[1], rows, times, boxes, words)
    if stores:
        _stored(panels[2], rows, times, words)
    if dimmed:
        _dimming(panels[1 + sunny + stores], rows, times, words)
    above = 1 + sunny + stores + dimmed
    for axes, meter in zip(panels[above:], meters):
        _phases(axes, rows, times, meter, words)
    cars = panels[above + len(meters) : -1]
    offers = [max(_column(rows, f"{box}_setpoint_ma")[5:] or [0]) for box in boxes]
    draws = [max(_column(rows, f"{b}_l{line}_ma")) for b in boxes for line in (1, 2, 3)]
    top = max([6, *draws, min([16, *offers])]) * 1.15  # there may be no box
    for axes, box in zip(cars, boxes):
        if strips:
            _strip(axes, rows, times, box, top)
        else:
            _current(axes, rows, times, box, words)
    _events(panels[-1], rows, times, contacts, words)
    for axes in panels[:-1]:
        axes.grid(True, color="#e3e7ec", lw=0.8)
        axes.set_axisbelow(True)
        if not strips or axes not in cars:
            axes.yaxis.set_major_locator(MaxNLocator(6))
            axes.set_ylim(min(0, axes.dataLim.ymin * 1.08), axes.get_ylim()[1] * 1.08)
            axes.legend(
                loc="upper left",
                bbox_to_anchor=(1.005, 1),
                frameon=False,
                fontsize=9,
                borderaxespad=0,
            )
        for contact in contacts:
            for start, length in _spans(times, [row[contact] == "1" for row in rows]):
                axes.axvspan(start, start + length, color="#fbf0d2", lw=0, zorder=0)
    if strips:
        cars[0].set_title(words["strips"], fontsize=9, loc="left", pad=3)
    for axes in panels:
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    panels[-1].set_xlim(times[0] if times[0] > 5 else 0, max(times[-1], times[0] + 1))
    panels[-1].xaxis.set_major_locator(MaxNLocator(10, steps=[1, 1.5, 2, 3, 6, 10]))
    minutes = FuncFormatter(lambda s, _: f"{int(s) // 60}:{int(s) % 60:02d}")
    clock = rows[0]["clock"]
    panels[-1].xaxis.set_major_formatter(FuncFormatter(_clock(rows)) if clock else minutes)
    panels[-1].set_xlabel(words["clock"] if clock else words["time"])
    figure.align_ylabels([axes for axes in panels[:-1] if not (strips and axes in cars)])
    figure.suptitle(words["title"], fontsize=13, fontweight="bold", x=0.01, ha="left")
    return figure


def main(source, target, lang="en"):
    """Draw the CSV file `source` into the PNG file `target`."""
    with open(source, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        sys.exit(f"{source} holds no rows")
    # One point a pixel is enough: a long recording is thinned.
    step = max(1, len(rows) // 4000)
    drawn = io.BytesIO()
    draw(rows[::step], lang).savefig(drawn, format="png")
    # A drawing has few colours: a palette makes it a third as large.
    Image.open(drawn).convert("RGB").quantize(96).save(target, format="png", optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
