"""Checks CM variables and takes them. Loaded when some are set: controller/unload.py."""

from micropython import const

import formula
from controller.refusal import Refusal

_MAX_COUNT = const(32)
_MAX_LENGTH = const(32)  # characters of a name
_MAX_TEXT = const(1000)  # characters of all formulas together: they stay in RAM, parsed
_MAX_NUMBER = const(0x3FFFFFFFFFFFFFFF)  # as lib/formula
_MAX_TRIGGER_S = const(86400)

# Reserved names that may be set all the same, in RAM only: controller/specials.py.
_SHARE = const("_max_total_current_prc")
_VOLATILE = const((_SHARE, "_set_price", "_set_price_level"))


class VariableError(Refusal):
    """A variable that cannot be set."""

    area = "variables"


def _entry(name, expr, tmp, seconds=None, again=False) -> tuple:
    """(name, number or formula text, expression or None, tmp, trigger or None), checked."""
    name = _name(name)
    value = _value(name, expr)
    if seconds is None:
        trigger = None
    elif isinstance(seconds, bool) or not isinstance(seconds, int):
        raise VariableError("trigger", name, _MAX_TRIGGER_S)
    elif not 1 <= seconds <= _MAX_TRIGGER_S or not isinstance(again, bool):
        raise VariableError("trigger", name, _MAX_TRIGGER_S)
    else:
        trigger = [seconds, again, None, False]
        value = value[0], value[1] or formula.parse(str(value[0]))
    if name[0] == "_":
        if trigger or name.lower() == _SHARE and value[1]:
            raise VariableError("only_number", name)
        tmp = True
    return (name,) + value + (tmp, trigger)


def _name(name):
    if not isinstance(name, str) or not name:
        raise VariableError("name_absent")
    shown = name[:_MAX_LENGTH]
    if len(name) > _MAX_LENGTH:
        raise VariableError("name_long", shown, _MAX_LENGTH)
    for char in name:
        if not ("a" <= char <= "z" or "A" <= char <= "Z" or "0" <= char <= "9" or char == "_"):
            raise VariableError("name_letters", shown)
    if name[0] == "_" and name.lower() not in _VOLATILE:
        raise VariableError("name_reserved", shown)
    if name[0] <= "9":  # a formula would read a number
        raise VariableError("name_unusable", shown)
    return name


def _value(name, expr):
    if isinstance(expr, str):
        expr = _number(expr)
    if isinstance(expr, str):
        try:
            return expr, formula.parse(expr)
        except formula.FormulaError as error:
            raise VariableError("formula", name, error.column, error)
    if isinstance(expr, bool) or not isinstance(expr, (int, float)):
        raise VariableError("value", name)
    if not -_MAX_NUMBER <= expr <= _MAX_NUMBER:  # so is what is not a number
        raise VariableError("too_large", name)
    return expr, None


def _number(text):
    """The number that a text is, or the text."""
    if text and not text.strip("+-.0123456789eE"):
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                pass
    return text


def _merged(old, new):
    """A copy of old with new in it; a variable keeps its place and the spelling of its name."""
    result = list(old)
    for entry in new:
        key = entry[0].lower()
        for i in range(len(result)):
            if result[i][0].lower() == key:
                result[i] = (result[i][0],) + entry[1:]
                break
        else:
            result.append(entry)
    return result


def _by_name(entries):
    result = {}
    for entry in entries:
        name = entry[0]
        key = name.lower()
        result[name if name == key else key] = entry  # one text less in RAM
    return result


def load(variables, loaded):
    """Take what Store.load gave; returns None or a sentence about what is wrong with it."""
    document, problem = loaded
    items = (document or {}).get("vars", ())
    stored = []
    for item in items if isinstance(items, (list, tuple)) else (items,):
        try:
            if not isinstance(item, dict):
                item = {}
            trigger = item.get("trigger_s"), item.get("retrigger", False)
            stored.append(_entry(item.get("name"), item.get("expr"), False, *trigger))
        except VariableError as error:
            problem = error
    variables.stored = variables.live = stored
    variables.by_name = _by_name(stored)
    variables.watched = [entry for entry in stored if entry[4]]
    return str(problem) if problem else None  # an error would keep this module


def set_many(variables, pairs, clear, tmp):
    """As Variables.set_many."""
    new = [_entry(pair[0], pair[1], tmp, *pair[2:]) for pair in pairs]
    if len(new) > len({entry[0].lower() for entry in new}):
        raise VariableError("name_twice")
    live = _merged(() if clear else variables.live, new)
    stored = variables.stored
    if not tmp:
        lasting = [entry for entry in new if not entry[3]]
        stored = _merged(() if clear else stored, lasting)
    for entries in (live, stored):
        if len(entries) > _MAX_COUNT:
            raise VariableError("too_many", _MAX_COUNT)
        if sum([len(str(entry[1])) for entry in entries if entry[2]]) > _MAX_TEXT:
            raise VariableError("too_long", _MAX_TEXT)
    unsaved = variables.unsaved or _shown(stored) != _shown(variables.stored)
    changed = _shown(live) != _shown(variables.live)
    by_name = _by_name(live)
    watched = [entry for entry in live if entry[4]]
    watched += [entry for entry in variables.watched if not entry[4]]  # not taken yet
    watched += [entry for entry in new if entry[0].lower() == _SHARE]
    if clear and _SHARE in variables.by_name and _SHARE not in by_name:
        watched.append((_SHARE, None, None, True, None))  # without it, all of it
    # From here nothing can fail, not even for want of memory.
    variables.unsaved = unsaved
    variables.stored = stored
    variables.live = live
    variables.by_name = by_name
    variables.watched = watched
    return changed


def _shown(entries):
    return [(entry[:2], entry[3], entry[4] and entry[4][:2]) for entry in entries]
