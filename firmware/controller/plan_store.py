"""Checks charging plans, keeps them in plans.json. Loaded when one is set: controller/unload.py.

Shape of a plan as others send it: [{"dc": false, "st": 0, "dr": 60, "lm": 16000}, ...]
(reference/cfos.md section 2.6); chargecontrol/plans.py says how it is kept.
"""

from micropython import const

from controller.refusal import Refusal

_NAME = "plans.json"
_MAX_ENTRIES = const(96)  # one for each quarter of an hour
_MAX_MA = const(1000000)


class PlanError(Refusal):
    """A plan or rules that can't be taken; .field names the place."""

    area = "rules"

    def __init__(self, field, code, *arguments):
        super().__init__(code, *arguments)
        self.field = field

    def text(self, lang="en"):
        return self.field + " " + super().text(lang)


def check(entries):
    """The plan of a list of entries. Raises PlanError."""
    if not isinstance(entries, list):
        raise PlanError("cplan", "must_list")
    if len(entries) > _MAX_ENTRIES:
        raise PlanError("cplan", "too_many", _MAX_ENTRIES)
    plan = []
    for i in range(len(entries)):
        entry = entries[i]
        field = "cplan[%d]" % i
        if not isinstance(entry, dict):
            raise PlanError(field, "must_object")
        for name in entry:
            if name not in ("dc", "st", "dr", "lm"):
                raise PlanError(field + "." + str(name)[:40], "unknown")
        if entry.get("dc", False) not in (False, 0):
            raise PlanError(field + ".dc", "no_storage")
        for name, low, high in (("st", 0, 1439), ("dr", 1, 1440), ("lm", 0, _MAX_MA)):
            value = entry.get(name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise PlanError(field + "." + name, "must_int", low, high)
            plan.append(value)
    return tuple(plan)


def entries(plan):
    """The list of entries of a plan."""
    return [
        {"dc": False, "st": plan[i], "dr": plan[i + 1], "lm": plan[i + 2]}
        for i in range(0, len(plan), 3)
    ]


def load(controller):
    """{device: plan} as saved; what is wrong with the document becomes a fault."""
    document, problem = controller.store.load(_NAME)
    plans = {}
    for id, saved in (document or {}).items():
        try:
            plans[id] = check(saved)
        except PlanError as error:
            problem = error
    if problem:
        controller.fault("%s: %s" % (_NAME, problem))
    return plans


def save(controller, id, plan):
    """Saves the plan of one device. Raises StoreError."""
    document = controller.store.load(_NAME)[0] or {}
    document[id] = entries(plan)
    if not plan:
        del document[id]
    controller.store.save(_NAME, document)
