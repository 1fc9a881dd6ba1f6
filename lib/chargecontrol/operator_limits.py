"""What the grid operator allows, as limits of the house connection. Loaded for that only."""

from micropython import const

from chargecontrol.limits import Limit

_MOST_W = const(1000000)  # more is no limit, and a product with it would be a long integer


def take(site, now_ms):
    """Puts the limits of site.operator among the house's and sets their mA.

    A percentage is one of max_total_current, or where that is not set, of max_total_power. Where
    neither is set it says nothing: then the fail-safe current holds, and the limit "percent_base"
    says why. Kinds "dimming" and "feed_in" bind no phase and are only shown.
    """
    house = site.house
    limits = list(site.operator.limits) if site.operator else []
    lost = None
    for limit in limits:
        limit.phase_ma = _phase_ma(site, limit)
        if limit.kind == "percent" and limit.value is not None and not limit.phase_ma:
            lost = limit
    base = [limit for limit in house.outer if limit.source == "percent_base"]
    if lost:
        base = base or [Limit("percent_base", "current")]
        ma = site.failsafe_ma
        base[0].say("percent_of_nothing", (lost.source, lost.value), ma, (ma, ma, ma), now_ms)
    else:
        base = []
    limits += base
    if list(house.outer) != limits or [one for one in limits if one not in house.limits]:
        house.limits = [limit for limit in house.limits if limit not in house.outer] + limits
        house.outer = limits


def _phase_ma(site, limit):
    """mA for each phase that a limit means, None for none."""
    value = limit.value
    if value is None:
        return None
    if limit.kind == "current":
        return (value, value, value)
    if limit.kind == "power":
        ma = min(value, _MOST_W) * 1000 // (3 * site.house.voltage_v)
        return (ma, ma, ma)
    if limit.kind == "percent":
        whole = site.house.set_limits
        phase_ma = whole[0].phase_ma or whole[1].phase_ma
        return phase_ma and tuple([ma * value // 100 for ma in phase_ma])
    return None
