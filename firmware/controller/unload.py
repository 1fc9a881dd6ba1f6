"""Takes modules out of RAM that are only needed now and then; they are loaded again when imported."""

import sys

# Readers and checkers: at work at start-up and while somebody changes settings or formulas.
SELDOM = (
    "controller.board",
    "controller.installation",
    "controller.settings_check",
    "controller.startup",
    "controller.state",
    "formula.parser",
    "formula.sentences",
    "modbus.checker",
)


def unload(names=SELDOM):
    """Forgets the modules; what they made lives on. Nothing else may keep a reference to them."""
    for name in names:
        if sys.modules.pop(name, None) is not None:
            package, _, module = name.rpartition(".")
            package = sys.modules.get(package)
            if hasattr(package, module):
                delattr(package, module)
