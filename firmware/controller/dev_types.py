"""What the cFos manager's API calls our devices (reference: its get_dev_info, get_params)."""

# Their roles have numbers: 0, 1, ...
ROLES = "display consumption generation grid evse storage_home storage_all".split()

# ours=theirs; all others have the same name.
_NAMES = (
    "cfos_power_brain=powerbrain http_input=ajax keba_p30=keba_c_x sdm72=sdm72dm "
    "virtual_consumed=virtual_consumed_power virtual_produced=virtual_produced_power "
    "virtual_produced_avg=virtual_produced_power_avg virtual_consumed_evse=virtual_evse_power "
    "virtual_available_evse=virtual_available_evse_power "
    "virtual_remaining_evse=virtual_remaining_evse_power"
)


def _renamed(name, at):
    for pair in _NAMES.split():
        names = pair.split("=")
        if names[at] == name:
            return names[1 - at]
    return name


def dev_type(config):
    """The type of a device by its settings, e.g. "evse_heidelberg"."""
    name = config["template"]
    if config.get("measure"):
        name += "_" + config["measure"]
    return ("evse_" if config["id"][0] == "E" else "meter_") + _renamed(name, 0)


def template(dev_type):
    """(template, measure or None) of a type, which begins with "evse_" or "meter_"."""
    name = _renamed(dev_type.partition("_")[2], 1)
    if name.startswith("virtual_"):
        return "virtual", name[8:]
    return name, None


def address(config):
    """Where a device is: "host:port", the name of a bus, "input1", or "" for none of them."""
    if config.get("input") is not None:
        return "input%d" % config["input"]
    if config["host"]:
        return "%s:%d" % (config["host"], config["port"])
    return config["bus"] or ""
