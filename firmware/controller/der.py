"""Reads X.509 certificates and EC keys: PEM, DER, and what of them matters here.

Sources: RFC 7468 (PEM), X.690 (DER), RFC 5280 (certificates), RFC 5915 and RFC 5208 (keys).
Loaded when a certificate is looked at.
"""

import binascii

from micropython import const

from controller.timezone import month_days, year_start

_SEQUENCE = const(0x30)
_BIT_STRING = const(3)
_OCTET_STRING = const(4)
_UTC_TIME = const(0x17)
_MAX_LENGTH_BYTES = const(2)

# Bodies of object identifiers.
_EC_KEY = b"\x2a\x86\x48\xce\x3d\x02\x01"
_RSA_KEY = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
_P256 = b"\x2a\x86\x48\xce\x3d\x03\x01\x07"
_BASIC_CONSTRAINTS = b"\x55\x1d\x13"
_NAMES = {b"\x55\x04\x03": "CN", b"\x55\x04\x0a": "O", b"\x55\x04\x0b": "OU", b"\x55\x04\x06": "C"}


def pem_blocks(text):
    """[(label, DER)] of the blocks of a PEM text; the labels of locked keys begin with ENCRYPTED.

    Raises ValueError.
    """
    blocks = []
    label = None
    data = locked = ""
    for line in text.split("\n"):
        line = line.strip()
        if line.startswith("-----BEGIN ") and label is None:
            label = line[11:-5]
            data = locked = ""
        elif label is not None and line == "-----END %s-----" % label:
            blocks.append((locked + label, binascii.a2b_base64(data)))
            label = None
        elif line.startswith("Proc-Type:") and line.endswith(",ENCRYPTED"):  # RFC 1421
            locked = "ENCRYPTED "
        elif label is not None and ":" not in line:  # old keys have more headers
            data += line
    if label is not None:
        raise ValueError
    return blocks


def pem(label, der):
    """A PEM text with one block."""
    data = binascii.b2a_base64(der).decode().strip()
    lines = [data[i : i + 64] for i in range(0, len(data), 64)]
    return "-----BEGIN %s-----\n%s\n-----END %s-----\n" % (label, "\n".join(lines), label)


def element(data, at=0):
    """(tag, start of the content, its end) of the DER element that begins at `at`."""
    try:
        tag = data[at]
        length = data[at + 1]
        at += 2
        if length & 0x80:
            count = length & 0x7F
            if not 0 < count <= _MAX_LENGTH_BYTES:
                raise ValueError
            length = int.from_bytes(data[at : at + count], "big")
            at += count
    except IndexError:
        raise ValueError
    if at + length > len(data):
        raise ValueError
    return tag, at, at + length


def children(data):
    """[(tag, content)] of the elements that a content consists of."""
    found = []
    at = 0
    while at < len(data):
        tag, start, at = element(data, at)
        found.append((tag, data[start:at]))
    return found


def _sequence(data):
    """What a DER document consists of; it must be one sequence and nothing else."""
    tag, start, end = element(data)
    if tag != _SEQUENCE or end != len(data):
        raise ValueError
    return children(data[start:end])


def _time_s(tag, text):
    """Unix seconds of a UTCTime or GeneralizedTime (RFC 5280, 4.1.2.5)."""
    if tag == _UTC_TIME:
        text = (b"19" if text[:1] >= b"5" else b"20") + text
    if len(text) != 15 or text[14:] != b"Z" or not text[:14].isdigit():
        raise ValueError
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:8])
    if not (1 <= month <= 12 and 1 <= day <= month_days(year, month)):
        raise ValueError
    days = year_start(year) + day - 1
    for earlier in range(1, month):
        days += month_days(year, earlier)
    return ((days * 24 + int(text[8:10])) * 60 + int(text[10:12])) * 60 + int(text[12:14])


def _name(data):
    """A distinguished name as a text, e.g. "CN=ripplegate, O=Example"."""
    parts = []
    for _, group in children(data):
        for _, pair in children(group):
            (_, oid), (_, value) = children(pair)
            if oid in _NAMES:
                try:
                    value = value.decode()
                except UnicodeError:
                    value = "?"
                parts.append("%s=%s" % (_NAMES[oid], value))
    return ", ".join(parts)


def _key(data):
    """(kind, bits, public point) of a SubjectPublicKeyInfo; kind "EC P-256", "EC", "RSA", "?"."""
    (_, algorithm), (tag, bits) = children(data)
    if tag != _BIT_STRING or bits[:1] != b"\x00":
        raise ValueError
    parts = children(algorithm)
    oid = parts[0][1]
    if oid == _RSA_KEY:
        modulus = _sequence(bits[1:])[0][1].lstrip(b"\x00")
        return "RSA", len(modulus) * 8, b""
    if oid != _EC_KEY or len(parts) < 2:
        return "?", 0, b""
    point = bits[1:]
    return "EC P-256" if parts[1][1] == _P256 else "EC", (len(point) - 1) * 4, point


class Certificate:
    """What matters of a certificate; times in Unix seconds. Raises ValueError for other data."""

    def __init__(self, der):
        try:
            self._read([part for part in children(_sequence(der)[0][1]) if part[0] != 0xA0])
        except (IndexError, TypeError):  # other data than the standard has
            raise ValueError

    def _read(self, parts):
        # serial, signature algorithm, issuer, validity, subject, key, [3] extensions
        self.issuer = _name(parts[2][1])
        self.begin_s, self.end_s = [_time_s(*time) for time in children(parts[3][1])]
        self.subject = _name(parts[4][1])
        self.key, self.bits, self.point = _key(parts[5][1])
        self.authority = False
        for tag, content in parts[6:]:
            if tag == 0xA3:
                for _, extension in _sequence(content):
                    fields = children(extension)
                    if fields[0][1] == _BASIC_CONSTRAINTS:
                        constraints = _sequence(fields[-1][1])
                        self.authority = bool(constraints) and constraints[0] == (1, b"\xff")


def private_key(label, der):
    """(kind, secret number) of a PEM block with a private key. Raises ValueError."""
    try:
        if label == "PRIVATE KEY":  # PKCS #8
            _, (_, algorithm), (_, der) = _sequence(der)[:3]
            parts = children(algorithm)
            oid, curve = parts[0][1], parts[-1][1]
            if oid == _RSA_KEY:
                return "RSA", 0
            if oid != _EC_KEY:
                return "?", 0
            parts = _sequence(der)
        elif label == "EC PRIVATE KEY":
            parts = _sequence(der)
            curve = [children(content)[0][1] for tag, content in parts if tag == 0xA0]
            curve = curve[0] if curve else None
        else:
            return ("RSA" if label == "RSA PRIVATE KEY" else "?"), 0
        if parts[1][0] != _OCTET_STRING:
            raise ValueError
        return ("EC P-256" if curve == _P256 else "EC"), int.from_bytes(parts[1][1], "big")
    except (IndexError, TypeError):
        raise ValueError
