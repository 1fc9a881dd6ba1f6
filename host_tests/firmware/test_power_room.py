"""The power manager is there where it fits; where not, the board starts without it and says so."""

import json
import shutil
import subprocess

from tools import build
from tools.simulation import ROOT

_SCRIPT = """
import json
import sys
sys.path[:] = [%(chip)r]
import rom
rom.mount(%(image)r, "/chip")
sys.path[:] = ["", "lib", "/chip", ".frozen"]
import asyncio
from controller.app import Controller

async def main():
    controller = Controller()
    controller.start()
    await asyncio.sleep_ms(2500)
    evse = controller.site.evses[0]
    found = {
        "faults": controller.faults,
        "power": controller.power is not None,
        "hold": evse.hold and evse.hold[0],
        "most": evse.most and evse.most[0],
        "cycles": controller.cycle.count,
        "modules": list(sys.modules),
    }
    print("found", json.dumps(found))
    raise SystemExit

asyncio.run(main())
"""
_BOX = {"id": "E1", "template": "keba_p30", "host": "127.0.0.1", "port": 1, "unit": 255}
_LOAD = {"enabled": True, "current_limit": 32000, "fallback_current_ma": 8000}


def started(micropython, folder, heap, **settings):
    """What became of the start with these settings, from files."""
    shutil.copytree(build.build_files(), folder, dirs_exist_ok=True)
    shutil.copy(ROOT / "boards" / "esp32-devkit" / "board.json", folder)
    (folder / "settings.json").write_text(json.dumps(dict(settings, evses=[_BOX])))
    script = folder / "script.py"
    chip = str(ROOT / "tools" / "chip")
    script.write_text(_SCRIPT % {"chip": chip, "image": str(build.build_chip())})
    done = subprocess.run(
        [micropython, "-X", "heapsize=" + heap, str(script)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    for line in done.stdout.splitlines():
        if line.startswith("found "):
            return json.loads(line[6:])
    raise AssertionError(done.stdout + done.stderr)


def test_it_starts_without_the_power_manager_where_that_does_not_fit(micropython, tmp_path):
    found = started(
        micropython,
        tmp_path,
        "140k",
        power_manager={"excess_charging_enable": True, "default_mode": 2},
    )
    assert [fault for fault in found["faults"] if "not enough memory for the power" in fault]
    assert not found["power"] and found["hold"] == "power_manager_missing"
    assert found["cycles"] >= 2
    assert not [name for name in found["modules"] if "surplus" in name or "power_man" in name]
    found = started(micropython, tmp_path, "140k", power_manager={}, dynamic_load=_LOAD)
    assert (found["power"], found["hold"], found["most"]) == (False, None, 8000)


def test_it_is_there_where_it_fits(micropython, tmp_path):
    found = started(
        micropython,
        tmp_path,
        "240k",
        power_manager={"excess_charging_enable": True, "default_mode": 2},
    )
    assert found["power"] and found["faults"] == [] and found["hold"] != "power_manager_missing"
