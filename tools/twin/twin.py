"""The simulated installation as a whole: its parts, its clock, its one state."""

import asyncio
import datetime
import logging
import pathlib
import random
import time

from . import config as conf
from .battery import Battery
from .bus import RtuBus
from .clouds import Sun
from .contacts import ChipChannel, Inputs
from .errors import TwinError
from .grid_operator import Operator
from .heidelberg import Heidelberg
from .keba import Keba
from .ntp import NtpServer
from .panel import Panel
from .physics import VOLTAGE_V, WH, Energy, rotated
from .profiles import check_clock, value_at
from .record import Recorder
from .relays import Relays
from .scenario import load_scenario
from .sdm630 import Sdm630
from .sunspec import SunSpec
from .tcp import TcpServer

_STEP_S = 0.1
_HTTP, _CHIP, _NTP = 4, 5, 9
_TCP = (6, 7, 8, *range(10, 43))
_BOXES = {"heidelberg": Heidelberg, "keba_p30": Keba}


class Twin:
    """A house with meters, wallboxes, cars and contacts behind real protocols.

    config: dict laid over config.DEFAULTS; scenario: name, path or dict; board: a board.json
    object; record_dir: folder for twin.csv and twin.png. Ports are port_base + 4 (HTTP), + 5
    (chip channel), + 6 to + 8 and + 10 on (Modbus TCP devices), + 9 (time, UDP); port_base 0: any
    free ports.
    Raises TwinError when config or scenario is not right.
    """

    def __init__(
        self,
        config=None,
        port_base=18000,
        scenario="default",
        record_dir=None,
        board=None,
        host="127.0.0.1",
    ):
        self.scenario = load_scenario(scenario)
        layers = [self.scenario.get("config", {}), config or {}]
        if board is not None:
            layers.append({"board": board})
        self.config = conf.complete(*layers)
        for i, step in enumerate(self.scenario.get("steps", [])):
            try:
                conf.check_set(step["set"], self.config)
            except TwinError as error:
                raise TwinError(
                    f"step {i + 1} of scenario {self.scenario['name']} does not "
                    f"fit this installation: {error}"
                ) from None
        self.host = host
        self.http_port = self.chip_port = None
        self.ptys, self.tcp_ports = {}, {}
        self.recorder = Recorder(self, record_dir and pathlib.Path(record_dir))
        self._port_base = port_base
        self._rng = random.Random(self.config["seed"])
        self._started = time.monotonic()
        self._build()

    def _build(self):
        config = self.config
        self.house_w = list(config["house_w"])
        self.sun = Sun(config["pv_w"], config["clouds"])
        self.battery = config["battery"] and Battery(config["battery"])
        self._passed_ms = 0
        self.appliances = {name: False for name in config["appliances"]}
        self.closed = {str(n): False for n in config["contacts"]}
        self.bouncing = set()
        self.buses = {
            name: RtuBus(name, bus, config["slow_ms"], self._rng)
            for name, bus in config["buses"].items()
        }
        self.boxes, self.meters, self.tcp = {}, {}, {}
        self._energies = {}
        for item in config["wallboxes"]:
            self.boxes[item["id"]] = box = _BOXES[item["kind"]](
                item, self.t_ms, config["cars"][item["id"]], config["reboot_ms"]
            )
            self._attach(box, item)
        for item in config["meters"]:
            energy = self.energy(item["measures"])
            if item["kind"] == "sunspec":
                meter = SunSpec(item, self.t_ms, energy, self)
            else:
                meter = Sdm630(item, self.t_ms, energy)
            self.meters[item["id"]] = meter
            self._attach(meter, item)
        self.profiles = dict(config["profiles"])
        self.clock = config["clock"] and check_clock(config["clock"])
        self.chip = ChipChannel()
        self.ntp = NtpServer(self.utc_s)
        self.inputs = self.chip.inputs = Inputs(config["board"], self._rng, self.chip.send)
        self.chip.on_lost.append(self.flush)
        self.relays = Relays(config["board"], config["relays"], self.chip.outputs)
        self.operator = Operator(self.t_ms)
        self._controllable = config["controllable"] or list(self.boxes)
        self._s0_wms = [0] * len(config["s0"])
        self._panel = Panel(self)
        self.apply({"faults": config["faults"]})

    def energy(self, source):
        """Return what flows through a source: its meters share it."""
        return self._energies.setdefault(
            source if isinstance(source, str) else tuple(source), Energy()
        )

    def _attach(self, device, item):
        if item.get("bus") is None:
            self.tcp[device.id] = TcpServer(device, self.config["slow_ms"], self._rng)
        else:
            self.buses[item["bus"]].devices[device.unit] = device

    def t_ms(self):
        """Return the twin's time: ms since its start."""
        return round((time.monotonic() - self._started) * 1000)

    def now(self):
        """Return the time of day in the installation, a datetime; None where it has no own."""
        return self.clock and self.clock + datetime.timedelta(milliseconds=self.t_ms())

    def utc_s(self):
        """Return what the time server says: seconds since 1970."""
        return self.now().timestamp() if self.clock else time.time()

    @property
    def chip_clients(self):
        """The number of simulated chips connected now."""
        return self.chip.clients

    async def start(self):
        """Open every door and begin to live. Raises OSError when a port is taken."""
        for name, bus in self.buses.items():
            await bus.start()
            self.ptys[name] = bus.path
        base = self._port_base
        for offset, (id_, server) in zip(_TCP, self.tcp.items()):
            await server.start(self.host, base and base + offset)
            self.tcp_ports[id_] = server.port
        await self.chip.start(self.host, base and base + _CHIP)
        await self.ntp.start(self.host, base and base + _NTP)
        self.chip_port = self.chip.port
        self.http_port = await self._panel.start(self.host, base and base + _HTTP)
        self._started = time.monotonic()
        self.step(0)
        self.life = asyncio.create_task(self._live())
        self.life.add_done_callback(_complain)

    async def stop(self):
        """Close everything; with a record_dir the last picture is drawn first."""
        self.life.cancel()
        await asyncio.gather(self.life, return_exceptions=True)
        self.inputs.stop()
        self.operator.stop()
        await self._panel.stop()
        await self.chip.stop()
        await self.ntp.stop()
        for part in (*self.tcp.values(), *self.buses.values()):
            await part.stop()
        await self.recorder.close()

    def flush(self):
        """Forget what a dead master left on the buses; done by itself when a chip is lost."""
        for bus in self.buses.values():
            bus.flush()

    def set(self, change):
        """Apply one change (POST /twin/set); TwinError and nothing applied if part is wrong."""
        self.apply(conf.check_set(change, self.config))

    def apply(self, change):
        """Apply a change that was checked. What a hand sets leaves its profile."""
        self.house_w = list(change.get("house_w", self.house_w))
        if "pv_w" in change:
            self.profiles.pop("pv_w", None)
            self.sun.clear_w = change["pv_w"]
        if "clouds" in change:
            self.sun.set_clouds(change["clouds"])
        self.sun.cloud = change.get("cloud", self.sun.cloud)
        if "battery" in change:
            self.battery.set(change["battery"])
        self.appliances.update(change.get("appliances", {}))
        for id_, car in change.get("cars", {}).items():
            if "max_current_ma" in car:
                self.profiles.pop(id_, None)
            self.boxes[id_].car.set(car)
        for place, fault in change.get("faults", {}).items():
            self._apply_fault(place, fault)
        for number, closed in change.get("contacts", {}).items():
            if closed != self.closed[number]:
                self.closed[number] = closed
                self.inputs.set(int(number), closed, f"contact{number}" in self.bouncing)
        self.operator.take(change.get("operator", {}))

    def _apply_fault(self, place, fault):
        device = self.boxes.get(place) or self.meters.get(place)
        if device:
            device.set_fault(fault)
        elif fault == "burst":
            self.inputs.burst(int(place[7:]))
        elif fault:
            self.bouncing.add(place)
        else:
            self.bouncing.discard(place)

    async def _live(self):
        """Step ten times a second, play the scenario, record each second."""
        steps = list(self.scenario.get("steps", []))
        last_ms = next_row_ms = self.t_ms()
        while True:
            await asyncio.sleep(_STEP_S)
            now_ms = self.t_ms()
            while steps and steps[0]["at_s"] * 1000 <= now_ms:
                self.apply(steps.pop(0)["set"])
            self._follow(now_ms)
            self.step(now_ms - last_ms)
            last_ms = now_ms
            if now_ms >= next_row_ms:
                next_row_ms += 1000 * ((now_ms - next_row_ms) // 1000 + 1)
                self.recorder.row()
                for bus in self.buses.values():
                    bus.tick()

    def _follow(self, now_ms):
        """Move what has a profile along it."""
        for name, points in self.profiles.items():
            value = value_at(points, now_ms)
            if value is None:
                continue
            if name == "pv_w":
                self.sun.clear_w = value
            else:
                self.boxes[name].car.set({"max_current_ma": value})

    def step(self, dt_ms):
        """Let dt_ms of physics pass."""
        for id_, phases in self.relays.phases().items():
            self.boxes[id_].switch(phases)
        for box in self.boxes.values():
            box.step(dt_ms)
        self._passed_ms += dt_ms
        self.sun.step(self._passed_ms, dt_ms)
        if self.battery:
            self.battery.step(sum(self.phases_w("grid")), dt_ms)
        for source, energy in self._energies.items():
            energy.add(sum(self.phases_w(source)), dt_ms)
        for meter in self.meters.values():
            meter.power_w = self.phases_w(meter.measures)
        for i, s0 in enumerate(self.config["s0"]):
            self._s0(i, s0, dt_ms)
        drawn_w = sum(self.phases_w(self._controllable)) if self._controllable else 0
        self.operator.step(drawn_w, sum(self.phases_w("grid")), self.t_ms())

    def _s0(self, i, s0, dt_ms):
        """Give a pulse in the next step at the place in time where this step earned it."""
        power_w = max(0, sum(self.phases_w(s0["measures"])))
        pulse_wms = 1000 * WH // s0["pulses_per_kwh"]
        self._s0_wms[i] += power_w * dt_ms
        if self._s0_wms[i] >= pulse_wms:
            # One pulse a step is the most that fits: what is beyond it is kept, up to one.
            over_wms = self._s0_wms[i] = min(self._s0_wms[i] - pulse_wms, pulse_wms)
            early_s = min(0.09, over_wms / power_w / 1000)
            self.inputs.pulse(s0["input"], 0.09 - early_s, s0["pulse_ms"] / 1000)

    @property
    def pv_w(self):
        """What comes from the roof now, clouds included."""
        return self.sun.pv_w

    @property
    def load_w(self):
        """What the house draws on each phase, appliances that are on included."""
        all_w = self.relays.loads_w(self.config["appliances"])
        loads = [load for name, load in all_w.items() if self.appliances[name]]
        return [w + sum(load[i] for load in loads) for i, w in enumerate(self.house_w)]

    def phases_w(self, source):
        """Return the power of each house phase at `source`: grid, house, pv, battery, inverter (pv
        less battery), the id of a wallbox, the name of an appliance, or a list of these."""
        if not isinstance(source, str):
            return [sum(phase) for phase in zip(*map(self.phases_w, source))]
        if source == "house":
            return self.load_w
        if source == "pv":
            return [(self.pv_w + i) // 3 for i in range(3)]
        if source == "battery":
            power_w = self.battery.power_w if self.battery else 0
            return [(power_w + i) // 3 for i in range(3)]
        if source == "inverter":
            return [p - b for p, b in zip(self.phases_w("pv"), self.phases_w("battery"))]
        if source == "grid":
            sides = [self.phases_w("house"), [-w for w in self.phases_w("inverter")]]
            sides += [self.phases_w(id_) for id_ in self.boxes]
            return [sum(phase) for phase in zip(*sides)]
        if source in self.appliances:
            load_w = self.relays.loads_w(self.config["appliances"])[source]
            return list(load_w) if self.appliances[source] else [0, 0, 0]
        box = self.boxes[source]
        return [ma * VOLTAGE_V // 1000 for ma in rotated(box.current_ma, box.rotation)]

    def faults(self):
        """Return {place: fault} of what is broken now."""
        devices = [*self.meters.values(), *self.boxes.values()]
        faults = {device.id: device.fault for device in devices if device.fault}
        faults.update({place: "bounce" for place in sorted(self.bouncing)})
        return faults

    def state(self):
        """Return the document of GET /twin/state."""
        return {
            "t_ms": self.t_ms(),
            "scenario": self.scenario["name"],
            "clock": self.clock and self.now().isoformat(timespec="seconds"),
            "contacts": dict(self.closed),
            "relays": self.relays.closed(),
            "operator": self.operator.report(),
            "house_w": list(self.house_w),
            "load_w": self.load_w,
            "appliances": dict(self.appliances),
            "pv_w": self.pv_w,
            "sun": {
                "clear_w": self.sun.clear_w,
                "light_pct": round(100 * self.sun.factor),
                "cloud": self.sun.cloud,
                "clouds": self.sun.config,
            },
            "battery": {
                "power_w": self.battery.power_w if self.battery else 0,
                "soc": self.battery.soc if self.battery else None,
            },
            "meters": {
                id_: {
                    "power_w": sum(m.power_w),
                    "current_ma": m.current_ma,
                    "import_wh": m.energy.import_wh,
                    "export_wh": m.energy.export_wh,
                }
                for id_, m in self.meters.items()
            },
            "wallboxes": {id_: box.report() for id_, box in self.boxes.items()},
            "cars": {
                id_: {
                    "plugged": box.car.plugged,
                    "phases": box.car.phases,
                    "soc": box.car.soc,
                    "max_current_ma": box.car.max_current_ma,
                    "asleep": box.car.asleep,
                }
                for id_, box in self.boxes.items()
            },
            "faults": self.faults(),
            "bus": {name: bus.report() for name, bus in self.buses.items()},
            "tcp": {id_: server.report() for id_, server in self.tcp.items()},
            "chip": {
                "clients": self.chip.clients,
                "connects": self.chip.connects,
                "outputs": dict(self.chip.outputs),
            },
        }


def _complain(task):
    if not task.cancelled() and task.exception():
        logging.getLogger("twin").error("the twin died", exc_info=task.exception())
