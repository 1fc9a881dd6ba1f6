"""Takes modules out of RAM that are needed now and then only; an import loads them again."""

import sys

# Readers and checkers: at work at start-up and while somebody changes settings or formulas.
SELDOM = (  # one text: a tuple of texts takes twice the room
    "chargecontrol.rule_reader "
    "chargecontrol.site_setup "
    "controller.access_point "
    "controller.board "
    "controller.contact_settings "
    "controller.dev_types "
    "controller.device_setup "
    "controller.http_body "
    "controller.installation "
    "controller.password "
    "controller.plan_store "
    "controller.power_check "
    "controller.power_state "
    "controller.reconfigure "
    "controller.rule_store "
    "controller.settings_check "
    "controller.settings_view "
    "controller.startup "
    "controller.state "
    "controller.store_files "
    "controller.strict_json "
    "controller.timezone "
    "controller.variable_check "
    "controller.sunspec_scan "
    "doors.cnf_api "
    "doors.cnf_devices "
    "doors.cnf_info "
    "doors.cnf_params "
    "doors.cnf_push "
    "doors.cnf_wishes "
    "doors.power_manager_api "
    "doors.rules_api "
    "doors.settings_api "
    "formula.additive "
    "formula.parser "
    "formula.sentences "
    "modbus.checker "
    "modbus.refusals "
    "modbus.setup "
    "sunspec.choice "
    "sunspec.scan "
)


def unload(names=None):
    """Forgets the modules; what they made lives on. Nothing else may keep a reference to them."""
    for name in names or SELDOM.split():
        if sys.modules.pop(name, None) is not None:
            package, _, module = name.rpartition(".")
            package = sys.modules.get(package)
            if hasattr(package, module):
                delattr(package, module)
