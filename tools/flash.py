"""Puts MicroPython on a board, with esptool; after that comes `make deploy`.

    python tools/flash.py --port u0 --board wt32-eth01 [--firmware file.bin] [--erase]

Without --firmware the official image is fetched from micropython.org (kept in .cache). The image
is checked (chip, kind, completeness, version) before anything is written, and esptool compares
what it wrote. The file system, so settings and firmware, stays unless --erase is given.
"""

import argparse
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from board_link import full_name
from firmware_image import MINIMUM_VERSION, NEWEST_TRIED, OFFSETS, BadImage, check_image

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "firmware"
SITE = "https://micropython.org"
_TIMEOUT_S = 20
_MAX_IMAGE = 16 << 20
_BAUD = "460800"


class FlashProblem(Exception):
    """Why MicroPython is not on the board; the text says what to do."""


def read_board(name):
    """(chip, MicroPython's name for the board) from boards/<name>/board.json."""
    boards = ROOT / "boards"
    path = boards / Path(name).name / "board.json"
    if not name or not path.is_file():
        known = ", ".join(sorted(each.parent.name for each in boards.glob("*/board.json")))
        raise FlashProblem("Which board? Name one with BOARD=...: %s." % known)
    board = json.loads(path.read_text())
    if board["chip"] not in OFFSETS:
        raise FlashProblem("%s: no image is known for the chip %s." % (name, board["chip"]))
    return board["chip"], board["micropython"]


def newest_image(page, name):
    """Path on the site of the newest release between the versions we know, None if none."""
    pattern = r"/resources/firmware/%s-\d{8}-v(\d+)\.(\d+)\.(\d+)\.bin" % re.escape(name)
    found = {}
    for match in re.finditer(pattern, page):
        version = tuple(int(part) for part in match.groups())
        if MINIMUM_VERSION <= version and version[:2] <= NEWEST_TRIED:
            found[version] = match.group(0)
    return found[max(found)] if found else None


def _read(address):
    with urllib.request.urlopen(address, timeout=_TIMEOUT_S) as answer:
        content = answer.read(_MAX_IMAGE)
        length = answer.headers.get("Content-Length")
    if length and int(length) != len(content):
        raise OSError("the connection ended early")
    return content


def fetch(name, chip, site=SITE):
    """Path of the official image, from the cache or the project's site. FlashProblem."""
    for path in sorted(CACHE.glob(name + "-[0-9]*.bin"), reverse=True):
        return path
    # Variants (-SPIRAM, ...) are on the page of their board.
    page = "%s/download/%s/" % (site, name.partition("-")[0])
    try:
        path = newest_image(_read(page).decode("utf-8", "replace"), name)
        if path is None:
            raise OSError("the page lists no version that fits")
        content = _read(site + path)
        check_image(content, chip, path.rpartition("/")[2])
    except (OSError, ValueError, urllib.error.URLError, BadImage) as error:
        raise FlashProblem(
            "MicroPython could not be fetched (%s). Download %s-<date>-v<version>.bin, version "
            "%d.%d to %d.%d, from %s and pass it: make flash ... FIRMWARE=<file>."
            % ((getattr(error, "reason", error), name) + MINIMUM_VERSION + NEWEST_TRIED + (page,))
        ) from None
    CACHE.mkdir(parents=True, exist_ok=True)
    target = CACHE / path.rpartition("/")[2]
    part = target.with_suffix(".part")
    part.write_bytes(content)
    part.replace(target)
    return target


def command(port, chip, firmware, erase):
    """The esptool call that writes the image."""
    where = [] if port == "auto" else ["--port", full_name(port)]
    return [
        sys.executable,
        "-m",
        "esptool",
        "--chip",
        chip,
        *where,
        "--baud",
        _BAUD,
        "write-flash",
        *(["--erase-all"] if erase else []),
        hex(OFFSETS[chip]),
        str(firmware),
    ]


_SENTENCES = (
    (
        r"could not open|no such file|could not exclusively|No serial ports|Access is denied",
        "esptool could not open the port: is the board plugged in, is the name right (PORT=...), "
        "is another program using it, and may you (group dialout)?",
    ),
    (
        r"This chip is ([\w-]+)|chip type mismatch|Wrong (?:--)?chip",
        "The chip on the board is not the one that BOARD=... has. Nothing was written.",
    ),
    (
        r"Failed to connect|No serial data received|Wrong boot mode|Invalid head of packet",
        "The chip does not answer. Hold its BOOT button, press EN (reset) once, let go of BOOT, "
        "and try again; a board without buttons needs GPIO0 tied to GND while it gets power.",
    ),
    (
        r"MD5 of file does not match|digest|verif\w* failed",
        "What was written does not read back the same. Try again, with a shorter cable, or power "
        "the board from its own supply.",
    ),
    (
        r"lost|disconnected|write timeout|The chip stopped responding",
        "The connection broke off. Try again; the board's loader is in ROM and always answers.",
    ),
)


def explain(output):
    """One sentence for what esptool said."""
    for pattern, sentence in _SENTENCES:
        if re.search(pattern, output, re.IGNORECASE):
            return sentence
    return "esptool could not write the image; its last lines above say why."


def run_esptool(call):
    """Runs it, showing its output; FlashProblem if it fails or did not verify what it wrote."""
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = ""
    for line in process.stdout:
        print("  " + line, end="", flush=True)
        output += line
    if process.wait():
        raise FlashProblem(explain(output))
    if "Hash of data verified" not in output:
        raise FlashProblem("esptool ended without comparing what it wrote. Run it again.")


def flash(port, board, firmware, erase):
    if not port:
        raise FlashProblem("Which port? make flash PORT=/dev/ttyUSB0 (a0, u0, COM3, auto, ...)")
    chip, name = read_board(board)
    firmware = Path(firmware) if firmware else fetch(name, chip)
    try:
        version = check_image(firmware.read_bytes(), chip, firmware.name)
    except OSError as error:
        raise FlashProblem("%s can't be read: %s." % (firmware, error.strerror)) from None
    shown = "MicroPython " + ".".join(map(str, version)) if version else firmware.name
    where = "the first port that answers" if port == "auto" else port
    print("Writing %s to the %s at %s." % (shown, chip, where))
    print(
        "The whole flash is erased first: settings and password on it are lost."
        if erase
        else "Settings and firmware in its file system stay."
    )
    run_esptool(command(port, chip, firmware, erase))
    print("Written and verified. Next: make deploy PORT=%s BOARD=%s" % (port, board))


def main(arguments=None):
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--port", default="", help="a0, u0, /dev/ttyUSB0, COM3, auto, ...")
    options.add_argument("--board", default="", help="folder name under boards/")
    options.add_argument("--firmware", help="a MicroPython .bin file")
    options.add_argument("--erase", action="store_true", help="erase everything, settings too")
    chosen = options.parse_args(arguments)
    try:
        flash(chosen.port, chosen.board, chosen.firmware, chosen.erase)
    except (FlashProblem, BadImage) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
