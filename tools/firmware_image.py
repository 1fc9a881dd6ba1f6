"""Checks a MicroPython image for an ESP32 before it is written: right chip, whole, the right kind.

Formats: "Firmware Image Format" of the esptool documentation (image header, segments, checksum,
appended SHA-256) and "Partition Tables" of the ESP-IDF programming guide (table at 0x8000, entries
of 32 bytes that begin with AA 50).
"""

import hashlib
import re
import struct

MINIMUM_VERSION = (1, 25)
NEWEST_TRIED = (1, 28)
# Where the image begins in the flash: the ROM of the first ESP32 looks for its loader at 0x1000.
OFFSETS = {"esp32": 0x1000, "esp32s3": 0x0}
_CHIP_IDS = {
    0: "esp32",
    2: "esp32s2",
    5: "esp32c3",
    9: "esp32s3",
    12: "esp32c2",
    13: "esp32c6",
    16: "esp32h2",
    18: "esp32p4",
    23: "esp32c5",
}
_MAGIC = 0xE9
_TABLE_AT = 0x8000
_TABLE_SIZE = 0xC00
_HEADER = struct.Struct("<BBBBIB3xHBHH4xB")  # the fields up to hash_appended, 24 bytes


class BadImage(Exception):
    """The file is no image that may be written to this chip; the text says why."""


def _chip_of(header, what):
    if len(header) < _HEADER.size or header[0] != _MAGIC:
        raise BadImage(
            "%s is no ESP32 image (it does not begin with the byte E9). Take the .bin file for "
            "your board from the MicroPython download page." % what
        )
    number = _HEADER.unpack(header[: _HEADER.size])[6]
    return _CHIP_IDS.get(number, "unknown chip %d" % number)


def _partitions(image, at):
    """[(label, type, offset, size)] of the partition table, empty if there is none."""
    found = []
    for start in range(at, min(at + _TABLE_SIZE, len(image) - 31), 32):
        if image[start : start + 2] != b"\xaa\x50":
            break
        kind, _, offset, size, label = struct.unpack_from("<2xBBII16s", image, start)
        found.append((label.rstrip(b"\0").decode("ascii", "replace"), kind, offset, size))
    return found


def _check_app(image, at):
    """The program itself: all its segments are there and its SHA-256 is right."""
    fault = BadImage("The file is cut short or damaged: download it again.")
    if at < 0 or at + _HEADER.size > len(image) or image[at] != _MAGIC:
        raise fault
    end = at + _HEADER.size
    for _ in range(image[at + 1]):
        if end + 8 > len(image):
            raise fault
        end += 8 + struct.unpack_from("<I", image, end + 4)[0]
    end = at + ((end - at) | 15) + 1  # the checksum is the last byte of a block of 16
    if image[at + 23] == 1:
        if hashlib.sha256(image[at:end]).digest() != image[end : end + 32]:
            raise fault
    elif end > len(image):
        raise fault


def version_of(image):
    """(major, minor, patch) of the MicroPython in the image, None if it does not say."""
    match = re.search(rb"MicroPython v(\d+)\.(\d+)\.(\d+)", image)
    return tuple(int(part) for part in match.groups()) if match else None


def check_image(image, chip, name="The file"):
    """Returns the version of `image` (bytes) or None; BadImage if this chip must not get it."""
    found = _chip_of(image, name)
    if found != chip:
        raise BadImage("%s is for the chip %s, but the board has a %s." % (name, found, chip))
    partitions = _partitions(image, _TABLE_AT - OFFSETS[chip])
    programs = [offset for _, kind, offset, _ in partitions if kind == 0]
    if not programs:
        raise BadImage(
            "%s holds only a program, no loader and no partition table (an .app-bin, for updates "
            "over the air). Take the .bin file." % name
        )
    _check_app(image, programs[0] - OFFSETS[chip])
    for label, _, offset, _ in partitions:
        if label == "vfs" and OFFSETS[chip] + len(image) > offset:
            raise BadImage("%s is longer than its own partitions allow." % name)
    version = version_of(image)
    if version and version < MINIMUM_VERSION:
        raise BadImage(
            "%s is MicroPython %d.%d.%d; RippleGate needs %d.%d or newer."
            % ((name,) + version + MINIMUM_VERSION)
        )
    return version
