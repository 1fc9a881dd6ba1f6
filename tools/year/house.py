"""What the house draws from noon to noon, and what its fuses think of a day."""

import functools

import numpy

from tools.twin import load_profile
from tools.twin.fuse import Fuse

_HALF_S = 43200
_WARM_UP_S = 1800  # longer than a fuse remembers
DAYS = 365


@functools.lru_cache(maxsize=2)
def _house(seed, year):
    return load_profile.House(seed=seed, year=year)


@functools.lru_cache(maxsize=2)
def _day(seed, year, day):
    return _house(seed, year).day(day)


def noon_to_noon(seed, year, day):
    """(86400, 3) int32 mA, feed-in negative, from noon of a day (0 is January 1) to the next.

    After the last day of the year comes its first.
    """
    return numpy.concatenate(
        [_day(seed, year, day)[_HALF_S:], _day(seed, year, (day + 1) % DAYS)[:_HALF_S]]
    )


def before_noon(seed, year, day):
    """(n, 3): what it drew just before."""
    return _day(seed, year, day)[_HALF_S - _WARM_UP_S : _HALF_S]


def heat(rated_a, before_ma, current_ma):
    """(highest heat, 1: open; tripped) of one phase's fuse. before_ma: what it carried until then.

    before_ma, current_ma: mA in each second.
    """
    fuse = Fuse(rated_a)
    fuse.run(numpy.abs(before_ma))
    tripped = fuse.tripped
    highest = float(fuse.run(numpy.abs(current_ma)).max())
    return highest, fuse.tripped and not tripped
