"""Which of a SunSpec device's models serve a role, and the Readout for them. Needed only once.

Signs: a SunSpec inverter's power is positive where it feeds in, a battery's (802) where it
discharges, a meter's where it imports (SunSpec model definitions); here what is drawn or charged
is positive, so the first two are turned.
"""

from micropython import const

from .readout import (
    AND_MORE,
    ASIDE,
    ENTRY,
    KINDS,
    MAY_LACK_FACTOR,
    NEGATED,
    WITH_ASIDE,
    Readout,
    ScanError,
)

_NO_FACTOR = const(255)
_METERS = const((20, 21))
_INVERTERS = const((10, 11))
_MPPT = const(160)
_BASIC = const(124)
_BATTERY = const(802)
_MODULES_MS = const(2000)
_LAST_MODULE = const(5)  # 120 registers: what one read can give
# What a battery's inputs of model 160 are called, "StCha 3" and "StDisCha 4" (Fronius).
_CHARGES = const("STCHA")
_DISCHARGES = const("STDISCHA")


def choose(scan, role, phases, table, names, which=1):
    """The Readout for a meter of that role. ScanError where no model serves it.

    which: of several meters in one device, 1 is the first.

    phases: on which house phase a device of one phase is, as its only entry; table: the file
    templates/sunspec.json; names: of all readings.
    """
    choice = _Choice(scan, phases, table, names, which)
    if role == "generation":
        choice.generation()
    elif role.startswith("storage"):
        choice.storage()
    elif not choice.take(_METERS):
        if role != "display" or not choice.take(_INVERTERS):
            raise choice.missing(role, "201-204, 211-214")
    return choice.readout()


def _group(number):
    """A model's key in the table: all 10x are alike, and so on."""
    tens = number // 10
    if tens in _INVERTERS or tens in _METERS:
        return tens if 0 < number % 10 < 5 else 0
    return number if number > 99 else 0


class _Choice:
    """The blocks and values that were chosen."""

    def __init__(self, scan, phases, table, names, which):
        self._scan = scan
        self._which = which
        self._phase = phases[0] if len(phases) == 1 else 1
        self._points = table["points"]
        self._turned = scan.maker in table["makers_that_count_export"]
        self._names = names
        self._blocks = []
        self._starts = [0]
        self._values = []
        self._models = []

    def missing(self, role, wanted):
        found = ", ".join([str(model[0]) for model in self._scan.models])
        text = "SunSpec: for the role %s the device needs %s of the models %s; it has %s"
        return ScanError(text % (role, "one" if self._which == 1 else self._which, wanted, found))

    def readout(self):
        values = bytes(self._values)
        return Readout(
            self._names, tuple(self._blocks), bytes(self._starts), values, tuple(self._models)
        )

    def generation(self):
        """What the roof gives: of a hybrid inverter without what its battery takes or gives."""
        charging, discharging, others = self._modules()
        if others and (charging or discharging):
            self._add_modules([(n, "export_wh", NEGATED) for n in others])
        elif self._find((_BATTERY,)) and self._find(_INVERTERS):
            self.take((_BATTERY,), 1, ASIDE)
            self.take(_INVERTERS, 1, WITH_ASIDE)
        elif not self.take(_INVERTERS):
            if others:
                self._add_modules([(n, "export_wh", NEGATED) for n in others])
            elif not self.take(_METERS):
                raise self.missing("generation", "101-103, 111-113, 160")

    def storage(self):
        """Power by 802, by the battery's inputs of 160, or of an inverter that has only that."""
        charging, discharging, others = self._modules()
        if self.take((_BATTERY,)):
            return
        if charging or discharging:
            wanted = [(n, "import_wh", 0) for n in charging]
            self._add_modules(wanted + [(n, "export_wh", NEGATED) for n in discharging])
        elif not self._find((_BASIC,)) or not self._find(_INVERTERS):
            raise self.missing("storage", "802, 160 or 124 with 101-103, 111-113")
        elif len(others) > 1:
            text = "SunSpec: model 160 does not tell which of the %d inputs is the battery"
            raise ScanError(text % len(others))
        else:
            self.take(_INVERTERS)
        self.take((_BASIC,))

    def _find(self, wanted):
        """The first model that belongs to one of the groups, of meters the one asked for; None."""
        before = self._which - 1 if wanted == _METERS else 0
        for model in self._scan.models:
            if _group(model[0]) in wanted:
                if not before:
                    return model
                before -= 1
        return None

    def take(self, wanted, most=9, flags=0):
        """Chooses the first such model, of it `most` blocks; False where there is none."""
        model = self._find(wanted)
        if not model:
            return False
        number = model[0]
        group = _group(number)
        lines = number % 10 if group in _METERS or group in _INVERTERS else 3
        for block in self._points[str(group)][:most]:
            points = [point.split() for point in block[1:]]
            if flags:
                points = points[:1]
            self._add(model, block[0], points, flags, lines)
        self._models.append(number)
        return True

    def _add(self, model, every_ms, points, flags, lines):
        """One block from its points."""
        number, at, length = model
        places = []
        for point in points:
            places += [int(point[1]), int(point[1]) + (point[2] in ("f32", "acc32"))]
            if point[3] != "*":
                places.append(int(point[3].rstrip("?")))
        if max(places) > length + 1:
            raise ScanError("SunSpec: model %d is too short (%d)" % (number, length))
        first = min(places)
        self._blocks.append((3, at + first, max(places) - first + 1, every_ms))
        for point in points:
            self._value(point, first, flags, lines, _group(number))
        self._starts.append(len(self._values) // ENTRY)

    def _value(self, point, first, flags, lines, group):
        name, place, kind, factor, exponent = point[:5]
        sign = point[5] if len(point) > 5 else ""
        if lines < 3 and "_l" in name:  # what a device of one or two phases has not is 0
            line = int(name[name.find("_l") + 2])
            if lines == 1:
                sign = "power_w" if sign else ""
                house = 1 + (line + self._phase - 2) % 3
                name = name.replace("_l%d" % line, "_l%d" % house)
            if line > lines:
                if name.startswith("voltage"):
                    return
                kind, sign = "zero", ""
        if sign == "-":
            flags, sign = flags | NEGATED, ""
        elif self._turned and group in _METERS and name.startswith("power"):
            flags |= NEGATED
        if factor.endswith("?"):
            flags |= MAY_LACK_FACTOR
        self._entry(
            name,
            2 * (int(place) - first),
            kind,
            _NO_FACTOR if factor == "*" else 2 * (int(factor.rstrip("?")) - first),
            int(exponent),
            flags,
            1 + self._names.index(sign) if sign else 0,
        )

    def _entry(self, name, place, kind, factor, exponent, flags, sign=0):
        name = self._names.index(name)
        self._values += [name, place, KINDS.index(kind), factor, exponent, flags, sign]

    def _modules(self):
        """Numbers of the inputs of model 160: (battery charging, discharging, all others)."""
        charging, discharging, others = [], [], []
        for n, text in enumerate(self._scan.modules):
            text = text.upper()
            if text.startswith(_DISCHARGES):
                discharging.append(n)
            elif text.startswith(_CHARGES):
                charging.append(n)
            else:
                others.append(n)
        return charging, discharging, others

    def _add_modules(self, wanted):
        """One block of model 160: [(number of the input, its energy's reading, flags)]."""
        at = self._find((_MPPT,))[1]
        last = max([n for n, _, _ in wanted])
        if last > _LAST_MODULE:
            raise ScanError("SunSpec: input %d of model 160 is too far away" % (last + 1))
        first = 4  # DCW_SF, DCWH_SF; an input's DCW and DCWH are 21 and 22 where it is the first
        seen = []
        for n, energy, flags in wanted:
            place = 2 * (21 - first + 20 * n)
            flags |= MAY_LACK_FACTOR
            for name, by, kind, factor in (("power_w", 0, "u16", 0), (energy, 2, "acc32", 2)):
                more = AND_MORE if name in seen else 0
                turned = flags if name == "power_w" else flags & ~NEGATED
                self._entry(name, place + by, kind, factor, 0, turned | more)
                seen.append(name)
        self._blocks.append((3, at + first, 24 + 20 * last - first, _MODULES_MS))
        self._starts.append(len(self._values) // ENTRY)
        self._models.append(_MPPT)
