"""The balance of a site: counters of grid, house, cars, roof and storage."""

from chargecontrol.balance import Balance

SETTINGS = {"voltage_v": 230, "surplus": None}


class Device:
    com_error = False
    read_ms = 0

    def __init__(self, id, role=None, **readings):
        self.id = id
        self.config = {"id": id, "role": role, "template": "sdm630", "meter": None}
        self.readings = readings


class Box:
    phase_rotation = 0
    silent_since_ms = None
    measured_ma = (0, 0, 0)
    booked_ma = 0

    def __init__(self, id):
        self.id = id

    def counted_ma(self, now_ms, line):
        return self.booked_ma if line == 0 else 0


class Feeder:
    available_w = None

    def __init__(self, id, *available_ma):
        self.id = id
        self.available_ma = available_ma


class Site:
    def __init__(self, *evses):
        self.evses = evses
        self.feeders = [Feeder("house", 20000, 20000, 20000)]


def lookup(name, field):
    raise KeyError(field)


def balance_of(devices, site=None, settings=SETTINGS, look=lookup):
    balance = Balance()
    feed(balance, devices, site, 0, settings, look)
    return balance


def feed(balance, devices, site=None, now_ms=0, settings=SETTINGS, look=lookup):
    balance.update(now_ms, {d.id: d for d in devices}, site or Site(), settings, look)


def powers(balance, names):
    return [balance.value(name, "power_w") for name in names.split()]


def car(power_w, *currents_ma):
    box = Box("E1")
    box.measured_ma = currents_ma
    device = Device("E1", power_w=power_w, energy_wh=7000)
    return box, device


def test_consumption_is_derived_from_the_grid_meter():
    box, device = car(3000, 4348, 4348, 4348)
    devices = [
        Device("M1", "grid", power_w=1000),
        Device("M2", "generation", power_w=-4500),
        device,
    ]
    b = balance_of(devices, Site(box))
    assert powers(b, "grid_demand consumed produced consumed_evse") == [1000, 2500, 4500, 3000]
    assert powers(b, "surplus org_surplus") == [2000, 2000]
    assert b.value("surplus", "current_l2") == 2000 * 1000 // 690
    assert powers(b, "available_evse remaining_evse error") == [13800, 10800, 0]
    assert b.value("remaining_evse", "current_l3") == 20000 - 4348


def test_grid_is_derived_from_consumption():
    box, device = car(3000, 4348, 4348, 4348)
    consumption = Device(
        "M1", "consumption", power_w=900, current_l1_ma=3900, current_l2_ma=0, current_l3_ma=0
    )
    roof = Device("M2", "generation", power_w=-4500)
    storage = Device("M3", "storage_home", power_w=200)
    b = balance_of([consumption, roof, storage, device], Site(box))
    assert powers(b, "grid_demand consumed surplus") == [-400, 900, 3400]
    share_ma = 6522  # rounded down, of a negative number
    storage_ma = 200 * 1000 // 690
    assert b.value("grid_demand", "current_l1") == 3900 + 4348 - share_ma + storage_ma
    b = balance_of([roof])
    assert powers(b, "grid_demand consumed surplus produced") == [None, None, None, 4500]


def test_storage():
    # (role, power of the storage, of the grid, consumed, produced, surplus)
    for role, storage_w, grid_w, consumed_w, produced_w, surplus_w in (
        ("storage_home", 2000, 0, 1000, 3000, 0),  # charging is no consumption, and comes first
        ("storage_home", -2000, -1000, 4000, 3000, 0),  # what it gives is not for cars
        ("storage_home", -500, -1000, 2500, 3000, 500),
        ("storage_all", 2000, 0, 1000, 3000, 0),
        ("storage_all", -2000, -1000, 4000, 5000, 1000),
    ):
        devices = [
            Device("M1", "grid", power_w=grid_w),
            Device("M2", "generation", power_w=3000),
            Device("M3", role, power_w=storage_w),
        ]
        got = powers(balance_of(devices), role + " consumed produced surplus")
        assert got == [storage_w, consumed_w, produced_w, surplus_w], (role, storage_w, got)


def test_signs():
    # Currents without a sign take that of their phase's power, else of the whole.
    grid = Device("M1", "grid", power_w=-100, power_l1_w=-500, power_l2_w=200, power_l3_w=200)
    for line in (1, 2, 3):
        grid.readings["current_l%d_ma" % line] = 1000
    b = balance_of([grid])
    assert [b.value("grid_demand", "current_l%d" % n) for n in (1, 2, 3)] == [-1000, 1000, 1000]
    # A meter on the roof may be mounted either way: it counted more of what the roof gives.
    for readings, wanted_w in (
        ({"power_w": 3000, "import_wh": 9000}, 3000),
        ({"power_w": -8, "import_wh": 9000, "export_wh": 3}, -8),
        ({"power_w": -3000, "import_wh": 3, "export_wh": 9000}, 3000),
        ({"power_w": 8, "import_wh": 3, "export_wh": 9000}, -8),
    ):
        b = balance_of([Device("M2", "generation", **readings)])
        assert powers(b, "produced") == [wanted_w]
    # No power: from the currents.
    grid = Device("M1", "grid", current_l1_ma=1000, current_l2_ma=0, current_l3_ma=-3000)
    assert powers(balance_of([grid]), "grid_demand") == [-460]


def test_a_silent_meter_is_unknown_and_a_silent_box_an_error():
    box, device = car(3000, 4348, 4348, 4348)
    grid = Device("M1", "grid", power_w=1000)
    grid.com_error = True
    b = balance_of([grid, device], Site(box))
    assert powers(b, "grid_demand consumed surplus consumed_evse") == [None, None, None, 3000]
    box.silent_since_ms = 0
    box.booked_ma = 10000
    box.phase_rotation = 120
    b = balance_of([grid, device], Site(box))
    assert powers(b, "consumed_evse error") == [0, 2300]
    assert [b.value("error", "current_l%d" % n) for n in (1, 2, 3)] == [0, 10000, 0]


def test_who_counts():
    box, device = car(None, 10000, 0, 0)
    device.config["meter"] = "M2"
    devices = [
        Device("M1", "grid", power_w=9000),
        Device("M2", "evse", power_w=2200),  # the box's own
        Device("M3", "evse", power_w=1000),  # of a box that nobody controls
        Device("M4", "display", power_w=77),
        Device("M5", "grid", power_w=5),
        device,
    ]
    devices[4].config["template"] = "virtual"
    b = balance_of(devices, Site(box))
    assert powers(b, "consumed_evse consumed grid_demand") == [3200, 5800, 9000]


def test_feeder_of_the_cars_binds():
    site = Site()
    site.feeders += [Feeder("evses", 32000, 6000, -1), Feeder("G1", 0, 0, 0)]
    b = balance_of([], site)
    assert [b.value("available_evse", "current_l%d" % n) for n in (1, 2, 3)] == [20000, 6000, 0]
    assert powers(b, "available_evse") == [26000 * 230 // 1000]
    site.feeders[0].available_w = 4000
    assert powers(balance_of([], site), "available_evse remaining_evse") == [4000, 4000]


def test_own_surplus():
    grid = Device("M1", "grid", power_w=-1000)
    b = Balance()

    def look(name, field):
        if field == "_org_surplus":
            return b.value("org_surplus", "power_w")
        raise KeyError(field)

    feed(b, [grid], look=look, settings={"voltage_v": 230, "surplus": "CM._org_surplus / 2 + 0.5"})
    assert powers(b, "surplus org_surplus") == [500, 1000] and b.surplus_error is None
    feed(b, [grid], look=look, settings={"voltage_v": 230, "surplus": "nothing"})
    assert powers(b, "surplus org_surplus") == [None, 1000] and b.surplus_error.column == 1
    feed(b, [grid], settings={"voltage_v": 230, "surplus": 800})
    assert powers(b, "surplus") == [800]
    feed(b, [grid])
    assert powers(b, "surplus") == [1000] and b.surplus_error is None


def test_energy_is_integrated_without_loss():
    grid = Device("M1", "grid", power_w=100)
    b = Balance()
    for counter in ("consumed", "surplus", "grid_demand"):
        assert b.value(counter, "import_wh") is None  # counted from now on
    for second in range(0, 7201):
        grid.readings["power_w"] = 100 if second <= 3600 else -50
        feed(b, [grid], None, second * 1000)
    assert b.value("consumed", "import_wh") == 100 and b.value("consumed", "export_wh") == 50
    assert b.value("surplus", "import_wh") == 50
    assert b.value("grid_demand", "import_wh") == 100  # the meter does not count itself
    again = Balance(b.kept())
    feed(again, [grid], None, 0)
    assert again.value("consumed", "export_wh") == 50
    # 1 W in uneven steps: nothing is rounded away.
    b = Balance()
    b.value("consumed", "import_wh")
    grid.readings["power_w"] = 1
    for step in range(3603):
        feed(b, [grid], None, step * 1000 - step % 7 * 10)
    assert b.value("consumed", "import_wh") == 1


def test_registers_of_the_meters():
    box, device = car(3000, 4348, 4348, 4348)
    grid = Device("M1", "grid", power_w=1000)
    roof = Device("M2", "generation", power_w=-500, export_wh=900, import_wh=4)
    b = Balance()
    for counter in ("grid_demand", "produced", "consumed_evse"):
        b.value(counter, "import_wh")
    feed(b, [grid, roof, device], Site(box))
    assert b.value("grid_demand", "import_wh") is None  # it may still say
    grid.readings["import_wh"] = 123456
    feed(b, [grid, roof, device], Site(box), 1000)
    assert b.value("grid_demand", "import_wh") == 123456
    assert [b.value("produced", n) for n in ("import_wh", "export_wh")] == [900, 4]
    assert b.value("consumed_evse", "import_wh") == 7000
    grid.readings["import_wh"] = None
    feed(b, [grid, roof, device], Site(box), 100000)
    assert b.value("grid_demand", "import_wh") == 123456


def test_names():
    b = Balance()
    assert b.value("surplus", "power_w") is None and b.value("surplus", "import_wh") is None
    for counter, field in (("surplus", "nothing"), ("nothing", "power_w"), ("surplus", "")):
        try:
            b.value(counter, field)
        except KeyError:
            continue
        raise AssertionError(counter + field)
