"""Runs the real firmware against the simulated installation: `make sim`.

Settings come from the environment: HEADLESS=1 (no explanations), PORT_BASE (+0 HTTP, +1 HTTPS,
+2 gateway, +3 SunSpec, +4 twin, +5 and further: inner doors), DURATION in seconds after `ready`
(0: until stopped), SCENARIO, RUNTIME=micropython|cpython, PROFILE=files|image, BOARD, HEAP,
FRESH=1 (an empty board).

The board's flash is .cache/sim/<port base>/flash and is kept from run to run, as a real one is. A
scenario that brings settings of its own has its own folder beside it and an empty board each time;
it also says which PROFILE runs where none is asked for.
"""

import asyncio
import json
import os
import shutil
import signal
import sys

from tools.fetch_micropython import MicroPythonMissing
from tools.simulation import ROOT, SimError, Simulation
from tools.twin import TwinError
from tools.twin.scenario import load_scenario


def _explain(ready):
    print(
        "\nRippleGate runs. Look at\n"
        "  %(twin)s/  the installation: close a contact, plug in a car\n"
        "  %(http)s/api/state  what the firmware decides, and why (user %(user)s, password "
        "%(password)s)\n"
        "  curl --user %(user)s:%(password)s '%(http)s/cnf?cmd=get_cm_vars'\n"
        "Ctrl-C ends it.\n" % ready,
        flush=True,
    )


def _tell(line):
    print(line, flush=True)


async def simulate(options, stop):
    """Runs twin and board until the duration is over or `stop` is set; SimError if one died."""
    scenario = load_scenario(options["scenario"])
    name = str(options["port_base"])
    own = "settings" in scenario or "rules" in scenario
    if own:
        name += "-" + scenario["name"]
    folder = ROOT / ".cache" / "sim" / name
    options["profile"] = options["profile"] or scenario.get("profile", "files")
    if options.pop("fresh") or own:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    headless = options.pop("headless")
    duration_s = options.pop("duration_s")
    async with Simulation(folder, tell=_tell, **options) as simulation:
        ready = {
            "http": simulation.doors.http,
            "https": simulation.doors.https,
            "gateway": simulation.doors.gateway,
            "sunspec": simulation.doors.sunspec,
            "twin": simulation.panel,
            "user": "admin",
            "password": simulation.board.password,
        }
        _tell("ready " + json.dumps(ready))
        if not headless:
            _explain(dict(ready, http=simulation.http))
            if simulation.doors.gateway:
                print("Certificates of the gateway: %s\n" % (folder / "certificates"), flush=True)
        await _watch(simulation, stop, duration_s)
    _tell("recorded: %s" % (folder / "record").relative_to(ROOT))


async def _watch(simulation, stop, duration_s):
    stopped = asyncio.create_task(stop.wait())
    parts = [simulation.running, simulation.twin.life]
    await asyncio.wait(
        [*parts, stopped], timeout=duration_s or None, return_when="FIRST_COMPLETED"
    )
    stopped.cancel()
    for task in parts:
        if task.done():
            task.result()
            raise SimError("a part of the simulation ended early")


def _choice(name, default, allowed):
    value = os.environ.get(name) or default
    if value not in allowed:
        raise SimError("%s is %r; allowed: %s" % (name, value, ", ".join(allowed)))
    return value


def _number(name, default):
    value = os.environ.get(name) or default
    if not value.isdigit():
        raise SimError("%s is %r; a whole number is needed" % (name, value))
    return int(value)


def options_from_environment():
    """Reads and checks the settings of the module's docstring."""
    base = _number("PORT_BASE", "18000")
    if not 1024 <= base <= 65500:
        raise SimError("PORT_BASE is %d; allowed: 1024 to 65500" % base)
    return {
        "headless": bool(os.environ.get("HEADLESS")),
        "port_base": base,
        "duration_s": _number("DURATION", "0"),
        "scenario": os.environ.get("SCENARIO") or "default",
        "runtime": _choice("RUNTIME", "micropython", ("micropython", "cpython")),
        "profile": _choice("PROFILE", "", ("", "files", "image")),
        "board": os.environ.get("BOARD") or "esp32-devkit",
        "fresh": bool(os.environ.get("FRESH")),
    }


async def _main():
    options = options_from_environment()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await simulate(options, stop)


def main():
    try:
        asyncio.run(_main())
    except (SimError, TwinError, MicroPythonMissing, OSError) as error:
        sys.exit("make sim: %s" % error)


if __name__ == "__main__":
    main()
