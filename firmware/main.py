"""Starts the controller, then the doors that the settings open; restarts the board if all ends."""

import asyncio

import machine


async def _main():
    from controller.app import Controller

    controller = Controller()
    controller.start()
    await controller.login.start()
    await _open_doors(controller)
    # The watchdog's feeder is also what keeps asyncio.run from ending early (1.25 does when only
    # Events are awaited).
    await controller.supervisor.watch()


async def _open_doors(controller):
    from doors import cnf_api, settings_api
    from doors.http import HttpDoor

    door = HttpDoor(controller)
    cnf_api.register(door, controller)
    settings_api.register(door, controller)
    controller.supervisor.start("http", door.run)
    controller.log("ready")


asyncio.run(_main())
machine.reset()
