"""Takes changed settings while the board runs, where that is possible. Loaded when they change."""

from controller.installation import fit
from controller.settings_view import schema

_OF_OPERATOR = ("contact_sets", "channels", "dimming", "steerables", "outputs")
# What a device is made of: another value needs a start.
_MADE_OF = (
    "template enabled bus host port unit input pulses_per_kwh measure formulas failsafe_current_ma"
    " phase_relay phase_switching invert model_index role phases"
).split()


def take(controller, sections):
    """Takes the sections that changed; True where a restart is needed for all to take effect."""
    doc = controller.settings.doc
    restart = False
    for section in sections:
        if section == "evses" or section == "meters":
            restart = _devices(controller, section, doc[section]) or restart
        elif section == "power_manager" or section == "dynamic_load":
            if controller.power or controller.power_wanted():
                power = controller.need_power()
                power.configure(doc["power_manager"], doc["dynamic_load"])
        elif section == "clock":
            controller.clock.set_zone(doc["clock"]["tz"])
        elif section not in _OF_OPERATOR and schema(controller.settings, section)["restart"]:
            restart = True
    if [section for section in sections if section in _OF_OPERATOR]:
        from controller import grid_parts

        grid_parts.take(controller)
    controller.site.configure(doc["site"], doc["groups"])
    return restart


def _devices(controller, section, configs):
    here = [id for id in controller.devices if id[0] == section[0].upper()]
    known = [config["id"] for config in configs]
    restart = bool([id for id in here if id not in known])
    made_of = _MADE_OF if section == "meters" else _MADE_OF[:-1]  # phases of a box change live
    for config in configs:
        device = controller.devices.get(config["id"])
        if device is None:
            restart = restart or config["enabled"]
        elif [name for name in made_of if config.get(name) != device.config.get(name)]:
            restart = True
        elif config["id"] in controller.disabled:
            restart = restart or config != device.config
        else:
            device.config = config
            if config.get("current_limit") is not None:
                controller.need_wishes()
            evse = controller.evses.get(config["id"])
            if evse:
                evse.configure(config)
                fit(evse, device)
    return restart
