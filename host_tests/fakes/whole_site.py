"""Gives the controller of door_server.py a site whose devices are all pushed: real parts, no wire.

Runs on both interpreters.
"""

import asyncio

from chargecontrol.site import Site
from controller.cycle import Cycle
from controller.installation import Installation
from controller.names import Names


class Contacts:
    stable = True

    def field(self, name):
        raise KeyError(name)


async def run(cycle):
    try:
        await cycle.run(lambda: None)
    except Exception as error:  # the door goes on, and the test looks for this word
        print("Traceback: %s: %s" % (type(error).__name__, error))


def add(controller):
    """Makes what its settings name, and starts the cycle."""
    doc = controller.settings.doc
    installation = Installation(doc, None, {})
    devices = installation.devices.values()
    controller.faults = installation.faults
    controller.devices = installation.devices
    controller.evses = installation.evses
    controller.disabled = installation.disabled
    controller.sampled = [device for device in devices if hasattr(device, "sample")]
    controller.consumers = [d for d in devices if d.config.get("role") == "consumption"]
    controller.contacts = Contacts()
    controller.names = Names(controller)
    controller.site = Site(
        doc["site"], list(installation.evses.values()), installation.grid_id, doc["groups"]
    )
    controller.cycle = Cycle(controller)
    controller.task = asyncio.create_task(run(controller.cycle))
