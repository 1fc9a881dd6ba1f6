"""Makes the feeders of a site from its settings; needed only when they change."""

from chargecontrol.feeder import Feeder
from chargecontrol.limits import SetLimit

_HOUSE = ("max_total_current", "max_total_power")
EVSES = ("max_total_evse_current", "max_total_evse_power")
_GROUP = ("max_current", "max_power")


def feeders(site, settings, groups):
    """[Feeder], the house first. Those that the site has already keep what they know, unless
    they have another meter now."""
    known = {feeder.id: feeder for feeder in site.feeders}
    failsafe_ma = settings["failsafe_current_ma"]
    made = []

    def add(id, names, config, evses, prefix, meter_id=None):
        feeder = known.get(id)
        if feeder is None or feeder.meter_id != meter_id:
            feeder = Feeder(id)
            feeder.meter_id = meter_id
        feeder.evses = evses
        feeder.voltage_v = settings["voltage_v"]
        # The power of the house is spread over its phases: that protects each of them, too.
        voltage_v = settings["voltage_v"] if id == "house" else None
        feeder.set_limits = [
            SetLimit(prefix + name, kind, config.get(name), failsafe_ma, voltage_v)
            for name, kind in zip(names, ("current", "power"))
            if id == "house" or config.get(name) is not None
        ]
        feeder.limits = list(feeder.set_limits)
        made.append(feeder)
        return feeder

    house = add("house", _HOUSE, settings, site.evses, "", site.grid_id)
    house.reserve_ma = settings["reserve_current_ma"]
    if settings.get(EVSES[0]) is not None or settings.get(EVSES[1]) is not None:
        add("evses", EVSES, settings, site.evses, "")
    parents = {group["id"]: group.get("parent") for group in groups}
    for group in groups:
        id = group["id"]
        members = [evse for evse in site.evses if id in _above(evse.group, parents)]
        feeder = add(id, _GROUP, group, members, id + ".", group.get("meter"))
        feeder.reserve_ma = group.get("reserve_current_ma", 0)
    for feeder in made:
        feeder.inner = [inner for inner in made if parents.get(inner.id) == feeder.id]
    return made


def _above(id, parents):
    """A group and all that it is in."""
    found = []
    while id in parents and id not in found:
        found.append(id)
        id = parents[id]
    return found
