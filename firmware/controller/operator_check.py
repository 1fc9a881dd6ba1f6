"""What the settings of contact sets and channels must not be. Loaded for that only."""

from micropython import const

from chargecontrol import levels
from controller.operator_command import level_code
from controller.settings_check import SettingsError

_MAX_BINARY = const(4)  # contacts: 16 levels


class OperatorError(SettingsError):
    """A value that is wrong, or does not go with another one; sentences in texts/operator.json."""

    area = "operator"


def faults(doc, inputs=None):
    """List of an OperatorError for each fault of the whole document.

    inputs: numbers of the inputs that the board has, None where that is not known.
    """
    found = []
    counting = [meter["input"] for meter in doc["meters"] if meter["template"] == "s0"]
    devices = [item["id"] for item in doc["meters"] + doc["evses"]]
    for i in range(len(doc["contact_sets"])):
        config = doc["contact_sets"][i]
        field = "contact_sets[%d]." % i
        for n in range(len(config["inputs"])):
            name = config["inputs"][n]
            place = "%sinputs[%d]" % (field, n)
            device, _, number = name.partition(".input")
            if config["inputs"].index(name) < n:
                found.append(OperatorError(place, "input_twice", name))
            elif device != "PB":
                if device not in devices:
                    found.append(OperatorError(place, "input_device", device))
            elif int(number) in counting:
                found.append(OperatorError(place, "input_counts", name))
            elif inputs is not None and int(number) not in inputs:
                have = ", ".join([str(n) for n in inputs]) or "-"
                found.append(OperatorError(place, "input_absent", name, have))
        found += _form(config, field)
        found += _levels(doc, config["levels"], field + "levels")
    return found + _channels(doc)


def _form(config, field):
    """Whether the numbers of contacts, levels and patterns go with the form."""
    form = config["form"]
    contacts = len(config["inputs"])
    patterns = config["patterns"]
    wanted = {"one": 2, "binary": 1 << contacts, "one_hot": contacts + 1, "table": len(patterns)}
    found = []
    if form == "one" and contacts != 1:
        found.append(OperatorError(field + "inputs", "form_one", contacts))
    elif form == "binary" and not 2 <= contacts <= _MAX_BINARY:
        found.append(OperatorError(field + "inputs", "form_binary", _MAX_BINARY, contacts))
    elif len(config["levels"]) != wanted[form]:
        arguments = (wanted[form], len(config["levels"]))
        found.append(OperatorError(field + "levels", "levels_" + form, *arguments))
    if patterns and form != "table":
        found.append(OperatorError(field + "patterns", "patterns_form"))
    for n in range(len(patterns)):
        place = "%spatterns[%d]" % (field, n)
        if len(patterns[n]) != contacts:
            found.append(OperatorError(place, "pattern_length", patterns[n], contacts))
        elif patterns.index(patterns[n]) < n:
            found.append(OperatorError(place, "pattern_twice", patterns[n]))
    return found


def _levels(doc, texts, field):
    """Whether each level can be had here, and whether one can say which of them is stricter."""
    found = []
    kinds = []
    for n in range(len(texts)):
        place = "%s[%d]" % (field, n)
        fault = _level(doc, texts[n], place)
        if fault:
            found.append(fault)
            continue
        level = levels.parse(texts[n])
        kind = level[0]
        if kind == "dimming":
            kind = texts[n][:4].strip() if level[1] is None else "dim .. W"
        if kind in ("percent", "current", "power"):
            kind = {"percent": "%", "current": "mA", "power": "W"}[kind]
        if kind != "none" and kind not in kinds:
            kinds.append(kind)
    for same in (("%", "mA", "W"), ("dim", "dim .. W")):
        mixed = [kind for kind in kinds if kind in same]
        if len(mixed) > 1:
            found.append(OperatorError(field, "levels_mixed", ", ".join(mixed)))
    if not kinds and not found:
        found.append(OperatorError(field, "levels_none"))
    return found


def _level(doc, text, field):
    code = level_code(doc, text)
    return code and OperatorError(field, code, text)


def _channels(doc):
    found = []
    for i in range(len(doc["channels"])):
        config = doc["channels"][i]
        field = "channels[%d]." % i
        if config["timeout_s"]:
            fault = _level(doc, config["failsafe"], field + "failsafe")
            if fault:
                found.append(fault)
        if config["channel"] == "sunspec" and not doc["sunspec_server"].get("enabled"):
            found.append(OperatorError(field + "channel", "channel_sunspec"))
    return found
