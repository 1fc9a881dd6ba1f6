"""Start-up: makes the parts that settings and board ask for, and starts their tasks.

Nothing of this is needed afterwards, so the module leaves the RAM again (controller/unload.py); no
function defined here may live on, since it would keep the module.
"""

import gc
import json

from micropython import const

from chargecontrol.site import Site
from controller.contacts import Contacts
from controller.cycle import Cycle
from controller.device import Server
from controller.inputs import BoardError
from controller.names import Names
from controller.unload import unload

_STUCK_MS = const(5000)
_LINK_STUCK_MS = const(20000)


def build(controller):
    """Gives the controller its parts; what can't be used becomes a fault, never an exception.

    Readers are unloaded as soon as they have read: their peaks must not add up.
    """
    document = _board_document(controller)
    _settings(controller, document)
    unload()
    board = _board(controller, document)
    _make_site(controller, board)
    unload()
    _network(controller, board)


def _settings(controller, document):
    from controller.settings import Settings
    from controller.variables import Variables

    controller.settings = Settings(controller.store, controller.load_json, document)
    unload()
    controller.variables = Variables(controller.store, controller.clock.now_ms)
    for part in (controller.settings, controller.variables):
        if part.problem:
            controller.fault(str(part.problem))


def _network(controller, board):
    from controller.net import Network
    from controller.timekeeper import Timekeeper

    doc = controller.settings.doc
    controller.network = Network(board, doc["network"], controller.clock, controller.log)
    controller.timekeeper = Timekeeper(
        controller.clock, controller.network, doc["clock"]["ntp_host"]
    )


def _board_document(controller):
    try:
        with open("board.json") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        controller.fault("board.json can't be read (%s): deploy again" % error)
        return {"name": "no board.json"}


def _board(controller, document):
    from controller.board import Board

    try:
        board = Board(document)
    except BoardError as error:
        controller.fault(str(error))
        board = Board({"name": document.get("name", "?")})
    for error in board.faults:
        controller.fault(str(error))
    controller.board_name = board.name
    controller.inputs = board.inputs
    controller.relays = board.relays
    controller.leds = board.leds
    controller.button = board.button
    return board


def _make_site(controller, board):
    from controller.installation import Installation

    doc = controller.settings.doc
    controller.clock.set_zone(doc["clock"]["tz"])
    kept, problem = controller.store.load("counts.json")
    if problem:
        controller.fault(str(problem))
    kept = kept or {}
    installation = Installation(doc, board, kept)
    for fault in installation.faults:
        controller.fault(fault)
    controller.devices = installation.devices
    controller.links = installation.links
    # In the order of the settings: calculated meters read one another.
    devices = [installation.devices.get(config["id"]) for config in doc["meters"] + doc["evses"]]
    devices = [device for device in devices if device]
    controller.disabled = installation.disabled
    controller.sampled = [device for device in devices if hasattr(device, "sample")]
    controller.consumers = [d for d in devices if d.config.get("role") == "consumption"]
    controller.contacts = Contacts(
        controller.inputs,
        doc["contacts"],
        controller.clock,
        controller.contact_changed,
        installation.pulse_meters,
    )
    controller.names = Names(controller)
    controller.evses = installation.evses
    evses = [installation.evses[c["id"]] for c in doc["evses"] if c["id"] in installation.evses]
    controller.site = Site(doc["site"], evses, installation.grid_id, doc["groups"])
    controller.site.house.overdraft_max_ma = kept.get("overdraft_ma", 0)
    controller.cycle = Cycle(controller)
    controller.kept = kept.get("GM")
    for device in controller.sampled:
        if hasattr(device, "connect"):
            device.connect(controller)
    wanted = [c for c in doc["evses"] if c["current_limit"] is not None]
    if wanted or [n for n in ("rules.json", "plans.json") if controller.store.load(n)[0]]:
        controller.need_wishes()
    if _operator_parts(doc):
        unload()
        gc.collect()
        from controller import grid_parts

        grid_parts.at_start(controller)
    if controller.power_wanted():  # last: what the grid operator asks for comes before it
        from controller import power_room

        power_room.at_start(controller)


def _operator_parts(doc):
    names = ("contact_sets", "channels", "dimming", "steerables", "outputs", "journal")
    return [name for name in names if doc[name]]


def start(controller):
    """Starts the tasks; call it in the running loop."""
    supervisor = controller.supervisor
    supervisor.start("cycle", controller.cycle.run, True, _STUCK_MS)
    supervisor.start("contacts", controller.contacts.run, True, _STUCK_MS)
    if controller.inputs.polled:
        supervisor.start("expander", controller.inputs.run)
    for name, _, devices in controller.links:
        server = Server(devices, controller.clock.now_ms)
        supervisor.start("link " + name, server.run, False, _LINK_STUCK_MS)
    supervisor.start("network", controller.network.run, False, _LINK_STUCK_MS)
    supervisor.start("time", controller.timekeeper.run, False, _LINK_STUCK_MS)
    supervisor.start("housekeeping", controller.keep_house)
