"""JSON written piece by piece: the heap need not have room for all of a document at once."""

import json


def pieces(value):
    """Generator over the JSON of a value in small texts: a dict and its lists item by item.

    A value of the dict may be a generator; it is written as a list.
    """
    if not isinstance(value, dict):
        yield json.dumps(value)
        return
    mark = "{"
    for key, item in value.items():
        yield mark + json.dumps(key) + ": "
        mark = ", "
        if isinstance(item, list) or hasattr(item, "__next__"):
            inner = "["
            for part in item:
                yield inner + json.dumps(part)
                inner = ", "
            yield "[]" if inner == "[" else "]"
        else:
            yield json.dumps(item)
    yield "{}" if mark == "{" else "}"
