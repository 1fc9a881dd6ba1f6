"""What the SunSpec server shows, and the two units it answers for; docs/sunspec-server.md.

Loaded where settings["sunspec_server"] asks for it, as doors/sunspec_server.py is.
"""

import gc
import sys
from binascii import hexlify

from machine import unique_id
from micropython import const

from chargecontrol.balance import FIELDS
from controller.unload import unload
from formula import FormulaError
from modbus.pdu import ModbusException
from modbus.server import handle
from sunspec.server_map import LINES, MANAGER, ServerMap

_ROLES = "display consumption generation grid evse storage_home storage_all"  # 0, 1, ...
_STATES = {"A": 1, "B": 2, "C": 3, "D": 4, "E": 5, "F": 5}
_OFFLINE = const(6)
_FAILED = const(4)
_PERCENT = const(16)
_CHANNEL = const("sunspec")


class Values:
    """The source of both units, and what serves them.

    units: {unit id: ServerMap}; save_ms: when what was set by model 60000 has to be written to
    flash, None: nothing waits; saved_ms: when that was done last, or None.
    """

    def __init__(self, controller):
        self.controller = controller
        controller.unsaved = self  # a restart asks it to save
        self.save_ms = self.saved_ms = None
        self._share = None  # what site.percent was set to here
        doc = controller.settings.doc
        config = doc["sunspec_server"]
        self.unit = config["unit"]
        there = {item["id"]: item for item in doc["meters"] + doc["evses"]}
        self._configs = {id: there[id] for id in config["devices"] if id in there}
        published = [
            (id, "storage" in there[id].get("role", "")) for id in config["devices"] if id in there
        ]
        controller.balance()  # it has values from the next cycle on
        self._manager = ServerMap(self, MANAGER, ModbusException)
        if published:
            from sunspec.server_devices import DeviceMap

            devices = DeviceMap(self, published, ModbusException)
        else:
            devices = ServerMap(self, MANAGER[:1], ModbusException)
        self.units = {self.unit: self._manager, self.unit + 1: devices}

    def serve(self, unit, buf, n, out, off, to):
        """As modbus.server.handle, for one of the units."""
        for _ in range(2):
            try:
                return handle(buf, n, self.units[unit], out, off, to)
            except MemoryError:  # without what is seldom used there is room; all was undone
                unload()
                gc.collect()
            except Exception as error:  # our own fault must not cost others their server
                self.controller.log("SunSpec: %s: %s" % (type(error).__name__, error))
                if hasattr(sys, "print_exception"):
                    sys.print_exception(error)
                break
        out[to] = buf[off] | 0x80
        out[to + 1] = _FAILED
        return 2

    @property
    def voltage_v(self):
        return self.controller.settings.doc["site"]["voltage_v"]

    def common(self, image):
        """The texts of model 1, and the unit id."""
        manager = image is self._manager
        return (
            "RippleGate",
            "Charging manager" if manager else "Devices",
            "",
            self.controller.version,
            hexlify(unique_id()).decode(),
            self.unit if manager else self.unit + 1,
        )

    def readings(self, key, phases, energy):
        """Of a counter or a device; None while it is silent."""
        if key not in self._configs:
            return self._counter(key, phases, energy)
        devices = self.controller.devices
        device = devices.get(key)
        if device and key[0] == "E":
            meter = devices.get(device.config["meter"])
            if meter and not meter.com_error:  # its readings replace the box's own
                device = meter
        if not device or device.com_error or device.read_ms is None:
            return None
        return device.readings

    def _counter(self, name, phases, energy):
        value = self.controller.balance().value
        power_w = value(name, "power_w")
        readings = {"power_w": power_w}
        if phases and power_w is not None:
            grid = self.controller.devices.get(self.controller.site.grid_id)
            known = grid.readings if grid and not grid.com_error else {}
            whole = name == "grid_demand"
            for line in (1, 2, 3):
                current, voltage, power = LINES[line - 1]
                readings[current] = value(name, FIELDS[line])
                readings[voltage] = known.get(voltage, self.voltage_v)
                if whole:
                    readings[power] = known.get(power)
            if whole:
                readings["reactive_power_var"] = known.get("reactive_power_var")
        if energy:
            readings["import_wh"] = value(name, "import_wh")
            readings["export_wh"] = value(name, "export_wh")
        return readings

    def role(self, id):
        return _ROLES.split().index(self._configs[id]["role"])  # pyright: ignore[reportOptionalSubscript]

    def state(self, id):
        device = self.controller.devices.get(id)
        if not device or device.com_error:
            return _OFFLINE
        return _STATES.get(device.readings.get("state"), _OFFLINE)

    def parameter(self, n):
        """At offset n of model 60000; None: it is not known."""
        controller = self.controller
        site = controller.settings.doc["site"]
        if n == 2:
            return self._limit("max_total_current")
        if n == 4:
            return site["reserve_current_ma"]
        if n == 6:
            return controller.site.house.overdraft_max_ma
        if n == 8:
            return self._limit("max_total_evse_current")
        if n == 10:
            return site["max_unbalance_ma"] or 0
        if n == _PERCENT:
            return self._percent()
        return int(site["load_management" if n == 12 else "unbalance_with_house"])

    def _limit(self, name):
        """mA of a limit of the site, of a formula what it is just now; 0: there is none."""
        setting = self.controller.settings.doc["site"][name]
        if not isinstance(setting, str):
            return setting or 0
        for limit in self.controller.site.limits:
            if limit.source == name and limit.phase_ma:
                return min(limit.phase_ma)
        return None

    def _percent(self):
        """What the percentage is that holds; None where something else does."""
        controller = self.controller
        channels = controller.operator.operator.channels if controller.operator else {}
        channel = channels.get(_CHANNEL)
        if not channel:
            percent = controller.site.percent
            return 100 if percent is None else percent
        percent = 100
        levels = [channel.level]
        if channel.fails_safe:
            levels.append(channel.failsafe)
        for kind, value in levels:
            if kind != "none":
                percent = min(percent, value) if kind == "percent" else None
                if percent is None:
                    return None
        return percent

    def flag(self, n):
        specials = self.controller.specials
        value = specials.lookup("_flag%d" % n) if specials else 0
        return max(-32768, min(32767, int(value)))

    def variables(self):
        """Names of the CM variables, sorted."""
        names = [entry[0] for entry in self.controller.variables.live]
        return sorted(names, key=_lower)

    def variable(self, name):
        try:
            value = self.controller.variables.value(name.lower(), self.controller.names.lookup)
        except (FormulaError, KeyError):
            return None
        return value

    def write(self, parameters, flags, variables):
        """Takes all of it, or raises ModbusException and takes none."""
        percent = parameters.pop(_PERCENT, None)
        if parameters or flags or variables:
            from controller import sunspec_writes

            sunspec_writes.write(self, parameters, flags, variables)
        self._command(percent, flags or variables)

    def _command(self, percent, spoken):
        """Tells the percentage; spoken: flags or variables, which formulas of limits may read, are
        a command, too. Any other write is a sign of life.
        """
        controller = self.controller
        site = controller.site
        inputs = controller.operator
        if not inputs or _CHANNEL not in inputs.operator.channels:
            if percent is not None:
                self._share = site.percent = None if percent >= 100 else int(percent)
        elif percent is not None:
            if site.percent == self._share:
                site.percent = None  # written before there was a channel
            self._share = None
            inputs.write(_CHANNEL, ("percent", percent))
        elif spoken:
            inputs.touch(_CHANNEL)
        else:
            inputs.operator.beat(_CHANNEL, controller.clock.now_ms())
        controller.wake()

    def save_due(self, now_ms):
        """Call it now and then: writes to flash what model 60000 set, when its time has come."""
        if self.save_ms is not None and now_ms >= self.save_ms:
            self.save()

    def save(self):
        """Writes to flash what is not there yet; for a restart."""
        if self.save_ms is not None:
            from controller import sunspec_writes

            sunspec_writes.save(self)


def _lower(name):
    return name.lower()
