"""Dimming by the grid operator (§14a EnWG): what controllable devices may draw from the grid.

Pure. Rules: Bundesnetzagentur BK6-22-300, Anlage 1. Why who gets what: docs/decisions/dimming.md.
"""

from micropython import const

from chargecontrol.limits import Limit
from chargecontrol.rows import power_row

_FRESH_MS = const(5000)  # older, the grid meter says nothing of a surplus
_MATCH_MS = const(1500)  # so long its reading waits for readings of the boxes
_HISTORY = const(3)  # the least surplus of so many readings counts
_REDUCED_MS = const(600000)  # a compressor is not switched more often
_MOST_W = const(1000000)  # more is no limit, and rows count in mW
_STEADY_MS = const(60000)  # so long there must be room before a device is released


class Steerable:
    """A device of the list: id, kind, power_w (rated), relay (True: one reduces it to reduced_w),
    evse (the Evse of the site, or None).

    Set by the caller: measured_w, None where nothing measures it. Results: reduced (its relay is
    to say so), counted_w (of the budget, None for an Evse: it has its setpoint).
    """

    def __init__(self, config, evse):
        self.id = config["id"]
        self.kind = config["kind"]
        self.power_w = config["power_w"]
        self.reduced_w = config["reduced_w"]
        self.relay = config["relay"] is not None
        self.evse = evse
        self.measured_w = None
        self.counted_w = None
        self.reduced = False
        self._since_ms = 0  # it was reduced
        self._room_ms = None  # since when there is room for it

    def restore(self, other):
        """Goes on as another of the same id."""
        self.reduced = other.reduced and self.relay
        self._since_ms = other._since_ms

    def count(self, reduced):
        """W to be kept for it: what it may draw, or is measured to draw above that.

        A storage follows the house, and what nothing can reduce draws what it likes: these count
        what they are measured to draw, if they are.
        """
        if not reduced and self.measured_w is not None:
            if self.kind == "storage" or not self.relay:
                return max(0, self.measured_w)
        return max(self.reduced_w if reduced else self.power_w, self.measured_w or 0)

    @property
    def code(self):
        """Reason code of what it may draw."""
        if self.evse:
            return "steerable_evse"
        if self.reduced:
            return "steerable_reduced"
        return "steerable_free" if self.relay else "steerable_fixed"

    def fit(self, left_w, now_ms):
        """Reduces it, or not, for the W left for it above its reduced power; returns what others
        have then."""
        more_w = (self.power_w if self.reduced else self.count(False)) - self.reduced_w
        fits = more_w <= left_w
        if not fits:
            self._room_ms = None
            if not self.reduced:
                self.reduced = True
                self._since_ms = now_ms
        elif self._room_ms is None:
            self._room_ms = now_ms
        if self.reduced and fits and now_ms - self._room_ms >= _STEADY_MS:
            self.reduced = now_ms - self._since_ms < _REDUCED_MS
        return left_w if self.reduced else left_w - more_w

    def release(self):
        """No one dims."""
        self.reduced = False
        self._room_ms = None


class Dimming:
    """What the controllable devices may draw, while somebody dims.

    active; source (who dims, "" for no one); p_min_w (owed, for the devices of the list); limit_w
    (in force, None while no one dims) and limit (the same as a Limit for the state); budget_w
    (limit_w and the own surplus on top); own_w (that surplus) and own_code (why there is none:
    reason code, or None); drawn_w (what the devices draw) and used_w (what of it comes from the
    grid: that is not to be above limit_w); devices ([Steerable] that count), reduced (ids of those
    whose relay is to say so); voltage_v (nominal, may be set).
    """

    def __init__(self):
        self.limit = Limit("dimming", "dimming")
        self.active = False
        self.source = ""
        self.limit_w = self.budget_w = None
        self.own_w = self.drawn_w = self.used_w = 0
        self.own_code = None
        self.devices = []
        self._pools = []  # (EVSE's id or "", own W, [Steerable]): what shares one budget
        self._limits_w = []  # of each pool, while dimmed
        self._rooms_w = []  # of each pool, what its EVSEs have
        self._grid = None
        self._seen_ms = None
        self._unmatched = []  # readings (ms, W) that wait for the boxes'
        self._bases = []  # W that the grid meter says less what the boxes draw
        self._others = []  # W that the other devices are measured to draw

    def configure(self, settings, steerables, evses, voltage_v):
        """Takes other settings; what is reduced stays so.

        settings: settings["dimming"]; steerables: settings["steerables"]; evses: {id: Evse}.
        """
        from chargecontrol import dimming_setup

        self._own = settings["own_generation"] and settings["control"] == "ems"
        self.voltage_v = voltage_v
        self.p_min_w, self.devices, self._pools = dimming_setup.pools(
            self.devices, settings, steerables, evses
        )

    @property
    def reduced(self):
        """Ids of the devices whose relay is to say so."""
        return [device.id for device in self.devices if device.reduced]

    @property
    def allotments(self):
        """{id: W} of what each device may draw now."""
        found = {}
        for device in self.devices:
            evse = device.evse
            if evse:
                found[device.id] = evse.setpoint_ma * evse.phases * self.voltage_v // 1000
            else:
                found[device.id] = device.power_w if device.counted_w is None else device.counted_w
        return found

    def update(self, now_ms, wanted, grid, failed=None):
        """Takes who dims and what the grid meter says; measured_w of the devices is set before.

        wanted: [(W or None for what is owed, source)] of all who dim, W for each budget: with
        "direct" that is each device's; the smaller one counts. grid: (W, read_ms) or None;
        failed: (formula, column, what is wrong) where that is why it is dimmed.
        """
        self.active = bool(wanted)
        self._grid = grid
        if grid and grid[1] != self._seen_ms:
            self._seen_ms = grid[1]
            self._unmatched.append((grid[1], grid[0]))
        if not wanted:
            self.source = ""
            self.limit_w = None
            self.limit.clear(now_ms)
            return
        owed = [own_w for _, own_w, _ in self._pools]
        limits_w = [owed if value_w is None else [value_w] * len(owed) for value_w, _ in wanted]
        sums_w = [sum(one) for one in limits_w]
        self.source = wanted[sums_w.index(min(sums_w))][1]
        self._limits_w = [min(those) for those in zip(*limits_w)]
        self.limit_w = sum(self._limits_w)
        code, arguments = "dimmed", (self.limit_w, self.p_min_w, self.source)
        if failed:
            code, arguments = "dimming_formula_failed", failed
        self.limit.say(code, arguments, self.limit_w, None, now_ms)

    def rows(self, now_ms, evses):
        """Rows of the sharing for all EVSEs of the site; decides what relays are to reduce."""
        self._measure(now_ms)
        if not self.active:
            self.budget_w = None
            for device in self.devices:
                device.release()
                device.counted_w = None
            return []
        self.budget_w = sum(self._limits_w) + self.own_w
        rows = []
        self._rooms_w = []
        for i in range(len(self._pools)):
            name, _, pool = self._pools[i]
            limit_w = min(self._limits_w[i] + self.own_w, _MOST_W)
            room_w = self._share_out(limit_w, pool, now_ms)
            self._rooms_w.append(room_w)
            members = [device.evse for device in pool if device.evse]
            if members:
                name = "dimming." + name if name else "dimming"
                rows.append(power_row(name, room_w, evses, members, self.voltage_v))
        return rows

    def room_w(self, evse):
        """W for one EVSE when others that go before it have their minimum; None: not limited."""
        if self.active:
            for (_, _, pool), room_w in zip(self._pools, self._rooms_w):
                members = [device.evse for device in pool if device.evse]
                if evse in members:
                    for other in members:
                        before = other.priority >= evse.priority and other.setpoint_ma
                        if before and other is not evse:
                            room_w -= other.min_ma * other.phases * self.voltage_v // 1000
                    return room_w
        return None

    def owes_more(self, value_w):
        """True where somebody who dims to so many W asks for more than he may."""
        return bool([own_w for _, own_w, _ in self._pools if value_w < own_w])

    def over_ms(self, now_ms):
        """How long nobody has dimmed, 0 while somebody does."""
        reason = self.limit.reason
        return 0 if self.active or not reason else now_ms - reason.since_ms

    def why(self, row):
        """(code, arguments, source, until_ms) where one of these rows binds."""
        limit_w = self.limit_w
        for i in range(len(self._pools)):
            if row[8:] == self._pools[i][0]:
                limit_w = self._limits_w[i]
        return "dimming_binds", (limit_w, self.source), self.source, None

    def _share_out(self, room_w, pool, now_ms):
        """Reduces what must be; W that are left for the EVSEs of a pool."""
        others = []
        least = []  # that those need who want to charge
        for device in pool:
            evse = device.evse
            if evse is None:
                others.append(device)
                continue
            if evse.slow or evse.silent_since_ms is not None:
                room_w -= self._watts([evse.counted_ma(now_ms, line) for line in range(3)])
            elif evse.max_ma >= evse.min_ma and not evse.asleep:
                least.append(evse.min_ma * evse.phases * self.voltage_v // 1000)
        # What is measured above its reduced power is on its way down: that is no reason to stay.
        least_w = [device.reduced_w if device.relay else device.count(False) for device in others]
        left_w = room_w - sum(least_w)
        for car_w in sorted(least):  # for a car that can't have it anyway none is reduced
            if car_w <= left_w:
                left_w -= car_w
        for device in others:
            if device.relay:
                left_w = device.fit(left_w, now_ms)
            device.counted_w = device.count(device.reduced)
            room_w -= device.counted_w
        return room_w

    def _watts(self, lines_ma):
        return sum(lines_ma) * self.voltage_v // 1000

    def _measure(self, now_ms):
        """Sets own_w and used_w by what meters and boxes say."""
        while self._unmatched and self._take_base(now_ms, *self._unmatched[0]):
            self._unmatched.pop(0)
        drawn_w = measured_w = 0
        for device in self.devices:
            if device.evse and device.measured_w is None:
                drawn_w += self._watts(device.evse.measured_ma)
            elif device.measured_w is None:
                drawn_w += device.counted_w or 0
            else:
                drawn_w += max(0, device.measured_w)
                if not device.evse:
                    measured_w += max(0, device.measured_w)
        self._others = (self._others + [measured_w])[-_HISTORY:]
        self.own_w = 0
        self.own_code = None
        self.used_w = self.drawn_w = drawn_w
        if self._grid is None or not self._bases:
            code = "dimming_no_meter"
        elif now_ms - self._grid[1] > _FRESH_MS:
            code = "dimming_meter_late"
        else:
            code = None
            self.used_w = max(0, min(drawn_w, self._grid[0]))
        if self._own:
            self.own_code = code
            if code is None:
                self.own_w = max(0, min(self._others) - max(self._bases))

    def _take_base(self, now_ms, read_ms, grid_w):
        """Books what others than the EVSEs drew at a reading; False: boxes still have to be read.

        As Feeder does it with currents: meter and boxes are read one after the other, and a car
        that ramps meanwhile must not look like a surplus.
        """
        least_w = most_w = 0
        for device in self.devices:
            evse = device.evse
            if evse is None:
                continue
            if evse.silent_since_ms is not None:
                lines_ma = [evse.counted_ma(now_ms, line) for line in range(3)]
                least, most = 0, self._watts(lines_ma)
            else:
                drawn = evse.drawn_at(read_ms)
                if drawn is None:
                    if now_ms - read_ms < _MATCH_MS:
                        return False
                    drawn = (evse.measured_ma, evse.measured_ma)
                least, most = sorted([self._watts(drawn[0]), self._watts(drawn[1])])
            least_w += least
            most_w += most
        base_w = self._bases[-1] if self._bases else grid_w - least_w
        base_w = min(max(base_w, grid_w - most_w), grid_w - least_w)
        self._bases = (self._bases + [base_w])[-_HISTORY:]
        return True
