"""The sharing on 10,000 random sites: house, feeder, nested groups, power, unbalance, classes."""

import pytest

from host_tests.portable.test_sharing_sites import check_site, mixed, random_site

_SITES = 10_000
_PARTS = 4


@pytest.mark.parametrize("part", range(_PARTS))
def test_sites_keep_every_promise(part):
    for seed in range(part, _SITES, _PARTS):
        check_site(seed)


def test_the_sites_are_worth_it():
    """Enough of them have what is hard: negative weights, groups, classes, several served."""
    sites = [random_site(seed) for seed in range(500)]
    assert sum(bool(mixed(rows)) for _, rows in sites) > 150
    assert sum(any(row.name == "G2.L1" for row in rows) for _, rows in sites) > 100
    assert sum(len({evse.priority for evse in evses}) > 1 for evses, _ in sites) > 250
