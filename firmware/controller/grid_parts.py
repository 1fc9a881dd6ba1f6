"""Makes the parts that serve the grid operator, where the settings ask for them; takes changed
settings while the board runs. Loaded for that only.
"""

from controller.power_room import CHANGE_BYTES, START_BYTES, load
from controller.unload import unload

_FAULT = (
    "not enough memory for what the grid operator asks for (contact_sets, channels, dimming,"
    " outputs): the fail-safe current holds for good; an image leaves more memory"
)
_NO_JOURNAL = "not enough memory for the journal: nothing is recorded; an image leaves more memory"


def modules(doc):
    """Names of what these settings need beside the journal."""
    names = []
    if doc["contact_sets"] or doc["channels"]:
        names += ["controller.operator_inputs", "chargecontrol.operator_limits"]
    if doc["contact_sets"]:
        names.append("chargecontrol.contact_sets")
    if doc["channels"]:
        names.append("chargecontrol.channels")
    if doc["dimming"].get("enabled"):
        names.append("controller.dimming_inputs")
    if _relays(doc):
        names.append("controller.outputs")
    return names


def _relays(doc):
    return doc["outputs"] or [item for item in doc["steerables"] if item["relay"]]


def need_room(new, doc):
    """Raise SettingsError where what sections switch on would not fit into the RAM.

    new: {section: value} that changes; doc: all settings with that.
    """
    from controller.settings_check import SettingsError

    names = ("contact_sets", "channels", "dimming", "steerables", "outputs", "journal")
    wanted = [name for name in names if new.get(name)]
    if wanted:
        needed = modules(doc)
        if doc["journal"].get("enabled"):
            needed.append("controller.journal")
        if not load(needed, CHANGE_BYTES):
            raise SettingsError(wanted[0], "no_room")


def at_start(controller):
    """As take; without room for it the fail-safe current holds for good, and a fault says so."""
    if load(modules(controller.settings.doc), START_BYTES):
        take(controller, START_BYTES)
    else:
        controller.deaf = True
        unload(("chargecontrol.levels", "controller.operator_command"))
        controller.fault(_FAULT)


def take(controller, spare_bytes=CHANGE_BYTES):
    """Makes, changes and removes the parts; the order of what follows is that of the cycle."""
    doc = controller.settings.doc
    site = controller.site
    before = []
    after = []
    if doc["contact_sets"] or doc["channels"]:
        if not controller.operator:
            from controller.operator_inputs import OperatorInputs

            controller.operator = OperatorInputs(controller)
        controller.operator.configure(doc)
        before.append(controller.operator)
    else:
        controller.operator = site.operator = None
    if doc["dimming"].get("enabled"):
        if not controller.dimming:
            from controller.dimming_inputs import DimmingInputs

            controller.dimming = DimmingInputs(controller)
        controller.dimming.configure(doc)
        before.append(controller.dimming)
    else:
        controller.dimming = site.dimming = None
    if _relays(doc) or [part for part in controller.after if hasattr(part, "relays")]:
        from controller.outputs import Outputs

        after.append(Outputs(controller, controller.after))
    journal = _journal(controller, doc, spare_bytes)
    if journal:
        after.append(journal)
    controller.before = before
    controller.after = after


def _journal(controller, doc, spare_bytes):
    """The journal where it is wanted: by the settings, else with any part that needs evidence."""
    wanted = doc["journal"].get("enabled")
    if wanted is None:
        wanted = bool(controller.operator or controller.dimming)
    if not wanted:
        if controller.journal:  # what was in force ends with this, and that is evidence
            controller.journal.update(controller.clock.now_ms())
            controller.journal.flush()
        controller.journal = None
    elif not controller.journal:
        if load(["controller.journal"], spare_bytes):
            from controller.journal import Journal

            controller.journal = Journal(controller)
        elif _NO_JOURNAL not in controller.faults:
            controller.fault(_NO_JOURNAL)
    return controller.journal
