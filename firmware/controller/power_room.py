"""Whether there is room for the power manager: what it needs is loaded, or nothing of it.

It would run out of memory later, in the cycle, and the board would restart again and again.
"""

import gc
import os
import sys

from micropython import const

from controller.unload import unload

# Left at the start for the rest of it, the filter's window and the requests of an owner; and while
# settings change, when code for that is in RAM and leaves it afterwards.
START_BYTES = const(20480)
CHANGE_BYTES = const(10240)
# What a module takes with its objects and its new names, which stay for ever: so it is not just
# tried out. Measured with all of them: 26 kB from files, 11 kB from an image.
_FILES_BYTES = const(5120)
_IMAGE_BYTES = const(2048)
_PV = const(2)  # modes, 3 is Min+PV
_OFF = const(1)
_FAULT = (
    "not enough memory for the power manager: charge modes, surplus, phase switching and dynamic"
    " load are off, and cars that depend on them are held back; an image leaves more memory"
)


def modules(excess, dynamic):
    """Names of what the power manager with these loops is made of."""
    names = ["chargecontrol.power_manager", "controller.power_inputs"]
    names += ["chargecontrol.phase_switching"]
    if excess:
        names += ["chargecontrol.surplus", "chargecontrol.charge_modes"]
    if dynamic:
        names.append("chargecontrol.dynamic_load")
    return names


def load(names, spare_bytes):
    """Loads modules; False where less than spare_bytes were free then: none of them is loaded."""
    before = list(sys.modules)
    new = [name for name in names if name not in before]
    gc.collect()
    need_bytes = spare_bytes + len(new) * _module_bytes()
    if 0 < gc.mem_free() < need_bytes:  # a PC says 0
        return False
    try:
        for name in new:
            __import__(name)
        gc.collect()
        if not 0 < gc.mem_free() < spare_bytes:
            return True
    except MemoryError:
        pass
    unload([name for name in sys.modules if name not in before])
    gc.collect()
    return False


def _module_bytes():
    try:
        os.stat("lib/chargecontrol/power_manager.mpy")
    except OSError:
        return _IMAGE_BYTES
    return _FILES_BYTES


def make(controller, spare_bytes=CHANGE_BYTES):
    """The power manager that the settings ask for. MemoryError where there is no room."""
    doc = controller.settings.doc
    excess = doc["power_manager"]["excess_charging_enable"]
    if not load(modules(excess, doc["dynamic_load"]["enabled"]), spare_bytes):
        raise MemoryError("no room for the power manager")
    from chargecontrol.power_manager import PowerManager

    return PowerManager(controller.site, doc["power_manager"], doc["dynamic_load"])


def at_start(controller):
    """Gives the controller its power manager, or a fault; then what the owner wanted to be held
    back is: no car draws what only the power manager could have bounded."""
    try:
        controller.power = make(controller, START_BYTES)
        return
    except MemoryError:
        controller.fault(_FAULT)
    doc = controller.settings.doc
    power, load_ = doc["power_manager"], doc["dynamic_load"]
    fallback_ma = load_["fallback_current_ma"]
    for evse in controller.site.evses:
        if power["default_mode"] in (_OFF, _PV):
            evse.hold = ("power_manager_missing", (), None)
        elif load_["enabled"] and fallback_ma < evse.min_ma:
            evse.hold = ("power_manager_missing", (), None)
        elif load_["enabled"]:
            evse.most = (fallback_ma, "power_manager_missing", ())
        elif power["default_mode"] == _PV + 1:
            evse.most = (evse.min_ma, "power_manager_missing", ())
