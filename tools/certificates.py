"""Makes certificates: MicroPython can make no keys, so a deploy, the simulation and tests do.

    python tools/certificates.py FOLDER [NAME ...]

writes ca.crt, client.crt and client.key for a smart meter gateway in trial operation, and
server.pem (certificate and key) for these names and addresses, as /api/certificates takes them.
"""

import argparse
import binascii
import ipaddress
import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROOT = Path(__file__).resolve().parent.parent
# The firmware's own check is used; it runs on CPython with a few more names.
sys.path[:0] = [str(ROOT / name) for name in ("firmware", "tools/cpython")]

import compat  # noqa: E402,F401

# By these a board is reached before anything is set: network.hostname, its access point.
USUAL_NAMES = ("ripplegate", "ripplegate.local", "192.168.4.1")
# Nobody renews it, and the browser was told once that it is right: docs/decisions/tls.md.
DAYS = 3650
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


class Pair:
    """A certificate with its key; certificate, key: PEM texts."""

    def __init__(self, x509_certificate, private_key):
        self.x509 = x509_certificate
        self.private_key = private_key
        self.certificate = x509_certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.key = private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    @property
    def pem(self):
        """Both in one text, as POST /api/certificates/<kind> takes them."""
        return self.certificate + self.key

    @property
    def sha256(self):
        """The fingerprint as browsers show it."""
        return self.x509.fingerprint(hashes.SHA256()).hex(":").upper()

    def write(self, folder, name):
        """Write <name>.crt and <name>.key for curl and others; returns their paths."""
        paths = Path(folder, name + ".crt"), Path(folder, name + ".key")
        paths[0].write_text(self.certificate)
        _write_key(paths[1], self.key)
        return paths


def _write_key(path, text):
    """Only its owner may read it, whatever was there before."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


def make(name, authority=None, names=(), usage=None, is_authority=False, days=DAYS, start=None):
    """A Pair with an EC P-256 key, signed by `authority` (a Pair) or by itself.

    names: host names and IP addresses; start: a datetime, by default yesterday (clocks differ).
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = start or datetime.now(timezone.utc) - timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.x509.subject if authority else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    )
    if names:
        alternatives = x509.SubjectAlternativeName([_general_name(each) for each in names])
        builder = builder.add_extension(alternatives, critical=False)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    signer = authority.private_key if authority else key
    return Pair(builder.sign(signer, hashes.SHA256()), key)


def _general_name(text):
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def make_server(names=USUAL_NAMES, authority=None, **options):
    """A server's certificate; options as of make()."""
    return make(names[0], authority, names, SERVER, **options)


def make_ca(name="RippleGate trial authority", **options):
    """An authority that signs the certificates of clients."""
    return make(name, is_authority=True, **options)


def make_client(authority, name="smart meter gateway", **options):
    """A client's certificate, signed by the authority (a Pair)."""
    return make(name, authority, usage=CLIENT, **options)


def flash_file(kind, pem):
    """Content of tls_<kind>.json on the flash: the document that the board itself makes of this
    upload (kind "server", "gateway" or "ca"; pem as in Pair), as its store writes it."""
    from controller.certificate_check import check

    checking = check(kind, pem.encode(), None)
    try:
        while True:  # it only gives others their turn; there may be a loop here or none
            checking.send(None)
    except StopIteration as done:
        document = done.value
    line = json.dumps(document).encode()
    return b"#%08x 1\n" % binascii.crc32(line) + line


def main(arguments=None):
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("folder")
    options.add_argument("names", nargs="*", default=list(USUAL_NAMES))
    chosen = options.parse_args(arguments)
    folder = Path(chosen.folder)
    folder.mkdir(parents=True, exist_ok=True)
    authority = make_ca()
    (folder / "ca.crt").write_text(authority.certificate)
    make_client(authority).write(folder, "client")
    _write_key(folder / "server.pem", make_server(chosen.names).pem)
    print("%s: ca.crt, client.crt, client.key, server.pem" % folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
