"""Draws boards/<name>/wiring.svg from board.json (pins) and wiring.json (what hangs on them).

    python tools/draw_wiring.py [name ...]     without arguments: every board

wiring.json: inputs {"nc", "no", "s0": which input each example uses}, common (name of the return
terminal), input_circuit true or input_panel (lines of text), transceiver (name of the module, or
null where it is on the board), supply and network (lines of text).
"""

import json
import sys
from pathlib import Path
from xml.sax.saxutils import escape

BOARDS = Path(__file__).resolve().parent.parent / "boards"

WIDTH, HEIGHT = 1000, 880
LEFT, RIGHT, TOP = 400, 650, 80  # of the board's box
ROW, STEP = 130, 112  # first of the three used inputs, and from one to the next
FREE_ROW = ROW + 3 * STEP + 6
PANEL_TOP, PANEL_HEIGHT, PANEL_WIDTH = 640, 190, 234
BUS_A, BUS_B = 882, 862  # A is above B at the board, so A runs outside: no crossing
CAUTION = "Inputs: potential-free contacts only, never mains or another voltage."
FOOT = (
    "Contacts are drawn at rest (no limit). Long or noisy runs: a coupling relay beside the "
    "board. Details: README.md"
)
INK, WIRE, BUS, RED, PALE = "#1f2933", "#1b6ca8", "#2f855a", "#b42318", "#eef4fb"


def text(x, y, words, size=15, bold=False, anchor="start", colour=INK):
    weight = ' font-weight="bold"' if bold else ""
    return '<text x="%g" y="%g" font-size="%d" text-anchor="%s" fill="%s"%s>%s</text>' % (
        x,
        y,
        size,
        anchor,
        colour,
        weight,
        escape(words),
    )


def box(x, y, width, height, fill="#ffffff", stroke=INK):
    return '<rect x="%g" y="%g" width="%g" height="%g" rx="6" fill="%s" stroke="%s"/>' % (
        x,
        y,
        width,
        height,
        fill,
        stroke,
    )


def line(points, colour=WIRE, width=2.5):
    path = " ".join("%g,%g" % point for point in points)
    return '<polyline points="%s" fill="none" stroke="%s" stroke-width="%g"/>' % (
        path,
        colour,
        width,
    )


def dot(x, y, colour=INK):
    return '<circle cx="%g" cy="%g" r="4.5" fill="%s"/>' % (x, y, colour)


def resistor(x, y, width, height):
    return '<rect x="%g" y="%g" width="%g" height="%g" fill="#ffffff" stroke="%s"/>' % (
        x,
        y,
        width,
        height,
        INK,
    )


def ground(x, y):
    """Earth symbol of the common return, hanging at (x, y)."""
    return "".join(
        line([(x - half, y + down), (x + half, y + down)], INK, 2)
        for half, down in ((11, 0), (7, 5), (3, 10))
    )


def place(doc, part):
    """Where a line of the board lies: "GPIO32", or "0x22 bit 3" behind an expander."""
    if "pin" in part:
        return "GPIO%d" % part["pin"]
    return "0x%02x bit %d" % (doc["expanders"][part["expander"]]["address"], part["bit"])


def terminal(y, name, where):
    return [
        dot(LEFT, y),
        text(LEFT + 16, y + 5, name, 16, True),
        text(RIGHT - 16, y + 5, where, 15, anchor="end"),
    ]


def contact(y, closed):
    """A contact between the two wires at y and y + 40: drawn at rest, closed (NC) or open (NO)."""
    x = 222
    parts = [
        line([(252, y), (x, y), (x, y + 9)], INK, 2),
        line([(252, y + 40), (x, y + 40), (x, y + 31)], INK, 2),
    ]
    if closed:
        parts.append(line([(x, y + 9), (x + 12, y + 9)], INK, 2))
        parts.append(line([(x, y + 31), (x + 10, y + 5)], INK, 2))
    else:
        parts.append(line([(x, y + 31), (x - 13, y + 10)], INK, 2))
    return parts


def example(doc, wiring, kind, y):
    """One block on the left with its two wires, and its two terminals on the board."""
    titles = {
        "nc": ["Ripple receiver, NC", "opens for the limit;", "broken wire: limit"],
        "no": ["or: NO contact", "closes for the limit;", "broken wire: no limit!"],
        "s0": ["Meter, S0 output", "S0+ to the input,", "S0\u2212 to " + wiring["common"]],
    }
    part = doc["inputs"][wiring["inputs"][kind] - 1]
    svg = [box(16, y - 24, 236, 86)]
    for number, words in enumerate(titles[kind]):
        colour = RED if kind == "no" and number == 2 else INK
        svg.append(text(28, y - 2 + 22 * number, words, 15, number == 0, colour=colour))
    if kind == "s0":
        for down, sign in ((5, "+"), (45, "\u2212")):
            svg.append(text(244, y + down, sign, 18, True, "end"))
    else:
        svg += contact(y, kind == "nc")
    svg += [
        dot(252, y),
        dot(252, y + 40),
        line([(252, y), (LEFT, y)]),
        line([(252, y + 40), (LEFT, y + 40)]),
    ]
    if wiring.get("input_circuit"):
        svg += [box(282, y - 15, 92, 30, PALE), text(328, y + 5, "circuit *", 14, anchor="middle")]
    svg += terminal(y, part.get("name", "IN%d" % part["id"]), place(doc, part))
    svg += terminal(y + 40, wiring["common"], "")
    return svg


def inputs(doc, wiring):
    svg = []
    for number, kind in enumerate(("nc", "no", "s0")):
        svg += example(doc, wiring, kind, ROW + STEP * number)
    ends = ROW + 40, ROW + 40 + 2 * STEP
    svg.append(line([(LEFT + 8, ends[0]), (LEFT + 8, ends[1])], INK, 1.2))
    y = FREE_ROW
    for part in doc["inputs"]:
        if part["id"] not in wiring["inputs"].values():
            svg += terminal(y, part.get("name", "IN%d" % part["id"]), place(doc, part))
            y += 25
    if y > FREE_ROW:
        svg.append(text(LEFT - 16, FREE_ROW + 5, "further inputs, the same way", 14, anchor="end"))
    return svg


def resistor_120(y, note):
    """120 ohm across the two wires of the bus."""
    return [
        line([(BUS_A, y), (BUS_B, y)], BUS),
        resistor(BUS_B + 3, y - 5, 14, 10),
        text(BUS_B - 8, y + 5, note, 14, anchor="end"),
    ]


def bus_wires(rows):
    """A and B from the board, at rows ((x, y) of A, (x, y) of B), to the devices."""
    (xa, ya), (xb, yb) = rows
    end = 488
    svg = [
        line([(xa, ya), (BUS_A, ya), (BUS_A, end)], BUS),
        text(xa + 8, ya - 5, "A", 15, True),
        line([(xb, yb), (BUS_B, yb), (BUS_B, end)], BUS),
        text(xb + 8, yb - 5, "B", 15, True),
    ]
    svg += [dot(xa, ya, BUS), dot(xb, yb, BUS)]
    svg += resistor_120(320, "120 \u03a9 at this end")
    devices = ((350, "Wallbox"), (408, "Meter"), (466, "Last device"))
    for y, name in devices:
        svg += [
            box(898, y - 22, 96, 44),
            text(946, y + 5, name, 14, anchor="middle"),
            dot(BUS_A, y - 10, BUS),
            line([(BUS_A, y - 10), (898, y - 10)], BUS),
            dot(BUS_B, y + 10, BUS),
            line([(BUS_B, y + 10), (898, y + 10)], BUS),
        ]
    svg += resistor_120(end, "120 \u03a9 at the far end")
    svg += [
        text(RIGHT + 20, 530, "Twisted pair in a line, no star.", 14),
        text(RIGHT + 20, 552, "No answer? Swap A and B (see README).", 14),
        text(RIGHT + 20, 574, "Third wire: GND of the devices.", 14),
    ]
    return svg


def rs485(doc, wiring):
    port = doc["rs485"][0]
    rows = [(port["tx"], "DI"), (port["rx"], "RO")]
    if port["de"] is not None:
        rows.append((port["de"], "DE + RE"))
    svg = []
    if wiring["transceiver"] is None:
        svg += [
            text(RIGHT + 20, 92, "RS-485 on the board (direction automatic):", 14),
            text(RIGHT + 20, 112, "TX GPIO%d , RX GPIO%d" % (port["tx"], port["rx"]), 14),
            dot(RIGHT, 220),
            text(RIGHT + 12, 225, "GND, where there is one", 14),
        ]
        return svg + bus_wires([(RIGHT, 140), (RIGHT, 180)])
    svg += [box(716, 96, 106, 196, PALE), text(RIGHT + 66, 86, wiring["transceiver"], 15, True)]
    for number, (pin, name) in enumerate(rows):
        y = 120 + 34 * number
        svg += [
            line([(RIGHT, y), (716, y)]),
            dot(RIGHT, y),
            dot(716, y),
            text(724, y + 5, name, 14),
            text(RIGHT + 4, y - 6, "GPIO%d" % pin, 13),
        ]
    for y, name, colour in ((232, "3V3", RED), (268, "GND", INK)):
        svg += [
            line([(RIGHT, y), (716, y)], colour),
            dot(RIGHT, y),
            dot(716, y),
            text(724, y + 5, "VCC" if name == "3V3" else name, 14),
            text(RIGHT + 4, y - 6, name, 13),
        ]
    return svg + bus_wires([(822, 140), (822, 180)])


def panel(number, title, words):
    x = 14 + number * (PANEL_WIDTH + 12)
    svg = [
        box(x, PANEL_TOP, PANEL_WIDTH, PANEL_HEIGHT),
        text(x + 12, PANEL_TOP + 26, title, 16, True),
    ]
    for row, piece in enumerate(words):
        svg.append(text(x + 12, PANEL_TOP + 54 + 23 * row, piece, 14))
    return svg


def circuit():
    """The input circuit that a bare ESP32 pin needs: pull-up, series resistor, capacitor, TVS."""
    svg = panel(0, "* circuit of each input", [])
    x, y = 14, PANEL_TOP
    node, pin, rail = x + 92, x + 172, y + 112
    svg += [
        text(node - 10, y + 50, "3V3", 14, anchor="end", colour=RED),
        line([(node, y + 44), (node, rail)], INK, 2),
        resistor(node - 6, y + 56, 12, 36),
        text(node + 12, y + 78, "1 k\u03a9", 14),
        line([(x + 16, rail), (pin + 14, rail)], INK, 2),
        dot(x + 16, rail),
        dot(node, rail),
        resistor(node + 26, rail - 6, 36, 12),
        text(node + 28, rail + 24, "1 k\u03a9", 14),
        dot(pin, rail),
        dot(pin + 14, rail),
        text(pin + 12, rail - 10, "GPIO", 14),
        line([(node, rail), (node, rail + 46)], INK, 2),
        resistor(node - 7, rail + 10, 14, 24),
        text(node - 12, rail + 28, "TVS 5 V", 14, anchor="end"),
        ground(node, rail + 48),
        line([(pin, rail), (pin, rail + 20)], INK, 2),
        line([(pin - 11, rail + 20), (pin + 11, rail + 20)], INK, 3),
        line([(pin - 11, rail + 26), (pin + 11, rail + 26)], INK, 3),
        line([(pin, rail + 26), (pin, rail + 46)], INK, 2),
        ground(pin, rail + 48),
        text(pin + 14, rail + 42, "100", 13),
        text(pin + 14, rail + 57, "nF", 13),
        text(x + 12, rail - 10, "contact", 14),
    ]
    return svg


def outputs(doc):
    words = []
    for name, group in (("Relay", doc["relays"]), ("LED", doc["leds"])):
        bits = [part for part in group if "expander" in part]
        if bits:
            first, last = bits[0], bits[-1]
            words.append(
                "%ss %d to %d: 0x%02x,"
                % (name, first["id"], last["id"], doc["expanders"][first["expander"]]["address"])
            )
            words.append("bits %d to %d" % (first["bit"], last["bit"]))
        for part in group:
            if "pin" in part:
                level = "low" if part["active_low"] else "high"
                words.append("%s %s: GPIO%d (on = %s)" % (name, part["id"], part["pin"], level))
    for part in doc["expanders"][:1]:
        words.append("I2C: SDA GPIO%d, SCL GPIO%d" % (part["sda"], part["scl"]))
    if doc["button"]:
        words.append("Button: GPIO%d to GND" % doc["button"]["pin"])
    return words


def network(doc, wiring):
    words = list(wiring["network"])
    ethernet = doc["ethernet"]
    if ethernet and ethernet["kind"] == "rmii":
        words.append("MDC GPIO%d, MDIO GPIO%d," % (ethernet["mdc"], ethernet["mdio"]))
        words.append("clock GPIO%d, power GPIO%s" % (ethernet["ref_clk"], ethernet["power"]))
    elif ethernet:
        words.append("SCK %(sck)d, MOSI %(mosi)d, MISO %(miso)d," % ethernet)
        words.append("CS %(cs)d, INT %(int)d, RST %(rst)s" % ethernet)
    return words


def draw(name):
    """The SVG of a board as text."""
    folder = BOARDS / name
    doc = json.loads((folder / "board.json").read_text(encoding="utf-8"))
    wiring = json.loads((folder / "wiring.json").read_text(encoding="utf-8"))
    svg = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="100%%" '
        'font-family="DejaVu Sans, Verdana, sans-serif">' % (WIDTH, HEIGHT),
        "<title>Wiring of %s</title>" % escape(doc["title"]),
        '<rect width="%d" height="%d" fill="#fcfcfa"/>' % (WIDTH, HEIGHT),
        text(16, 34, doc["title"], 20, True),
        text(16, 58, CAUTION, 15, colour=RED),
        box(LEFT, TOP, RIGHT - LEFT, PANEL_TOP - TOP - 24, PALE),
    ]
    svg += inputs(doc, wiring)
    if doc["rs485"]:
        svg += rs485(doc, wiring)
    svg += circuit() if wiring.get("input_circuit") else panel(0, "Inputs", wiring["input_panel"])
    svg += panel(1, "Supply", wiring["supply"])
    svg += panel(2, "Network", network(doc, wiring))
    svg += panel(3, "Outputs", outputs(doc))
    foot = PANEL_TOP + PANEL_HEIGHT + 28
    svg.append(text(16, foot, FOOT, 15))
    return "\n".join(svg + ["</svg>", ""])


def main(names):
    for name in names or sorted(path.parent.name for path in BOARDS.glob("*/wiring.json")):
        (BOARDS / name / "wiring.svg").write_text(draw(name), encoding="utf-8")
        print("boards/%s/wiring.svg" % name)


if __name__ == "__main__":
    main(sys.argv[1:])
