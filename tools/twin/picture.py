"""Draw a recording of the twin: python picture.py twin.csv twin.png [en|de].

Runs as a program of its own, so that drawing never holds up the simulated wires. From top to
bottom: power of the house and what the setpoints would allow; setpoint and currents of each
car; contacts and faults.
"""

import csv
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: E402

_TEXTS = {
    "en": {
        "power": "Power (kW)",
        "house": "house",
        "allowed": "most that the setpoints allow",
        "meter": "grid meter",
        "current": "{} (A)",
        "setpoint": "setpoint",
        "charging": "charging {}",
        "contact": "contact {}",
        "closed": "closed",
        "time": "time (min:s)",
        "title": "Simulated installation",
        "failsafe": "offered",
        "faults": {
            "silent": "silent",
            "unplugged": "unplugged",
            "slow": "slow",
            "frozen": "frozen",
            "nan": "no values",
            "crc": "CRC errors",
            "wrong_sign": "wrong sign",
            "ignores": "ignores limit",
            "reboot": "reboots",
            "bounce": "bounces",
        },
    },
    "de": {
        "power": "Leistung (kW)",
        "house": "Haus",
        "allowed": "höchstens laut Sollwerten",
        "meter": "Netzzähler",
        "current": "{} (A)",
        "setpoint": "Sollwert",
        "charging": "Laden {}",
        "contact": "Kontakt {}",
        "closed": "geschlossen",
        "time": "Zeit (min:s)",
        "title": "Simulierte Anlage",
        "failsafe": "angeboten",
        "faults": {
            "silent": "stumm",
            "unplugged": "ausgesteckt",
            "slow": "langsam",
            "frozen": "eingefroren",
            "nan": "keine Werte",
            "crc": "CRC-Fehler",
            "wrong_sign": "falsches Vorzeichen",
            "ignores": "ignoriert Limit",
            "reboot": "startet neu",
            "bounce": "prellt",
        },
    },
}
_HOUSE, _BOXES, _PHASES = (
    "#ccd3da",
    ("#8fbbe0", "#93cfb3", "#c6abdd", "#e6bf85"),
    ("#0b5fa5", "#e07b00", "#3a9d5d"),
)
_LIMIT, _METER, _CONTACT, _FAULT = "#c8322b", "#14213d", "#f2c14e", "#c8322b"


def _column(rows, name, scale=1000):
    return [int(row[name] or 0) / scale for row in rows]


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
    for box, color in zip(boxes, _BOXES):
        top = [a + b for a, b in zip(stack, _column(rows, f"{box}_power_w"))]
        axes.fill_between(
            times, stack, top, color=color, lw=0, label=words["charging"].format(box)
        )
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
    axes.step(times, allowed, where="post", color=_LIMIT, lw=1.6, ls="--", label=words["allowed"])
    axes.set_ylabel(words["power"])


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


def _events(axes, rows, times, contacts, words):
    tracks = [
        (words["contact"].format(c[7:]), _CONTACT, [row[c] == "1" for row in rows])
        for c in contacts
    ]
    faults = sorted({item for row in rows for item in row["faults"].split()})
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
    for i, (_, color, on) in enumerate(tracks):
        axes.broken_barh(
            [(times[0], max(1, times[-1] - times[0]))], (i - 0.06, 0.12), color="#d5dae0", lw=0
        )
        axes.broken_barh(_spans(times, on), (i - 0.35, 0.7), color=color, lw=0)
    axes.set_yticks(range(len(tracks)), [name for name, _, _ in tracks])
    axes.set_ylim(len(tracks) - 0.4, -0.6)
    axes.grid(False)
    return len(tracks)


def draw(rows, lang="en"):
    """Return a matplotlib figure of the recorded rows (dicts of text, as csv reads them)."""
    words = _TEXTS[lang]
    times = [int(row["t_ms"]) / 1000 for row in rows]
    boxes = [name[:-12] for name in rows[0] if name.endswith("_setpoint_ma")]
    contacts = [name for name in rows[0] if name.startswith("contact")]
    faults = {item for row in rows for item in row["faults"].split()}
    heights = [2.6] + [1.7] * len(boxes) + [0.25 + 0.3 * (len(contacts) + len(faults))]
    figure = Figure(figsize=(11, sum(heights) + 1.2), dpi=110, layout="constrained")
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)
    panels = [row[0] for row in panels]
    _power(panels[0], rows, times, boxes, words)
    for axes, box in zip(panels[1:], boxes):
        _current(axes, rows, times, box, words)
    _events(panels[-1], rows, times, contacts, words)
    for axes in panels[:-1]:
        axes.grid(True, color="#e3e7ec", lw=0.8)
        axes.set_axisbelow(True)
        axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.set_ylim(min(0, axes.dataLim.ymin * 1.08), axes.get_ylim()[1] * 1.08)
        for contact in contacts:
            for start, length in _spans(times, [row[contact] == "1" for row in rows]):
                axes.axvspan(start, start + length, color="#fbf0d2", lw=0, zorder=0)
        axes.legend(
            loc="upper left", bbox_to_anchor=(1.005, 1), frameon=False, fontsize=9, borderaxespad=0
        )
    for axes in panels:
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    panels[-1].set_xlim(times[0] if times[0] > 5 else 0, max(times[-1], times[0] + 1))
    panels[-1].xaxis.set_major_locator(MaxNLocator(10, steps=[1, 1.5, 2, 3, 6, 10]))
    panels[-1].xaxis.set_major_formatter(
        FuncFormatter(lambda s, _: f"{int(s) // 60}:{int(s) % 60:02d}")
    )
    panels[-1].set_xlabel(words["time"])
    figure.align_ylabels(panels[:-1])
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
    draw(rows[::step], lang).savefig(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
