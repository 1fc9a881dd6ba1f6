"""Meters and wallboxes whose values somebody pushes ("HTTP input"), with the face of a Device."""

from micropython import const

_STALE_MS = const(30000)  # nothing pushed for so long: the device counts as silent


class PushedMeter:
    """A meter whose readings come by push(); doors/cnf_push.py checks and converts them.

    model: what it says it is; is_va: its power is an apparent one.
    """

    template = None
    switchable = False  # no driver can be told phases; a relay can switch them
    sent_phases = None
    setpoint_ma = sent_ma = complaint = None

    def __init__(self, config):
        self.id = config["id"]
        self.config = config
        self.readings = {}
        self.read_ms = None
        self.com_error = True
        self.error_since_ms = None
        self.problem = None
        self.model = ""
        self.is_va = False

    def push(self, readings, now_ms):
        """Takes new readings beside those that it has."""
        if self.config.get("invert"):
            from controller.inverted import turn

            turn(readings)
        self.readings.update(readings)
        # An energy alone says nothing of the load: where there is more, that has to come again.
        if "power_w" in readings or "state" in readings or "power_w" not in self.readings:
            self.read_ms = now_ms
            self.com_error = False
            self.error_since_ms = self.problem = None

    def sample(self, now_ms):
        """Called each cycle: values that nobody renews are none."""
        if not self.com_error and now_ms - self.read_ms > _STALE_MS:
            self.com_error = True
            self.error_since_ms = now_ms
            self.problem = "no value was pushed for 30 s"

    def kept(self):
        """It counts nothing of its own."""
        return None


class PushedEvse(PushedMeter):
    """A wallbox whose driver pushes its state and takes the setpoint from the answer.

    setpoint_ma is what the cycle ordered (None: nothing is to be told), sent_ma what the driver
    was last answered.
    """

    def order(self, setpoint_ma, _phases=None):
        """Takes the cycle's setpoint; the next answer has it."""
        self.setpoint_ma = setpoint_ma
