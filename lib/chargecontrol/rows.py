"""Rows of the sharing from the data of a site: the phases of the house, its total power."""

from chargecontrol.sharing import Row


def phase_rows(available_ma, evses):
    """Rows "L1", "L2", "L3" from what each phase of the house has left for EVSEs (3 integers, mA).

    A box charging on `phases` (1 to 3) uses its own L1 upwards. Its phase_rotation says where they
    are in the house: 120 puts box L1, L2, L3 on house L2, L3, L1 (reference/cfos.md section 6.2).
    """
    rows = []
    for phase in range(3):
        weights = [
            1 if (phase - evse.phase_rotation // 120) % 3 < evse.phases else 0 for evse in evses
        ]
        rows.append(Row("L%d" % (phase + 1), available_ma[phase], weights))
    return rows


def power_row(available_w, evses, voltage_v):
    """Row "power": total of all phases, in mW, so that mA * V needs no rounding.

    Sums stay below 2**30, MicroPython's integers without heap, up to about 1 MW.
    """
    return Row("power", available_w * 1000, [evse.phases * voltage_v for evse in evses])
