"""Starts the firmware in a simulated board's flash (the working directory), as boot would.

start.py files CHIP_IMAGE or start.py image CHIP_IMAGE ROM_IMAGE, on MicroPython; on CPython
tools/cpython/start.py does it. The simulated chip's own modules come from an image, too: on a chip
they are no part of the Python heap.
"""

import sys

sys.path[:] = [__file__.rsplit("/", 1)[0]]
import rom  # noqa: E402

rom.mount(sys.argv[2], "/chip")
sys.path[:] = ["", "lib", "/chip", ".frozen"]
if sys.argv[1] == "image":
    rom.mount(sys.argv[3], "/rom")
    sys.path[:0] = ["/rom", "/rom/lib"]

import main  # noqa: E402,F401
