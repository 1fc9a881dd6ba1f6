"""Two years of two hours of dimming a day fit, with all that belongs to them."""

import random
from pathlib import Path

from fakes import journal_site as at

DAYS = 730


class Room:
    def __init__(self, folder):
        self.folder = Path(folder)

    def kb(self):
        """kB of the flash: each file takes whole blocks of 4 kB."""
        return sum(-(-path.stat().st_size // 4080) * 4 for path in self.folder.iterdir())


def minutes(c, dice, count):
    dimming = c.site.dimming
    sunny = dice.random() < 0.5
    for _ in range(count):
        c.clock.ms += 59000
        c.devices["M1"].readings["power_w"] = dice.randint(3000, 12000)
        dimming.own_w = dice.randint(0, 6000) if sunny else 0
        dimming.drawn_w = dimming.limit_w + dimming.own_w - dice.randint(0, 400)
        dimming.allotments = {"S%d" % n: dice.randint(0, 11000) for n in range(1, 5)}
        c.run(1)


def test_two_years_of_two_hours_a_day_fit(tmp_path):
    folder = str(tmp_path) + "/"
    dice = random.Random(14)
    c = at.Controller(folder)
    c.site.dimming.p_min_w = 13020
    day_ms = 86400000
    for day in range(DAYS):
        for hour in (11, 18, 20):  # three times 40 minutes
            c.clock.ms = day * day_ms + hour * 3600000
            c.dim(13020)
            c.run(10)
            minutes(c, dice, 40)
            c.dim(None)
            c.run(3)
        c.journal.event("restarted", ("power on",))
        if day % 30 == 29:  # a restart now and then
            clock = at.Clock()
            clock.ms, clock.began_s = c.clock.ms, c.clock.began_s
            c = at.Controller(folder, clock=clock)
            c.site.dimming.p_min_w = 13020
    room = Room(folder)
    assert c.journal.problem == "" and not c.faults
    assert room.kb() <= 1500
    count = samples = 0
    measures = at.measures.Measures()
    found = []
    for row in at.each(folder):
        count += 1
        samples += row["kind"] == "sample"
        found += measures.take(row)
    first = found[0]
    assert len(found) == 3 * DAYS and not measures.left()
    assert samples >= 730 * 120
    assert first["begin"] < 1764000000 + 12 * 3600  # nothing was dropped
    size = sum(path.stat().st_size for path in tmp_path.iterdir() if path.name[0] == "m")
    print("%d records, %d bytes, %d kB of flash" % (count, size, room.kb()))
    assert room.kb() < 1450
