"""PV and Min+PV: who may start, who must stop, when one needs other phases, and the row "pv".

Started only when the least surplus of the filter window suffices, stopped only when even the most
of it does not (reference/warp.md sections 2.2, 2.5, 4.6); what is drawn follows the present value.
"""

from micropython import const

from chargecontrol.sharing import Row

_PV = const(2)
_MIN_PV = const(3)
# W*s of grid energy that PV cars may draw while the cloud filter keeps them on: so much, and one
# part of the surplus. When it is used up the filter no longer keeps them: without this, clouds
# cost a tenth of a day's energy.
_CREDIT_WS = const(108000)
_CREDIT_PART = const(256)
# A start between clouds would else hold the minimum, from the grid, for the whole hysteresis.
_STOP_MS = const(30000)
_SETTLE_MS = const(10000)  # so long after one of them started or stopped no other does
_LAST = const(-1 << 20)
_NONE_W = const(-1 << 29)


def _rank(point):
    # Who does not draw what he is offered goes after all others.
    return _LAST if point.full or point.evse.asleep else point.evse.priority


def watts(pm, point, current_ma, phases):
    """W of a current per phase."""
    return -(-current_ma * phases * pm.volts // 1000)


def floor_ma(pm, point):
    """mA per phase that an EVSE that is on never falls below, as far as this is ours to say."""
    evse = point.evse
    floor = evse.min_ma
    if point.mode == _MIN_PV:
        guaranteed_ma = pm.settings["guaranteed_power"] * 1000 // (point.phases() * pm.volts)
        guaranteed_ma = -(-guaranteed_ma // evse.step_ma) * evse.step_ma
        most_ma = evse.max_ma or evse.config_max_ma
        floor = max(floor, min(guaranteed_ma, most_ma // evse.step_ma * evse.step_ma))
    return floor


def floor_w(pm, point):
    """The same in W, with the phases that it has now."""
    return watts(pm, point, floor_ma(pm, point), point.phases())


def usable_w(pm, point):
    """Most W that it can take with these phases."""
    evse = point.evse
    return watts(pm, point, evse.max_ma or evse.config_max_ma, point.phases())


def least_w(pm, point, now_ms):
    """W of its minimum with the fewest phases that it can have."""
    phases = point.phases()
    switch = point.switch
    if switch and phases > 1 and (not point.on or point.mode == _PV):
        phases = switch.fewest(pm, now_ms)
    return watts(pm, point, point.evse.min_ma, phases)


def _wait_ms(pm, point):
    # When it may start or stop; a stop waits after a phase switching, too. 0: at once.
    if point.changed_ms is None:
        return 0
    since_ms = point.changed_ms
    if point.on and point.switch and point.switch.changed_ms is not None:
        since_ms = max(since_ms, point.switch.changed_ms)
    return since_ms + (min(_STOP_MS, pm.hysteresis_ms) if point.on else pm.hysteresis_ms)


def _may_change(pm, point, now_ms):
    return now_ms >= _wait_ms(pm, point)


def _list_active(pm):
    pm.active = [
        point
        for point in pm.points
        if point.on and point.plugged and not point.idle and point.mode in (_PV, _MIN_PV)
    ]


def _turn(pm, point, on, now_ms):
    point.turn(on, now_ms)
    pm.changed_ms = now_ms
    _list_active(pm)


def needed_w(pm, point, now_ms):
    """W that must be there before it starts."""
    own_w = least_w(pm, point, now_ms)
    minimums_w = taken_w = 0
    rank = _rank(point)
    for other in pm.active:
        above = _rank(other) - rank
        if other is point or (above < 0 and _may_change(pm, other, now_ms)):
            continue
        other_w = floor_w(pm, other)
        minimums_w += other_w
        taken_w += usable_w(pm, other) if above > 0 else other_w
    if not minimums_w:
        return own_w
    return max((minimums_w + own_w) * 3 // 2, taken_w + own_w)


def _stays_w(pm, point, now_ms):
    # W below which it is stopped: what those take that go before it, and its own minimum.
    rank = _rank(point)
    total_w = least_w(pm, point, now_ms)
    for other in pm.active:
        if other is not point:
            above = _rank(other) > rank
            total_w += usable_w(pm, other) if above else least_w(pm, other, now_ms)
    return total_w


def _count_credit(pm, now_w, now_ms):
    # Counts in what each second the surplus adds, and what PV cars draw from the grid.
    seconds = min(60, (now_ms - pm.counted_ms) // 1000) if pm.counted_ms else 0
    if seconds or not pm.counted_ms:
        pm.counted_ms = now_ms
    drawn_ma = 0
    for point in pm.points:
        if point.mode == _PV:
            drawn_ma += sum(point.allowed_ma())
    over_w = pm.grid_w - pm.settings["target_power_from_grid"]
    lost_w = max(0, min(over_w, drawn_ma * pm.volts // 1000))
    credit_ws = pm.credit_ws + (max(0, now_w) // _CREDIT_PART - lost_w) * seconds
    pm.credit_ws = max(-_CREDIT_WS, min(_CREDIT_WS, credit_ws))


def decide(pm, now_ms):
    """Sets `on` of the EVSEs in PV and Min+PV and asks their switches for phases."""
    surplus = pm.surplus
    now_w = surplus.available_w
    for point in pm.points:
        if point.mode == _MIN_PV:
            point.turn(True, now_ms)
        elif point.mode == _PV and (now_w is None or not point.plugged):
            point.turn(False, now_ms)
            if not point.plugged:
                point.free = False
                point.changed_ms = None
    _list_active(pm)
    if now_w is None:
        for point in pm.points:
            if point.mode == _MIN_PV and point.switch:
                point.switch.by_surplus(pm, _NONE_W, _NONE_W, now_ms)
        return
    lo_w = surplus.least_w if surplus.least_w is not None else _NONE_W
    hi_w = surplus.most_w if surplus.most_w is not None else now_w
    _count_credit(pm, now_w, now_ms)
    if pm.credit_ws < 0:
        hi_w = now_w
    points = [
        (-_rank(point), point.evse.place_ms or 0, point.evse.id, point)
        for point in pm.points
        if point.mode in (_PV, _MIN_PV) and point.plugged
    ]
    points.sort(key=lambda item: item[:3])
    settled = pm.changed_ms is None or now_ms - pm.changed_ms >= _SETTLE_MS
    for item in points:
        point = item[-1]
        if point.mode == _PV and not point.on:
            need_w = needed_w(pm, point, now_ms)
            if point.free or (settled and _may_change(pm, point, now_ms)):
                if (now_w if point.free else lo_w) >= need_w:
                    _turn(pm, point, True, now_ms)
                    settled = False
            if not point.on:
                _explain(pm, point, need_w, now_ms)
    # The lowest first; of the same rank who has been served longest.
    rank = None
    best = None
    for item in points:
        point = item[-1]
        if point.mode != _PV or not point.on:
            continue
        if point.free:
            if now_w < _stays_w(pm, point, now_ms):
                _turn(pm, point, False, now_ms)
                settled = False
        elif rank is None or item[0] > rank:
            rank = item[0]
            best = point
    if best and best.on:
        stays_w = _stays_w(pm, best, now_ms)
        if hi_w < stays_w:
            if settled and _may_change(pm, best, now_ms):
                _turn(pm, best, False, now_ms)
                _explain(pm, best, needed_w(pm, best, now_ms), now_ms)
        elif now_w < stays_w:
            until_ms = max(surplus.most_falls_ms(stays_w, now_ms), _wait_ms(pm, best))
            best.waits.append(("pv_stop_filter", (stays_w,), until_ms))
    for item in points:
        point = item[-1]
        if point.switch and point.on:
            if point.free:
                point.switch.by_surplus(pm, now_w, now_w, now_ms)
            else:
                # Where clouds have used up the credit only a steady sun is worth a switching.
                steady = point.mode == _PV and point.drawing and pm.credit_ws < _CREDIT_WS // 2
                most_w = hi_w if point.drawing or surplus.least_w is None else lo_w
                point.switch.by_surplus(pm, lo_w, most_w, now_ms, steady)
        if point.mode == _PV and not point.on and not point.waits:
            _explain(pm, point, needed_w(pm, point, now_ms), now_ms)


def _explain(pm, point, need_w, now_ms):
    # What one that is off waits for.
    now_w = pm.surplus.available_w
    if now_w < need_w:
        rounded_w = now_w // 100 * 100  # or the reason would be a new one each second
        point.waits.append(("pv_too_little", (need_w, rounded_w), None))
    elif pm.surplus.least_w is None or pm.surplus.least_w < need_w:
        until_ms = pm.surplus.least_reaches_ms(need_w, now_ms)
        point.waits.append(("pv_filter", (need_w,), until_ms))
    if not _may_change(pm, point, now_ms):
        point.waits.append(("pv_hysteresis", (), _wait_ms(pm, point)))


def thresholds(pm, point):
    """(W from which three phases are better, W below which one is) for one that is on."""
    evse = point.evse
    three_w = watts(pm, point, evse.min_ma, 3)
    taken_w = others_w = 0
    for other in pm.active:
        if other is not point:
            others_w += floor_w(pm, other)
            taken_w += usable_w(pm, other)
    own_w = watts(pm, point, evse.min_ma, 1)
    up_w = ((others_w + own_w + three_w) * 3 // 2 - own_w) if others_w else three_w
    most_w = watts(pm, point, evse.max_ma or evse.config_max_ma, 1)
    return max(up_w, taken_w + most_w + 1), others_w + three_w


def rows(pm, evses):
    """Row "pv", and as many more as it takes to leave each its floor."""
    weights = [0] * len(evses)
    members = []
    keep_w = spare_w = 0
    for i in range(len(evses)):
        point = pm.points[i]
        if point.mode not in (_PV, _MIN_PV):
            continue
        weights[i] = evses[i].phases * pm.volts
        if point.on and point.plugged and not point.idle:
            floor = floor_ma(pm, point)
            own_w = -(-floor * weights[i] // 1000)
            if not evses[i].asleep:
                keep_w += own_w
                members.append((evses[i].priority, -floor, i, own_w))
            elif point.mode == _MIN_PV:
                spare_w += own_w  # it is offered, and not drawn
    now_w = pm.surplus.available_w or 0
    if pm.fall_w is not None:
        now_w = min(now_w, pm.fall_w)
    limit_w = max(now_w, keep_w) + spare_w
    made = [Row("pv", limit_w * 1000, weights)]
    members.sort()
    for k in range(len(members) - 1):
        # All but the first of them leave these their floors; admission sees to it where they are
        # of one class and the floor is the minimum.
        priority, floor, i, own_w = members[k]
        limit_w -= own_w
        weights = list(weights)
        weights[i] = 0
        if priority != members[-1][0] or -floor > evses[i].min_ma:
            made.append(Row("pv", limit_w * 1000, weights))
    return made
