"""Documents on flash: JSON files that survive a power cut at any moment.

A file is a line `#<CRC-32> <count>` and one line of JSON: the check value of that line, and how
often the document has been written in its life. The first line may be absent (written by hand).
"""

import binascii
import errno
import json
import os

from micropython import const

from controller.refusal import Refusal
from controller.strict_json import JsonError, parse, pieces

_MAX_LINE = const(256)


class StoreError(Refusal):
    """A document is damaged, or was not written."""

    area = "settings_errors"


def _read(path):
    """(document or None, count, damaged)."""
    try:
        file = open(path, "rb")
    except OSError as error:
        return None, 0, error.errno != errno.ENOENT
    try:
        with file:
            count = 0
            line = file.readline(_MAX_LINE)
            if line.startswith(b"#"):
                check, count = line[1:].split()
                crc = 0
                part = file.read(_MAX_LINE)
                while part:
                    crc = binascii.crc32(part, crc)
                    part = file.read(_MAX_LINE)
                if int(check, 16) != crc:
                    raise ValueError
                file.seek(len(line))
                document = json.load(file)
            else:
                file.seek(0)
                document = parse(file.read())
        if not isinstance(document, dict):
            raise ValueError
        return document, int(count), False
    except (ValueError, OSError, JsonError):
        return None, 0, True


def _crc(document):
    crc = 0
    for piece in pieces(document):
        crc = binascii.crc32(piece.encode(), crc)
    return crc


class Store:
    """Keeps named documents in a folder ("" or ending in "/")."""

    def __init__(self, folder=""):
        self._folder = folder
        self._counts = {}

    @property
    def writes(self):
        """Writes of all documents loaded or saved here, over their whole life."""
        return sum(self._counts.values())

    def load(self, name):
        """(document, problem): the document or the last good one before it, else None.

        problem is None, or a StoreError that says what had to be used instead.
        """
        path = self._folder + name
        document, count, damaged = _read(path)
        problem = None
        if document is None:
            document, count, no_backup = _read(path + ".bak")
            if document is not None:
                problem = StoreError("last_good", name)
            elif damaged or no_backup:
                problem = StoreError("lost", name)
        self._counts[name] = count
        return document, problem

    def save(self, name, document):
        """Write the document unless it is already there; True if flash was written.

        Raises StoreError; the document that was there is then still there. A power cut leaves the
        old or the new one: the new file is complete before the old one gives up its name, and the
        old one stays as <name>.bak.
        """
        path = self._folder + name
        old, count, _ = _read(path)
        if old == document:
            return False
        count = max(count, self._counts.get(name, 0)) + 1
        good = old is not None
        del old  # its room is needed
        try:
            with open(path + ".tmp", "wb") as file:
                file.write(b"#%08x %d\n" % (_crc(document), count))
                for piece in pieces(document):
                    file.write(piece.encode())
            if good:
                os.rename(path, path + ".bak")
            os.rename(path + ".tmp", path)
        except OSError as error:
            raise StoreError("not_saved", name, error)
        self._counts[name] = count
        return True
