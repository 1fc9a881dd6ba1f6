"""Takes modules out of RAM that are needed now and then only; an import loads them again."""

import sys

# Readers and checkers: at work at start-up and while somebody changes settings or formulas.
_SELDOM = (  # one text: a tuple of texts takes twice the room
    "chargecontrol: dimming_setup rule_reader site_setup; "
    "controller: access_point board certificate_check certificates contact_settings der "
    "dev_types device_setup dimming_check dimming_state grid_parts http_body installation"
    " journal_files journal_work operator_check operator_command p256 password plan_store"
    " power_check power_room power_state reason_view reconfigure rule_store settings_check "
    "settings_references "
    "settings_view startup state store_files strangers strict_json sunspec_check "
    "sunspec_scan sunspec_writes timezone tls_check variable_check; "
    "doors: certificates_api cnf_api cnf_devices cnf_info cnf_params cnf_push cnf_wishes "
    "journal_api operator_api power_manager_api rules_api settings_api; "
    "formula: additive parser sentences; "
    "journal: measures reading shown; "
    "modbus: checker refusals setup; "
    "sunspec: choice scan; "
)


def seldom():
    """Names of the modules that leave the RAM."""
    for group in _SELDOM.split("; "):
        package, _, modules = group.partition(": ")
        for module in modules.split():
            yield package + "." + module


def unload(names=None):
    """Forgets the modules; what they made lives on. Nothing else may keep a reference to them."""
    for name in names or seldom():
        if sys.modules.pop(name, None) is not None:
            package, _, module = name.rpartition(".")
            package = sys.modules.get(package)
            if hasattr(package, module):
                delattr(package, module)
