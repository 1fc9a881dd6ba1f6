"""What the load management tests share: scenarios without their steps, and the twin's physics."""

from tools.twin.scenario import load_scenario

# A cartridge fuse carries a quarter more than its rating for an hour; ten seconds are what the
# house itself may take until the cars have followed.
MAY_LAST_S = 10


def quiet(name, rotation_s=None, **config):
    """The scenario's installation and settings; what happens in it is up to the test."""
    scenario = load_scenario(name)
    if rotation_s:
        scenario["settings"]["site"]["rotation_s"] = rotation_s
    return dict(scenario, config=dict(scenario["config"], **config), steps=[])


def plug(site, *ids):
    """Plugs in the cars at these wallboxes, or all of them."""
    ids = ids or tuple(site.twin.boxes)
    site.twin.set({"cars": {id: {"plugged": True} for id in ids}})


def car_ma(site, id):
    """What the car really draws on its fullest phase."""
    return max(site.twin.boxes[id].current_ma)


def cars_ma(site):
    """What all cars together draw, each on its fullest phase; 0 until all boxes were told."""
    if not all(box.written_ms for box in site.twin.boxes.values()):
        return 0
    return sum(car_ma(site, id) for id in site.twin.boxes)


def longest_s(site, too_much):
    """For how long at a stretch too_much(row) was true in the twin's recording, in s."""
    longest = since_ms = None
    for row in site.twin.recorder.rows():
        if not too_much(row):
            since_ms = None
            continue
        since_ms = row["t_ms"] if since_ms is None else since_ms
        longest = max(longest or 0, row["t_ms"] - since_ms + 1000)
    return (longest or 0) / 1000


def phases_ma(row, meter):
    """The three phase currents at a meter, as the twin's physics had them."""
    return [row["%s_l%d_ma" % (meter, line)] for line in (1, 2, 3)]


def fuse_holds(site, meter, fuse_ma):
    """Fails where a phase at this meter was above its fuse for too long."""
    over_s = longest_s(site, lambda row: max(phases_ma(row, meter)) > fuse_ma)
    assert over_s <= MAY_LAST_S, "%s above %d mA for %g s" % (meter, fuse_ma, over_s)


async def reasons(site):
    """{id: reason} of the wallboxes as /api/state gives them."""
    return {evse["id"]: evse["reason"] for evse in (await site.state())["evses"]}


async def code(site, id):
    """The reason code of one wallbox."""
    return (await reasons(site))[id]["code"]
