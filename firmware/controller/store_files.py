"""The files of controller/store.py. Loaded when a document is read or written.

A file is a line `#<CRC-32> <count>` and one line of JSON: the check value of that line, and how
often the document has been written in its life. The first line may be absent (written by hand).
"""

import binascii
import errno
import json
import os

from micropython import const

from controller.json_pieces import pieces
from controller.store import StoreError

_MAX_LINE = const(256)


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
                document = _by_hand(file.read())
        if not isinstance(document, dict):
            raise ValueError
        return document, int(count), False
    except (ValueError, OSError):
        return None, 0, True


def _by_hand(data):
    from controller.strict_json import JsonError, parse

    try:
        return parse(data)
    except JsonError:
        raise ValueError


def _crc(document):
    crc = 0
    for piece in pieces(document):
        crc = binascii.crc32(piece.encode(), crc)
    return crc


def load(store, name):
    """As Store.load."""
    path = store.folder + name
    document, count, damaged = _read(path)
    problem = None
    if document is None:
        document, count, no_backup = _read(path + ".bak")
        if document is not None:
            problem = StoreError("last_good", name)
        elif damaged or no_backup:
            problem = StoreError("lost", name)
    store.counts[name] = count
    return document, problem


def save(store, name, document):
    """As Store.save.

    The new file is complete before the old one gives up its name, and the old one stays as
    <name>.bak.
    """
    path = store.folder + name
    old, count, _ = _read(path)
    if old == document:
        return False
    count = max(count, store.counts.get(name, 0)) + 1
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
    store.counts[name] = count
    return True
