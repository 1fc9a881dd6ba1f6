"""Doors that are made in their tasks: where there is no room, the board starts without them.

Not in opening.py, which leaves the RAM: what runs here stays as long as its door.
"""

import gc

from micropython import const

from controller.unload import unload

_ROOM_BYTES = const(16384)  # to be free before a door more is opened


def start(controller, name, module, kind, http):
    """Starts the task `name` of a controller, which keeps the door by that name.

    module, kind: the class of the door, which takes controller and http and has run(beat); http:
    the HttpDoor, by which the owner can still reach the settings.
    """

    async def run(beat):
        made = getattr(controller, name)
        if not made:
            unload()
            gc.collect()
            if 0 < gc.mem_free() < _ROOM_BYTES:  # a PC says 0
                controller.fault("not enough memory for %s: it stays closed" % name)
                if name == "tls":
                    http.open_plain()
                return
            made = getattr(__import__(module, None, None, (kind,)), kind)(controller, http)
            setattr(controller, name, made)
            gc.collect()
        await made.run(beat)

    controller.supervisor.start(name, run)
