"""The grid operator: a Modbus master, HTTP clients with and without a gateway's certificate, and a
judge of whether the house does what was asked.

Each player goes on by itself once it was told: {"modbus": {"write_pct": 30, "every_s": 5}} writes
and reads at once and every 5 s, until {"modbus": {"alive": false}} lets it die without a word.
"""

import asyncio
import math
import struct

import aiohttp
from pymodbus import ModbusException
from pymodbus.client import AsyncModbusTcpClient

from .errors import TwinError, flag, shown, table, whole

# SunSpec map of the firmware: percent of the connection (written), power of the grid meter (read).
_PERCENT, _GRID = 40968, 40098
_ANSWER_S = 3
_KEYS = {
    "modbus": ("write_pct", "every_s", "alive"),
    "http": ("vars", "limit", "every_s", "alive"),
    "gateway": ("vars", "limit", "every_s", "alive"),
}
_LIMITS = ("dim_w", "grid_w")


def check(where, change):
    """Check what the operator is told to do: `operator` of a change."""
    for name, told in table(where, change, (*_KEYS, *_LIMITS)).items():
        if name in _LIMITS:
            if told is not None:
                whole(f"{where}.{name}", told, 0, 1000000)
            continue
        table(f"{where}.{name}", told, _KEYS[name])
        if "every_s" in told:
            _number(f"{where}.{name}.every_s", told["every_s"], 0, 3600)
        if "alive" in told:
            flag(f"{where}.{name}.alive", told["alive"])
        # An operator may send what is not allowed: that is for the firmware to refuse.
        if told.get("write_pct") is not None and told["write_pct"] != "nan":
            _number(f"{where}.{name}.write_pct", told["write_pct"], -1e9, 1e9)
        for key in ("vars", "limit"):
            table(f"{where}.{name}.{key}", told.get(key, {}))


def _number(name, value, low, high):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise TwinError(f"{name} is {shown(value)}; a number from {low:g} to {high:g} is allowed")


class _Player:
    """One way to the firmware: sends what it was told last, at once and each every_s."""

    def __init__(self, name, clock):
        self.name = name
        self.alive = True
        self.every_s = 0
        self.door = None
        self.wanted = None
        self.sent = self.answered = 0
        self.error = ""
        self.answered_ms = None
        self._clock = clock
        self._task = None

    def take(self, told):
        """Do what a change says."""
        self.alive = told.get("alive", self.alive)
        self.every_s = told.get("every_s", self.every_s)
        self._note(told)
        self.stop()
        if self.alive and self.wanted is not None:
            self._task = asyncio.create_task(self._run())

    def _hang_up(self):
        """Drop a connection that is kept."""

    def stop(self):
        """Fall silent in the middle of a word."""
        if self._task:
            self._task.cancel()
            self._task = None
        self._hang_up()

    async def _run(self):
        while True:
            self.sent += 1
            try:
                if self.door is None:
                    raise OSError(f"the firmware has no door for {self.name}")
                await asyncio.wait_for(self._send(), _ANSWER_S)
                self.answered += 1
                self.answered_ms = self._clock()
                self.error = ""
            except (OSError, TimeoutError, ModbusException, aiohttp.ClientError) as error:
                self.error = str(error) or type(error).__name__
                self._hang_up()
            if not self.every_s:
                return
            await asyncio.sleep(self.every_s)

    def report(self):
        """Return what /twin/state says of this player."""
        return {
            "alive": self.alive,
            "wants": self.words() or None,
            "sent": self.sent,
            "answered": self.answered,
            "answered_ms": self.answered_ms,
            "error": self.error,
        }


class ModbusMaster(_Player):
    """Writes the percentage to 40968 and reads the grid's power; door: (host, port, unit).

    Told "write_pct": null it only reads, which is no sign of life of who commands.
    """

    grid_w = None
    _client = None

    def _note(self, told):
        if "write_pct" in told or self.wanted is None and "every_s" in told:
            self.wanted = (told.get("write_pct"),)

    def words(self):
        """Return what it wants in a few words, for pictures; "" while it is silent."""
        pct = self.wanted and self.wanted[0]
        return "" if pct is None or not self.alive else f"{pct} %"

    def _hang_up(self):
        if self._client:
            client, self._client = self._client, None
            transport = client.ctx.transport
            if transport:
                transport.abort()  # as a machine that loses its power
            client.close()

    async def _send(self):
        host, port, unit = self.door
        if not self._client:
            self._client = AsyncModbusTcpClient(
                host, port=port, timeout=_ANSWER_S, retries=0, reconnect_delay=0
            )
            if not await self._client.connect():
                raise OSError(f"no connection to {host}:{port}")
        client = self._client
        pct = self.wanted[0]
        if pct is not None:
            raw = struct.pack(">f", math.nan if pct == "nan" else pct)
            words = list(struct.unpack(">2H", raw))
            _checked(await client.write_registers(_PERCENT, words, device_id=unit))
        answer = _checked(await client.read_holding_registers(_GRID, count=2, device_id=unit))
        power_w = struct.unpack(">f", struct.pack(">2H", *answer.registers))[0]
        self.grid_w = None if math.isnan(power_w) else round(power_w)

    def report(self):
        """Return what /twin/state says of it."""
        return dict(super().report(), grid_w=self.grid_w)


def _checked(answer):
    if answer.isError():
        raise ModbusException(str(answer))
    return answer


class HttpClient(_Player):
    """Sets variables, or a limit, over HTTP; door: (address, {options of aiohttp's request})."""

    status = None

    def _note(self, told):
        if "vars" in told or "limit" in told:
            self.wanted = {key: told[key] for key in ("vars", "limit") if key in told}

    def words(self):
        """Return what it wants in a few words, for pictures; "" while it is silent."""
        if not self.alive or not self.wanted:
            return ""
        items = [f"{name}={value}" for name, value in self.wanted.get("vars", {}).items()]
        level = self.wanted.get("limit", {}).get("level")
        return " ".join(items + ([str(level)] if level else []))

    async def _send(self):
        address, options = self.door
        requests = []
        if "vars" in self.wanted:
            items = [{"name": n, "expr": str(v)} for n, v in self.wanted["vars"].items()]
            requests.append(("/cnf?cmd=set_cm_vars", {"vars": items}))
        if "limit" in self.wanted:
            requests.append(("/api/operator/limit", self.wanted["limit"]))
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            for path, body in requests:
                async with session.post(address + path, json=body, **options) as answer:
                    self.status = answer.status
                    if answer.status != 200:
                        raise OSError(f"{answer.status}: {(await answer.text())[:200]}")
                    await answer.read()

    def report(self):
        """Return what /twin/state says of it."""
        return dict(super().report(), status=self.status)


class Judge:
    """Measures what the operator asked for: dim_w, what the controllable devices may draw from the
    grid (§14a EnWG), and grid_w, what the house may. None: nothing is asked.

    after_ms: how long it took until it was obeyed, None while it is not; over_w: the most that it
    was disobeyed by since.
    """

    def __init__(self):
        self.limit_w = None
        self.since_ms = self.after_ms = None
        self.drawn_w = self.over_w = 0

    def ask(self, limit_w, now_ms):
        """Begin with another limit."""
        if limit_w != self.limit_w:
            self.limit_w = limit_w
            self.since_ms = now_ms
            self.after_ms, self.over_w = None, 0

    def step(self, drawn_w, now_ms):
        """Look at what is drawn now."""
        self.drawn_w = drawn_w
        if self.limit_w is None:
            return
        if self.after_ms is None:
            if drawn_w <= self.limit_w:
                self.after_ms = now_ms - self.since_ms
        else:
            self.over_w = max(self.over_w, drawn_w - self.limit_w)

    def report(self):
        """Return what /twin/state says of it."""
        return {
            "limit_w": self.limit_w,
            "drawn_w": self.drawn_w,
            "after_ms": self.after_ms,
            "over_w": self.over_w,
        }


class Operator:
    """All that the operator can do; `modbus`, `http` and `gateway` get their door by connect()."""

    def __init__(self, clock):
        self._clock = clock
        self.modbus = ModbusMaster("modbus", clock)
        self.http = HttpClient("http", clock)
        self.gateway = HttpClient("gateway", clock)
        self.players = (self.modbus, self.http, self.gateway)
        self.judges = {name: Judge() for name in _LIMITS}

    def connect(self, **doors):
        """Say where the firmware listens: modbus, http, gateway; None where a door is closed."""
        for player in self.players:
            player.door = doors.get(player.name)

    def take(self, change):
        """Do what a checked change says."""
        for player in self.players:
            if player.name in change:
                player.take(change[player.name])
        for name in _LIMITS:
            if name in change:
                self.judges[name].ask(change[name], self._clock())

    def step(self, controllable_w, grid_w, now_ms):
        """Let the judges look. What own generation covers is not drawn from the grid."""
        self.judges["dim_w"].step(max(0, min(controllable_w, grid_w)), now_ms)
        self.judges["grid_w"].step(max(0, grid_w), now_ms)

    def stop(self):
        """End all players."""
        for player in self.players:
            player.stop()

    def report(self):
        """Return `operator` of /twin/state."""
        parts = (*self.judges.items(), *((player.name, player) for player in self.players))
        return {name: part.report() for name, part in parts}
