"""Documents on flash: JSON files that survive a power cut at any moment.

A file is one line of JSON and a line `#<CRC-32> <count>`: the check value of the line above, and
how often the document has been written in its life. It may be absent (written by hand).
"""

import binascii
import errno
import json
import os

from controller.refusal import Refusal
from controller.strict_json import JsonError, parse


class StoreError(Refusal):
    """A document is damaged, or was not written."""

    area = "settings_errors"


def _read(path):
    """(document or None, count, damaged)."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        return None, 0, error.errno != errno.ENOENT
    try:
        count = 0
        end = data.rfind(b"\n#")
        if end >= 0:
            check, count = data[end + 2 :].split()
            data = data[:end]
            if int(check, 16) != binascii.crc32(data):
                raise ValueError
            document = json.loads(data)
        else:
            document = parse(data)
        if not isinstance(document, dict):
            raise ValueError
        return document, int(count), False
    except (ValueError, JsonError):
        return None, 0, True


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
        data = json.dumps(document).encode()
        try:
            with open(path + ".tmp", "wb") as file:
                file.write(data)
                file.write(b"\n#%08x %d\n" % (binascii.crc32(data), count))
            if old is not None:
                os.rename(path, path + ".bak")
            os.rename(path + ".tmp", path)
        except OSError as error:
            raise StoreError("not_saved", name, error)
        self._counts[name] = count
        return True
