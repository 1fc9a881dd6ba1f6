"""Starts the firmware in a simulated board's flash (the working directory), as boot would.

start.py files|image ROM_IMAGE: on MicroPython; the image is mapped outside the heap, as frozen
code lies outside of it on a chip. start.py python: on CPython.
"""

import os
import sys

chip = __file__.rsplit("/", 1)[0]
profile = sys.argv[1]


def _map_image(path):
    """Mounts the ROMFS image at /rom; its bytes stay outside the Python heap."""
    import ffi
    import uctypes
    import vfs

    size = os.stat(path)[6]
    libc = ffi.open("libc.so.6")
    mmap = libc.func("P", "mmap", "PIiiiI")
    with open(path, "rb") as file:
        address = mmap(0, size, 1, 2, file.fileno(), 0)
    vfs.mount(vfs.VfsRom(uctypes.bytearray_at(address, size)), "/rom")


if profile == "image":
    _map_image(sys.argv[2])
    sys.path[:] = ["", "/rom", "/rom/lib", "lib", chip, ".frozen"]
elif profile == "files":
    sys.path[:] = ["", "lib", chip, ".frozen"]
else:
    sys.path[:0] = ["", "lib", chip, chip + "/../cpython"]
    import compat  # noqa: F401

import main  # noqa: E402,F401
