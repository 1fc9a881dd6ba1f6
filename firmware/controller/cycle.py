"""The cycle: once a second, and at once when something happened, readings become setpoints."""

from micropython import const

from controller.wake import Wake

_PERIOD_MS = const(1000)


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
        for meter in controller.pulse_meters:
            meter.sample(now_ms)
        for evse in site.evses:
            _observe(evse, controller.devices[evse.id])
        grid_ma = grid_read_ms = None
        grid = controller.devices.get(site.grid_id)
        if grid and grid.read_ms is not None:
            grid_ma = phase_currents(grid.readings)
            grid_read_ms = grid.read_ms
        ready = controller.contacts.stable
        site.decide(now_ms, ready, controller.names.lookups, grid_ma, grid_read_ms)
        for evse in site.evses:
            controller.devices[evse.id].order(evse.setpoint_ma)
        self.count += 1
        self.took_ms = self._clock.now_ms() - now_ms


def _observe(evse, device):
    """Takes over what the box says of itself."""
    readings = device.readings
    evse.silent_since_ms = (device.error_since_ms or 0) if device.com_error else None
    if device.sent_ma is not None:
        evse.sent_ma = device.sent_ma
    if device.read_ms is None:
        return
    evse.read_ms = device.read_ms
    evse.state = readings.get("state")
    evse.energy_wh = readings.get("energy_wh", 0)
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
