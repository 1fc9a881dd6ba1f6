"""The Makefile passes its variables on, and refuses what it does not know."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def commands(*arguments):
    """What `make` would run; nothing is run."""
    return subprocess.run(
        ["make", "--dry-run", *arguments], cwd=ROOT, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    "target, variable, option", [("deploy", "DRY_RUN", "--dry-run"), ("flash", "ERASE", "--erase")]
)
def test_a_switch_is_on_only_where_it_is_1(target, variable, option):
    assert option in commands(target, "PORT=u0", variable + "=1").stdout
    for off in ("", "0"):
        done = commands(target, "PORT=u0", "%s=%s" % (variable, off))
        assert done.returncode == 0 and option not in done.stdout
    refused = commands(target, "PORT=u0", variable + "=yes")
    assert refused.returncode and "%s is" % variable in refused.stderr
    assert option not in refused.stdout


@pytest.mark.parametrize("target", ["deploy", "flash"])
def test_port_and_board_reach_the_tool(target):
    shown = commands(target, "PORT=/dev/ttyUSB3", "BOARD=wt32-eth01").stdout
    assert '--port "/dev/ttyUSB3" --board "wt32-eth01"' in shown


def test_help_names_every_target():
    targets = (ROOT / "Makefile").read_text().split(".PHONY: ")[1].split("\n")[0].split()
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in targets:
        assert "make %s " % target in done.stdout
