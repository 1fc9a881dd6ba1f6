"""A site with dimming, second by second: sun, load of the house, heat pumps, storages.

Runs on both interpreters.
"""

from fakes.site_world import World

from chargecontrol.dimming import Dimming

SETTINGS = {
    "control": "ems",
    "own_generation": True,
    "base_w": 4200,
    "factor_pct": 40,
    "gzf_pct": [80, 75, 70, 65, 60, 55, 50, 45],
}


def steerable(id, kind="evse", power_w=11000, device=None, relay=None, reduced_w=0):
    return {
        "id": id,
        "name": "",
        "kind": kind,
        "device": device,
        "power_w": power_w,
        "relay": relay,
        "closed_is_reduced": True,
        "reduced_w": reduced_w,
    }


class Dimmed(World):
    """A site with dimming; pv_w, other_w: sun and load of the house, without reactive power.

    wanted: who dims, or all who do; drawn_w {id of a steerable that is no wallbox: W}, seen: a
    meter measures these; early_ms: so much before the boxes the grid meter is read.
    """

    def __init__(self, evses, steerables, meter=True, grid_id="M1", world=None, **settings):
        World.__init__(self, evses, grid_id, **(world or {"max_total_current": 200000}))
        self.house_ma = [0, 0, 0]
        self.dimming = Dimming()
        merged = dict(SETTINGS)
        merged.update(settings)
        self.dimming.configure(merged, steerables, {evse.id: evse for evse in evses}, 230)
        self.site.dimming = self.dimming
        self.wanted = self.failed = None
        self.meter = meter
        self.pv_w = self.other_w = 0
        self.drawn_w = {}
        self.seen = True
        self.early_ms = 0
        self._grid_w = 0

    def cars_w(self):
        cars = [self.cars[evse.id] for evse in self.evses]
        return sum([sum(car.measured()) for car in cars if car]) * 230 // 1000

    def grid_w(self):
        return self.other_w + self.cars_w() + sum(self.drawn_w.values()) - self.pv_w

    def _tick(self):
        World._tick(self)
        # The sum of the phases' currents is that of the powers.
        house_ma = (self.grid_w() - self.cars_w()) * 1000 // 690
        self.house_ma = [house_ma] * 3
        if self.meter:
            self.grid = (self._grid_w if self.early_ms else self.grid_w(), self.now_ms)
            self.grid = (self.grid[0], self.now_ms - self.early_ms)
        self._grid_w = self.grid_w()
        for device in self.dimming.devices:
            if not device.evse:
                device.measured_w = self.drawn_w.get(device.id, 0) if self.seen else None
        grid = self.grid if self.meter is not None else None
        wanted = self.wanted or []
        wanted = wanted if isinstance(wanted, list) else [wanted]
        self.dimming.update(self.now_ms, wanted, grid, self.failed)

    def drawn_from_grid_w(self):
        """What the controllable devices draw from the grid, by the rule."""
        ids = [device.evse.id for device in self.dimming.devices if device.evse]
        mas = [sum(self.cars[id].measured()) for id in ids if self.cars[id]]
        drawn_w = sum(mas) * 230 // 1000 + sum(self.drawn_w.values())
        other_w = self.grid_w() + self.pv_w - drawn_w
        return max(0, drawn_w - max(0, self.pv_w - other_w))
