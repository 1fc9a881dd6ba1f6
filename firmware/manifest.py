# What an image of one's own freezes: the whole firmware, its data files, and microdot, on top of
# what the board's stock image has. docs/flashing.md says how to build it.
#
#   make -C micropython/ports/esp32 BOARD=ESP32_GENERIC FROZEN_MANIFEST=<here>/firmware/manifest.py
#
# RIPPLEGATE_MICRODOT names the folder that holds the package microdot, where it is not in .venv.
# ruff: noqa: F821  (include, package, module come from MicroPython's manifestfile.py)

import glob
import os

_OPT = 2  # as tools/build.py: asserts out, line numbers kept


def _microdot():
    places = [os.environ.get("RIPPLEGATE_MICRODOT", "")]
    places += glob.glob("../.venv/lib/python3*/site-packages")
    for place in places:
        if place and os.path.isfile(os.path.join(place, "microdot", "microdot.py")):
            return place
    raise ValueError(
        "microdot is missing: run make setup, or name the folder that holds the package in "
        "RIPPLEGATE_MICRODOT"
    )


if not os.path.isfile("../build/frozen/_data.py"):
    raise ValueError("the data files are missing: run python tools/frozen.py first")

include("$(PORT_DIR)/boards/manifest.py")

for _name in sorted(os.listdir("../lib")):
    if os.path.isfile(os.path.join("../lib", _name, "__init__.py")):
        package(_name, base_path="../lib", opt=_OPT)
package("controller", opt=_OPT)
package("doors", opt=_OPT)
package("microdot", files=("__init__.py", "microdot.py"), base_path=_microdot(), opt=_OPT)
module("_data.py", base_path="../build/frozen", opt=_OPT)
module("boot.py", opt=_OPT)
module("main.py", opt=_OPT)
