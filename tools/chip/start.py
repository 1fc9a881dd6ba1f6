"""Starts the firmware in a simulated board's flash (the working directory), as boot would.

start.py python (on CPython), start.py files CHIP_IMAGE or start.py image CHIP_IMAGE ROM_IMAGE
(both on MicroPython). The simulated chip's own modules come from an image, too: on a chip they
are no part of the Python heap.
"""

import sys

_here = __file__.rsplit("/", 1)[0]

if sys.argv[1] == "python":
    sys.path[:0] = ["", "lib", _here, _here + "/../cpython"]
    import compat  # noqa: F401
else:
    sys.path[:] = [_here]
    import rom

    rom.mount(sys.argv[2], "/chip")
    sys.path[:] = ["", "lib", "/chip", ".frozen"]
    if sys.argv[1] == "image":
        rom.mount(sys.argv[3], "/rom")
        sys.path[:0] = ["/rom", "/rom/lib"]

import main  # noqa: E402,F401
