"""Every line of curl in docs/cnf.md does what it says."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from fakes.door import Door

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "meters": [{"id": "M1", "template": "http_input", "role": "grid"}],
    "evses": [{"id": "E1", "template": "http_input"}],
}


def commands():
    """The arguments of each curl of the document; it may go over several lines."""
    lines = iter((ROOT / "docs" / "cnf.md").read_text().split("\n"))
    for line in lines:
        if line.startswith("curl "):
            while line.endswith("\\") or line.count("'") % 2:
                line = line.rstrip("\\") + next(lines)
            yield shlex.split(line)


@pytest.fixture(scope="module")
def door():
    door = Door("cpython", settings=SETTINGS)
    yield door
    door.close()


def test_curl_lines(door):
    tried = set()
    for arguments in commands():
        arguments = [
            text.replace("XXXX-XXXX-XXXX", door.password).replace(
                "http://ripplegate", "http://127.0.0.1:%d" % door.port
            )
            for text in arguments
        ]
        line = arguments + ["-s", "-o", "/dev/null", "-w", "%{http_code}"]
        line = [text for text in line if text != "-i"]
        done = subprocess.run(line, capture_output=True, text=True, timeout=30)
        assert done.stdout == "200", (arguments, done)
        tried |= set(re.findall(r"cmd=(\w+)", " ".join(arguments)))
    # And there is one for each command.
    known = door.curl("/cnf?cmd=help")[1]["error"].split(": ")[1].split(", ")
    assert set(known) == tried
