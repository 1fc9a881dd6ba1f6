"""Rows of the sharing from the data of a site: phases and power of a feeder, unbalance.

Read of each EVSE: `lines` (bit mask of the box's own lines that its car uses: 1, 3, 7, also 2,
4, ..), `phases` (how many these are) and `phase_rotation`: 120 puts box L1, L2, L3 on house L2,
L3, L1 (reference/cfos.md section 6.2).
"""

from chargecontrol.sharing import Row


def _uses(evse, phase, lines):
    return lines >> (phase - evse.phase_rotation // 120) % 3 & 1


def phase_rows(prefix, available_ma, evses, members):
    """Rows "L1", "L2", "L3" from what each phase of a feeder has left for EVSEs (3 integers, mA).

    prefix names the feeder: "" for the house, "G1." for group G1. members: EVSEs behind it, None
    for all; the others have weight 0.
    """
    return [
        Row(
            "%sL%d" % (prefix, phase + 1),
            available_ma[phase],
            [
                _uses(evse, phase, evse.lines) if members is None or evse in members else 0
                for evse in evses
            ],
        )
        for phase in range(3)
    ]


def power_row(name, available_w, evses, members, voltage_v):
    """Total of all phases of the members (None: all), in mW, so that mA * V needs no rounding.

    Sums stay below 2**30, MicroPython's integers without heap, up to about 1 MW.
    """
    weights = [
        evse.phases * voltage_v if members is None or evse in members else 0 for evse in evses
    ]
    return Row(name, available_w * 1000, weights)


def unbalance_rows(limit_ma, base_ma, evses, drawn=None):
    """Rows "L1-L2", ..: how much more than another a phase may carry, both ways (mA).

    base_ma: what the phases carry without EVSEs (3 integers; zeros: only EVSEs are compared).
    drawn: for each EVSE the lines that draw now (bit mask, 0: none); they count before those that
    its car is predicted to use, and who does not draw makes no room for others. Who charges on
    both phases, or on none, has weight 0: he changes nothing. A row that no EVSE can make worse is
    left out, so a site of three-phase cars has none.
    """
    lines = [evse.lines for evse in evses]
    if drawn:
        lines = [drawn[i] or lines[i] for i in range(len(evses))]
    rows = []
    for a in range(3):
        for b in range(3):
            weights = []
            for i in range(len(evses)):
                weight = _uses(evses[i], a, lines[i]) - _uses(evses[i], b, lines[i])
                weights.append(0 if weight < 0 and drawn and not drawn[i] else weight)
            if 1 in weights:
                limit = limit_ma - base_ma[a] + base_ma[b]
                rows.append(Row("L%d-L%d" % (a + 1, b + 1), limit, weights))
    return rows
