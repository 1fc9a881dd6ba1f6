"""What is shown of the settings. Loaded when somebody looks."""

from controller import data

# Each has its file under schema/.
SECTIONS = (
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


def schema(settings, section):
    """The schema of a section, from its file: {"section", "shape", "restart", "fields"}."""
    return settings.load_json("schema/%s.json" % section)


def public(settings):
    """A copy of the document without passwords and hashes."""
    copy = {}
    for name in SECTIONS:
        value = settings.doc[name]
        fields = schema(settings, name)["fields"]
        secret = [spec["name"] for spec in fields if spec.get("secret")]
        if secret:
            value = {key: value[key] for key in value if key not in secret}
        if value or not secret:
            copy[name] = value
    return copy


def described(settings, lang):
    """Generator of the schemas of what may be set, with the text of each field."""
    texts = data.load_json("texts/settings.json")
    for name in SECTIONS:
        if name != "login":
            section = schema(settings, name)
            for spec in section["fields"]:
                spec["text"] = texts["%s.%s" % (name, spec["name"])][lang == "de"]
            yield section
