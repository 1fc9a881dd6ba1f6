"""What the settings tls and gateway must not be together. Loaded for that only."""

import os

from controller.settings_check import SettingsError

# (section, what switches it on; HTTP always is)
_PORTS = (
    ("http", None),
    ("tls", "enabled"),
    ("gateway", "enabled"),
    ("sunspec_server", "enabled"),
)


def faults(doc):
    """List of a SettingsError for each fault of the whole document."""
    found = []
    tls, gateway = doc["tls"], doc["gateway"]
    if not tls.get("plain_http", True) and not tls["enabled"]:
        found.append(SettingsError("tls.plain_http", "tls_plain"))
    if tls.get("enabled") and not _there("server"):
        found.append(SettingsError("tls.enabled", "tls_certificate"))
    if gateway.get("enabled"):
        if not gateway["address"]:
            found.append(SettingsError("gateway.address", "gateway_address"))
        if not (_there("gateway") or _there("server")):
            found.append(SettingsError("gateway.enabled", "gateway_certificate"))
        if not _there("ca"):
            found.append(SettingsError("gateway.enabled", "gateway_ca"))
    return found + _ports(doc)


def _ports(doc):
    """No two doors at the same port."""
    found = []
    ports = {}
    for name, switch in _PORTS:
        section = doc[name]
        if switch is None or section.get(switch):
            port = section.get("port")
            if port in ports:
                found.append(SettingsError(name + ".port", "tls_port", port, ports[port]))
            elif port:
                ports[port] = name
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
