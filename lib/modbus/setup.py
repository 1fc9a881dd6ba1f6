"""What a device is told after each connect, and what is read back to see that it holds.

Needed only while a device is being set up: a small machine may drop this module in between.
"""

from struct import calcsize, unpack_from

from micropython import const

from .template import KINDS, raw_current, register_bytes

# Template.init is (entries, names of those with a read-back, in lines). An entry: fc, address,
# value; fc (0: no read-back) and address to compare; the kinds of both, numbers in KINDS; flags;
# place in Template.factors.
ENTRY = b">BHqBHBBB"
STORED = const(1)
FAILSAFE = const(2)  # the value is the fail-safe current
LOW_FIRST = const(4)
CHECK_LOW_FIRST = const(8)


def writes(template, failsafe_ma, stored):
    """[(fc, address, bytes)] to write after each connect; none of them wears flash.

    stored: instead those that the box keeps in flash, only after a read-back that differs.
    """
    return [
        (entry[0], entry[1], _bytes(template, entry, 0, failsafe_ma))
        for entry in _entries(template.init[0])
        if bool(entry[6] & STORED) == stored
    ]


def read_backs(template, failsafe_ma):
    """[(fc, address, expected bytes, name)]: reading them shows whether the writes hold."""
    checked = [entry for entry in _entries(template.init[0]) if entry[3]]
    names = template.init[1].split("\n")
    return [
        (entry[3], entry[4], _bytes(template, entry, 1, failsafe_ma), names[i])
        for i, entry in enumerate(checked)
    ]


def phase_write(template, phases):
    """(fc, address, bytes) that switches on one phase or three."""
    entry = _entries(template.phase_switch)[phases > 1]
    return entry[0], entry[1], _bytes(template, entry, 0, 0)


def phase_checks(template):
    """[(fc, address, bytes expected)]: of one phase, of three, and that the box can switch.

    fc 0: there is no such read-back.
    """
    return [
        (entry[3], entry[4], _bytes(template, entry, 1, 0) if entry[3] else b"")
        for entry in _entries(template.phase_switch)
    ]


def _entries(packed):
    return [unpack_from(ENTRY, packed, at) for at in range(0, len(packed), calcsize(ENTRY))]


def _bytes(template, entry, check, failsafe_ma):
    fc, _, value, check_fc, _, kinds, flags, factor = entry
    low_first = flags & (CHECK_LOW_FIRST if check else LOW_FIRST)
    kind = KINDS[kinds >> 4 if check else kinds & 15]
    register = (check_fc if check else fc, 0, kind, "lh" if low_first else "hl")
    if flags & FAILSAFE:
        register += template.factors[factor : factor + 2]
        value = raw_current(register, template.failsafe_ma(failsafe_ma))
    return register_bytes(register, value)
