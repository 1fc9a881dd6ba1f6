"""What the simulated installation consists of: defaults, their checks, and those of a change.

A configuration is a dict; DEFAULTS shows every key. What a scenario or a caller gives is laid
over the defaults: objects key by key, everything else replaced.
"""

import copy
import re

from . import battery, clouds, grid_operator, relays
from .errors import TwinError, choice, flag, shown, table, triple, whole
from .profiles import check_clock, check_points

METER_FAULTS = ("silent", "unplugged", "slow", "frozen", "nan", "crc", "wrong_sign")
BOX_FAULTS = ("silent", "unplugged", "slow", "frozen", "nan", "crc", "ignores", "reboot")
CONTACT_FAULTS = ("bounce", "burst")
METER_KINDS = ("sdm630", "sunspec")
BOX_KINDS = ("heidelberg", "keba_p30")
_MOST_BOXES = 16

DEFAULTS = {
    "seed": 1,
    "house_w": [300, 200, 150],
    # What the roof would give under a clear sky, and clouds before it: clouds.DEFAULTS, or none.
    "pv_w": 0,
    "clouds": None,
    # A home battery that keeps the grid meter at zero: keys as battery.DEFAULTS, or none.
    "battery": None,
    # What the time server says when the twin starts, with its offset from UTC; None: today's time.
    "clock": None,
    # {"pv_w" or wallbox id: [[second, W or most mA of its car], ...]}, a straight line in between.
    "profiles": {},
    "appliances": {
        "kettle": [2000, 0, 0],
        "hob": [0, 2300, 2300],
        "heat_pump": [900, 900, 900],
    },
    "buses": {"rs485_1": {"baudrate": 19200, "parity": "E", "stop": 1}},
    "meters": [
        {
            "id": "M1",
            "kind": "sdm630",
            "bus": "rs485_1",
            "unit": 1,
            "measures": "grid",
            "turnaround_ms": [20, 40],
            # For pictures: the fuse at this place, and how far apart its phases may be.
            "fuse_ma": None,
            "unbalance_ma": None,
        }
    ],
    "wallboxes": [
        {
            "id": "E1",
            "kind": "heidelberg",
            "bus": "rs485_1",
            "unit": 2,
            "phases": 3,
            "phase_rotation": 0,
            "max_current_ma": 16000,
            "turnaround_ms": [5, 10],
        },
        {
            "id": "E2",
            "kind": "keba_p30",
            "unit": 255,
            "phases": 3,
            "phase_rotation": 0,
            "max_current_ma": 32000,
            "turnaround_ms": [4, 12],
        },
    ],
    "cars": {
        "E1": {
            "plugged": True,
            "phases": 3,
            "max_current_ma": 16000,
            "min_current_ma": 6000,
            "soc": 41,
            "capacity_wh": 58000,
            "sleep_s": 0,
        },
        "E2": {
            "plugged": True,
            "phases": 3,
            "max_current_ma": 32000,
            "min_current_ma": 6000,
            "soc": 23,
            "capacity_wh": 82000,
            "sleep_s": 0,
        },
    },
    # What hangs on the board's relays: relays.py.
    "relays": {},
    # What §14a EnWG counts: wallboxes, appliances, "battery"; None: the wallboxes.
    "controllable": None,
    "contacts": [1, 2],
    "s0": [],
    "board": {
        "inputs": [
            {"id": 1, "pin": 34, "active_low": True},
            {"id": 2, "pin": 35, "active_low": True},
        ],
        "expanders": [],
    },
    "faults": {},
    "slow_ms": 400,
    "reboot_ms": 8000,
}
_METER_KEYS = tuple(DEFAULTS["meters"][0])
_BOX_KEYS = (
    "id",
    "kind",
    "bus",
    "unit",
    "phases",
    "phase_rotation",
    "max_current_ma",
    "turnaround_ms",
)
_CAR = {
    "plugged": False,
    "phases": 3,
    "max_current_ma": 16000,
    "min_current_ma": 6000,
    "soc": 50,
    "capacity_wh": 60000,
    "sleep_s": 0,
}
_CAR_KEYS = tuple(_CAR)
_SET_KEYS = (
    "contacts",
    "house_w",
    "pv_w",
    "clouds",
    "cloud",
    "battery",
    "cars",
    "faults",
    "appliances",
    "operator",
)
_S0_KEYS = ("id", "input", "pulses_per_kwh", "measures", "pulse_ms")


def merged(base, over):
    """Return a copy of `base` with `over` laid on it, objects key by key."""
    result = copy.deepcopy(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def complete(*layers):
    """Return a checked, complete configuration: DEFAULTS with each of `layers` laid over."""
    config = DEFAULTS
    for layer in layers:
        table("config", layer, tuple(DEFAULTS))
        # A board replaces the default board as a whole: its pins are not ours.
        base = dict(config, board={}) if layer.get("board") is not None else dict(config)
        if isinstance(layer.get("wallboxes"), list):
            ids = [box.get("id") for box in layer["wallboxes"] if isinstance(box, dict)]
            base["cars"] = {id_: car for id_, car in config["cars"].items() if id_ in ids}
        config = merged(base, {k: v for k, v in layer.items() if v is not None})
    return _checked(config)


def _checked(config):
    whole("seed", config["seed"], 0, 2**31)
    whole("slow_ms", config["slow_ms"], 1, 60000)
    whole("reboot_ms", config["reboot_ms"], 1, 600000)
    triple("house_w", config["house_w"], 0, 50000)
    whole("pv_w", config["pv_w"], 0, 100000)
    for name, load_w in table("appliances", config["appliances"]).items():
        triple(f"appliances.{name}", load_w, 0, 50000)
    if config["clock"] is not None:
        check_clock(config["clock"])
    config["clouds"] = clouds.check("clouds", config["clouds"])
    if config["battery"] is not None:
        config["battery"] = battery.check("battery", config["battery"], complete=True)
    _check_buses(config)
    _check_devices(config)
    for name, points in table("profiles", config["profiles"], ("pv_w", *config["cars"])).items():
        low, high = (0, 100000) if name == "pv_w" else (6000, 63000)
        check_points(f"profiles.{name}", points, low, high)
    relays.check(config)
    _check_inputs(config)
    check_set({"faults": config["faults"]}, config)
    return config


def _check_buses(config):
    for name, bus in table("buses", config["buses"]).items():
        table(f"buses.{name}", bus, ("baudrate", "parity", "stop"))
        whole(f"buses.{name}.baudrate", bus.get("baudrate"), 300, 1000000)
        choice(f"buses.{name}.parity", bus.get("parity"), ("N", "E", "O"))
        choice(f"buses.{name}.stop", bus.get("stop"), (1, 2))


def _check_devices(config):
    ids, units, boxes = set(), set(), []
    if len(_list("wallboxes", config)) > _MOST_BOXES:
        raise TwinError(
            f"wallboxes has more than {_MOST_BOXES} entries, which is the most allowed"
        )
    for i, box in enumerate(_list("wallboxes", config)):
        where = f"wallboxes[{i}]"
        _check_device(where, box, _BOX_KEYS, BOX_KINDS, config, ids, units)
        box.setdefault("phases", 3)
        box.setdefault("phase_rotation", 0)
        choice(f"{where}.phases", box["phases"], (1, 2, 3))
        choice(f"{where}.phase_rotation", box["phase_rotation"], (0, 120, 240))
        whole(f"{where}.max_current_ma", box.get("max_current_ma"), 6000, 63000)
        boxes.append(box["id"])
    sources = [
        "grid",
        "house",
        "pv",
        "inverter",
        *(["battery"] if config["battery"] else []),
        *boxes,
    ]
    for name in config["appliances"]:
        if name in sources:
            raise TwinError(
                f"appliances.{name} has the name of something else; another is allowed"
            )
        sources.append(name)
    for i, meter in enumerate(_list("meters", config)):
        where = f"meters[{i}]"
        _check_device(where, meter, _METER_KEYS, METER_KINDS, config, ids, units)
        if meter["kind"] == "sunspec" and meter.get("bus") is not None:
            raise TwinError(f"{where}.bus is {shown(meter['bus'])}; a sunspec device has none")
        _check_measures(f"{where}.measures", meter.setdefault("measures", "grid"), sources)
        for key, high in (("fuse_ma", 1000000), ("unbalance_ma", 100000)):
            if meter.setdefault(key, None) is not None:
                whole(f"{where}.{key}", meter[key], 1, high)
    if config["controllable"] is not None:
        _check_measures("controllable", _list("controllable", config), sources)
    cars = table("cars", config["cars"], boxes)
    for id_, car in cars.items():
        _check_car(f"cars.{id_}", car)
    config["cars"] = {id_: merged(_CAR, cars.get(id_, {})) for id_ in boxes}
    for i, s0 in enumerate(_list("s0", config)):
        choice(f"s0[{i}].measures", table(f"s0[{i}]", s0, _S0_KEYS).get("measures"), sources)
        whole(f"s0[{i}].pulses_per_kwh", s0.get("pulses_per_kwh"), 1, 10000)
        whole(f"s0[{i}].pulse_ms", s0.setdefault("pulse_ms", 40), 30, 90)


def _check_measures(where, measures, sources):
    """One source, or a list of those behind the meter: wallboxes, appliances, house, pv, ..."""
    if not isinstance(measures, list):
        choice(where, measures, sources)
        return
    for i, source in enumerate(measures):
        choice(f"{where}[{i}]", source, sources)
    if not measures or len(set(measures)) < len(measures):
        raise TwinError(f"{where} is {shown(measures)}; each source once is allowed")


def _list(name, config):
    if not isinstance(config[name], list):
        raise TwinError(f"{name} is {shown(config[name])}; a list is allowed")
    return config[name]


def _check_device(where, device, keys, kinds, config, ids, units):
    table(where, device, keys)
    id_ = device.get("id")
    if not isinstance(id_, str) or not re.fullmatch(r"[A-Z][A-Za-z0-9_]{0,15}", id_) or id_ in ids:
        raise TwinError(f"{where}.id is {shown(id_)}; a name of its own such as E1 is allowed")
    ids.add(id_)
    choice(f"{where}.kind", device.get("kind"), kinds)
    whole(f"{where}.unit", device.get("unit"), 1, 255 if device.get("bus") is None else 247)
    if device.get("bus") is not None:
        place = (choice(f"{where}.bus", device["bus"], tuple(config["buses"])), device["unit"])
        if place in units:
            raise TwinError(
                f"{where}.unit is {device['unit']}, which another device on "
                f"{device['bus']} has; a number of its own is allowed"
            )
        units.add(place)
    span = device.setdefault("turnaround_ms", [5, 10])
    if (
        not isinstance(span, (list, tuple))
        or len(span) != 2
        or not all(isinstance(ms, int) and 0 <= ms <= 5000 for ms in span)
        or span[0] > span[1]
    ):
        raise TwinError(f"{where}.turnaround_ms is {shown(span)}; [least, most] in ms is allowed")


def _check_car(where, car):
    table(where, car, _CAR_KEYS)
    for key, value in car.items():
        name = f"{where}.{key}"
        if key == "plugged":
            flag(name, value)
        elif key == "capacity_wh":
            whole(name, value, 1000, 200000)
        elif key == "phases":
            whole(name, value, 1, 3)
        elif key == "sleep_s":
            whole(name, value, 0, 86400)
        elif key == "soc":
            whole(name, value, 0, 100)
        else:
            whole(name, value, 6000, 63000)


def _check_inputs(config):
    board = config["board"]
    if not isinstance(board, dict) or not isinstance(board.get("inputs"), list):
        raise TwinError("board.inputs is missing; a board.json object is allowed")
    by_id = {}
    for i, item in enumerate(board["inputs"]):
        where = f"board.inputs[{i}]"
        if not isinstance(item, dict) or not isinstance(item.get("id"), int):
            raise TwinError(f"{where}.id is missing; a whole number is allowed")
        by_id[item["id"]] = item
        if item.get("expander") is not None:
            whole(f"{where}.expander", item["expander"], 0, len(board.get("expanders") or []) - 1)
            whole(f"{where}.bit", item.get("bit"), 0, 7)
        else:
            whole(f"{where}.pin", item.get("pin"), 0, 99)
    for i, s0 in enumerate(config["s0"]):
        choice(f"s0[{i}].input", s0.get("input"), tuple(by_id))
    taken = [s0["input"] for s0 in config["s0"]]
    # A contact that the board lacks, or that an S0 meter sits on, is not there.
    config["contacts"] = [
        c
        for c in _list("contacts", config)
        if choice(f"contacts[{c!r}]", c, range(1, 65)) in by_id and c not in taken
    ]


def fault_places(config):
    """Return {place: allowed faults} for every device and contact of `config`."""
    places = {meter["id"]: METER_FAULTS for meter in config["meters"]}
    places.update({box["id"]: BOX_FAULTS for box in config["wallboxes"]})
    places.update({f"contact{n}": CONTACT_FAULTS for n in config["contacts"]})
    return places


def check_set(change, config):
    """Return the change asked for by POST /twin/set or a scenario step, checked as a whole.

    Nothing is applied here, so that a change with one wrong part changes nothing.
    """
    table("the change", change, _SET_KEYS)
    contacts = [str(n) for n in config["contacts"]]
    for number, closed in table("contacts", change.get("contacts", {}), contacts).items():
        flag(f"contacts.{number}", closed)
    if "house_w" in change:
        triple("house_w", change["house_w"], 0, 50000)
    if "pv_w" in change:
        whole("pv_w", change["pv_w"], 0, 100000)
    clouds.check("clouds", change.get("clouds"))
    if "cloud" in change:
        flag("cloud", change["cloud"])
    if "battery" in change:
        if config["battery"] is None:
            raise TwinError("battery cannot be set: this installation has none")
        battery.check("battery", change["battery"])
    for id_, car in table("cars", change.get("cars", {}), tuple(config["cars"])).items():
        _check_car(f"cars.{id_}", car)
    appliances = table("appliances", change.get("appliances", {}), tuple(config["appliances"]))
    for name, on in appliances.items():
        flag(f"appliances.{name}", on)
    places = fault_places(config)
    for place, fault in table("faults", change.get("faults", {}), tuple(places)).items():
        if fault not in (None, ""):
            choice(f"faults.{place}", fault, places[place])
    grid_operator.check("operator", change.get("operator", {}))
    return change
