"""The twin's one failure of input, and the small checks that raise it.

A check names the field, says what is wrong with it and what is allowed, in one sentence.
"""


class TwinError(ValueError):
    """A configuration, scenario or /twin/set value that the twin does not accept."""


def shown(value):
    """Return `value` short enough to be quoted in a sentence."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def whole(name, value, low, high):
    """Return `value` if it is an integer from low to high."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise TwinError(
            f"{name} is {shown(value)}; a whole number from {low} to {high} is allowed"
        )
    return value


def flag(name, value):
    """Return `value` if it is true or false."""
    if not isinstance(value, bool):
        raise TwinError(f"{name} is {shown(value)}; true or false is allowed")
    return value


def choice(name, value, allowed):
    """Return `value` if it is one of `allowed`."""
    if not isinstance(value, (str, int)) or isinstance(value, bool) or value not in allowed:
        raise TwinError(f"{name} is {shown(value)}; allowed: {', '.join(map(str, allowed))}")
    return value


def table(name, value, keys=None):
    """Return `value` if it is an object, with no key outside `keys` when given."""
    if not isinstance(value, dict):
        raise TwinError(f"{name} is {shown(value)}; an object is allowed")
    for key in value:
        if keys is not None and key not in keys:
            raise TwinError(
                f"{name} has the unknown key {shown(key)}; allowed: {', '.join(map(str, keys))}"
            )
    return value


def triple(name, value, low, high):
    """Return `value` as a list if it holds one whole number for each of the three phases."""
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        raise TwinError(f"{name} is {shown(value)}; a list of three whole numbers is allowed")
    return [whole(f"{name}[{i}]", item, low, high) for i, item in enumerate(value)]
