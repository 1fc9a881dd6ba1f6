"""What the settings tls and gateway must not be together. Loaded for that only."""

import os

from controller.settings_check import SettingsError, is_address


def faults(doc):
    """List of a SettingsError for each fault of the whole document."""
    found = []
    tls, gateway = doc["tls"], doc["gateway"]
    if not tls.get("plain_http", True) and not tls["enabled"]:
        found.append(SettingsError("tls.plain_http", "tls_plain"))
    if tls.get("enabled") and not _there("server"):
        found.append(SettingsError("tls.enabled", "tls_certificate"))
    if gateway.get("address") and not is_address(gateway["address"]):
        found.append(SettingsError("gateway.address", "pattern", "192.168.1.30"))
    if gateway.get("enabled"):
        if not gateway["address"]:
            found.append(SettingsError("gateway.address", "gateway_address"))
        if not (_there("gateway") or _there("server")):
            found.append(SettingsError("gateway.enabled", "gateway_certificate"))
        if not _there("ca"):
            found.append(SettingsError("gateway.enabled", "gateway_ca"))
    return found


def _there(kind):
    """Whether there is a certificate of that kind (controller/certificates.py) on the flash."""
    for suffix in ("", ".bak"):
        try:
            os.stat("tls_%s.json%s" % (kind, suffix))
            return True
        except OSError:
            pass  # not there
    return False
