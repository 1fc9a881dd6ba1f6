"""Runs the real firmware against the simulated installation: `make sim`.

Settings come from the environment: HEADLESS=1 (no explanations), PORT_BASE (+0 HTTP, +4 twin,
+5 and further: inner doors), DURATION in seconds after `ready` (0: until stopped), SCENARIO,
RUNTIME=micropython|cpython, PROFILE=files|image, BOARD, HEAP, FRESH=1 (an empty board).

The board's flash is .cache/sim/<port base>/flash and is kept from run to run, as a real one is.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from aiohttp import ClientError, ClientSession

from tools import build
from tools.fetch_micropython import MicroPythonMissing, find
from tools.twin import Twin

ROOT = Path(__file__).resolve().parent.parent
RESET_EXIT = 64
WATCHDOG_EXIT = -signal.SIGALRM
CAUSE_HARD, CAUSE_WATCHDOG, CAUSE_POWER_ON = 2, 3, 1
READY_WITHIN_S = 60

# An installation that the scenarios know: a grid meter and one wallbox on RS-485, one on TCP, and
# a house connection that contact 1 and the variable AVAIL limit.
SITE = {
    "max_total_power": "PB.input1 ? 9660 : 25000",
    "max_total_current": "exists(AVAIL) ? 55000 * AVAIL / 100 : 55000",
}


class SimError(Exception):
    """The simulation can't go on; the text says why."""


def settings(twin, http_port):
    """The settings of a board that has been commissioned for this twin."""
    return {
        "site": SITE,
        "meters": [
            {"id": "M1", "name": "Grid", "template": "sdm630", "role": "grid", "bus": "rs485_1"}
        ],
        "evses": [
            {"id": "E1", "name": "Garage", "template": "heidelberg", "bus": "rs485_1", "unit": 2},
            {
                "id": "E2",
                "name": "Carport",
                "template": "keba_p30",
                "host": "127.0.0.1",
                "port": twin.tcp_ports["E2"],
                "unit": 255,
                "max_current_ma": 32000,
            },
        ],
        "contacts": [{"input": 1}, {"input": 2}],
        "http": {"port": http_port},
    }


class Board:
    """The simulated board: its flash folder and the process that runs the firmware."""

    def __init__(self, folder, runtime, profile, heap, quiet):
        self.folder = folder
        self.flash = folder / "flash"
        self.password = None
        self.restarts = 0
        self._runtime = runtime
        self._profile = profile
        self._heap = heap
        self._quiet = quiet
        self._process = None

    def deploy(self, board_json, first_settings):
        """Puts the built tree on the flash; settings that are there stay."""
        self.flash.mkdir(parents=True, exist_ok=True)
        tree = build.build_python() if self._runtime == "cpython" else build.build_files()
        for name in ("lib", "controller", "doors", "data"):
            shutil.rmtree(self.flash / name, ignore_errors=True)
        if self._profile == "image":
            self._image = build.build_rom()
            shutil.copy(tree / "main.py", self.flash)
        else:
            shutil.copytree(tree, self.flash, dirs_exist_ok=True)
        shutil.copy(board_json, self.flash / "board.json")
        if not (self.flash / "settings.json").exists():
            (self.flash / "settings.json").write_text(json.dumps(first_settings))

    def _command(self):
        start = str(ROOT / "tools" / "chip" / "start.py")
        if self._runtime == "cpython":
            return [sys.executable, "-u", start, "python"]
        heap = ["-X", "heapsize=" + self._heap]
        if self._profile == "image":
            return [find(), *heap, start, "image", str(self._image)]
        return [find(), *heap, start, "files"]

    async def run(self, twin):
        """Runs the firmware, again after each reset; returns only by SimError."""
        cause = CAUSE_POWER_ON
        while True:
            uarts = {"1": twin.ptys["rs485_1"]}
            chip = {"channel": twin.chip_port, "uart": uarts, "cause": cause}
            (self.folder / "chip.json").write_text(json.dumps(chip))
            env = dict(os.environ, RIPPLEGATE_CHIP=str(self.folder / "chip.json"))
            self._process = await asyncio.create_subprocess_exec(
                *self._command(),
                cwd=self.flash,
                env=env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            await self._console(self._process.stdout)
            code = await self._process.wait()
            if code not in (RESET_EXIT, WATCHDOG_EXIT):
                raise SimError("the firmware ended with code %d" % code)
            cause = CAUSE_HARD if code == RESET_EXIT else CAUSE_WATCHDOG
            self.restarts += 1
            print("board | restarts (%s)" % ("reset" if code == RESET_EXIT else "watchdog"))

    async def _console(self, stream):
        async for line in stream:
            text = line.decode(errors="replace").rstrip()
            if text.startswith("password for user admin: "):
                self.password = text.split(": ")[1]
                self._remember()
            if not self._quiet:
                print("board | " + text, flush=True)

    def _remember(self):
        """A person keeps the password that the first start prints; here a file does."""
        path = self.folder / "password"
        path.touch(mode=0o600)
        path.write_text(self.password)

    def known_password(self):
        path = self.folder / "password"
        return self.password or (path.read_text() if path.exists() else None)

    def stop(self):
        if self._process and self._process.returncode is None:
            self._process.kill()


async def _answers(url):
    async with ClientSession() as session:
        while True:
            try:
                async with session.get(url) as answer:
                    await answer.read()
                    return
            except (ClientError, OSError):
                await asyncio.sleep(0.1)


def _explain(ready, twin_url):
    print(
        "\nRippleGate runs. Look at\n"
        "  %s/        the installation: close a contact, plug in a car\n"
        "  %s/api/state  what the firmware decides, and why (user %s, password %s)\n"
        "  curl --user %s:%s '%s/cnf?cmd=get_cm_vars'\n"
        "Ctrl-C ends it.\n"
        % (
            twin_url, ready["http"], ready["user"], ready["password"],
            ready["user"], ready["password"], ready["http"],
        ),
        flush=True,
    )  # fmt: skip


async def simulate(options):
    """Runs twin and board until the duration is over; raises SimError if anything died."""
    base = options["port_base"]
    folder = ROOT / ".cache" / "sim" / str(base)
    if options["fresh"]:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    board_json = ROOT / "boards" / options["board"] / "board.json"
    if not board_json.exists():
        names = sorted(path.parent.name for path in (ROOT / "boards").glob("*/board.json"))
        raise SimError("BOARD %s is not there; there are: %s" % (options["board"], ", ".join(names)))
    twin = Twin(
        port_base=base,
        scenario=options["scenario"],
        record_dir=folder / "record",
        board=json.loads(board_json.read_text()),
    )
    await twin.start()
    board = Board(folder, options["runtime"], options["profile"], options["heap"], options["quiet"])
    board.deploy(board_json, settings(twin, base))
    running = asyncio.create_task(board.run(twin))
    try:
        await _live(options, twin, board, running)
    finally:
        board.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await twin.stop()
        print("recorded: %s" % (folder / "record").relative_to(ROOT), flush=True)


async def _live(options, twin, board, running):
    http = "http://127.0.0.1:%d" % options["port_base"]
    twin_url = "http://127.0.0.1:%d" % twin.http_port
    answering = asyncio.create_task(_answers(http + "/cnf"))
    await asyncio.wait([answering, running], timeout=READY_WITHIN_S, return_when="FIRST_COMPLETED")
    if running.done():
        answering.cancel()
        running.result()
    if not answering.done():
        answering.cancel()
        raise SimError("the firmware opened no door within %d s" % READY_WITHIN_S)
    ready = {
        "http": http,
        "https": None,
        "gateway": None,
        "sunspec": None,
        "twin": twin_url,
        "user": "admin",
        "password": board.known_password(),
    }
    print("ready " + json.dumps(ready), flush=True)
    if not options["headless"]:
        _explain(ready, twin_url)
    stopped = asyncio.create_task(options["stop"].wait())
    await asyncio.wait(
        [running, stopped, twin.life],
        timeout=options["duration_s"] or None,
        return_when="FIRST_COMPLETED",
    )
    stopped.cancel()
    for task in (running, twin.life):
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
        "quiet": bool(os.environ.get("QUIET")),
        "port_base": base,
        "duration_s": _number("DURATION", "0"),
        "scenario": os.environ.get("SCENARIO") or "default",
        "runtime": _choice("RUNTIME", "micropython", ("micropython", "cpython")),
        "profile": _choice("PROFILE", "files", ("files", "image")),
        "board": os.environ.get("BOARD") or "esp32-devkit",
        "heap": os.environ.get("HEAP") or "120k",
        "fresh": bool(os.environ.get("FRESH")),
    }


async def _main():
    options = options_from_environment()
    options["stop"] = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, options["stop"].set)
    await simulate(options)


def main():
    try:
        asyncio.run(_main())
    except (SimError, MicroPythonMissing, OSError) as error:
        sys.exit("make sim: %s" % error)


if __name__ == "__main__":
    main()
