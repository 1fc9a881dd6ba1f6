"""tools/certificates.py as a program: nobody else may read the keys that it writes."""

import json
import ssl

import pytest

from tools import certificates

KEYS = ("client.key", "server.pem")


@pytest.mark.parametrize("before", [None, 0o644])
def test_keys_are_their_owners(tmp_path, before):
    for name in KEYS if before else ():
        (tmp_path / name).write_text("of an earlier run")
        (tmp_path / name).chmod(before)
    assert certificates.main([str(tmp_path), "board.example"]) == 0
    for name in KEYS:
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    context = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    context.load_cert_chain(tmp_path / "client.crt", tmp_path / "client.key")
    made = certificates.flash_file("server", (tmp_path / "server.pem").read_text())
    assert json.loads(made.partition(b"\n")[2])["about"]["subject"] == "CN=board.example"
