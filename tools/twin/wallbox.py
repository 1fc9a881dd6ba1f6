"""What both wallboxes have: an offer to the car, a watchdog, and the state of the car."""

from .device import Device
from .physics import VOLTAGE_V, Car, Energy

# Above this current, switching a contactor is switching under load.
_NO_LOAD_MA = 1000


class Wallbox(Device):
    """A wallbox with one car. Sub-classes hold the registers and say what they were told.

    `setpoint_ma` is what it was last told, `offered_ma` what it really offers the car.
    """

    def __init__(self, config, clock, car, reboot_ms):
        super().__init__(config, clock)
        self.car = Car(car)
        self.wired_phases = self.phases = config["phases"]
        self.switched_under_load = 0
        self.rotation = config["phase_rotation"]
        self.max_current_ma = config["max_current_ma"]
        self.energy = Energy()
        self.used_phases = 0
        self.written_ms = None
        self.offered_ma = 0
        self._reboot_ms = reboot_ms
        self._boot_until_ms = 0
        self._fed_ms = clock()
        self.reset()

    def reset(self):
        """Put the registers to what they are after power-on."""
        raise NotImplementedError

    @property
    def setpoint_ma(self):
        """The current per phase that the box was last told, 0 = pause."""
        raise NotImplementedError

    @property
    def failsafe_ma(self):
        """The current per phase that holds when the watchdog has run out."""
        raise NotImplementedError

    @property
    def watchdog_ms(self):
        """The time without a master after which the box fails safe; 0 = never."""
        raise NotImplementedError

    def set_fault(self, fault):
        """Set the fault; "reboot" is a single event: registers lost, silent while it starts."""
        super().set_fault(fault)
        if fault == "reboot":
            self._boot_until_ms = self._clock() + self._reboot_ms
            self.written_ms = None
            self.reset()

    @property
    def deaf(self):
        """True while nobody answers: unplugged, or starting."""
        return super().deaf or self._clock() < self._boot_until_ms

    def switch(self, phases):
        """Put the contactor of L2 and L3 to 1 or 3 phases; a box that draws is a fault."""
        phases = min(phases, self.wired_phases)
        if phases != self.phases:
            self.switched_under_load += self.car.current_ma >= _NO_LOAD_MA
            self.phases = phases

    def feed(self):
        """Note a sign of life of the master."""
        self._fed_ms = self._clock()

    def told(self):
        """Note that a new setpoint was written."""
        self.written_ms = self._clock()

    @property
    def failsafe(self):
        """True while the watchdog has run out."""
        return 0 < self.watchdog_ms < self._clock() - self._fed_ms

    @property
    def allowed_ma(self):
        """What the registers allow now."""
        return self.failsafe_ma if self.failsafe else self.setpoint_ma

    @property
    def state(self):
        """The state of IEC 61851-1: A no car, B car waits, C car charges, F not available."""
        if self._clock() < self._boot_until_ms:
            return "F"
        if not self.car.plugged:
            return "A"
        return "C" if self.car.current_ma else "B"

    def step(self, dt_ms):
        """Go on by dt_ms: watchdog, offer, car, energy."""
        if self.fault == "reboot" and self._clock() >= self._boot_until_ms:
            self.set_fault("")
            self.feed()
        if self._clock() < self._boot_until_ms:
            self.offered_ma = 0
        elif self.fault == "ignores":
            self.offered_ma = self.max_current_ma
        else:
            self.offered_ma = min(self.allowed_ma, self.max_current_ma)
        self.used_phases = self.car.step(dt_ms, self.offered_ma, self.phases)
        self.energy.add(self.power_w, dt_ms)

    @property
    def current_ma(self):
        """Currents of the box's own three phases."""
        return [self.car.current_ma if i < self.used_phases else 0 for i in range(3)]

    @property
    def power_w(self):
        """What the car draws in all."""
        return sum(self.current_ma) * VOLTAGE_V // 1000

    def report(self):
        """Return what /twin/state says of this wallbox."""
        return {
            "setpoint_ma": self.setpoint_ma,
            "written_ms": self.written_ms,
            "current_ma": self.current_ma,
            "state": self.state,
            "energy_wh": self.energy.import_wh,
            "offered_ma": self.offered_ma,
            "failsafe": self.failsafe,
            "failsafe_ma": self.failsafe_ma,
            "power_w": self.power_w,
            "phases": self.phases,
            "switched_under_load": self.switched_under_load,
        }
