"""CM variables: numbers and formulas that the grid operator or the owner sets for formulas.

What /cnf does with them: docs/cnf.md. Why they have a document: docs/decisions/two-documents.md.
"""

import asyncio

from micropython import const

import formula
from controller import data
from controller.refusal import Refusal
from controller.strict_json import is_finite

_NAME = "vars.json"
_MAX_COUNT = const(32)
_MAX_LENGTH = const(32)  # characters of a name
_MAX_TEXT = const(1000)  # characters of all formulas together: they stay in RAM, parsed
_MAX_NUMBER = const(0x3FFFFFFFFFFFFFFF)  # as lib/formula
_MAX_NESTING = const(4)  # variables whose formulas read variables
_PAUSE_MS = const(500)  # between two writes to flash


class VariableError(Refusal):
    """A variable that cannot be set."""

    area = "variables"


class NestingError(formula.FormulaError):
    """Variables whose formulas read one another too deeply, or in a circle."""

    area = "variables"

    def __str__(self):
        return data.text(self.area, self.code, self.values)


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
    try:
        if formula.parse(name).names == (("", name.lower()),):
            return name
    except formula.FormulaError:
        pass
    raise VariableError("name_unusable", shown)


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
    if not (is_finite(expr) and -_MAX_NUMBER <= expr <= _MAX_NUMBER):
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


class Variables:
    """.problem is None or what is wrong with the document on flash."""

    def __init__(self, store, now_ms):
        self._store = store
        self._now_ms = now_ms
        self._nesting = []
        self._unsaved = False
        self._written_ms = -_PAUSE_MS
        self._saved = []  # as on flash
        document, self.problem = store.load(_NAME)
        items = (document or {}).get("vars", ())
        for item in items if isinstance(items, (list, tuple)) else (items,):
            try:
                if not isinstance(item, dict):
                    item = {}
                self._saved.append(_entry(item.get("name"), item.get("expr"), False))
            except VariableError as error:
                self.problem = error
        self._take(list(self._saved))

    def _take(self, live):
        self._live = live  # with those that are not to be saved
        self._by_name = {entry[0].lower(): entry for entry in live}

    def set_many(self, pairs, clear=False, tmp=False):
        """Set (name, number or formula) pairs, all or none; True if something is different now.

        clear removes all others first; with tmp flash is left as it is, and comes back at the next
        start. New values hold at once; wait for saved() before saying so. Raises VariableError.
        """
        new = [_entry(name, expr, tmp) for name, expr in pairs]
        if len(new) > len({entry[0].lower() for entry in new}):
            raise VariableError("name_twice")
        live = _merged(() if clear else self._live, new)
        saved = self._saved if tmp else _merged(() if clear else self._saved, new)
        for entries in (live, saved):
            if len(entries) > _MAX_COUNT:
                raise VariableError("too_many", _MAX_COUNT)
            if sum([len(entry[1]) for entry in entries if entry[2]]) > _MAX_TEXT:
                raise VariableError("too_long", _MAX_TEXT)
        if _document(saved) != _document(self._saved):
            self._unsaved = True
        self._saved = saved
        changed = [e[:2] + e[3:] for e in live] != [e[:2] + e[3:] for e in self._live]
        self._take(live)
        return changed

    async def saved(self):
        """Return when all that was set is on flash. Sets that come close together share a write.

        Raises StoreError: the values hold, but only until the next start.
        """
        while self._unsaved:
            await asyncio.sleep_ms(max(0, min(50, self._wait_ms())))
            self.flush_due()

    def flush_due(self):
        """Write to flash what is not there yet, unless it was written just now. StoreError."""
        if self._unsaved and self._wait_ms() <= 0:
            self._written_ms = self._now_ms()
            self._store.save(_NAME, _document(self._saved))
            self._unsaved = False

    def _wait_ms(self):
        return self._written_ms + _PAUSE_MS - self._now_ms()

    def value(self, name, lookup):
        """The value of a variable, name in lower case; KeyError, FormulaError if there is none."""
        return self._evaluate(self._by_name[name], lookup)

    def _evaluate(self, entry, lookup):
        name, expr, expression, _ = entry
        if not expression:
            return expr
        nesting = self._nesting
        if name in nesting:
            raise NestingError("circle", 1, name)
        if len(nesting) == _MAX_NESTING:
            raise NestingError("nesting", 1, _MAX_NESTING)
        nesting.append(name)
        try:
            return expression.value(lookup)
        finally:
            nesting.pop()

    def listing(self, lookup):
        """Generator of {"name", "expr", "val" or "error"} of each; "tmp": True where not saved."""
        for entry in self._live:
            item = {"name": entry[0], "expr": entry[1]}
            try:
                item["val"] = self._evaluate(entry, lookup)
            except formula.FormulaError as error:
                item["error"] = str(error)
            if entry[3]:
                item["tmp"] = True
            yield item


def _document(entries):
    return {"vars": [{"name": entry[0], "expr": entry[1]} for entry in entries]}
