"""A simulated board beside the twin: what `make sim`, scenario tests and benchmarks run."""

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

from aiohttp import ClientError, ClientSession, encode_basic_auth

from tools import build, simulation_doors
from tools.fetch_micropython import find
from tools.twin import Twin

ROOT = Path(__file__).resolve().parent.parent

RESET_EXIT = 64
WATCHDOG_EXIT = -signal.SIGALRM
CAUSE_HARD, CAUSE_WATCHDOG, CAUSE_POWER_ON = 2, 3, 1
READY_WITHIN_S = 60
# What an ESP32 without PSRAM has left for Python is 140 kB; the VM's start, asyncio and the
# simulated chip keep 12 kB here that a chip has in its flash. docs/decisions/heap.md
HEAPS = {"files": "148k", "image": "120k"}

# A house connection that contact 1 and the variable AVAIL limit.
SITE = {
    "max_total_power": "PB.input1 ? 9660 : 25000",
    "max_total_current": "exists(AVAIL) ? 55000 * AVAIL / 100 : 55000",
    "min_pause_s": 5,  # nobody waits five minutes in front of a simulation
}


class SimError(Exception):
    """The simulation can't go on; the text says why."""


_NAMES = {"M1": "Grid", "E1": "Garage", "E2": "Carport"}
_ROLES = {"grid": "grid", "house": "consumption", "pv": "generation", "battery": "storage_home"}


def settings(twin, http_port):
    """The settings of a board that has been commissioned for this twin and its scenario."""
    usual = {
        "site": SITE,
        "meters": [
            dict(_device(twin, meter), role=_ROLES.get(str(meter["measures"]), "display"))
            for meter in twin.config["meters"]
        ],
        "evses": [
            dict(
                _device(twin, box),
                phase_rotation=box["phase_rotation"],
                max_current_ma=box["max_current_ma"],
            )
            for box in twin.config["wallboxes"]
        ],
        "contacts": [{"input": 1}, {"input": 2}],
        "http": {"port": http_port},
        "network": {"ssid": "simulation", "password": "simulation"},
        "clock": {"ntp_host": "127.0.0.1:%d" % twin.ntp.port},
    }
    return laid_over(usual, twin.scenario.get("settings", {}))


def _device(twin, item):
    id = item["id"]
    config = {"id": id, "name": _NAMES.get(id, ""), "template": item["kind"], "unit": item["unit"]}
    if item.get("bus"):
        return dict(config, bus=item["bus"])
    return dict(config, host="127.0.0.1", port=twin.tcp_ports[id])


def laid_over(document, patch):
    """`document` with `patch` laid over it: objects key by key, items of a list by id or input."""
    if isinstance(document, dict) and isinstance(patch, dict):
        keys = [*document, *(key for key in patch if key not in document)]
        return {
            key: laid_over(document.get(key), patch[key]) if key in patch else document[key]
            for key in keys
        }
    if isinstance(document, list) and isinstance(patch, list):
        old, new = ({_key(item): item for item in items} for items in (document, patch))
        return list(laid_over(old, new).values())
    return patch


def _key(item):
    return item.get("id") or item.get("input")


class Board:
    """The simulated board: its flash folder and the process that runs the firmware."""

    def __init__(self, folder, runtime, profile, heap, tell):
        self.folder = folder
        self.flash = folder / "flash"
        self.console = []
        self.restarts = 0
        self._runtime = runtime
        self._profile = profile
        self._heap = heap
        self._tell = tell
        self._process = None

    def deploy(self, board_json):
        """Puts the built tree on the flash; documents that are there stay."""
        self.flash.mkdir(parents=True, exist_ok=True)
        tree = build.build_python() if self._runtime == "cpython" else build.build_files()
        for name in ("lib", "controller", "doors", "data"):
            shutil.rmtree(self.flash / name, ignore_errors=True)
        self._chip = build.build_chip()
        if self._profile == "image":
            # The VM maps it: another build must not write into what runs.
            self._image = shutil.copy(build.build_rom(), self.folder / "rom.img")
            shutil.copy(tree / "main.py", self.flash)
        else:
            shutil.copytree(tree, self.flash, dirs_exist_ok=True)
        shutil.copy(board_json, self.flash / "board.json")
        self._ports = json.loads(board_json.read_text())["rs485"]

    def write_once(self, name, document):
        """Writes a document that is not on the flash yet."""
        path = self.flash / (name + ".json")
        if not path.exists():
            path.write_text(json.dumps(document))

    def hurry(self, every_ms):
        """Makes the device templates on this board ask for everything so often."""
        for path in (self.flash / "data" / "templates").glob("*.json"):
            template = json.loads(path.read_text())
            for block in template["blocks"]:
                block["every_ms"] = every_ms
            path.write_text(json.dumps(template))

    def _command(self):
        if self._runtime == "cpython":
            return [sys.executable, "-u", str(ROOT / "tools" / "cpython" / "start.py")]
        start = str(ROOT / "tools" / "chip" / "start.py")
        command = [find(), "-X", "heapsize=" + self._heap, start, self._profile, str(self._chip)]
        if self._profile == "image":
            command.append(str(self._image))
        return command

    async def run(self, twin):
        """Runs the firmware, again after each reset; returns only by SimError."""
        cause = CAUSE_POWER_ON
        while True:
            uarts = {str(port["uart"]): twin.ptys.get(port["id"]) for port in self._ports}
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
                last = "\n".join(self.console[-12:])
                raise SimError("the firmware ended with code %d:\n%s" % (code, last))
            cause = CAUSE_HARD if code == RESET_EXIT else CAUSE_WATCHDOG
            self.restarts += 1
            self._tell("board | restarts (%s)" % ("reset" if code == RESET_EXIT else "watchdog"))

    async def _console(self, stream):
        async for line in stream:
            text = line.decode(errors="replace").rstrip()
            if text.startswith("password for user admin: "):
                # A person keeps the password that the first start prints; here a file does.
                self._password.touch(mode=0o600)
                self._password.write_text(text.split(": ")[1])
            self.console.append(text)
            self._tell("board | " + text)

    @property
    def _password(self):
        return self.folder / "password"

    @property
    def password(self):
        """The password of user admin, None where the first start has not printed one yet."""
        return self._password.read_text() if self._password.exists() else None

    def kill(self):
        """Ends the firmware as a power cut does."""
        if self._process and self._process.returncode is None:
            self._process.kill()


class Simulation:
    """Twin and board together.

    folder: where flash and record lie; port_base 0 takes free ports; config: for the Twin;
    heap: None for that of HEAP in the environment, of the scenario, or of the profile;
    first_settings(twin, http_port): for an empty flash; ask_every_ms: in place of the intervals of
    the device templates, for benchmarks; tell: takes the console's lines.
    """

    def __init__(
        self,
        folder,
        port_base=0,
        scenario="default",
        runtime="micropython",
        profile="files",
        heap=None,
        board="esp32-devkit",
        config=None,
        first_settings=settings,
        ask_every_ms=None,
        tell=lambda line: None,
    ):
        self._board_json = ROOT / "boards" / board / "board.json"
        if not self._board_json.exists():
            names = sorted(path.parent.name for path in (ROOT / "boards").glob("*/board.json"))
            raise SimError("BOARD %s is not there; there are: %s" % (board, ", ".join(names)))
        self.port = port_base or free_port()
        self.http = "http://127.0.0.1:%d" % self.port
        self.twin = Twin(
            config=config,
            port_base=port_base,
            scenario=scenario,
            record_dir=folder / "record",
            board=json.loads(self._board_json.read_text()),
        )
        heap = heap or os.environ.get("HEAP") or self.twin.scenario.get("heap") or HEAPS[profile]
        self.board = Board(folder, runtime, profile, heap, tell)
        self._first_settings = first_settings
        self._port_base = port_base
        self._ask_every_ms = ask_every_ms
        self.running = None

    @property
    def panel(self):
        return "http://127.0.0.1:%d" % self.twin.http_port

    def authorization(self):
        """The HTTP headers of user admin."""
        return {"Authorization": encode_basic_auth("admin", self.board.password)}

    async def start(self):
        """Starts both; returns when the firmware's HTTP door answers."""
        self.board.deploy(self._board_json)  # before the twin's time begins
        if self._ask_every_ms:
            self.board.hurry(self._ask_every_ms)
        await self.twin.start()
        self.board.write_once("settings", self._settings())
        if "rules" in self.twin.scenario:
            self.board.write_once("rules", self.twin.scenario["rules"])
        await self.power_on()

    def _settings(self):
        document = self._first_settings(self.twin, self.port)
        simulation_doors.give_ports(document, self._port_base, free_port)
        return document

    def _open(self):
        """Looks up which doors the settings on the flash open, and makes certificates for them."""
        flash = self.board.flash
        document = simulation_doors.settings_on(flash)
        self.doors = simulation_doors.Doors(
            document, self.port, self.board.folder / "certificates"
        )
        self.doors.write_certificates(flash)
        self.http = self.doors.page

    async def power_on(self):
        """Starts the firmware (again, after board.kill())."""
        self._open()
        self.running = asyncio.create_task(self.board.run(self.twin))
        answering = asyncio.create_task(self._answers())
        await asyncio.wait(
            [answering, self.running], timeout=READY_WITHIN_S, return_when="FIRST_COMPLETED"
        )
        if not answering.done() or self.running.done():
            answering.cancel()
            if self.running.done():
                self.running.result()
            raise SimError("the firmware did not open all doors within %d s" % READY_WITHIN_S)
        self.doors.connect(self.twin.operator, self.authorization())

    async def power_off(self):
        """Ends the firmware as a power cut does."""
        self.board.kill()
        await asyncio.gather(self.running, return_exceptions=True)

    async def stop(self):
        if self.running:
            await self.power_off()
        await self.twin.stop()

    async def __aenter__(self):
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *what):
        await self.stop()

    async def _answers(self):
        context = self.doors.context(None) if self.doors.https else None
        async with ClientSession() as session:
            while True:
                try:
                    async with session.get(self.http + "/cnf", ssl=context or True) as answer:
                        await answer.read()
                        break
                except (ClientError, OSError):
                    await asyncio.sleep(0.1)
        await self.doors.opened()


def free_port():
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
