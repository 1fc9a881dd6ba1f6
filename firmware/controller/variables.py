"""CM variables: numbers and formulas that the grid operator or the owner sets for formulas.

What /cnf does with them: docs/cnf.md. Why they have a document: docs/decisions/two-documents.md.
"""

import asyncio

from micropython import const

import formula
from controller import data

_NAME = "vars.json"
_MAX_NESTING = const(4)  # variables whose formulas read variables
_PAUSE_MS = const(500)  # between two writes to flash


class NestingError(formula.FormulaError):
    """Variables whose formulas read one another too deeply, or in a circle."""

    area = "variables"

    def __str__(self):
        return data.text(self.area, self.code, self.values)


class Variables:
    """problem is None or what is wrong with the document on flash.

    live and stored are lists of (name, number or formula text, Expression or None, tmp, trigger):
    what holds, and what is to be on flash. trigger: None, or [s, retrigger, until_ms or None,
    held] where the formula sets the variable to 1 for a time. by_name finds those of live by their
    name in lower case; watched are those that Specials.update() has to look at in each cycle.
    controller/variable_check.py fills them.
    """

    def __init__(self, store, now_ms):
        self._store = store
        self._now_ms = now_ms
        self._nesting = []
        self._written_ms = -_PAUSE_MS
        self.unsaved = False
        self.stored = self.live = []
        self.by_name = {}
        self.watched = []
        from controller import variable_check

        self.problem = variable_check.load(self, store.load(_NAME))

    def set_many(self, pairs, clear=False, tmp=False):
        """Set (name, number or formula) pairs, all or none; True if something is different now.

        With (name, condition, s, retrigger) a variable becomes a trigger. clear removes all others
        first; with tmp flash is left as it is, and comes back at the next start. New values hold
        at once; wait for saved() before saying so. Raises VariableError.
        """
        from controller import variable_check

        return variable_check.set_many(self, pairs, clear, tmp)

    async def saved(self):
        """Return when all that was set is on flash. Sets that come close together share a write.

        Raises StoreError: the values hold, but only until the next start.
        """
        while self.unsaved:
            await asyncio.sleep_ms(max(0, min(50, self._wait_ms())))
            self.flush_due()

    def flush_due(self):
        """Write to flash what is not there yet, unless it was written just now. StoreError."""
        if self.unsaved and self._wait_ms() <= 0:
            self._written_ms = self._now_ms()
            entries = [_item(entry) for entry in self.stored]
            self._store.save(_NAME, {"vars": entries})
            self.unsaved = False

    def _wait_ms(self):
        return self._written_ms + _PAUSE_MS - self._now_ms()

    def value(self, name, lookup):
        """The value of a variable, name in lower case; KeyError, FormulaError if there is none."""
        return self._evaluate(self.by_name[name], lookup)

    def _evaluate(self, entry, lookup):
        name, expr, expression, _, trigger = entry
        if trigger:
            return 0 if trigger[2] is None else 1
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
        for entry in self.live:
            item = _item(entry)
            try:
                if entry[4]:
                    entry[2].value(lookup)  # a condition that fails shall be seen
                item["val"] = self._evaluate(entry, lookup)
            except formula.FormulaError as error:
                item["error"] = str(error)
            if entry[3]:
                item["tmp"] = True
            yield item


def _item(entry):
    """A variable as it lies on flash and is shown."""
    item = {"name": entry[0], "expr": entry[1]}
    if entry[4]:
        item["trigger_s"], item["retrigger"] = entry[4][:2]
    return item
