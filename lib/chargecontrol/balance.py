"""The balance of a site: what its meters together say of grid, house, cars, roof and storage.

Pure. Roles of meters as in the cFos manager (reference/cfos.md 7.1, 7.5, 7.6).
"""

from micropython import const

from formula import FormulaError, parse

COUNTERS = (
    "grid_demand",
    "consumed",
    "produced",
    "consumed_evse",
    "available_evse",
    "remaining_evse",
    "surplus",
    "org_surplus",
    "storage_home",
    "storage_all",
    "error",
)
FIELDS = ("power_w", "current_l1", "current_l2", "current_l3", "import_wh", "export_wh")
# (current, power) of each phase among the readings.
_LINES = (
    ("current_l1_ma", "power_l1_w"),
    ("current_l2_ma", "power_l2_w"),
    ("current_l3_ma", "power_l3_w"),
)
_MS_PER_H = const(3600000)
_SLOW_MS = const(15000)  # so long a meter may take until it has said all that it can


class Balance:
    """The counters COUNTERS, each with FIELDS: W, mA and Wh, integers.

    An energy is counted from when it is first asked for.
    Drawn and used is positive, fed in negative; produced is positive. import_wh counts positive
    power, export_wh negative. surplus_error: what is wrong with the owner's own formula, or None.
    kept: what kept() gave before a restart, or None.
    """

    def __init__(self, kept=None):
        self.surplus_error = None
        self._flows = {}  # counter: (W, mA on L1, L2, L3), None while unknown
        self._energy = dict(kept or {})  # counter: (W * ms in, W * ms out), once asked for
        self._counted = {}  # counter: (Wh in, Wh out), None while unknown
        self._told = set()  # counters of which the meters' own registers are known
        self._surplus = self._expression = None
        self._began_ms = self._last_ms = None
        self.passed_ms = 0  # from the update before to the last one

    def kept(self):
        """What has to outlive a restart: {counter: (W * ms in, W * ms out)}."""
        return self._energy

    def value(self, counter, field):
        """An integer, None while unknown; KeyError for a counter or field that is none."""
        if counter == "prod_pwr" or counter == "cons_pwr":  # other names that cFos has for them
            counter = "produced" if counter == "prod_pwr" else "consumed"
        if counter not in COUNTERS or field not in FIELDS:
            raise KeyError(counter)
        at = FIELDS.index(field)
        if at < 4:
            found = self._flows.get(counter)
            return found and found[at]
        if counter not in self._energy:
            self._energy[counter] = (0, 0)
        found = self._counted.get(counter)
        return found and found[at - 4]

    def update(self, now_ms, devices, site, settings, lookup):
        """Takes what meters and wallboxes say now.

        devices: {id: device} of all; site: the Site, for its EVSEs; settings: settings["site"],
        of which voltage_v and surplus count; lookup: for the formula of the surplus.
        """
        if self._last_ms is None:
            self._began_ms = self._last_ms = now_ms
        voltage_v = settings["voltage_v"]
        roles = _roles(devices)
        flows = {}
        for role in ("grid", "consumption", "generation", "storage_home", "storage_all"):
            flows[role] = _total([_flow(d, voltage_v) for d in roles.get(role, ())])
        cars, flows["error"] = _cars(devices, site, voltage_v, now_ms)
        cars = _total([cars] + [_flow(d, voltage_v) for d in roles.get("evse", ())])
        grid, used, roof = flows.pop("grid"), flows.pop("consumption"), flows.pop("generation")
        home, storage = flows["storage_home"], flows["storage_all"]
        if "grid" in roles:
            used = _less(_total((grid, roof)), home, storage, cars)
        elif "consumption" in roles:
            grid = _less(_total((used, home, storage, cars)), roof)
        else:
            grid = used = None
        flows["grid_demand"], flows["consumed"], flows["consumed_evse"] = grid, used, cars
        discharging = storage and storage[0] < 0
        flows["produced"] = _less(roof, storage) if discharging else roof
        flows["available_evse"] = left = _left(site, voltage_v)
        flows["remaining_evse"] = cars and [max(0, left[i] - cars[i]) for i in range(4)]
        # What would be exported without cars; what the house's storage gives is not for them.
        if None not in (grid, cars, home):
            exported_w = cars[0] - grid[0] + min(0, home[0])
            flows["org_surplus"] = _spread(max(0, exported_w), voltage_v)
        flows["surplus"] = self._flows.get("surplus")  # of last time, for its own formula
        self._flows = flows
        flows["surplus"] = self._own_surplus(settings["surplus"], lookup, voltage_v)
        self._count(now_ms, devices, site, roles)

    def _own_surplus(self, setting, lookup, voltage_v):
        """The owner's own surplus, or the computed one; None where his formula fails."""
        if setting is None:
            self.surplus_error = None
            return self._flows.get("org_surplus")
        if setting != self._surplus:
            self._surplus = setting
            self._expression = parse(str(setting))
        try:
            value = self._expression.value(lookup)
            self.surplus_error = None
        except FormulaError as error:
            self.surplus_error = error
            return None
        return _spread(int(min(max(value, -1000000), 1000000)), voltage_v)

    def _count(self, now_ms, devices, site, roles):
        """Energies: the meters' own registers where all have some, else power over time."""
        self.passed_ms = passed_ms = now_ms - self._last_ms
        self._last_ms = now_ms
        for counter in self._energy:
            meters = _sources(counter, devices, roles)
            counted = meters and _registers(meters, counter == "produced")
            if counted:
                self._told.add(counter)
                self._counted[counter] = counted
            elif counter not in self._told:  # else it is what they told last
                into, out = self._energy[counter]
                flow = self._flows.get(counter)
                if flow:
                    work = flow[0] * passed_ms
                    into, out = into + max(0, work), out + max(0, -work)
                    self._energy[counter] = into, out
                early = meters and now_ms - self._began_ms < _SLOW_MS
                self._counted[counter] = None if early else (into // _MS_PER_H, out // _MS_PER_H)


def _roles(devices):
    """{role: [device]} of the meters that measure something for themselves."""
    roles = {}
    pinned = [devices[id].config.get("meter") for id in devices]
    for id in devices:
        config = devices[id].config
        if id[0] == "M" and id not in pinned and config["template"] != "virtual":
            roles.setdefault(config["role"], []).append(devices[id])
    return roles


def _sources(counter, devices, roles):
    """The devices whose registers together are what a counter counts."""
    if counter == "grid_demand":
        return roles.get("grid", ())
    if counter == "consumed" and "grid" not in roles:
        return roles.get("consumption", ())
    if counter == "produced" and "storage_all" not in roles:
        return roles.get("generation", ())
    if counter == "consumed_evse":
        boxes = [devices[id] for id in devices if id[0] == "E"]
        boxes = [devices.get(box.config.get("meter"), box) for box in boxes]
        return boxes + roles.get("evse", [])
    return roles.get(counter, ())


def _flow(device, voltage_v):
    """[W, mA on L1, L2, L3] through a meter; None while unknown."""
    if device.com_error or device.read_ms is None:
        return None
    readings = device.readings
    power_w = readings.get("power_w")
    flow = [power_w]
    for current, power in _LINES:
        current_ma = readings.get(current)
        # Many meters give currents without a sign: then the power has it.
        if current_ma and current_ma > 0 > (readings.get(power, power_w) or 0):
            current_ma = -current_ma
        flow.append(current_ma)
    if None in flow[1:]:
        if power_w is None:
            return None
        flow = _spread(power_w, voltage_v)
    elif power_w is None:
        flow[0] = sum(flow[1:]) * voltage_v // 1000
    if device.config["role"] == "generation" and not _turned(readings, flow[0]):
        return [-value for value in flow]
    return flow


def _turned(readings, power_w):
    """True for a meter of a roof that counts what the roof gives as import: what it counted more
    of is what the roof gave; where it does not count, anything that flows."""
    more_wh = (readings.get("import_wh") or 0) - (readings.get("export_wh") or 0)
    return (more_wh or power_w) > 0


def _spread(power_w, voltage_v):
    """A power on three phases alike."""
    return [power_w] + [power_w * 1000 // (3 * voltage_v)] * 3


def _total(flows):
    """Their sum; None where one is unknown."""
    total = [0, 0, 0, 0]
    for flow in flows:
        if flow is None:
            return None
        for i in range(4):
            total[i] += flow[i]
    return total


def _less(flow, *others):
    for other in others:
        if flow is None or other is None:
            return None
        flow = [flow[i] - other[i] for i in range(4)]
    return flow


def _left(site, voltage_v):
    """What fuse and feeder leave for all cars together."""
    feeders = [feeder for feeder in site.feeders if feeder.id in ("house", "evses")]
    left_ma = [max(0, min([f.available_ma[i] for f in feeders])) for i in range(3)]
    powers_w = [f.available_w for f in feeders if f.available_w is not None]
    return [max(0, min([sum(left_ma) * voltage_v // 1000] + powers_w))] + left_ma


def _cars(devices, site, voltage_v, now_ms):
    """Flows on the house's phases: what wallboxes draw, and what silent ones are booked with."""
    cars = [0, 0, 0, 0]
    error = [0, 0, 0, 0]
    for evse in site.evses:
        flow = cars
        lines_ma = evse.measured_ma
        power_w = None
        if evse.silent_since_ms is not None:
            flow = error
            lines_ma = [evse.counted_ma(now_ms, line) for line in range(3)]
        else:
            box = devices[evse.id]
            meter = devices.get(box.config.get("meter"))
            box = meter if meter and not meter.com_error else box
            power_w = box.readings.get("power_w")
        if power_w is None:
            power_w = sum(lines_ma) * voltage_v // 1000
        flow[0] += power_w
        for line in range(3):
            flow[1 + (line + evse.phase_rotation // 120) % 3] += lines_ma[line]
    return cars, error


def _registers(meters, roof):
    """(Wh in, Wh out) that meters have counted themselves; None where one does not count."""
    total_in_wh = total_out_wh = 0
    for meter in meters:
        readings = meter.readings
        in_wh = readings.get("import_wh", readings.get("energy_wh"))
        out_wh = readings.get("export_wh")
        if in_wh is None and out_wh is None:
            return None
        if roof and (out_wh or 0) > (in_wh or 0):
            in_wh, out_wh = out_wh, in_wh
        total_in_wh += in_wh or 0
        total_out_wh += out_wh or 0
    return total_in_wh, total_out_wh
