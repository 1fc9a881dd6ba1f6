"""The registers that a SunSpec server shows: what lies where, what is read, what may be written.

Pure. Source of the map: the SunSpec server of the cFos Charging Manager (docs/sunspec-server.md
has it in full); of models 1, 113, 124 and 213: the SunSpec model definitions. An unknown value is
what SunSpec says for "not implemented": NaN, 0x8000, 0xFFFF.
"""

from struct import pack, pack_into, unpack_from

from micropython import const

BASE = const(40000)
_COMMON = const(1)
_METER = const(213)
_PARAMETERS = const(60000)
_FLAGS = const(60001)
_VARIABLES = const(60002)
NAN = b"\x7f\xc0\x00\x00"
_ENTRY = const(22)  # registers of a variable: 20 of its name, 2 of its value
_NAME = const(20)
_PERCENT = const(16)
HZ = 50
_UNKNOWN = float("nan")
# Readings of L1 to L3.
LINES = (
    ("current_l1_ma", "voltage_l1_v", "power_l1_w"),
    ("current_l2_ma", "voltage_l2_v", "power_l2_w"),
    ("current_l3_ma", "voltage_l3_v", "power_l3_w"),
)
# (model, registers behind its length, what it shows) of the manager; None: as many as there are.
MANAGER = (
    (_COMMON, 66, ""),
    (_METER, 124, "grid_demand"),
    (_METER, 124, "consumed"),
    (_METER, 124, "produced"),
    (_METER, 124, "surplus"),
    (_METER, 124, "consumed_evse"),
    (_METER, 124, "available_evse"),
    (_METER, 124, "error"),
    (_PARAMETERS, 16, ""),
    (_FLAGS, 32, ""),
    (_VARIABLES, None, ""),
)


def _f32(value):
    if value is None or not -3e38 < value < 3e38:
        return NAN
    return pack(b">f", value)


def total(values):
    """The sum of those that are known; NaN where none is."""
    values = [value for value in values if value == value]
    return sum(values) if values else _UNKNOWN


def known(value):
    """The value, NaN for None."""
    return _UNKNOWN if value is None else value


def lines(readings, voltage_v):
    """([A], [V], [W], [VA]) of L1 to L3, NaN where not known; negative where a phase feeds in.

    What is not measured of W and VA is current by voltage, if need be by voltage_v.
    """
    amps, volts, powers, apparent = [], [], [], []
    get = readings.get
    for current, voltage, power in LINES:
        amp = get(current)
        volt = get(voltage)
        power_w = get(power)
        va = _UNKNOWN
        if amp is not None:
            amp /= 1000
            va = abs(amp) * (volt or voltage_v)
            if power_w is None:
                power_w = amp * (volt or voltage_v)
            elif power_w < 0:
                amp = -abs(amp)
        amps.append(known(amp))
        volts.append(known(volt))
        powers.append(known(power_w))
        apparent.append(va)
    return amps, volts, powers, apparent


def _text(text, registers):
    data = text.encode()[: 2 * registers]
    return data + bytes(2 * registers - len(data))


class ServerMap:
    """The registers of one unit id, as modbus.server.handle wants them.

    models: MANAGER, or those of server_devices.py. refusal: makes the error to raise from an
    exception code of Modbus: 2 address, 3 value, 4 what serves it failed. source, of which all is
    asked at the moment of a request:
        voltage_v       what the grid has, for what is calculated
        common(map)     (manufacturer, model, option, version, serial, unit id)
        readings(key, phases, energy) -> {reading: value} of a counter or device; None: it is
                        silent. What is asked for beside power_w: LINES; import_wh, export_wh
        role(id), state(id) -> numbers of a meter's role, a wallbox's state
        parameter(n)    number at offset n of model 60000, None: unknown
        flag(n)         1 to 32
        variables()     [name]; variable(name) -> number or None
        write(parameters, flags, variables): dicts by n, n, name; takes all, or raises and none
    """

    def __init__(self, source, models, refusal):
        self.source = source
        self._models = models
        self._refusal = refusal
        # The window that is being read.
        self._out = None
        self._off = self._first = self._end = 0

    def places(self):
        """[(first register, registers, model, what it shows)] and (end, 2, 0xFFFF, "")."""
        at = BASE + 2
        result = []
        for model, length, key in self._models:
            if length is None:
                length = _ENTRY * len(self.source.variables())
            result.append((at, 2 + length, model, key))
            at += 2 + length
        result.append((at, 2, 0xFFFF, ""))
        return result

    def read_registers(self, fc, address, count, out, off):
        """Writes `count` registers to out[off] on: each of the same moment."""
        places = self.places()
        end = address + count
        if address < BASE or end > places[-1][0] + 2:
            raise self._refusal(2)
        self._out = out
        self._off = off
        self._first = address
        self._end = end
        self.put(BASE, b"SunS")
        for start, size, model, key in places:
            if start < end and address < start + size:
                self.put(start, pack(b">HH", model, 0 if model == 0xFFFF else size - 2))
                if end > start + 2:
                    self.show(start, model, key)
        self._out = None

    def put(self, at, data):
        """The bytes of registers `at` on, as far as they lie in the window."""
        begin = 2 * max(0, self._first - at)
        end = min(len(data), 2 * (self._end - at))
        if begin < end:
            to = self._off + 2 * (at - self._first)
            self._out[to + begin : to + end] = data[begin:end]  # pyright: ignore[reportOptionalSubscript]

    def wants(self, first, end):
        return self._first < end and first < self._end

    def show(self, start, model, key):
        """What of a model behind its length is asked for."""
        if model == _METER:
            self.meter(start, key)
        elif model == _COMMON:
            self._common(start)
        elif model == _PARAMETERS:
            for n in range(2, 18, 2):
                if self.wants(start + n, start + n + 2):
                    self.put(start + n, _f32(self.source.parameter(n)))
        elif model == _FLAGS:
            for n in range(1, 33):
                if self.wants(start + 1 + n, start + 2 + n):
                    self.put(start + 1 + n, pack(b">h", self.source.flag(n)))
        elif model == _VARIABLES:
            self._variables(start + 2)

    def _common(self, start):
        texts = self.source.common(self)
        at = start + 2
        for text, size in zip(texts, (16, 16, 8, 8, 16)):
            self.put(at, _text(text, size))
            at += size
        self.put(at, pack(b">HH", texts[5], 0x8000))

    def meter(self, start, key):
        """Model 213."""
        first = self._first - start
        end = self._end - start
        body = bytearray(NAN * 61)
        phases = first < 28 or end > 30 and first < 46
        energy = first < 70 and end > 60
        readings = self.source.readings(key, phases, energy)
        if readings is not None:
            get = readings.get
            pack_into(b">2f", body, 48, HZ, known(get("power_w")))
            if phases:
                amps, volts, powers, apparent = lines(readings, self.source.voltage_v)
                measured = [volt for volt in volts if volt == volt]
                mean = sum(measured) / len(measured) if measured else _UNKNOWN
                pack_into(b">8f", body, 0, total(amps), *amps, mean, *volts)
                pack_into(b">7f", body, 56, *powers, total(apparent), *apparent)
                pack_into(b">f", body, 84, known(get("reactive_power_var")))
            if energy:
                pack_into(b">f", body, 116, known(get("export_wh")))
                pack_into(b">f", body, 132, known(get("import_wh")))
        self.put(start + 2, body)
        self.put(start + 124, b"\0\0\0\0")

    def _variables(self, at):
        names = self.source.variables()
        first = max(0, (self._first - at) // _ENTRY)
        for i in range(first, min(len(names), (self._end - at - 1) // _ENTRY + 1)):
            place = at + _ENTRY * i
            self.put(place, _text(names[i], _NAME))
            if self.wants(place + _NAME, place + _ENTRY):
                self.put(place + _NAME, _f32(self.source.variable(names[i])))

    def write_registers(self, fc, address, count, buf, off):
        """Takes `count` registers from buf[off] on: all of them, or it raises and takes none.

        2: one of them can't be written; 3: half a float, or a value that may not be there.
        """
        places = self.places()
        parameters = {}
        flags = {}
        variables = {}
        bad = False
        at = address
        while at < address + count:
            kind, n, place = self._point(at, places)
            data = off + 2 * (at - address)
            if kind == _FLAGS:
                flags[n] = buf[data] << 8 | buf[data + 1]
                bad = bad or flags[n] > 1
                at += 1
            elif place != at or at + 1 == address + count:
                bad = True  # the other half would be of another time
                at += 1
            else:
                value = unpack_from(b">f", buf, data)[0]
                # Neither is true of a NaN.
                bad = bad or not -3e38 < value < 3e38
                (parameters if kind == _PARAMETERS else variables)[n] = value
                at += 2
        for n, value in parameters.items():
            if value < 0 or n == _PERCENT and value > 100:
                bad = True
            elif n in (12, 14) and value not in (0, 1):
                bad = True
        if bad:
            raise self._refusal(3)
        self.source.write(parameters, flags, variables)

    def _point(self, at, places):
        """(model, number or name, first register) of what may be written there. Raises 2."""
        for start, size, model, _ in places:
            n = at - start
            if 2 <= n < size:
                if model == _FLAGS:
                    return model, n - 1, at
                if model == _PARAMETERS:
                    return model, n & -2, at & -2
                i, n = divmod(n - 2, _ENTRY)
                if model == _VARIABLES and n >= _NAME:
                    return model, self.source.variables()[i], start + 2 + _ENTRY * i + _NAME
        raise self._refusal(2)
