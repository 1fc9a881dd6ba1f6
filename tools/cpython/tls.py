"""Stands in for MicroPython's built-in module `tls` on CPython: contexts made from bytes."""

import os
import ssl
import tempfile

CERT_REQUIRED = ssl.CERT_REQUIRED
PROTOCOL_TLS_SERVER = ssl.PROTOCOL_TLS_SERVER


class SSLContext(ssl.SSLContext):
    """As MicroPython's: certificates and keys are bytes."""

    def load_cert_chain(self, certificate, key):
        paths = []
        try:
            for content in (certificate, key):
                handle, path = tempfile.mkstemp()
                paths.append(path)
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
            super().load_cert_chain(*paths)
        finally:
            for path in paths:
                os.remove(path)

    def load_verify_locations(self, certificates):
        super().load_verify_locations(cadata=certificates.decode())
