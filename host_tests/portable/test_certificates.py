"""Reading certificates and keys, the curve P-256, and events about strangers."""

import binascii

from controller import der, p256, strangers

# Made with tools/certificates.py: an authority "Prüfstand" from 2049-12-31 23:59:50, the last
# seconds that a UTCTime can say, to 2050-03-01 23:59:50, a GeneralizedTime.
CERTIFICATE = (
    "MIIBazCCARKgAwIBAgIUKKHLqHi9cgBqZ92hdNZ73AY/LaswCgYIKoZIzj0EAwIwFTETMBEGA1UEAwwK"
    "UHLDvGZzdGFuZDAgFw00OTEyMzEyMzU5NTBaGA8yMDUwMDMwMTIzNTk1MFowFTETMBEGA1UEAwwKUHLD"
    "vGZzdGFuZDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABEM/gooaHLvUr9vCV5ei9j1R1k6uqBpMYf3C"
    "53BdZ/rRlavMQGEs0/tEKFwL2ICM5/A3r3n8Ke5MqE1dBKR4a82jPjA8MA8GA1UdEwEB/wQFMAMBAf8w"
    "FAYDVR0RBA0wC4IJYS5leGFtcGxlMBMGA1UdJQQMMAoGCCsGAQUFBwMBMAoGCCqGSM49BAMCA0cAMEQC"
    "IA5y+dm1Bmjuyy9cqGPixuzBgYND6zS/zpqZVfZrVm1YAiB1KprBgdCR08TAQv7cXcKn/Wg346469H0F"
    "V82e2PLkXQ=="
)

# k and k * G: NIST's examples for P-256 (ECC CDH primitive, known answers for small and large k).
POINTS = (
    (
        1,
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    ),
    (
        2,
        "7cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978",
        "07775510db8ed040293d9ac69f7430dbba7dade63ce982299e04b79d227873d1",
    ),
    (
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632550,
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        "b01cbd1c01e58065711814b583f061e9d431cca994cea1313449bf97c840ae0a",
    ),
)


def raises(function, *arguments):
    try:
        function(*arguments)
    except ValueError:
        return True
    return False


def test_a_certificate_is_read():
    data = binascii.a2b_base64(CERTIFICATE)
    read = der.Certificate(data)
    assert read.subject == read.issuer == "CN=Prüfstand"
    assert (read.begin_s, read.end_s) == (2524607990, 2529791990)
    assert (read.key, read.bits, read.authority) == ("EC P-256", 256, True)
    assert len(read.point) == 65 and read.point[0] == 4
    assert der.pem_blocks(der.pem("CERTIFICATE", data)) == [("CERTIFICATE", data)]


def test_no_cut_and_no_changed_byte_does_more_than_a_value_error():
    data = binascii.a2b_base64(CERTIFICATE)
    for i in range(len(data)):
        assert raises(der.Certificate, data[:i])
        for change in (1, 0x80, 0xFF):
            changed = bytearray(data)
            changed[i] ^= change
            try:
                der.Certificate(bytes(changed))
            except ValueError:
                pass


def test_pem_blocks():
    text = der.pem("A B", b"some bytes") + "between\n" + der.pem("C", bytes(100))
    assert der.pem_blocks(text) == [("A B", b"some bytes"), ("C", bytes(100))]
    assert der.pem_blocks(text.replace("\n", "\r\n")) == der.pem_blocks(text)
    assert der.pem_blocks("") == der.pem_blocks("nothing here") == []
    assert raises(der.pem_blocks, text[:-5])


def point(secret):
    found = None
    for found in p256.public_point(secret):
        pass
    return found and found[0]


def test_multiples_of_the_base_point():
    for secret, x, y in POINTS:
        assert point(secret) == b"\x04" + binascii.unhexlify(x) + binascii.unhexlify(y)
    order = POINTS[2][0] + 1
    for secret in (0, order, 1 << 256):
        assert raises(point, secret)


class Stream:
    def __init__(self, peer):
        self.peer = peer

    def get_extra_info(self, name):
        return self.peer


class Door:
    """A door whose controller counts events."""

    def __init__(self):
        self.told = {}
        self.controller = self.clock = self
        self.events = []
        self.at_ms = 0

    def now_ms(self):
        return self.at_ms

    def event(self, code, *arguments):
        self.events.append((code,) + arguments)


def test_addresses_of_both_ports():
    sockaddr = bytearray(b"\x02\x00\xab\xd8\xc0\xa8\x01\x1e" + bytes(8))
    assert strangers.address(Stream(sockaddr)) == "192.168.1.30"
    assert strangers.address(Stream(("192.168.1.30", 5000))) == "192.168.1.30"
    assert strangers.address(Stream(None)) == "?"


def test_a_flood_is_one_event_a_minute_and_its_size():
    door = Door()
    for i in range(1000):
        door.at_ms = i * 100
        strangers.tell(door, "login_failed", Stream(("10.0.0.1", i)))
        if i == 500:
            strangers.tell(door, "tls_failed", Stream(("10.0.0.2", i)), "reason")
    assert door.events == [
        ("login_failed", "10.0.0.1", "", 0),
        ("tls_failed", "10.0.0.2", "reason", 0),
        ("login_failed", "10.0.0.1", "", 599),
    ]
