"""The cycle: once a second, and at once when something happened, readings become setpoints."""

from micropython import const

from controller.wake import Wake

_PERIOD_MS = const(1000)
_NEVER_MS = const(-60000)


class Cycle:
    """Runs site.decide on a snapshot of the devices and hands the setpoints to them.

    count, late_max_ms (how late a cycle began at worst), took_ms (the last one).
    """

    def __init__(self, controller):
        self.count = 0
        self.late_max_ms = 0
        self.took_ms = 0
        self._controller = controller
        self._clock = controller.clock
        self._wake = Wake()

    def wake(self):
        """Starts a cycle now rather than at the end of the second."""
        self._wake.set()

    async def run(self, beat):
        """The task; never returns."""
        due_ms = self._clock.now_ms()
        while True:
            now_ms = self._clock.now_ms()
            self.late_max_ms = max(self.late_max_ms, now_ms - due_ms)
            self.once(now_ms)
            beat()
            due_ms = now_ms + _PERIOD_MS
            await self._wake.wait(due_ms - self._clock.now_ms())

    def once(self, now_ms):
        """One cycle."""
        controller = self._controller
        site = controller.site
        devices = controller.devices
        settings = controller.settings.doc["site"]
        manages = settings["load_management"]
        for device in controller.sampled:
            device.sample(now_ms)
        for evse in site.evses:
            device = devices[evse.id]
            _observe(evse, device, devices.get(device.config["meter"]))
        for feeder in site.feeders:
            meter = devices.get(feeder.meter_id)
            if meter and meter.read_ms is not None:
                feeder.reading_ma = phase_currents(meter.readings)
                feeder.read_ms = meter.read_ms
        if not site.house.meter_id:
            self._add_up_consumers(site.house)
        lookups = controller.names.lookups
        if controller.counters:
            controller.counters.update(now_ms, devices, site, settings, controller.names.lookup)
        if controller.variables.watched:
            controller.get_specials().update(now_ms)
        if controller.wishes:
            controller.wishes.update(now_ms)
        if controller.power:
            from controller import power_inputs

            power_inputs.update(controller, now_ms)
        for part in controller.before:
            part.update(now_ms)
        operator = controller.operator
        ready = controller.contacts.stable and not controller.deaf
        ready = ready and (not operator or operator.operator.ready)
        site.decide(now_ms, ready, lookups)
        for evse in site.evses:
            phases = evse.ordered_phases if manages else None
            devices[evse.id].order(evse.setpoint_ma if manages else None, phases)
        for id, left_ma in controller.disabled.items():
            devices[id].order(left_ma[settings["disable_policy"]] if manages else None)
        for part in controller.after:
            part.update(now_ms)
        self.count += 1
        self.took_ms = self._clock.now_ms() - now_ms

    def _add_up_consumers(self, house):
        """Without a grid meter the house draws what the meters of consumers say.

        One that is silent leaves the load unknown: then it gets old like a grid reading.
        """
        total_ma = [0, 0, 0]
        read_ms = None
        for device in self._controller.consumers:
            currents = None if device.com_error else phase_currents(device.readings)
            if currents is None or device.read_ms is None:
                if house.read_ms is None:
                    house.read_ms = _NEVER_MS  # lost, not absent
                return
            total_ma = [total_ma[n] + max(0, currents[n]) for n in range(3)]
            read_ms = min(read_ms or device.read_ms, device.read_ms)
        house.load_ma = total_ma
        house.read_ms = read_ms


def _observe(evse, device, meter):
    """Takes over what the box says of itself, and what a meter of its own says of it."""
    readings = device.readings
    evse.silent_since_ms = (device.error_since_ms or 0) if device.com_error else None
    if device.sent_ma is not None:
        evse.sent_ma = device.sent_ma
    if device.read_ms is None:
        return
    evse.read_ms = device.read_ms
    evse.state = readings.get("state")
    energy_wh = readings.get("energy_wh")
    if meter and not meter.com_error and meter.read_ms is not None:
        evse.read_ms = meter.read_ms
        readings = meter.readings
        energy_wh = readings.get("import_wh")
    evse.energy_wh = energy_wh or evse.energy_wh
    measured_ma = phase_currents(readings)
    if measured_ma is None:  # a box without a meter is taken to draw what it may
        drawn_ma = evse.sent_ma if evse.state in ("C", "D") else 0
        measured_ma = [drawn_ma or 0] * evse.phases + [0, 0]
    evse.measured_ma = measured_ma[:3]


def phase_currents(readings):
    """mA on L1..L3, negative where the phase feeds in; None where a phase is not known.

    Many meters give currents without a sign: then the phase's power has it.
    """
    currents = []
    for line in (1, 2, 3):
        current_ma = readings.get("current_l%d_ma" % line)
        if current_ma is None:
            return None
        if current_ma > 0 and (readings.get("power_l%d_w" % line) or 0) < 0:
            current_ma = -current_ma
        currents.append(current_ma)
    return currents
