"""The data files: device templates, settings schema, texts (JSON, never code).

They lie in the flash's data/, in a ROMFS image, or frozen beside the code as module `_data`.
"""

import io
import json

roots = ["data/", "/rom/data/"]


class DataMissing(Exception):
    """A data file is in none of the places; the text names it."""


def _open(name) -> io.FileIO:
    """The file, opened for reading bytes."""
    for root in roots:
        try:
            return open(root + name, "rb")  # pyright: ignore[reportReturnType]
        except OSError:
            pass
    try:
        from _data import FILES  # pyright: ignore[reportMissingImports]

        return io.BytesIO(FILES[name])  # pyright: ignore[reportReturnType]
    except (ImportError, KeyError):
        raise DataMissing("the data file %s is not on this board: deploy again" % name)


def load_json(name):
    """Returns the parsed file, e.g. load_json("templates/sdm630.json"). DataMissing if absent."""
    with _open(name) as file:
        return json.load(file)


def text(area, code, arguments=(), lang="en"):
    """The sentence for `code` from texts/<area>.json in "en" or "de", with its arguments set in.

    Reads no more than that sentence into RAM: it may have to say that the RAM is full.
    """
    try:
        with _open("texts/%s.json" % area) as file:
            sentences = json.loads(_list_after(file, ('"%s":' % code).encode()))
    except (DataMissing, EOFError, MemoryError):
        return " ".join([code] + [str(argument) for argument in arguments])
    return sentences[1 if lang == "de" else 0].format(*arguments)


def _list_after(file, key):
    """The JSON of the list of texts that belongs to a key, in a file without white space."""
    found = b""
    while True:
        part = file.read(256)
        if not part:
            raise EOFError
        found = found[found.find(key) if key in found else -len(key) :] + part
        start = found.find(key)
        end = found.find(b'"]', start)
        if start >= 0 and end >= 0:
            return found[start + len(key) : end + 2]
