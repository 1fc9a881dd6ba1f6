"""The data files: device templates, settings schema, texts (JSON, never code).

They lie in the flash's data/, in a ROMFS image, or frozen beside the code as module `_data`.
"""

import json

roots = ["data/", "/rom/data/"]


class DataMissing(Exception):
    """A data file is in none of the places; the text names it."""


def load_json(name):
    """Returns the parsed file, e.g. load_json("templates/sdm630.json"). DataMissing if absent."""
    for root in roots:
        try:
            with open(root + name) as file:
                return json.load(file)
        except OSError:
            pass
    try:
        from _data import FILES  # pyright: ignore[reportMissingImports]

        return json.loads(FILES[name])
    except (ImportError, KeyError):
        raise DataMissing("the data file %s is not on this board: deploy again" % name)


def text(area, code, arguments=(), lang="en"):
    """The sentence for `code` from texts/<area>.json in "en" or "de", with its arguments set in."""
    try:
        sentences = load_json("texts/%s.json" % area)[code]
    except (DataMissing, KeyError):
        return " ".join([code] + [str(argument) for argument in arguments])
    return sentences[1 if lang == "de" else 0].format(*arguments)
