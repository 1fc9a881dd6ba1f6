"""How much power the cars that charge with surplus may draw (reference/warp.md 2.2).

`error = target_power_from_grid - (grid - battery)` is left over; a part of it is added to what the
cars are allowed now. Integers; a division truncates toward zero.
"""

from micropython import const

from chargecontrol.settling import Settling
from chargecontrol.window import Window

_FILTER_MS = (0, 120000, 240000, 480000)  # by cloud_filter_mode
_SETTLE_MS = const(6000)  # ramp of a vehicle and lag of a meter
_NONE = const(255)  # meter slot
_PREFER_BATTERY = const(1)
_TARGET_SOC = const(2)
# Up to here a surplus is given by more than half: half of it could be less than the least step of
# a car (3 * 100 mA = 69 W) and would be exported for good.
_SMALL_W = const(100)
_ANSWER_W = const(300)
_ANSWER_MS = const(8000)
_WRONG_SCORE = const(3)  # answers of the battery that fit the other sign, less those that fit


class Surplus:
    """available_w: W for all cars in PV modes, may be negative; least_w, most_w: its extremes in
    the filter window; least_w not before there is a whole window of it. All None while unknown.
    Power drawn and power into the battery are positive.

    battery_sign: "wrong" when the readings show that battery_inverted should be the opposite.
    """

    def __init__(self, settings):
        self.available_w = self.least_w = self.most_w = None
        self.battery_sign = None
        self._window = self._inverted = None
        self._window_ms = self._full_ms = -1  # length, and since when it is filled
        self._settling = Settling(_SETTLE_MS, _SMALL_W)
        self._read_ms = None
        self.configure(settings)

    def configure(self, settings):
        """Takes other settings["power_manager"]; the window is kept unless its length changed."""
        self._target_w = settings["target_power_from_grid"]
        self._battery = settings["meter_slot_battery_power"] != _NONE
        self._mode = settings["battery_mode"]
        self._target_soc = settings["battery_target_soc"]
        self._deadzone_w = settings["battery_deadzone"] if self._battery else 0
        if settings["battery_inverted"] != self._inverted or not self._battery:
            self._inverted = settings["battery_inverted"]
            self._last = self._jump = None
            self._score = 0
            self.battery_sign = None
        window_ms = _FILTER_MS[settings["cloud_filter_mode"]]
        if window_ms != self._window_ms:
            self._window_ms = window_ms
            self._window = Window(window_ms)
            self._full_ms = -1
            self.least_w = self.most_w = None
        self._read_ms = None

    def update(self, now_ms, grid_w, battery_w, soc, allocated_w, read_ms=None, unused_w=0):
        """A control step, if the readings show what the cars were allowed; about once a second.

        grid_w, battery_w: None when unknown; soc: percent or None (counts as below the target).
        allocated_w: what those that really charge are allowed, unused_w: what of it they can't
        take. read_ms: control time of the older of both readings, None: now. Without a new reading
        available_w stays.
        """
        if read_ms is None:
            read_ms = now_ms
        if grid_w is None or (self._battery and battery_w is None):
            self.available_w = self.least_w = self.most_w = None
            self._window.clear()
            self._full_ms = -1
            self._last = self._jump = self._read_ms = None
            return
        if not self._battery:
            battery_w = 0
        elif self._inverted:
            battery_w = -battery_w
        if self._read_ms is None or read_ms > self._read_ms:
            self._read_ms = read_ms
            if self._battery:
                self._watch_sign(grid_w, battery_w, read_ms)
            settled = self._settling.settled(now_ms, (allocated_w,), read_ms)
            if settled or self.available_w is None:
                available_w = self._control(grid_w + unused_w, battery_w, soc, allocated_w)
                if allocated_w > 0 and available_w != self.available_w:
                    # Small steps, too: taken each second, they would make the loop swing.
                    self._settling.stepped(now_ms)
                self.available_w = available_w
        self._window.add(now_ms, self.available_w)
        if self._full_ms < 0:
            self._full_ms = now_ms + self._window_ms
        self.least_w = self._window.least if now_ms >= self._full_ms else None
        self.most_w = self._window.most

    def least_reaches_ms(self, w, now_ms):
        """Control time when least_w will be w or more if available_w stays; None: never."""
        if self.available_w is None or self.available_w < w:
            return None
        return max(now_ms, self._full_ms, self._window.reaches_ms(w))

    def most_falls_ms(self, w, now_ms):
        """Control time when most_w will be below w if available_w stays; None: never."""
        if self.available_w is None or self.available_w >= w:
            return None
        return max(now_ms, self._window.falls_ms(w))

    def _control(self, grid_w, battery_w, soc, allocated_w):
        if battery_w > 0 and (
            self._mode == _PREFER_BATTERY
            or (self._mode == _TARGET_SOC and (soc is None or int(soc) < self._target_soc))
        ):
            battery_w = 0  # what charges it is not for the cars
        if grid_w > 0:
            grid_w = max(0, grid_w - self._deadzone_w)
        else:
            grid_w = min(0, grid_w + self._deadzone_w)
        error_w = self._target_w - grid_w + battery_w
        allocated_w = max(0, allocated_w)
        if not allocated_w:
            return error_w
        size_w = abs(error_w)
        # Large steps go almost whole: some vehicles only follow steps of about 1500 W.
        if size_w < 1000:
            part_w = size_w // 2
            if error_w > 0:
                part_w = max(part_w, min(size_w, _SMALL_W))
        elif size_w < 1500:
            part_w = size_w * 3 // 4
        else:
            part_w = size_w * 7 // 8
        return allocated_w + (part_w if error_w > 0 else -part_w)

    def _watch_sign(self, grid_w, battery_w, read_ms):
        """Learns from how the battery answers what throws the grid away from 0.

        When a load or a cloud comes, the battery brings the grid back: charging more imports more.
        That the grid comes back by as much as the battery seems to work against it happens only by
        chance, when a load changes by just twice as much.
        """
        last = self._last
        self._last = (grid_w, battery_w)
        if last is None:
            return
        if abs(grid_w) >= abs(last[0]) + _ANSWER_W:
            # The battery before the jump: its reading may be younger than that of the grid.
            self._jump = (read_ms, grid_w, last[1])
            return
        if self._jump is None or read_ms - self._jump[0] < _ANSWER_MS:
            return
        _, jump_w, before_w = self._jump
        self._jump = None
        grid_step_w = grid_w - jump_w
        battery_step_w = battery_w - before_w
        off_w = abs(battery_step_w) // 4
        if abs(battery_step_w) < _ANSWER_W or abs(grid_w) >= abs(jump_w):
            return
        if abs(grid_step_w - battery_step_w) <= off_w:
            self._score = max(-_WRONG_SCORE, self._score - 1)
        elif abs(grid_step_w + battery_step_w) <= off_w:
            self._score = min(_WRONG_SCORE, self._score + 1)
        if self._score >= _WRONG_SCORE:
            self.battery_sign = "wrong"
        elif self._score <= 0:
            self.battery_sign = None
