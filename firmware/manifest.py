# What an image of one's own freezes: the whole firmware and its data files, on top of what the
# board's stock image has. docs/flashing.md says how to build it.
#
#   make -C micropython/ports/esp32 BOARD=ESP32_GENERIC FROZEN_MANIFEST=<here>/firmware/manifest.py
#
# ruff: noqa: F821  (include, package, module come from MicroPython's manifestfile.py)

import os

_OPT = 2  # asserts out; line numbers stay, frozen they cost no heap

if not os.path.isfile("../build/frozen/_data.py"):
    raise ValueError("the data files are missing: run python tools/frozen.py first")

include("$(PORT_DIR)/boards/manifest.py")

for _name in sorted(os.listdir("../lib")):
    if os.path.isfile(os.path.join("../lib", _name, "__init__.py")):
        package(_name, base_path="../lib", opt=_OPT)
package("controller", opt=_OPT)
package("doors", opt=_OPT)
module("_data.py", base_path="../build/frozen", opt=_OPT)
module("boot.py", opt=_OPT)
module("main.py", opt=_OPT)
module("opening.py", opt=_OPT)
