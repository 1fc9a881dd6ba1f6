"""What is shown of the settings. Loaded when somebody looks."""

import gc

from controller import data

# Each has its file under schema/.
SECTIONS = (
    "site",
    "meters",
    "evses",
    "groups",
    "buses",
    "contacts",
    "power_manager",
    "dynamic_load",
    "contact_sets",
    "channels",
    "dimming",
    "steerables",
    "outputs",
    "sunspec_server",
    "tls",
    "gateway",
    "journal",
    "network",
    "clock",
    "http",
    "login",
)


def schema(settings, section):
    """The schema of a section, from its file: {"section", "shape", "restart", "fields"}."""
    return settings.load_json("schema/%s.json" % section)


def _secrets(settings, section):
    """Names of the fields that are never shown. Apart, so that one schema goes before the next."""
    return [spec["name"] for spec in schema(settings, section)["fields"] if spec.get("secret")]


def public(settings):
    """A copy of the document without passwords and hashes."""
    copy = {}
    for name in SECTIONS:
        gc.collect()
        value = settings.doc[name]
        secret = _secrets(settings, name)
        if secret:
            value = {key: value[key] for key in value if key not in secret}
        if value or not secret:
            copy[name] = value
    return copy


def described(settings, lang):
    """Generator of the schemas of what may be set, with the text of each field."""
    for name in SECTIONS:
        if name != "login":
            section = None  # the one before goes before this one comes
            gc.collect()
            section = schema(settings, name)
            section["fields"] = _with_texts(section["fields"], name, lang)
            yield section


def _with_texts(fields, section, lang):
    for spec in fields:
        spec["text"] = data.text("settings", "%s.%s" % (section, spec["name"]), (), lang)
        yield spec
        spec.clear()
