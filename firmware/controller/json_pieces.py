"""JSON written piece by piece: the heap need not have room for all of a document at once."""

import json

from micropython import const

_MANY = const(8)  # keys: the text of so many would be a long piece


def _long(item):
    return isinstance(item, list) or hasattr(item, "__next__")


def pieces(value):
    """Generator over the JSON of a value in small texts: a dict with lists item by item.

    In place of a list there may be a generator.
    """
    if _long(value):
        mark = "["
        for item in value:
            yield mark
            mark = ", "
            yield from pieces(item)
        yield "[]" if mark == "[" else "]"
    elif isinstance(value, dict) and (
        len(value) > _MANY or any([_long(item) for item in value.values()])
    ):
        mark = "{"
        for key, item in value.items():
            yield mark + json.dumps(key) + ": "
            mark = ", "
            yield from pieces(item)
        yield "}"
    else:
        yield json.dumps(value)
