"""The twin: a simulated installation that speaks the real protocols (docs/twin.md)."""

from .errors import TwinError
from .twin import Twin

__all__ = ["Twin", "TwinError"]
