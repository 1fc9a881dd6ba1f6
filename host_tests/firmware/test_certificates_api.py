"""/api/certificates: uploads are checked, kept, described and deleted; keys never come out."""

import json
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fakes.door import Door

from tools import certificates

START = datetime(2024, 12, 1, tzinfo=timezone.utc)
AUTHORITY = certificates.make_ca(start=START)
SERVER = certificates.make_server(["board.example", "10.0.0.7"], start=START)
OTHER = certificates.make_server(start=START)


def with_key(key, is_authority=False):
    """PEM of a certificate for a key of another kind, and of the key."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "other key")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(5)
        .not_valid_before(START)
        .not_valid_after(datetime(2044, 12, 1, tzinfo=timezone.utc))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pair = certificates.Pair(certificate, key)
    return pair.pem if not is_authority else pair.certificate


def key_as(form, encryption=None, key=SERVER.private_key):
    encryption = encryption or serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


def openssl(command, text):
    done = subprocess.run(["openssl", *command.split()], input=text.encode(), capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


@pytest.fixture(scope="module", params=["cpython", "micropython"])
def door(request):
    runtime = request.param
    if runtime == "micropython":
        runtime = request.getfixturevalue("micropython")
    door = Door(runtime)
    yield door
    door.close()


def upload(door, kind, data, *options):
    if isinstance(data, str):
        data = data.encode()
    file = Path(door.folder, "upload")
    file.write_bytes(data)
    return door.curl("/api/certificates/" + kind, "--data-binary", "@%s" % file, *options)[:2]


def flash(door):
    return {path.name: path.read_bytes() for path in Path(door.folder).glob("tls_*")}


TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL
PKCS8 = serialization.PrivateFormat.PKCS8


@pytest.mark.parametrize(
    "kind, pair",
    [("server", SERVER), ("gateway", OTHER), ("ca", AUTHORITY)],
)
def test_what_is_uploaded_is_described_kept_and_deleted(door, kind, pair):
    status, about = upload(door, kind, pair.certificate if kind == "ca" else pair.pem)
    assert status == 200
    assert about["sha256"] == pair.sha256 and about["key"] == "EC P-256"
    assert about["valid_from"] == "2024-12-01" and about["valid_until"] == "2034-11-29"
    assert about["valid_until_s"] == pair.x509.not_valid_after_utc.timestamp()
    assert about["state"] == "valid"
    door.kill()
    door.start()
    status, answer, _ = door.curl("/api/certificates")
    assert (
        status == 200 and answer[kind] == about and sorted(answer) == ["ca", "gateway", "server"]
    )
    for path in ("/api/certificates", "/api/settings", "/api/log"):
        text = json.dumps(door.curl(path)[1])
        assert "PRIVATE" not in text and pair.key.split("\n")[1] not in text
    for suffix in (".tmp", ".new"):  # keys of an upload and a deploy that a power cut ended
        Path(door.folder, "tls_%s.json%s" % (kind, suffix)).write_text(pair.key)
    assert door.curl("/api/certificates/" + kind, "-X", "DELETE")[:2] == (200, "ok")
    assert door.curl("/api/certificates")[1][kind] is None
    assert not [name for name in flash(door) if kind in name]
    assert "certificate_deleted admin " + kind in door.curl("/api/log")[1]["log"]


@pytest.mark.parametrize(
    "text",
    [
        SERVER.certificate + key_as(TRADITIONAL),
        key_as(PKCS8) + "some words\r\n" + SERVER.certificate.replace("\n", "\r\n"),
        json.dumps({"certificate": SERVER.certificate, "key": SERVER.key}),
        # A chain; EC PARAMETERS as openssl ecparam -genkey writes them; a key without public part.
        SERVER.certificate
        + AUTHORITY.certificate
        + openssl("ec -param_enc named_curve", SERVER.key),
        SERVER.certificate + openssl("ec -no_public", SERVER.key),
    ],
)
def test_the_forms_that_are_taken(door, text):
    assert upload(door, "server", text)[0] == 200
    kept = json.loads(flash(door)["tls_server.json"].partition(b"\n")[2])
    assert kept["certificate"].startswith(SERVER.certificate)


def test_an_authority_may_be_der_or_rsa(door):
    der = AUTHORITY.x509.public_bytes(serialization.Encoding.DER)
    assert upload(door, "ca", der)[0] == 200
    status, about = upload(door, "ca", with_key(rsa.generate_private_key(65537, 2048), True))
    assert status == 200 and about["key"] == "RSA, 2048 bit"


EXPIRED = certificates.make_server(start=START, days=20)
LATER = certificates.make_server(start=datetime(2025, 2, 1, tzinfo=timezone.utc))
DAMAGED = SERVER.certificate.replace(SERVER.certificate.split("\n")[3], "A" * 64)
REFUSED = [
    ("server", b"", "not_pem", "PEM"),
    ("server", b"hello", "not_pem", "PEM"),
    ("server", b"\xff\xfe\x00", "not_pem", "PEM"),
    ("server", b"\x30\x82\x10\x00aaaa", "damaged", "damaged"),
    ("server", SERVER.certificate.replace("-----END", ""), "damaged", "damaged"),
    ("server", SERVER.certificate[:300] + "\n-----END CERTIFICATE-----\n", "damaged", "damaged"),
    ("server", SERVER.certificate, "no_key", "private key is absent"),
    ("server", SERVER.pem + OTHER.key, "keys", "more than one"),
    ("server", SERVER.certificate + OTHER.key, "key_other", "does not belong"),
    ("server", OTHER.certificate + SERVER.pem, "key_other", "first certificate"),
    (
        "server",
        SERVER.certificate + key_as(PKCS8, serialization.BestAvailableEncryption(b"secret")),
        "key_locked",
        "passphrase",
    ),
    (
        "server",
        SERVER.certificate + openssl("ec -aes128 -passout pass:secret", SERVER.key),
        "key_locked",
        "passphrase",
    ),
    (
        "server",
        SERVER.certificate + SERVER.key.replace(SERVER.key.split("\n")[1], "B" * 64),
        "key_damaged",
        "damaged",
    ),
    ("server", with_key(rsa.generate_private_key(65537, 2048)), "not_p256", "RSA, 2048 bit"),
    ("gateway", with_key(ec.generate_private_key(ec.SECP384R1())), "not_p256", "EC, 384 bit"),
    ("server", EXPIRED.pem, "already_expired", "2024-12-21"),
    ("server", LATER.pem, "not_yet", "2025-02-01"),
    ("server", SERVER.certificate * 5 + SERVER.key, "chain_long", "more than 4"),
    ("ca", SERVER.certificate, "not_ca", "CN=board.example"),
    ("ca", certificates.make_ca(start=START, days=3).certificate, "already_expired", "expired"),
    ("server", b'{"certificate": 5}', "certificate_shape", "PEM"),
    ("server", b'{"certificate": "x", "more": "y"}', "certificate_shape", "PEM"),
    ("server", b'{"certificate": x', "certificate_shape", "PEM"),
]


@pytest.mark.parametrize("kind, data, code, words", REFUSED, ids=[case[2] for case in REFUSED])
def test_what_is_no_good_is_refused_with_a_sentence(door, kind, data, code, words):
    assert upload(door, "server", SERVER.pem)[0] == 200
    before = flash(door)
    options = () if data else ("-X", "POST")
    status, body = upload(door, kind, data, *options)
    assert (status, body["code"]) == (400, code) and words in body["error"], body
    assert code == "certificate_shape" or body["field"] == kind
    assert flash(door) == before


def test_a_large_authority_key_and_a_large_body(door):
    key = rsa.generate_private_key(65537, 4104)
    status, body = upload(door, "ca", with_key(key, True))
    assert (status, body["code"]) == (400, "ca_key") and "4104 bit" in body["error"]
    status, body = upload(door, "ca", "A" * 8193)
    assert (status, body["code"]) == (413, "too_large")


def test_other_addresses_methods_and_strangers(door):
    assert upload(door, "key", SERVER.pem)[0] == 404
    assert door.curl("/api/certificates/server")[0] == 405
    assert upload(door, "server", SERVER.pem, "-H", "Origin: http://evil.example")[0] == 403
    assert door.curl("/api/certificates", password="wrong-password")[0] == 401
    assert [line for line in door.curl("/api/log")[1]["log"] if "login_failed 127.0.0.1" in line]


def test_settings_want_their_certificates_first(door):
    for kind in ("server", "gateway", "ca"):
        door.curl("/api/certificates/" + kind, "-X", "DELETE")

    def refused(settings, field, words):
        status, body, _ = door.curl("/api/settings", "-d", json.dumps(settings))
        assert status == 400 and body["field"] == field and words in body["error"], body

    gateway = {"enabled": True, "address": "10.0.0.9", "port": 8443}
    refused({"tls": {"plain_http": False}}, "tls.plain_http", "tls.enabled")
    refused({"tls": {"enabled": True}}, "tls.enabled", "certificate first")
    refused({"gateway": {"enabled": True}}, "gateway.address", "is needed")
    refused({"gateway": gateway}, "gateway.enabled", "certificate first")
    assert upload(door, "server", SERVER.pem)[0] == 200
    refused({"gateway": gateway}, "gateway.enabled", "/api/certificates/ca")
    assert upload(door, "ca", AUTHORITY.certificate)[0] == 200
    refused({"gateway": dict(gateway, port=80)}, "gateway.port", "80 is the port of http")
    for address in ("300.1.1.9", "10.0.0.09"):  # no peer's address is the same text
        refused({"gateway": {"address": address}}, "gateway.address", "like 192.168.1.30")
    both = {"gateway": gateway, "tls": {"enabled": True, "plain_http": False}}
    for _ in range(5):
        status, body, _ = door.curl("/api/settings", "-d", json.dumps(both))
        if status != 503:  # a full heap says: try again
            break
    assert (status, body) == (200, {"changed": ["gateway", "tls"], "restart": True})
    for kind in ("server", "ca"):
        status, body, _ = door.curl("/api/certificates/" + kind, "-X", "DELETE")
        assert (status, body["code"]) == (400, "in_use")
    off = {"gateway": {"enabled": False}, "tls": {"enabled": False, "plain_http": True}}
    assert door.curl("/api/settings", "-d", json.dumps(off))[0] == 200
    assert door.curl("/api/certificates/server", "-X", "DELETE")[0] == 200
