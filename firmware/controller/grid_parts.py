"""Makes the parts that serve the grid operator, where the settings ask for them; takes changed
settings while the board runs. Loaded for that only.
"""


def take(controller):
    """Makes, changes and removes the parts; the order of what follows is that of the cycle."""
    doc = controller.settings.doc
    before = []
    after = []
    if doc["contact_sets"] or doc["channels"]:
        if not controller.operator:
            from controller.operator_inputs import OperatorInputs

            controller.operator = OperatorInputs(controller)
        controller.operator.configure(doc)
        before.append(controller.operator)
    else:
        controller.operator = None
        controller.site.operator = None
    if doc["dimming"].get("enabled"):
        if not controller.dimming:
            from controller.dimming_inputs import DimmingInputs

            controller.dimming = DimmingInputs(controller)
        controller.dimming.configure(doc)
        before.append(controller.dimming)
    else:
        controller.dimming = None
        controller.site.dimming = None
    if doc["outputs"] or [item for item in doc["steerables"] if item["relay"]]:
        from controller.outputs import Outputs

        after.append(Outputs(controller, controller.after))
    wanted = doc["journal"].get("enabled")
    if wanted is None:
        wanted = doc["contact_sets"] or doc["channels"] or doc["dimming"].get("enabled")
    if wanted:
        if not controller.journal:
            from controller.journal import Journal

            controller.journal = Journal(controller)
        after.append(controller.journal)
    else:
        controller.journal = None
    controller.before = before
    controller.after = after
