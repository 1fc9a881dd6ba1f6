"""A relay of the board whose contactor switches L2 and L3 before a wallbox: on is three phases."""

from micropython import const

_QUIET_MS = const(2000)
_NO_LOAD_MA = const(1000)
_COMPLAINT = "the phase relay is off, but L2 or L3 draws current"


class PhaseRelay:
    """Stands before order() of a wallbox and switches while it pauses and draws nothing.

    Without power the relay is off, so the box fails to one phase. What the contactor really does
    shows only when a car draws on L2 or L3: then it counts as three phases, with a complaint.
    """

    def __init__(self, device, output):
        self._device = device
        self._output = output
        self._order = device.order
        self._quiet_ms = None  # since when it draws nothing, by the time of its readings
        device.switchable = True
        device.order = self.order
        device.sent_phases = getattr(output, "phases", 1)  # kept there when settings change

    def order(self, setpoint_ma, phases=None):
        """As order() of a device; called each cycle."""
        device = self._device
        output = self._output
        self._order(setpoint_ma)
        on = getattr(output, "phases", 1)
        draws = _draws(device.readings)
        if device.com_error or setpoint_ma != 0 or device.sent_ma != 0 or draws is not False:
            self._quiet_ms = None
        elif self._quiet_ms is None:
            self._quiet_ms = device.read_ms
        elif phases and phases != on and device.read_ms - self._quiet_ms >= _QUIET_MS:
            output.value(phases > 1)
            output.phases = on = phases
            self._quiet_ms = None
        if on == 1 and draws and _draws(device.readings, (2, 3)):
            on = 3
            device.complaint = _COMPLAINT
        elif device.complaint == _COMPLAINT:
            device.complaint = None
        device.sent_phases = on


def _draws(readings, lines=(1, 2, 3)):
    """True where one of the lines has current, False where none has, None: it is not known.

    A box that does not measure is taken at its state: in C and D it may draw.
    """
    currents = [readings.get("current_l%d_ma" % line) for line in lines]
    if None not in currents:
        return max([abs(current_ma) for current_ma in currents]) >= _NO_LOAD_MA
    state = readings.get("state")
    return None if len(lines) < 3 or state is None else state in ("C", "D")
