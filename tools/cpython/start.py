"""As tools/chip/start.py, on CPython."""

import os
import sys

_here = os.path.dirname(__file__)
sys.path[:0] = ["", "lib", os.path.join(_here, "..", "chip"), _here]
import compat  # noqa: E402,F401

import main  # noqa: E402,F401
