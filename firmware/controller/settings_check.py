"""Reads, checks and changes the settings. Loaded for that only: controller/unload.py.

A schema file: {"section", "shape": "object" | "list" | "map", "restart", "fields"}, and for lists
and maps "max" entries, "key" (the field that tells them apart), "device": "meter" | "evse".
"optional" object: {} as long as nothing of it was ever set, so that it costs no RAM.
A field: {"name", "type", "unit", "min", "max", "default", "null": may be null, "secret": never
shown, "values" of a choice, "pattern" and "example" of a text, "of": field of a list's items}.
"""

import re

import formula
from controller.data import DataMissing
from controller.refusal import Refusal
from controller.settings_view import SECTIONS, schema
from controller.unload import unload

_READERS = ("formula.parser", "formula.sentences")  # their room is needed


class SettingsError(Refusal):
    """A value that cannot be taken; .field names it, e.g. "evses[0].priority"."""

    area = "settings_errors"

    def __init__(self, field, code, *arguments):
        super().__init__(code, *arguments)
        self.field = field

    def text(self, lang="en"):
        return self.field + " " + super().text(lang)


# Where devices are that no template describes.
_PORTS = (("input", "inputs"), ("phase_relay", "relays"), ("relay", "relays"))
_PLACES = {
    "meter": {"s0": "input", "expression": "", "virtual": "", "http_input": ""},
    "evse": {"http_input": ""},
}


def load(settings, loaded):
    """Take what Store.load gave; returns None or a sentence about what of it is unusable."""
    raw, problem = loaded
    raw = raw or {}
    for name in raw:
        if name not in SECTIONS:
            settings.unused[name] = raw[name]
            problem = SettingsError(name, "unknown")
    check = Check(settings)
    for name in SECTIONS:
        try:
            settings.doc[name] = check.section(name, None, raw.get(name))
        except SettingsError as error:
            settings.unused[name] = raw[name]
            problem = error
            settings.doc[name] = check.section(name, None, None)
    try:
        from controller import settings_references

        settings_references.check(settings.doc, settings.ports)
    except SettingsError as error:  # said, but what is right of it works
        problem = problem or error
    return str(problem) if problem else None  # an error would keep this module


def changes(settings, patch):
    """{name: new value} of the sections that a patch changes. Raises SettingsError."""
    if not isinstance(patch, dict):
        raise SettingsError("settings", "must_object")
    new = {}
    check = Check(settings)
    for name, value in patch.items():
        if name not in SECTIONS:
            raise SettingsError(str(name)[:40], "unknown")
        value = check.section(name, settings.doc[name], value)
        if value != settings.doc[name] or name in settings.unused:
            new[name] = value
    whole = dict(settings.doc)
    whole.update(new)
    del check
    unload(_READERS)
    # The first password is set even where other sections on flash do not go together.
    if [name for name in new if name != "login"]:
        from controller import settings_references

        settings_references.check(whole, settings.ports)
        settings_references.need_room(new, whole)
    return new


class Check:
    """Checks sections of the settings."""

    def __init__(self, settings):
        self._settings = settings
        self._kinds = {}

    def section(self, name, old, value):
        """The value of a section, complete and valid; old is what it merges into, or None."""
        section = schema(self._settings, name)
        shape = section["shape"]
        if value is None and old is None:
            value = [] if shape == "list" else {}
        if shape == "list":
            if not isinstance(value, list):
                raise SettingsError(name, "must_list")
            return self._list(section, value, name)
        if not isinstance(value, dict):
            raise SettingsError(name, "must_object")
        if section.get("optional") and not old and not value:
            return {}
        if shape == "object":
            return self._item(section, old, value, name)
        _count(section, value, name)
        merged = dict(old or {})
        for key, item in value.items():
            if item is None:
                merged.pop(key, None)
            else:
                self._port("rs485", key, name)
                merged[key] = self._item(section, merged.get(key), item, name + "." + key)
        return merged

    def _list(self, section, value, name):
        _count(section, value, name)
        result = []
        key = section["key"]
        for i in range(len(value)):
            field = "%s[%d]" % (name, i)
            item = self._item(section, None, value[i], field)
            if item[key] in [other[key] for other in result]:
                raise SettingsError(field + "." + key, "twice", item[key])
            result.append(item)
        return result

    def _item(self, section, old, value, field):
        """One object with all of its fields."""
        if not isinstance(value, dict):
            raise SettingsError(field, "must_object")
        item = {}
        for spec in section["fields"]:
            name = spec["name"]
            if name in value:
                _check(spec, value[name], field + "." + name)
                item[name] = value[name]
            elif old:
                item[name] = old[name]
            elif "default" in spec:
                item[name] = spec["default"]
            else:
                raise SettingsError(field + "." + name, "absent")
        for name in value:
            if name not in item:
                raise SettingsError(field + "." + str(name)[:40], "unknown")
        if section.get("device"):
            self._device(section["device"], item, field)
        for name, ports in _PORTS:
            if item.get(name) is not None:
                self._port(ports, item[name], field + "." + name)
        return item

    def _device(self, kind, item, field):
        """Where a meter or wallbox is: at an input, on a bus of the board, or at a host."""
        if kind == "evse" and item["min_current_ma"] > item["max_current_ma"]:
            raise SettingsError(field + ".min_current_ma", "order", item["max_current_ma"])
        template = item["template"]
        within = field + "."
        places = [name for name in ("input", "bus", "host") if item.get(name) is not None]
        wanted = _PLACES[kind].get(template, "bus | host")
        if len(places) != (1 if wanted else 0) or places and places[0] not in wanted:
            raise SettingsError(field, "place", wanted or "-")
        if kind == "meter":
            if bool(item["measure"]) != (template == "virtual"):
                raise SettingsError(within + "measure", "measure")
            if bool(item["formulas"]) != (template == "expression"):
                raise SettingsError(within + "formulas", "formulas")
        if template in _PLACES[kind]:
            return
        if places[0] == "bus":
            self._port("rs485", item["bus"], within + "bus")
        if 247 < item["unit"] < (255 if places[0] == "host" else 256):
            raise SettingsError(within + "unit", "unit")
        if self._kind(item["template"]) != kind:
            raise SettingsError(within + "template", "template_" + kind, item["template"])

    def _kind(self, template):
        """The kind "meter" or "evse", None for a template that is not there."""
        if template not in self._kinds:
            try:
                document = self._settings.load_json("templates/%s.json" % template)
            except DataMissing:
                document = {}
            self._kinds[template] = document.get("kind")
        return self._kinds[template]

    def _port(self, group, value, field):
        have = self._settings.ports[group]
        if value not in have:
            have = ", ".join([str(port) for port in have]) or "-"
            raise SettingsError(field, "not_on_board", value, have)


def is_address(text):
    """Of four numbers with full stops: whether a peer's address can be the same text."""
    numbers = [int(part) for part in text.split(".")]
    return max(numbers) < 256 and text == "%d.%d.%d.%d" % tuple(numbers)


def _count(section, value, name):
    if len(value) > section["max"]:
        raise SettingsError(name, "too_many", section["max"])


def _check(spec, value, field):
    """Raise SettingsError unless the value fits a field of the schema."""
    if value is None and spec.get("null"):
        return
    kind = spec["type"]
    if kind == "formula" and isinstance(value, str):
        try:
            formula.parse(value)
        except formula.FormulaError as error:
            raise SettingsError(field, "formula", error.column, error)
    elif kind == "int" or kind == "formula":
        number = isinstance(value, int) and not isinstance(value, bool)
        if not number or not spec["min"] <= value <= spec["max"]:
            unit = spec.get("unit", "")
            raise SettingsError(field, "must_" + kind, spec["min"], spec["max"], unit)
    elif kind == "bool":
        if not isinstance(value, bool):
            raise SettingsError(field, "must_bool")
    elif kind == "text":
        if not isinstance(value, str) or not spec["min"] <= len(value) <= spec["max"]:
            raise SettingsError(field, "must_text", spec["min"], spec["max"])
        if value and not re.match(spec.get("pattern", ""), value):
            raise SettingsError(field, "pattern", spec.get("example"))
    elif kind == "choice":
        if value not in spec["values"] or isinstance(value, (bool, float)):
            values = ", ".join([str(known) for known in spec["values"]])
            raise SettingsError(field, "must_choice", values)
    elif kind == "list":
        if not isinstance(value, list) or not spec["min"] <= len(value) <= spec["max"]:
            raise SettingsError(field, "must_items", spec["min"], spec["max"])
        for i in range(len(value)):
            _check(spec["of"], value[i], "%s[%d]" % (field, i))
    elif kind == "formulas":
        _check_formulas(spec, value, field)
    elif kind == "phases":
        if not isinstance(value, list) or len(set(map(str, value))) < max(1, len(value)):
            raise SettingsError(field, "must_phases")
        if [phase for phase in value if phase not in (1, 2, 3)]:
            raise SettingsError(field, "must_phases")


def _check_formulas(spec, value, field):
    if not isinstance(value, dict) or len(value) > spec["max"]:
        raise SettingsError(field, "must_formulas", spec["max"])
    for name in value:
        if not isinstance(name, str) or not re.match(spec["pattern"], name[:33]):
            raise SettingsError(field, "pattern", spec["example"])
        if not isinstance(value[name], (str, int, float)) or isinstance(value[name], bool):
            raise SettingsError(field + "." + name, "must_text", 1, 512)
        try:
            formula.parse(str(value[name]))
        except formula.FormulaError as error:
            raise SettingsError(field + "." + name, "formula", error.column, error)
