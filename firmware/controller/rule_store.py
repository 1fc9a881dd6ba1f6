"""Reads, checks and keeps the rules in rules.json. Loaded for that only: controller/unload.py."""

import gc

from controller import data
from controller.plan_store import PlanError
from controller.unload import unload

_NAME = "rules.json"
# The shipped sets: rules/<id>.json among the data files.
TEMPLATES = (
    "energy_limit cheap surplus surplus_then_energy surplus_then_cheap surplus_at_least "
    "relay_cheap relay_pulse"
)


def template(id, lang="en"):
    """A shipped set with its texts in one language, None where there is none of that id."""
    if id not in TEMPLATES.split():
        return None
    entry = data.load_json("rules/%s.json" % id)
    german = lang == "de"
    for item in [entry] + entry["parameters"]:
        for name in ("name", "help"):
            if name in item:
                item[name] = item[name][german]
    return entry


def document(controller):
    """The document as it is saved."""
    return controller.store.load(_NAME)[0] or {"sets": [], "use": {}}


def _read(rules):
    """(sets, uses), see Reader.read. Raises PlanError. Nothing of the reader is kept."""
    from chargecontrol.rule_reader import Reader, RuleError

    try:
        return Reader(template).read(rules)
    except RuleError as error:
        raise PlanError(error.field, error.code, *error.arguments)


def load(controller):
    """(sets, uses) of the saved document; a problem with it becomes a fault."""
    saved, problem = controller.store.load(_NAME)
    result = {}, {}
    if saved:
        try:
            result = _read(saved)
        except PlanError as error:
            problem = error
    if problem:
        controller.fault("%s: %s" % (_NAME, problem))
    return result


def change(controller, patch):
    """Takes "sets" and "use", each where given in place of the old; True where it differs.

    Raises PlanError or StoreError; then nothing has changed.
    """
    wishes = controller.need_wishes()
    if isinstance(patch, dict) and len(patch) < 2:
        new = document(controller)
        new.update(patch)
        patch = new
    sets, uses = _read(patch)
    for id in uses:
        if id not in [config["id"] for config in controller.settings.doc["evses"]]:
            raise PlanError("use." + id, "not_there", id)
    made = wishes.made(sets, uses)  # what needs memory comes before the first change
    unload(("chargecontrol.rule_reader", "formula.parser"))
    gc.collect()
    if not controller.store.save(_NAME, patch):
        return False
    wishes.take_rules(made)
    controller.wake()
    return True


def copy(controller, wanted):
    """Adds a copy of a shipped set to the own ones. wanted: {"template": id, "id": new id}."""
    if not isinstance(wanted, dict) or sorted(wanted) != ["id", "template"]:
        raise PlanError("template", "template_shape")
    entry = template(wanted["template"])
    if entry is None:
        raise PlanError("template", "no_set", str(wanted["template"])[:40])
    entry["id"] = wanted["id"]
    return change(controller, {"sets": document(controller).get("sets", []) + [entry]})
