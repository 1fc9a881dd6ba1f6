"""What strangers do at the doors, as events: however often they try, one a minute of each kind.

Loaded when one does something.
"""

from micropython import const

_EVERY_MS = const(60000)


def address(stream):
    """The IPv4 address of an accepted stream's peer.

    The unix port gives a sockaddr, a chip and CPython a tuple.
    """
    peer = stream.get_extra_info("peername")
    if isinstance(peer, (bytes, bytearray)):
        return ".".join([str(part) for part in peer[4:8]])
    return peer[0] if peer else "?"


def tell(door, code, stream, what=""):
    """Make an event of a code of texts/events.json, unless there was one within the minute.

    Its arguments: the peer's address, what else is said, and how many went untold since the last.
    door.told keeps count: {code: (ms before which nothing is told, number untold)}.
    """
    now_ms = door.controller.clock.now_ms()
    next_ms, untold = door.told.get(code, (0, 0))
    if now_ms < next_ms:
        door.told[code] = next_ms, untold + 1
    else:
        door.told[code] = now_ms + _EVERY_MS, 0
        door.controller.event(code, address(stream), what, untold)
