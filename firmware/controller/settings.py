"""The settings: one document, checked against the schema, changed all at once or not at all."""

import sys

from controller.refusal import Refusal

_NAME = "settings.json"
# Each has its file under schema/.
_SECTIONS = (
    "site",
    "meters",
    "evses",
    "buses",
    "contacts",
    "network",
    "clock",
    "http",
    "login",
)


class SettingsError(Refusal):
    """A value that cannot be taken; .field names it, e.g. "evses[0].priority"."""

    area = "settings_errors"

    def __init__(self, field, code, *arguments):
        super().__init__(code, *arguments)
        self.field = field

    def text(self, lang="en"):
        return self.field + " " + super().text(lang)


class Settings:
    """.doc is the document, complete with defaults; .problem is None or says what of the one on
    flash could not be used (its sections then have their defaults)."""

    def __init__(self, store, load_json, board):
        self._store = store
        self._load_json = load_json
        self._board = board
        self._secrets = []
        self._unused = {}  # sections on flash that are not understood: kept there until set anew
        self.doc = {}
        raw, self.problem = store.load(_NAME)
        raw = raw or {}
        for name in raw:
            if name not in _SECTIONS:
                self._set_aside(name, raw, SettingsError(name, "unknown"))
        check = self._check()
        for name in _SECTIONS:
            schema = self.schema(name)
            for spec in schema["fields"]:
                if spec.get("secret"):
                    self._secrets.append((name, spec["name"]))
            try:
                self.doc[name] = check(schema, None, raw.get(name))
            except SettingsError as error:
                self._set_aside(name, raw, error)
                self.doc[name] = check(schema, None, None)

    def _set_aside(self, name, raw, error):
        self._unused[name] = raw[name]
        self.problem = error

    def _check(self):
        """The function that checks a section. Its module is not kept: it is rarely needed."""
        from controller.settings_check import Check

        sys.modules.pop("controller.settings_check", None)
        sys.modules["controller"].__dict__.pop("settings_check", None)
        return Check(self._board, self._load_json).section

    def schema(self, section):
        """The schema of a section, from its file: {"section", "shape", "restart", "fields"}."""
        return self._load_json("schema/%s.json" % section)

    def sections(self):
        return _SECTIONS

    def public(self):
        """A copy of the document without passwords and hashes."""
        copy = {}
        for name, value in self.doc.items():
            secret = [field for section, field in self._secrets if section == name]
            if secret:
                value = {key: value[key] for key in value if key not in secret}
            if value or not secret:
                copy[name] = value
        return copy

    def apply(self, patch):
        """Merge a partial document, save it, and return the set of the sections that changed.

        Sections and buses merge field by field, lists are replaced, a bus set to None is deleted.
        Raises SettingsError or StoreError; then nothing has changed.
        """
        if not isinstance(patch, dict):
            raise SettingsError("settings", "must_object")
        new = {}
        check = self._check()
        for name, value in patch.items():
            if name not in _SECTIONS:
                raise SettingsError(str(name)[:40], "unknown")
            value = check(self.schema(name), self.doc[name], value)
            if value != self.doc[name] or name in self._unused:
                new[name] = value
        if new:
            whole = dict(self.doc)
            whole.update(self._unused)
            whole.update(new)
            self._store.save(_NAME, whole)
            self.doc.update(new)
            for name in new:
                self._unused.pop(name, None)
        return set(new)
