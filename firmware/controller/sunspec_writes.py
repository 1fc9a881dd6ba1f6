"""Takes what is written to the registers of the SunSpec server. Loaded for that only.

What model 60000 sets are settings: they hold at once, and are written to flash together, since a
Modbus master may write as often as it likes.
"""

from micropython import const

from controller.store import StoreError
from controller.unload import unload
from modbus.pdu import ModbusException

_WAIT_MS = const(5000)  # others may follow
_EVERY_MS = const(150000)  # between two writes to flash
_RETRY_MS = const(60000)
_OVERDRAFT = const(6)
# {offset: (setting of the site, 0 means none)} of numbers in mA
_NUMBERS = {
    2: ("max_total_current", False),
    4: ("reserve_current_ma", False),
    8: ("max_total_evse_current", True),
    10: ("max_unbalance_ma", True),
}
_SWITCHES = {12: "load_management", 14: "unbalance_with_house"}


def write(values, parameters, flags, variables):
    """Checks all, then takes all; ModbusException(3) before anything has changed."""
    if parameters:
        _parameters(values, parameters)
    if variables:
        _variables(values.controller, variables)
    if flags:
        specials = values.controller.get_specials()
        for n, value in flags.items():
            specials.set("_flag%d" % n, value)


def _parameters(values, parameters):
    from controller import reconfigure  # noqa: F401  (what fails for want of memory, fails now)
    from controller.settings_check import SettingsError, changes

    controller = values.controller
    patch = {}
    for n, (name, none) in _NUMBERS.items():
        if n in parameters:
            # What is cut off to 0 is no wish for none.
            patch[name] = int(parameters[n]) if parameters[n] or not none else None
    for n, name in _SWITCHES.items():
        if n in parameters:
            patch[name] = bool(parameters[n])
    overdraft_ma = parameters.get(_OVERDRAFT)
    house = controller.site.house
    # It can be reset, or written back as it was read.
    if overdraft_ma and int(overdraft_ma) != house.overdraft_max_ma:
        raise ModbusException(3)
    try:
        new = changes(controller.settings, {"site": patch})
    except SettingsError as error:
        controller.log("SunSpec: " + str(error))
        raise ModbusException(3)
    if new:
        doc = controller.settings.doc
        old = doc["site"]
        doc.update(new)
        try:
            controller.settings_changed(set(new), None)  # told when it is written to flash
        except MemoryError:
            doc["site"] = old
            raise
        controller.settings.unused.pop("site", None)
        _plan(values)
    if overdraft_ma == 0:
        house.overdraft_max_ma = 0


def _variables(controller, variables):
    from controller.variable_check import VariableError

    try:
        controller.variables.set_many(list(variables.items()), False, True)
    except VariableError as error:
        controller.log("SunSpec: " + str(error))
        raise ModbusException(3)


def _plan(values):
    if values.save_ms is None:
        now_ms = values.controller.clock.now_ms()
        values.save_ms = now_ms + _WAIT_MS
        if values.saved_ms is not None:
            values.save_ms = max(values.save_ms, values.saved_ms + _EVERY_MS)


def save(values):
    """Writes the settings to flash; what can't be written becomes a fault and is tried again."""
    controller = values.controller
    settings = controller.settings
    now_ms = controller.clock.now_ms()
    whole = dict(settings.doc)
    whole.update(settings.unused)
    unload()  # to save needs the room that checks and parser have
    try:
        if controller.store.save("settings.json", whole):
            values.saved_ms = now_ms
    except (StoreError, MemoryError) as error:
        values.save_ms = now_ms + _RETRY_MS
        if isinstance(error, StoreError) and str(error) not in controller.faults:
            controller.fault(str(error))
        return
    values.save_ms = None
    # Where nothing was left to write, somebody else's change was written, and this one with it.
    controller.event("settings_changed", "SunSpec", "site")
