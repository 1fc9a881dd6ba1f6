"""The registers of the devices that a SunSpec server shows: models 213, 113 and 124, lengthened.

Pure. Loaded where devices are published; sources as in server_map.py.
"""

from struct import pack, pack_into

from micropython import const

from .server_map import HZ, MANAGER, NAN, ServerMap, known, lines, total

_BOX = const(113)
_STORAGE = const(124)
_METER = const(213)
_DISCHARGING = const(3)
_CHARGING = const(4)
_HOLDING = const(6)
# Registers 2 to 25 of model 124 while nothing is known; nobody charges by it (StorCtl_Mod 0).
_NO_STORAGE = (
    b"\xff\xff\xff\xff\xff\xff\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x80\x00"
    b"\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x80\x00\x80\x00\x00\x00\x80\x00"
    b"\x80\x00\x80\x00"
)


class DeviceMap(ServerMap):
    """published: [(id, True for a storage)], in the order in which they are shown.

    No private names: on the board they are short, and one of ServerMap's may be the same.
    """

    def __init__(self, source, published, refusal):
        models = [MANAGER[0]]
        for id, storage in published:
            if id[0] == "E":
                models.append((_BOX, 62, id))
            else:
                models.append((_METER, 126, id))
                if storage:
                    models.append((_STORAGE, 25, id))
        super().__init__(source, models, refusal)

    def show(self, start, model, key):
        if model == _BOX:
            self.box(start, key)
        elif model == _STORAGE:
            self.storage(start, key)
        else:
            super().show(start, model, key)
            if model == _METER:
                self.put(start + 126, pack(b">hh", self.source.role(key), -int(key[1:])))

    def box(self, start, key):
        body = bytearray(NAN * 23)
        readings = self.source.readings(key, True, True)
        if readings is not None:
            amps, volts, _, apparent = lines(readings, self.source.voltage_v)
            power_w = known(readings.get("power_w"))
            var = known(readings.get("reactive_power_var"))
            energy_wh = known(readings.get("import_wh", readings.get("energy_wh")))
            pack_into(b">4f", body, 0, total(amps), *amps)
            pack_into(b">7f", body, 28, *volts, power_w, HZ, total(apparent), var)
            pack_into(b">f", body, 60, energy_wh)
        self.put(start + 2, body)
        self.put(start + 48, b"\xff\xff\xff\xff" + bytes(8) + b"\xff" * 16)
        self.put(start + 62, pack(b">hh", self.source.state(key), int(key[1:])))

    def storage(self, start, key):
        self.put(start + 2, _NO_STORAGE)
        readings = self.source.readings(key, False, False) or {}
        soc = readings.get("soc")
        if soc is not None:
            self.put(start + 8, pack(b">H", max(0, min(100, int(soc)))))
        power_w = readings.get("power_w")
        if power_w is not None:
            doing = _CHARGING if power_w > 0 else _DISCHARGING if power_w else _HOLDING
            self.put(start + 11, pack(b">H", doing))
        self.put(start + 26, pack(b">h", -int(key[1:])))
