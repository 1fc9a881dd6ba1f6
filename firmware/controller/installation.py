"""Makes what the settings name: links, meters, wallboxes; what fails is said, not fatal."""

from chargecontrol.evse import Evse
from controller import data
from controller.device import Device
from controller.inputs import BoardError
from controller.links import RtuLink, TcpLink
from modbus.template import Template, TemplateError

_CHAR_BITS = {"N": 9, "E": 10, "O": 10}
_STEP_MA = 100  # of a wallbox whose values are pushed: its driver takes any current


def fit(evse, device):
    """Keeps an EVSE within what its wallbox can be set to."""
    template = device.template
    if template:
        evse.failsafe_ma = template.failsafe_ma(evse.failsafe_ma)
        evse.min_ma = max(evse.min_ma, template.min_ma)
        evse.config_max_ma = min(evse.config_max_ma, template.max_ma)


class Installation:
    """devices {id: Device, or what has its face}, evses {id: Evse}, links [(id, link, [Device])],
    pulse_meters {input: S0Meter}, disabled {id of a wallbox: mA by the disable_policy}, faults
    [sentence]. doc: the settings; kept: {id: what a meter had counted}."""

    def __init__(self, doc, board, kept):
        self.devices = {}
        self.evses = {}
        self.links = []
        self.pulse_meters = {}
        self.faults = []
        self._board = board
        self._doc = doc
        self._kept = kept
        self.disabled = {}
        self._buses = {}
        self._templates = {}
        for config in doc["meters"]:
            if config["enabled"]:
                self._add(config, self._meter)
        for config in doc["evses"]:
            self._add(config, self._evse)

    def _add(self, config, make):
        try:
            self.devices[config["id"]] = make(config)
        except (TemplateError, BoardError, data.DataMissing) as error:
            self.faults.append("%s: %s" % (config["id"], error))

    def _meter(self, config):
        template = config["template"]
        kept = self._kept.get(config["id"])
        if template == "http_input":
            from controller.pushed import PushedMeter

            return PushedMeter(config)
        if template == "expression" or template == "virtual":
            from controller.calculated import CalculatedMeter

            return CalculatedMeter(config, kept)
        if template != "s0":
            return self._device(config)
        from controller.s0 import PulseMeter, S0Meter

        meter = S0Meter(
            config["pulses_per_kwh"],
            tuple(config["phases"]),
            self._doc["site"]["voltage_v"],
            kept if isinstance(kept, int) else 0,
        )
        self.pulse_meters[config["input"]] = meter
        return PulseMeter(config, meter)

    def _evse(self, config):
        if config["template"] == "http_input":
            from controller.pushed import PushedEvse

            device = PushedEvse(config)
        else:
            device = self._device(config)
        if config["phase_relay"]:
            from controller.phase_relay import PhaseRelay

            PhaseRelay(device, self._board.relays[config["phase_relay"] - 1])
        template = device.template
        evse = Evse(config, template.step_ma if template else _STEP_MA)  # pyright: ignore[reportAttributeAccessIssue]
        fit(evse, device)
        if config["enabled"]:
            self.evses[config["id"]] = evse
        else:
            self.disabled[config["id"]] = (0, evse.min_ma, evse.config_max_ma)
        return device

    def _device(self, config):
        name = config["template"]
        if name not in self._templates and name != "sunspec":
            self._templates[name] = Template(data.load_json("templates/%s.json" % name))
        if config["bus"]:
            if config["bus"] not in self._buses:
                self._buses[config["bus"]] = self._rtu(config["bus"])
            link, devices = self._buses[config["bus"]]
        else:
            link, devices = TcpLink(config["host"], config["port"]), []
            self.links.append((config["id"], link, devices))
        device = self._on_link(config, link)
        devices.append(device)
        return device

    def _on_link(self, config, link):
        name = config["template"]
        if name == "sunspec":
            from controller.sunspec_device import SunSpecDevice

            return SunSpecDevice(config, link)
        template = self._templates[name]
        if config.get("invert"):
            from controller.inverted import Inverted

            template = Inverted(template)
        return Device(config, template, link)

    def _rtu(self, bus):
        line = self._doc["buses"].get(bus) or {"baudrate": 19200, "parity": "E", "stop": 1}
        baudrate, parity, stop = line["baudrate"], line["parity"], line["stop"]
        uart, driver = self._board.uart(bus, baudrate, parity=parity, stop=stop)
        link = RtuLink(uart, driver, baudrate, _CHAR_BITS[parity] + stop)
        devices = []
        self.links.append((bus, link, devices))
        return link, devices

    @property
    def grid_id(self):
        """Id of the grid meter, None where there is none."""
        for config in self._doc["meters"]:
            if config["role"] == "grid" and config["enabled"]:
                return config["id"]
        return None
