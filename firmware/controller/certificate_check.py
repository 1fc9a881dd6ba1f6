"""Checks a certificate that somebody uploads, and says what is in it. Loaded for that only."""

import asyncio
import binascii
import hashlib

from micropython import const

from controller import der
from controller.certificates import CertificateError, day

_MAX_CHAIN = const(4)
_MAX_RSA_BITS = const(4096)  # of an authority: to check a signature takes little
_BITS_A_TURN = const(4)  # of the check of a key: about 25 ms on an ESP32


def _read(kind, text):
    """[(DER, Certificate)] and [(label, DER)] of the other blocks. Raises CertificateError."""
    try:
        blocks = der.pem_blocks(text)
        chain = [(data, der.Certificate(data)) for label, data in blocks if label == "CERTIFICATE"]
    except ValueError:
        raise CertificateError(kind, "damaged")
    if not chain:
        raise CertificateError(kind, "not_pem")
    if len(chain) > _MAX_CHAIN:
        raise CertificateError(kind, "chain_long", _MAX_CHAIN)
    return chain, [block for block in blocks if block[0] != "CERTIFICATE"]


async def check(kind, data, utc_s):
    """The document for what was uploaded (bytes: PEM, or one certificate as DER).

    utc_s: the time, None while nobody knows it. Raises CertificateError.
    """
    if data[:1] == b"\x30":
        text = der.pem("CERTIFICATE", data)
    else:
        try:
            text = bytes(data).decode()
        except UnicodeError:
            raise CertificateError(kind, "not_pem")
    chain, others = _read(kind, text)
    for _, certificate in chain:
        _check_dates(kind, certificate, utc_s)
    document = {
        "certificate": "".join([der.pem("CERTIFICATE", data) for data, _ in chain]),
        "about": _about(chain),
    }
    if kind == "ca":
        for _, certificate in chain:
            _check_authority(kind, certificate)
    else:
        document["key"] = await _check_key(kind, chain[0][1], others)
    return document


def _check_dates(kind, certificate, utc_s):
    if utc_s is not None and utc_s >= certificate.end_s:
        raise CertificateError(kind, "already_expired", day(certificate.end_s))
    if utc_s is not None and utc_s < certificate.begin_s:
        raise CertificateError(kind, "not_yet", day(certificate.begin_s))


def _check_authority(kind, certificate):
    if not certificate.authority:
        raise CertificateError(kind, "not_ca", certificate.subject)
    if certificate.key == "?" or certificate.bits > _MAX_RSA_BITS:
        raise CertificateError(kind, "ca_key", _key_name(certificate), _MAX_RSA_BITS)


def _key_name(certificate):
    if certificate.key in ("RSA", "EC"):
        return "%s, %d bit" % (certificate.key, certificate.bits)
    return certificate.key


async def _check_key(kind, certificate, blocks):
    """The PEM of the private key that belongs to the certificate."""
    if certificate.key != "EC P-256":
        raise CertificateError(kind, "not_p256", _key_name(certificate))
    blocks = [block for block in blocks if block[0].endswith("PRIVATE KEY")]
    if len(blocks) != 1:
        raise CertificateError(kind, "keys" if blocks else "no_key")
    label, data = blocks[0]
    if label.startswith("ENCRYPTED "):
        raise CertificateError(kind, "key_locked")
    try:
        key, secret = der.private_key(label, data)
        if key != "EC P-256":
            raise CertificateError(kind, "not_p256", key)
        from controller.p256 import public_point

        bits = 0
        point = None
        for point in public_point(secret):
            bits += 1
            if bits % _BITS_A_TURN == 0:
                await asyncio.sleep_ms(0)
    except ValueError:
        raise CertificateError(kind, "key_damaged")
    if not point or point[0] != certificate.point:
        raise CertificateError(kind, "key_other")
    return der.pem(label, data)


def _about(chain):
    """What anybody may know; the dates are those between which all of the chain is valid."""
    data, certificate = chain[0]
    digest = binascii.hexlify(hashlib.sha256(data).digest()).decode().upper()
    end_s = min([certificate.end_s for _, certificate in chain])
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "key": _key_name(certificate),
        "valid_from": day(max([certificate.begin_s for _, certificate in chain])),
        "valid_until": day(end_s),
        "valid_until_s": end_s,
        "sha256": ":".join([digest[i : i + 2] for i in range(0, 64, 2)]),
    }
