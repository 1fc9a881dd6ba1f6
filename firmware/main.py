"""Starts the controller, then the doors that the settings open; restarts the board if all ends."""

import asyncio
import gc

import machine


async def _main():
    from controller.app import Controller

    controller = Controller()
    await _first_password(controller)
    controller.start()
    _open_doors(controller)
    # The watchdog's feeder is also what keeps asyncio.run from ending early (1.25 does when only
    # Events are awaited).
    await controller.supervisor.watch()


async def _first_password(controller):
    # Nothing imported here stays in a frame that lives on: it could not be unloaded.
    from controller import password
    from controller.unload import unload

    unload()
    gc.collect()
    await password.start(controller.login)


def _open_doors(controller):
    import opening
    from controller.unload import unload

    opening.open_all(controller)
    unload(("opening",))


asyncio.run(_main())
machine.reset()
