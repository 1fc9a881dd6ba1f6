"""What a house draws, second by second, on each of three phases: the same for the same seed.

    house = House(seed=1)
    current_ma = house.day(17)      # numpy int32, 86400 x 3, feed-in negative

The base load is the BDEW's household profile H25 and the need for heat its profile for
one-family houses (both from demandlib); the sun is pvlib's clear sky. These know quarters of an
hour, so the appliances that make up a house's seconds are drawn by lot here: kettle, hob, oven,
washing machine, fridge, flow heater, heat pump, clouds. Days can be had in any order; each is a
few MB, nothing else is kept.
"""

import functools
import warnings

import numpy
import pandas
from demandlib import bdew
from pvlib.irradiance import get_total_irradiance
from pvlib.location import Location

DAY_S = 86400
VOLTAGE_V = 230
# Chance per hour of the day that something is used then; each sums up to 1.
_MEALS = numpy.array([0] * 6 + [2, 4, 3, 1, 1, 3, 7, 3, 1, 1, 2, 4, 8, 6, 2, 1, 0.5, 0]) / 49.5
_TEA = numpy.array([0] * 6 + [5, 7, 4, 3, 3, 2, 3, 3, 4, 5, 4, 3, 3, 3, 3, 2, 1, 0]) / 58
_WATER = numpy.array([0] * 5 + [2, 8, 9, 5, 3, 2, 2, 4, 3, 2, 2, 3, 5, 7, 7, 6, 5, 3, 1]) / 79


@functools.lru_cache(maxsize=4)
def _year(year):
    """Base load (mean 1) and heat's shape for all years alike: (quarters, days in it)."""
    quarters = pandas.date_range("%d-01-01" % year, "%d-01-01" % (year + 1), freq="15min")[:-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base = bdew.H25(quarters).to_numpy()
    return base / base.mean(), len(base) // 96


class House:
    """A one-family house.

    seed: whose habits and weather; year: calendar (weekdays, daylight saving is left out);
    annual_kwh: household with its appliances, without heat pump and flow heater; heat_pump_kwh:
    a year's electricity of the heat pump (0: none), inverter: it follows the need, else it is
    switched on and off; flow_heater_w: instantaneous water heater on three phases (0: none);
    pv_kwp: roof to the south, 35 degrees, on a three-phase inverter (0: none).
    """

    def __init__(
        self,
        seed=1,
        year=2025,
        annual_kwh=4500,
        heat_pump_kwh=4500,
        inverter=True,
        flow_heater_w=18000,
        pv_kwp=8.0,
        latitude=49.9,
        longitude=8.7,
    ):
        self.seed = seed
        self.year = year
        self.flow_heater_w = flow_heater_w
        self.pv_kwp = pv_kwp
        self.inverter = inverter
        self.base, self.days = _year(year)
        self.location = Location(latitude, longitude, tz="Etc/GMT-1", altitude=150)
        # What the appliances take in a mean year (see _kitchen and _fridge) comes off the base.
        self._base_w = max(50.0, (annual_kwh - 1080) / 8.76)
        self._weather()
        self._heat_w = self._heat(heat_pump_kwh) if heat_pump_kwh else None

    def random(self, day, what):
        """The generator of random numbers for one thing on one day."""
        return numpy.random.default_rng([self.seed, self.year, day, sum(what.encode())])

    def _weather(self):
        chance = numpy.random.default_rng([self.seed, self.year])
        day = numpy.arange(self.days)
        # A sky of a day often is like that of the day before, and clearer in summer.
        drift = numpy.zeros(self.days)
        for i in range(1, self.days):
            drift[i] = 0.6 * drift[i - 1] + 0.8 * chance.normal()
        drift -= drift.mean()  # no year is much better than another
        summer = -numpy.cos(2 * numpy.pi * (day - 15) / self.days)
        self.clearness = 1 / (1 + numpy.exp(-(drift * 1.1 - 0.2 + 0.4 * summer)))
        self.temperature = 9.8 + 9.4 * summer + 2.6 * drift * summer

    def _heat(self, kwh):
        hours = pandas.date_range("%d-01-01" % self.year, periods=self.days * 24, freq="h")
        by_day = pandas.Series(numpy.repeat(self.temperature, 24), index=hours)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            need = bdew.HeatBuilding(
                hours,
                temperature=by_day,
                shlp_type="EFH",
                building_class=5,
                wind_class=0,
                annual_heat_demand=1,
            ).get_bdew_profile()
        # In the cold it needs more electricity for the same heat.
        need = need.to_numpy() * (1 + 0.02 * (10 - by_day.to_numpy()))
        return need * (1000.0 * kwh / need.sum())

    def day(self, day):
        """mA on L1, L2, L3 in each second of a day of the year (0 is January 1)."""
        return numpy.rint(self.day_w(day) * (1000 / VOLTAGE_V)).astype(numpy.int32)

    def day_w(self, day):
        """The same in W."""
        w = self._household(day)
        self._fridge(w, day)
        self._kitchen(w, day)
        if self.flow_heater_w:
            self._flow_heater(w, day)
        if self._heat_w is not None:
            self._heat_pump(w, day)
        if self.pv_kwp:
            w -= (self.pv_w(day) / 3)[:, None]
        return w

    def _household(self, day):
        chance = self.random(day, "base")
        quarters = self.base[96 * day : 96 * day + 96] * self._base_w
        smooth = numpy.interp(numpy.arange(DAY_S), 450 + 900 * numpy.arange(96), quarters)
        # Lamps and screens go on and off: steps of some minutes, on each phase by itself.
        w = numpy.empty((DAY_S, 3))
        for phase, part in enumerate((0.42, 0.33, 0.25)):
            level = numpy.repeat(chance.gamma(4, 0.25, DAY_S // 120), 120)
            w[:, phase] = smooth * part * level
        return w

    @staticmethod
    def _on(w, start_s, seconds, watts):
        w[int(start_s) : int(start_s + seconds)] += numpy.asarray(watts)

    @staticmethod
    def _moments(chance, mean, hours):
        count = chance.poisson(mean)
        hour = chance.choice(24, size=count, p=hours)
        return 3600 * hour + chance.integers(0, 3600, count)

    def _fridge(self, w, day):
        chance = self.random(day, "fridge")
        at_s = -int(chance.integers(0, 3600))
        while at_s < DAY_S:  # 90 W for a third of the time, and the start of its motor
            on_s = int(chance.integers(900, 1300))
            self._on(w, max(0, at_s), min(on_s, max(0, at_s + on_s)), [0, 0, 90])
            if at_s >= 0:
                self._on(w, at_s, 1, [0, 0, 500])
            at_s += 3 * on_s

    def _kitchen(self, w, day):
        chance = self.random(day, "kitchen")
        for at_s in self._moments(chance, 3.0, _TEA):
            self._on(w, at_s, chance.integers(120, 181), [2200, 0, 0])
        for at_s in self._moments(chance, 1.3, _MEALS):
            # Hob and oven hang on two phases; what is set below full goes on and off.
            for phase, watts in ((1, 2000), (2, 1800)):
                if phase == 2 and chance.random() < 0.5:
                    continue
                length = int(chance.integers(600, 2400))
                self._on(w, at_s, 240, watts * numpy.eye(3)[phase])
                share = chance.uniform(0.2, 0.6)
                for cycle_s in range(240, length, 30):
                    self._on(w, at_s + cycle_s, int(30 * share), watts * numpy.eye(3)[phase])
        if chance.random() < 0.3:
            at_s = self._moments(chance, 20, _MEALS)[:1]
            for start_s in at_s:  # oven
                self._on(w, start_s, 480, [0, 2500, 0])
                for cycle_s in range(480, 3000, 60):
                    self._on(w, start_s + cycle_s, 24, [0, 2500, 0])
        for watts, often in (([0, 0, 2000], 0.5), ([2000, 0, 0], 0.55)):
            if chance.random() < often:  # washing machine, dishwasher: they heat, then turn
                at_s = int(chance.integers(7, 21) * 3600 + chance.integers(0, 3600))
                self._on(w, at_s, 1100, watts)
                self._on(w, at_s + 1100, 4000, numpy.asarray(watts) * 0.08)

    def _flow_heater(self, w, day):
        chance = self.random(day, "water")
        phase_w = numpy.zeros(DAY_S)  # two taps at once get no more than it has
        for at_s in self._moments(chance, 2.2, _WATER):  # showers
            share = chance.uniform(0.75, 1.0)
            self._on(phase_w, at_s, chance.integers(180, 480), self.flow_heater_w * share / 3)
        for at_s in self._moments(chance, 14, _WATER):  # hands and dishes
            share = chance.uniform(0.35, 1.0)
            self._on(phase_w, at_s, chance.integers(5, 60), self.flow_heater_w * share / 3)
        w += numpy.minimum(phase_w, self.flow_heater_w / 3)[:, None]

    def _heat_pump(self, w, day):
        chance = self.random(day, "heat")
        need = self._heat_w[24 * day : 24 * day + 24]
        if self.inverter:
            by_s = numpy.interp(numpy.arange(DAY_S), 1800 + 3600 * numpy.arange(24), need)
            # Below a quarter of its power it runs for half an hour at that, then it rests.
            least_w = 600.0
            owed_wh = chance.uniform(0, 200)
            for start_s in range(0, DAY_S, 1800):
                mean_w = by_s[start_s : start_s + 1800].mean()
                owed_wh += mean_w / 2
                run_w = min(4500.0, max(least_w, mean_w))
                if owed_wh >= run_w / 2:
                    self._on(w, start_s, 1800, [run_w / 3] * 3)
                    owed_wh -= run_w / 2
            return
        on_w = 3600.0
        owed_wh = chance.uniform(0, 900)
        for start_s in range(0, DAY_S, 900):
            owed_wh += need[start_s // 3600] / 4
            if owed_wh >= on_w / 4:
                self._on(w, start_s, 900, [on_w / 3] * 3)
                self._on(w, start_s, 1, [2 * on_w / 3] * 3)  # the compressor starts
                owed_wh -= on_w / 4

    def pv_w(self, day):
        """What the roof gives in each second of a day, W."""
        start = "%d-01-01" % self.year
        minutes = pandas.date_range(start, periods=1441, freq="min", tz=self.location.tz)
        minutes = minutes + pandas.Timedelta(days=day)
        sky = self.location.get_clearsky(minutes, model="ineichen", linke_turbidity=3.2)
        sun = self.location.get_solarposition(minutes)
        roof = get_total_irradiance(
            35, 180, sun["apparent_zenith"], sun["azimuth"], sky["dni"], sky["ghi"], sky["dhi"]
        )["poa_global"].fillna(0)
        by_s = numpy.interp(numpy.arange(DAY_S), 60 * numpy.arange(1441), roof.to_numpy())
        through = self._clouds(day)
        warm = 1 - 0.004 * (self.temperature[day] + 0.025 * by_s * through - 25)
        return numpy.minimum(by_s * through * warm * 0.745 * self.pv_kwp, 900.0 * self.pv_kwp)

    def _clouds(self, day):
        """Share of the clear sky's light: gaps and clouds, with ramps of 5 to 40 s between."""
        chance = self.random(day, "cloud")
        clear = self.clearness[day]
        times, values = [0.0], [0.0]
        at_s = 0.0
        while at_s < DAY_S:
            if chance.random() < clear:
                value, length = chance.uniform(0.9, 1.0), chance.exponential(200 + 1500 * clear**3)
            else:
                value = chance.uniform(0.12, 0.55)
                length = chance.exponential(150 + 1500 * (1 - clear) ** 3)
            times += [at_s + chance.uniform(5, 40), at_s + 45 + length]
            values += [value, value]
            at_s += 45 + length
        return numpy.interp(numpy.arange(DAY_S), times, values)
