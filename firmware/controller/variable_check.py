"""Checks CM variables and takes them. Loaded when some are set: controller/unload.py."""

from micropython import const

import formula
from controller.refusal import Refusal

_MAX_COUNT = const(32)
_MAX_LENGTH = const(32)  # characters of a name
_MAX_TEXT = const(1000)  # characters of all formulas together: they stay in RAM, parsed
_MAX_NUMBER = const(0x3FFFFFFFFFFFFFFF)  # as lib/formula


class VariableError(Refusal):
    """A variable that cannot be set."""

    area = "variables"


def _entry(name, expr, tmp) -> tuple:
    """(name, number or formula text, expression or None, tmp), checked."""
    return (_name(name),) + _value(name, expr) + (tmp,)


def _name(name):
    if not isinstance(name, str) or not name:
        raise VariableError("name_absent")
    shown = name[:_MAX_LENGTH]
    if len(name) > _MAX_LENGTH:
        raise VariableError("name_long", shown, _MAX_LENGTH)
    for char in name:
        if not ("a" <= char <= "z" or "A" <= char <= "Z" or "0" <= char <= "9" or char == "_"):
            raise VariableError("name_letters", shown)
    if name[0] == "_":
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
            stored.append(_entry(item.get("name"), item.get("expr"), False))
        except VariableError as error:
            problem = error
    variables.stored = variables.live = stored
    variables.by_name = _by_name(stored)
    return str(problem) if problem else None  # an error would keep this module


def set_many(variables, pairs, clear, tmp):
    """As Variables.set_many."""
    new = [_entry(name, expr, tmp) for name, expr in pairs]
    if len(new) > len({entry[0].lower() for entry in new}):
        raise VariableError("name_twice")
    live = _merged(() if clear else variables.live, new)
    stored = variables.stored
    if not tmp:
        stored = _merged(() if clear else stored, new)
    for entries in (live, stored):
        if len(entries) > _MAX_COUNT:
            raise VariableError("too_many", _MAX_COUNT)
        if sum([len(entry[1]) for entry in entries if entry[2]]) > _MAX_TEXT:
            raise VariableError("too_long", _MAX_TEXT)
    unsaved = variables.unsaved or _shown(stored) != _shown(variables.stored)
    changed = _shown(live) != _shown(variables.live)
    by_name = _by_name(live)
    # From here nothing can fail, not even for want of memory.
    variables.unsaved = unsaved
    variables.stored = stored
    variables.live = live
    variables.by_name = by_name
    return changed


def _shown(entries):
    return [entry[:2] + entry[3:] for entry in entries]
