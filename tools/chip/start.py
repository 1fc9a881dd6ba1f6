"""Starts the firmware in a simulated board's flash (the working directory), as boot would.

start.py files, start.py image ROM_IMAGE (both on MicroPython) or start.py python (on CPython).
"""

import sys

_chip = __file__.rsplit("/", 1)[0]
_profile = sys.argv[1]

if _profile == "python":
    sys.path[:0] = ["", "lib", _chip, _chip + "/../cpython"]
    import compat  # noqa: F401
else:
    sys.path[:] = ["", "lib", _chip, ".frozen"]
    if _profile == "image":
        import rom

        rom.mount(sys.argv[2])
        sys.path[:0] = ["/rom", "/rom/lib"]

import main  # noqa: E402,F401
