"""Checks board descriptions: the JSON schema, and what a schema cannot say of a chip's pins.

    python tools/check_boards.py [board.json ...]      without arguments: all of boards/

Each finding is one line: file, error or warning, field, what is wrong, what is allowed. The end
code is 1 where there is an error. A warning about a pin goes away when "checked" says why it is
right on this board.

Sources of the rules: esp_pins.py for the pins; ESP32 series errata, GPIO-3.11 and CLK-3.22;
MicroPython 1.25, quick reference for the ESP32 (UART, I2C, SPI); TI data sheets of PCF8574,
PCF8574A, TCA9554 and TCA9554A (addresses).
"""

import argparse
import json
import sys
from collections import namedtuple
from pathlib import Path

from board_schema import BoardFileError, departures, load
from esp_pins import CHIPS, RMII_CLOCK, RMII_DATA

ROOT = Path(__file__).resolve().parent.parent

Finding = namedtuple("Finding", "severity rule field text pin", defaults=(None,))
Use = namedtuple("Use", "field pin drives shared", defaults=(None,))

ADDRESSES = [range(0x20, 0x28), range(0x38, 0x40)]  # of both kinds: without and with the letter A
IMAGES = {
    ("esp32", False): "ESP32_GENERIC",
    ("esp32", True): "ESP32_GENERIC-SPIRAM",
    ("esp32s3", False): "ESP32_GENERIC_S3",
    ("esp32s3", True): "ESP32_GENERIC_S3-SPIRAM_OCT",
}
_OUTPUTS = {"sda", "scl", "tx", "de", "sck", "mosi", "cs", "rst", "mdc", "mdio", "power"}


def check(doc, folder=None):
    """All findings on one description, worst first; `folder` is the name that it must have."""
    findings = [_error("schema", field, text) for field, text in departures(doc)]
    if not findings:
        for rule in RULES:
            findings += rule(doc)
        if folder is not None and doc["name"] != folder:
            text = 'is "%s"; allowed: the name of its folder, "%s"' % (doc["name"], folder)
            findings.append(_error("folder", "name", text))
    checked = doc.get("checked", {}) if isinstance(doc, dict) else {}
    findings = [f for f in findings if f.severity == "error" or "GPIO%s" % f.pin not in checked]
    return sorted(findings, key=lambda f: f.severity)


def _error(rule, field, text):
    return Finding("error", rule, field, text)


def _warning(rule, pin, field, text):
    """A warning that "checked" can answer for this pin; pin None: it stays."""
    return Finding("warning", rule, field, text, pin)


def _numbers(values):
    """1, 2, 3, 7 -> "1 to 3, 7"."""
    runs = []
    for value in sorted(values):
        if runs and value == runs[-1][1] + 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    return ", ".join(str(a) if a == b else "%d to %d" % (a, b) for a, b in runs)


# --- pins -------------------------------------------------------------------------------------


def _parts(doc, *lists):
    for name in lists:
        for index, part in enumerate(doc.get(name, [])):
            yield "%s[%d]" % (name, index), part


def uses(doc):
    """Every use of a pin of the chip: [Use]; `shared` is the same for lines of one I2C bus."""
    found = []
    for field, part in _parts(doc, "inputs"):
        if "pin" in part:
            found.append(Use(field + ".pin", part["pin"], False))
    for field, part in _parts(doc, "relays", "leds"):
        if "pin" in part:
            found.append(Use(field + ".pin", part["pin"], True))
    groups = list(_parts(doc, "expanders", "rs485"))
    if doc["ethernet"]:
        groups.append(("ethernet", doc["ethernet"]))
    keys = "sda scl int_pin tx rx de sck mosi miso cs int rst mdc mdio power ref_clk".split()
    for field, part in groups:
        for key in keys:
            if part.get(key) is not None:
                drives = key in _OUTPUTS or key == "ref_clk" and part["ref_clk_mode"] == "out"
                shared = ("i2c", part["i2c"], key) if key in ("sda", "scl") else None
                found.append(Use(field + "." + key, part[key], drives, shared))
    if doc["ethernet"] and doc["ethernet"]["kind"] == "rmii" and doc["chip"] == "esp32":
        for pin, name in RMII_DATA.items():
            found.append(Use("ethernet (%s of RMII)" % name, pin, name.startswith("TX")))
    if doc["button"]:
        found.append(Use("button.pin", doc["button"]["pin"], False))
    return found


def _pins_exist(doc):
    chip = CHIPS[doc["chip"]]
    free = chip["pins"] - chip["flash"] - set(chip["console"])
    free -= chip["psram"] if doc["psram"] else set()
    allowed = "; allowed: GPIO " + _numbers(free)
    for use in uses(doc):
        if use.pin not in chip["pins"]:
            text = "GPIO%d does not exist on the %s" % (use.pin, doc["chip"])
            yield _error("exists", use.field, text + allowed)
        elif use.pin in chip["flash"]:
            yield _error("flash", use.field, "GPIO%d is wired to the flash" % use.pin + allowed)
        elif use.pin in chip["psram"] and doc["psram"]:
            yield _error("psram", use.field, "GPIO%d is wired to the PSRAM" % use.pin + allowed)
        elif use.pin in chip["console"]:
            text = "GPIO%d is %s" % (use.pin, chip["console"][use.pin])
            yield _error("console", use.field, text + allowed)


def _pins_once(doc):
    first = {}
    for use in uses(doc):
        other = first.setdefault(use.pin, use)
        if other is not use and (use.shared is None or use.shared != other.shared):
            text = "GPIO%d is already used by %s; allowed: each pin once" % (use.pin, other.field)
            yield _error("twice", use.field, text)


def _directions(doc):
    chip = CHIPS[doc["chip"]]
    for use in uses(doc):
        if use.drives and use.pin in chip["input_only"]:
            text = "GPIO%d can only be an input; allowed for an output: GPIO %s"
            able = chip["pins"] - chip["input_only"] - chip["flash"]
            yield _error("input_only", use.field, text % (use.pin, _numbers(able)))


def _strapping(doc):
    for use in uses(doc):
        why = CHIPS[doc["chip"]]["strapping"].get(use.pin)
        if why:
            text = "GPIO%d is read when the chip starts: %s. Allowed where that is so; say why in "
            yield _warning("strapping", use.pin, use.field, (text + '"checked"') % (use.pin, why))


def _pulls(doc):
    chip = CHIPS[doc["chip"]]
    for field, part in _parts(doc, "inputs"):
        pin, pull = part.get("pin"), part.get("pull")
        field += ".pull"
        if pin is None:
            if pull:
                text = "an expander's bit has no pull of its own; allowed: leave it out"
                yield _error("pull_expander", field, text)
        elif pull and pin in chip["input_only"]:
            text = "GPIO%d has no pull resistors; allowed: null, and 1 to 10 kOhm to 3.3 V"
            yield _error("pull_input_only", field, text % pin)
        elif pull == "up" and doc["chip"] == "esp32" and pin == 12:
            text = "a pull-up on GPIO12 keeps the chip from starting; allowed: another pin"
            yield _error("pull_gpio12", field, text)
        elif not pull:
            text = 'GPIO%d floats; allowed: a pull, or a resistor on the board, said in "checked"'
            yield _warning("floating", pin, field, text % pin)
        elif (pull == "up") != part["active_low"]:
            text = '"%s" with active_low %s reads a broken wire as a closed contact; usual: %s'
            usual = '"up" with true' if pull == "up" else '"down" with false'
            low = json.dumps(part["active_low"])
            yield _warning("pull_polarity", pin, field, text % (pull, low, usual))
        if pin in chip["glitch"]:
            text = "GPIO%d sees false pulses of 80 ns while the radio or the ADC wakes (GPIO-3.11)"
            fix = '; allowed with an RC filter, said in "checked"'
            yield _warning("glitch", pin, field, text % pin + fix)


# --- the rest ---------------------------------------------------------------------------------


def _ids(doc):
    for name in ("inputs", "relays"):
        ids = [part["id"] for part in doc[name]]
        if ids != list(range(1, len(ids) + 1)):
            text = "the ids are %s; allowed: 1, 2, 3 ... in this order" % ids
            yield _error("ids", name, text)
    for name in ("rs485", "leds"):
        ids = [part["id"] for part in doc[name]]
        for index, number in enumerate(ids):
            if number in ids[:index]:
                text = '"%s" is there twice; allowed: each id once' % number
                yield _error("ids", "%s[%d].id" % (name, index), text)


def _lines(doc):
    """Each input, relay and LED is on a pin or on a bit of a fitting expander."""
    taken = {}
    chips = doc.get("expanders", [])
    for field, part in _parts(doc, "inputs", "relays", "leds"):
        if ("pin" in part) == ("expander" in part) or ("expander" in part) != ("bit" in part):
            text = 'allowed: either "pin", or "expander" and "bit"'
            yield _error("line", field, text)
            continue
        if "pin" in part:
            continue
        number, bit = part["expander"], part["bit"]
        if number >= len(chips):
            allowed = "0 to %d" % (len(chips) - 1) if chips else "none, there are no expanders"
            text = "there is no expander %d; allowed: %s" % (number, allowed)
            yield _error("expander", field, text)
            continue
        role = "inputs" if field.startswith("inputs") else "outputs"
        if chips[number]["role"] != role:
            text = 'expander %d has the role "%s"; allowed here: "%s"'
            yield _error("role", field, text % (number, chips[number]["role"], role))
        other = taken.setdefault((number, bit), field)
        if other != field:
            text = "bit %d of expander %d is already %s; allowed: each bit once"
            yield _error("bit", field, text % (bit, number, other))


def _expanders(doc):
    buses = {}
    addresses = {}
    used = {part.get("expander") for _, part in _parts(doc, "inputs", "relays", "leds")}
    for index, (field, part) in enumerate(_parts(doc, "expanders")):
        if not any(part["address"] in allowed for allowed in ADDRESSES):
            text = "%d is no address of a %s; allowed: 32 to 39, or 56 to 63 (letter A)"
            yield _error("address", field + ".address", text % (part["address"], part["kind"]))
        other = addresses.setdefault((part["i2c"], part["address"]), field)
        if other != field:
            text = "%s has the same address on the same bus; allowed: each address once"
            yield _error("address", field + ".address", text % other)
        wires = buses.setdefault(part["i2c"], (part["sda"], part["scl"]))
        if wires != (part["sda"], part["scl"]):
            text = "I2C %d already has SDA %d and SCL %d; allowed: the same pins on one bus"
            yield _error("i2c", field, text % (part["i2c"], *wires))
        if index not in used:
            yield _warning("unused", None, field, "nothing uses this expander")


def _serial(doc):
    taken = {}
    for field, part in _parts(doc, "rs485"):
        field += ".uart"
        if part["uart"] == 0:
            yield _error("uart", field, "UART 0 is the console; allowed: 1, 2")
        other = taken.setdefault(part["uart"], field)
        if other != field:
            text = "UART %d is already used by %s; allowed: each UART once"
            yield _error("uart", field, text % (part["uart"], other))
        if part["de"] is None and "de_active_high" in part:
            text = "there is no driver-enable pin to which it could apply; allowed: leave it out"
            yield _error("de", field.replace("uart", "de_active_high"), text)
    if not doc["rs485"]:
        yield _warning("no_bus", None, "rs485", "there is no port: only Modbus TCP devices work")


def _network(doc):
    ethernet = doc["ethernet"]
    if not ethernet and not doc["wlan"]:
        text = "there is no network; allowed: ethernet, or wlan true"
        yield _error("network", "ethernet", text)
    if not ethernet or ethernet["kind"] != "rmii":
        return
    if doc["chip"] != "esp32":
        text = 'the %s has no RMII; allowed: "w5500"' % doc["chip"]
        yield _error("rmii", "ethernet.kind", text)
    allowed = RMII_CLOCK[ethernet["ref_clk_mode"]]
    if ethernet["ref_clk"] not in allowed:
        text = 'GPIO%d cannot be the clock with ref_clk_mode "%s"; allowed: GPIO %s'
        text %= (ethernet["ref_clk"], ethernet["ref_clk_mode"], _numbers(allowed))
        yield _error("ref_clk", "ethernet.ref_clk", text)
    if ethernet["ref_clk_mode"] == "out" and doc["wlan"]:
        text = "a clock from the chip fails while Wi-Fi is on (errata CLK-3.22)"
        text += '; allowed: wlan false, or an oscillator on the board and "in"'
        yield _warning("clock_wlan", None, "ethernet.ref_clk_mode", text)


def _image(doc):
    wanted = IMAGES[doc["chip"], doc["psram"]]
    if doc["micropython"] != wanted:
        chip = "%s %s PSRAM" % (doc["chip"], "with" if doc["psram"] else "without")
        text = 'is "%s"; allowed for %s: "%s"' % (doc["micropython"], chip, wanted)
        yield _error("image", "micropython", text)


def _checked(doc):
    pins = {"GPIO%d" % use.pin for use in uses(doc)}
    for name in doc.get("checked", {}):
        if name not in pins:
            yield _error("checked", "checked." + name, "nothing uses this pin; allowed: used pins")


RULES = (
    _pins_exist,
    _pins_once,
    _directions,
    _strapping,
    _pulls,
    _ids,
    _lines,
    _expanders,
    _serial,
    _network,
    _image,
    _checked,
)


def check_file(path):
    """Findings on one file; a file that cannot be parsed gives one error."""
    path = Path(path)
    try:
        return check(load(path), path.resolve().parent.name if path.name == "board.json" else None)
    except BoardFileError as error:
        return [_error("file", "the file", str(error))]


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Checks board descriptions (board.json).")
    parser.add_argument("files", nargs="*", help="board.json files; without: all of boards/")
    files = [Path(name) for name in parser.parse_args(arguments).files]
    failed = False
    for path in files or sorted((ROOT / "boards").glob("*/board.json")):
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        findings = check_file(path)
        failed |= any(finding.severity == "error" for finding in findings)
        for finding in findings:
            print("%s: %s: %s: %s" % (shown, finding.severity, finding.field, finding.text))
        if not findings:
            print("%s: fine" % shown)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
