"""The certificates of this board: kept, loaded, described. Loaded when needed.

Kinds: "server" (what browsers see), "gateway" (what a smart meter gateway sees, else "server"),
"ca" (who signs the gateway's client certificate). Each is a document of its own on flash, made by
certificate_check.py: {"certificate": PEM, "key": PEM, "about": what anybody may know}; "ca" has no
key. A key leaves the board by no way.
"""

import errno
import os

from micropython import const

from controller import data
from controller.refusal import Refusal

KINDS = ("server", "gateway", "ca")

_SOON_S = const(30 * 86400)


class CertificateError(Refusal):
    """A certificate or key that cannot be taken or used."""

    area = "certificates"

    def __init__(self, kind, code, *arguments):
        super().__init__(code, kind, *arguments)
        self.field = kind


def _document(kind):
    return "tls_%s.json" % kind


def load(store, kind):
    """(document or None, problem): as Store.load."""
    return store.load(_document(kind))


def save(store, kind, document):
    """As Store.save, after a check that the TLS library can use it. Raises CertificateError."""
    import tls

    made = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    _take(made, kind, document)
    return store.save(_document(kind), document)


def remove(store, kind):
    """Take a certificate and its key off the flash; True if there was one."""
    found = False
    for suffix in ("", ".bak", ".tmp", ".new"):  # what an upload or a deploy left half done, too
        try:
            os.remove(store.folder + _document(kind) + suffix)
            found = True
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
    return found


def day(utc_s):
    """A day as people write it in certificates, e.g. "2036-01-31" (UTC)."""
    from controller.timezone import civil

    return "%04d-%02d-%02d" % civil(utc_s // 86400)[:3]


def expiry(end_s, clock):
    """ "valid", "expires" (within 30 days), "expired", or "unknown" while the time is."""
    if not clock.trusted:
        return "unknown"
    left_s = end_s - clock.utc_s()
    return "expired" if left_s <= 0 else "expires" if left_s < _SOON_S else "valid"


def warning(name, end_s, clock):
    """The sentence for a listener whose certificate is expiring, or has expired; else None."""
    state = expiry(end_s, clock)
    if state in ("valid", "unknown"):
        return None
    return data.text("certificates", state, (name, day(end_s)))


def context(store, kind, authority=None):
    """(context for a server with this certificate, Unix seconds until when it is valid).

    authority: a kind as well: clients must show a certificate signed by it. Raises
    CertificateError where something is not there or can't be used.
    """
    import tls

    document = _needed(store, kind)
    end_s = document["about"]["valid_until_s"]
    made = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    _take(made, kind, document)
    if authority:
        document = _needed(store, authority)
        _take(made, authority, document)
        end_s = min(end_s, document["about"]["valid_until_s"])
    return made, end_s


def _take(made, kind, document):
    """Give a document to a TLS context. Raises CertificateError."""
    import tls

    try:
        if kind == "ca":
            setattr(made, "verify_mode", tls.CERT_REQUIRED)  # not known to the stubs
            made.load_verify_locations(document["certificate"].encode())
        else:
            made.load_cert_chain(document["certificate"].encode(), document["key"].encode())
    except (OSError, ValueError, KeyError) as error:
        raise CertificateError(kind, "unusable", error)


def _needed(store, kind):
    document, problem = load(store, kind)
    if document is None:
        raise CertificateError(kind, "lost" if problem else "absent")
    return document
