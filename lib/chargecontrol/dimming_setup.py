"""What is owed to a dimmed site (§14a EnWG), and what shares one budget. Needed seldom.

Rules: Bundesnetzagentur BK6-22-300, Anlage 1; the numbers in brackets are its sections.
"""

from micropython import const

from chargecontrol.dimming import Steerable

_SINGLE_W = const(4200)  # a device counts above this rated power (2.4)
_LARGE_W = const(11000)  # a group above this has a share of its rated power (4.5)
_GROUPS = ("heat_pump", "cooling")  # these count together (2.4.2); others each for itself
_GZF_PCT = (80, 75, 70, 65, 60, 55, 50, 45)  # for 2, 3, .. devices (4.5.2); the last for more


def _members(devices):
    """[[numbers of devices that count together, maybe one]] of all that are controllable."""
    found = [[i] for i in range(len(devices)) if devices[i][0] not in _GROUPS]
    found += [[i for i in range(len(devices)) if devices[i][0] == kind] for kind in _GROUPS]
    return [those for those in found if sum([devices[i][1] for i in those]) > _SINGLE_W]


def _own_w(devices, those, base_w, factor_pct):
    """What one that counts may draw under direct control (4.5.1)."""
    power_w = sum([devices[i][1] for i in those])
    if devices[those[0]][0] in _GROUPS and power_w > _LARGE_W:
        return factor_pct * power_w // 100
    return base_w


def p_min_w(devices, control="ems", base_w=_SINGLE_W, factor_pct=40, gzf_pct=None):
    """The least W that a dimmed site may draw for all of its controllable devices together.

    devices: [(kind "evse", "storage", "heat_pump" or "cooling", rated W)]; control: "ems" (4.5.2)
    or "direct", the sum of what each may have (4.5.1); gzf_pct: simultaneity in % for 2, 3, ..
    that count, the last for all above; None: as in the rule. Fractions of a W are cut off. 0: none
    is controllable.
    """
    gzf_pct = gzf_pct or _GZF_PCT
    counted = _members(devices)
    if control == "direct":
        return sum([_own_w(devices, those, base_w, factor_pct) for those in counted])
    if not counted:
        return 0
    first = base_w * 100
    large = [sum([power for kind, power in devices if kind == group]) for group in _GROUPS]
    if max(large) > _LARGE_W:
        first = factor_pct * max(large)
    more = len(counted) - 1
    share_pct = gzf_pct[min(more, len(gzf_pct)) - 1] if more else 0
    return (first + more * share_pct * base_w) // 100


def pools(known, settings, steerables, evses):
    """(W owed, [Steerable that count], [(id of the one EVSE or "", W owed to it, [Steerable])]).

    What shares one budget is one pool. known: [Steerable] of before, whose state goes on; the rest
    as Dimming.configure.
    """
    known = {device.id: device for device in known}
    rated = [(config["kind"], config["power_w"]) for config in steerables]
    base_w, factor_pct = settings["base_w"], settings["factor_pct"]
    control = settings["control"]
    owed_w = p_min_w(rated, control, base_w, factor_pct, settings["gzf_pct"])
    devices = []
    found = []
    for those in _members(rated):
        pool = []
        for i in those:
            config = steerables[i]
            device = Steerable(config, evses.get(config["device"]))
            if device.id in known:
                device.restore(known[device.id])
            pool.append(device)
        devices += pool
        name = pool[0].evse.id if pool[0].evse else ""
        found.append((name, _own_w(rated, those, base_w, factor_pct), pool))
    if control == "ems":
        found = [("", owed_w, devices)]
    return owed_w, devices, found
