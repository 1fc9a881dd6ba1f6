"""Makes what the settings name: links, meters, wallboxes; what fails is said, not fatal."""

from chargecontrol.site import Evse
from controller import data
from controller.device import Device
from controller.inputs import BoardError
from controller.links import RtuLink, TcpLink
from modbus.template import Template, TemplateError

_CHAR_BITS = {"N": 9, "E": 10, "O": 10}


class Installation:
    """devices {id: Device or s0.PulseMeter}, evses {id: Evse}, links [(name, link, [Device])],
    pulse_meters {input: S0Meter}, faults [sentence]. doc: the settings; pulses: {id: pulses that
    an S0 meter had counted}."""

    def __init__(self, doc, board, pulses):
        self.devices = {}
        self.evses = {}
        self.links = []
        self.pulse_meters = {}
        self.faults = []
        self._board = board
        self._doc = doc
        self._pulses = pulses
        self._buses = {}
        self._templates = {}
        for config in doc["meters"]:
            self._add(config, self._meter)
        for config in doc["evses"]:
            self._add(config, self._evse)

    def _add(self, config, make):
        try:
            self.devices[config["id"]] = make(config)
        except (TemplateError, BoardError, data.DataMissing) as error:
            self.faults.append("%s: %s" % (config["id"], error))

    def _meter(self, config):
        if config["template"] != "s0":
            return self._device(config)
        from controller.s0 import PulseMeter, S0Meter

        meter = S0Meter(
            config["pulses_per_kwh"],
            tuple(config["phases"]),
            self._doc["site"]["voltage_v"],
            self._pulses.get(config["id"], 0),
        )
        self.pulse_meters[config["input"]] = meter
        return PulseMeter(config, meter)

    def _evse(self, config):
        device = self._device(config)
        evse = Evse(config, device.template.step_ma)
        evse.failsafe_ma = device.template.failsafe_ma(config["failsafe_current_ma"])
        evse.min_ma = max(evse.min_ma, device.template.min_ma)
        evse.config_max_ma = min(evse.config_max_ma, device.template.max_ma)
        self.evses[config["id"]] = evse
        return device

    def _device(self, config):
        name = config["template"]
        if name not in self._templates:
            self._templates[name] = Template(data.load_json("templates/%s.json" % name))
        template = self._templates[name]
        if config["bus"]:
            if config["bus"] not in self._buses:
                self._buses[config["bus"]] = self._rtu(config["bus"])
            link, devices = self._buses[config["bus"]]
        else:
            link, devices = TcpLink(config["host"], config["port"]), []
            self.links.append((config["id"], link, devices))
        device = Device(config, template, link)
        devices.append(device)
        return device

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
            if config["role"] == "grid":
                return config["id"]
        return None
