"""What the SunSpec server shows of a site and takes from a master; when it writes to flash."""

from struct import pack, unpack

from fakes.sunspec_site import BOARD, CHANNEL, Controller, Inputs

from controller import data, sunspec_check
from controller.refusal import Refusal
from controller.settings import Settings
from controller.sunspec_values import Values


class Master:
    """Speaks PDUs to the values; a read gives bytes, a refusal the code."""

    def __init__(self, controller):
        self.controller = controller
        self.values = Values(controller)

    def ask(self, pdu, unit=7):
        out = bytearray(260)
        n = self.values.serve(unit, b"\xee" + pdu, len(pdu), out, 1, 2)
        assert out[2] & 0x7F == pdu[0]
        return out[3] if out[2] & 0x80 else bytes(out[4 : 2 + n])

    def read(self, address, count=2, unit=7):
        return self.ask(pack(">BHH", 3, address, count), unit)

    def number(self, address, unit=7):
        found = self.read(address, 2, unit)
        return found if isinstance(found, int) else unpack(">f", found)[0]

    def write(self, address, *numbers):
        data = pack(">%df" % len(numbers), *numbers)
        return self.put(address, data)

    def put(self, address, data):
        n = len(data)
        answer = self.ask(pack(">BHHB", 16, address, n // 2, n) + data)
        return answer if isinstance(answer, int) else 0


def master(*channels, **server):
    return Master(Controller(channels, **server))


def unknown(found):
    return found != found


def test_counters():
    operator = master()
    grid = 40070
    assert operator.number(40098) == 4300
    assert [operator.number(grid + n) for n in (2, 4, 6, 8)] == [19, 9, 8, 2]
    assert [operator.number(grid + n) for n in (12, 14, 16)] == [230, 231, 232]
    assert operator.number(grid + 44) == -120 and operator.number(grid + 126 + 12) == 230
    assert unknown(operator.number(grid + 60))  # it is counted from now on
    operator.controller.feed()
    assert operator.number(grid + 60) == 300 and operator.number(grid + 68) == 5000
    produced, left = 40070 + 252, 40070 + 126 * 5
    assert operator.number(produced + 28) == 3000 and operator.number(left + 28) > 0
    operator.controller.devices["M1"].com_error = True
    operator.controller.feed()
    assert unknown(operator.number(40098)) and unknown(operator.number(grid + 12))
    assert operator.number(40070 + 126 * 4 + 28) == 4600


def test_devices():
    operator = master()
    assert operator.read(40000, 2, 8) == b"SunS"
    assert unpack(">4H", operator.read(40070, 2, 8) + operator.read(40196, 2, 8)) == (
        213,
        126,
        3,
        0xFFFF,
    )
    assert operator.number(40098, 8) == 4300
    box = 40198
    assert unpack(">2H", operator.read(box, 2, 8)) == (113, 62)
    assert operator.number(box + 22, 8) == 4600 and operator.number(box + 32, 8) == 21500
    assert unpack(">2H", operator.read(box + 62, 2, 8)) == (3, 1)
    storage = 40262 + 128
    assert unpack(">9H", operator.read(storage, 9, 8))[8] == 40
    operator.controller.devices["E1"].com_error = True
    assert unpack(">2H", operator.read(box + 62, 2, 8)) == (6, 1)
    assert unknown(operator.number(box + 22, 8))
    # A wallbox measured by a meter of its own.
    operator.controller.devices["E2"].config["meter"] = "M1"
    assert operator.number(storage + 27 + 22, 8) == 4300


def test_percent_of_the_connection():
    operator = master()
    site = operator.controller.site
    assert operator.number(40968) == 100
    assert operator.write(40968, 33.3) == 0
    assert site.percent == operator.number(40968) == 33  # the stricter way
    assert operator.controller.wakes == 1
    assert operator.write(40968, 100) == 0 and site.percent is None
    assert operator.write(40968, 0) == 0 and site.percent == 0
    assert operator.write(40968, -1) == operator.write(40968, float("nan")) == 3
    assert site.percent == 0 and not operator.controller.store.writes


def test_percent_through_the_channel():
    operator = master(CHANNEL)
    inputs = operator.controller.operator
    assert operator.number(40968) == 10  # nobody has written yet: it waits in the fail-safe state
    assert operator.write(40968, 60) == 0
    assert operator.number(40968) == 60 and operator.controller.site.percent is None
    assert inputs.operator.channels["sunspec"].level == ("percent", 60)
    inputs.pass_ms(59000)
    operator.number(40968)  # to read is no sign of life
    assert operator.write(40968, 101) == 3  # nor is what was refused
    inputs.pass_ms(2000)
    assert inputs.operator.channels["sunspec"].state == "failsafe"
    assert operator.number(40968) == 10
    assert operator.write(40968, 0) == 0 and operator.number(40968) == 0
    for _ in range(4):
        inputs.pass_ms(40000)
        assert operator.put(40972, b"\x00\x01") == 0  # any write is one
    assert operator.number(40968) == 0
    channel = inputs.operator.channels["sunspec"]
    inputs.pass_ms(61000)
    assert channel.state == "failsafe"
    assert operator.write(40956, 500) == 0  # a setting is no command
    assert channel.state == "failsafe" and channel.heard_ms == operator.controller.clock.ms
    assert operator.put(40972, b"\x00\x00") == 0 and channel.state == "controlled"
    dim = dict(CHANNEL)
    dim["failsafe"] = "dim"
    assert unknown(master(dim).number(40968))  # what holds is no percentage


def test_percent_of_before_there_was_a_channel():
    operator = master()
    controller = operator.controller
    assert operator.write(40968, 30) == 0 and controller.site.percent == 30
    controller.operator = Inputs(controller, [CHANNEL])  # channels need no restart
    assert controller.site.percent == 30  # until the master speaks through it
    assert operator.write(40968, 100) == 0 and operator.number(40968) == 100
    assert controller.site.percent is None
    controller.site.percent = 40  # the owner's own share stays
    assert operator.write(40968, 90) == operator.write(40968, 100) == 0
    assert controller.site.percent == 40
    operator = master(CHANNEL)
    operator.controller.site.percent = 40
    assert operator.write(40968, 100) == 0 and operator.controller.site.percent == 40


def test_settings_hold_at_once_and_are_written_together():
    operator = master()
    controller = operator.controller
    store = controller.store
    assert operator.write(40954, 32000, 500) == 0
    site = controller.settings.doc["site"]
    assert (site["max_total_current"], site["reserve_current_ma"]) == (32000, 500)
    controller.decide()
    assert controller.site.limits[1].phase_ma == (32000, 32000, 32000)
    values = operator.values
    saved_ms = []
    for second in range(600):  # a master that writes something else each second
        controller.clock.ms += 1000
        assert operator.write(40956, 500 + second) == 0
        before = store.writes
        values.save_due(controller.clock.now_ms())
        if store.writes > before:
            saved_ms.append(controller.clock.ms)
    assert len(saved_ms) == 4 and min([b - a for a, b in zip(saved_ms, saved_ms[1:])]) >= 150000
    assert len(controller.events) == 4 and controller.events[0] == (
        "settings_changed",
        "SunSpec",
        "site",
    )
    assert store.documents["settings.json"]["site"]["reserve_current_ma"] < 1099
    values.save()  # before a restart
    assert store.documents["settings.json"]["site"]["reserve_current_ma"] == 1099
    assert values.save_ms is None
    # The same again: nothing to write.
    assert operator.write(40956, 1099) == 0 and values.save_ms is None


def test_written_with_what_somebody_else_changed():
    """The master's change is told even if it went to flash with the owner's."""
    operator = master()
    controller = operator.controller
    assert operator.write(40954, 16000) == 0
    controller.settings.apply({"site": {"title": "Home"}})
    writes = controller.store.writes
    operator.values.save()
    assert controller.store.writes == writes and operator.values.save_ms is None
    assert controller.events == [("settings_changed", "SunSpec", "site")]


def test_a_full_flash():
    operator = master()
    controller = operator.controller
    controller.store.full = True
    assert operator.write(40956, 700) == 0
    operator.values.save()
    operator.values.save_ms = 0
    operator.values.save_due(controller.clock.now_ms())
    assert len(controller.faults) == 1 and "settings.json" in controller.faults[0]
    controller.store.full = False
    assert operator.values.save_ms == controller.clock.ms + 60000
    operator.values.save_due(operator.values.save_ms)
    assert controller.store.documents["settings.json"]["site"]["reserve_current_ma"] == 700


def test_settings_in_their_ranges():
    operator = master()
    controller = operator.controller
    controller.settings.apply({"site": {"max_total_current": "1000 * 16 + M1.current"}})
    controller.site.configure(controller.settings.doc["site"])
    assert unknown(operator.number(40954))
    controller.decide()
    assert operator.number(40954) == 18000  # the smallest of the phases
    before = dict(controller.settings.doc["site"])
    for address, number in (
        (40954, 2e6),
        (40956, 200000),
        (40962, 500),
        (40962, 1e30),
        (40958, 7),
    ):
        assert operator.write(address, number) == 3, address
    assert operator.write(40954, 16000, 0, 0, 0, 500) == 3
    assert controller.settings.doc["site"] == before and operator.values.save_ms is None
    assert "must be a whole number" in controller.logged[0]
    assert operator.number(40960) == 0 and operator.number(40962) == 20000
    assert operator.write(40954, 16000.7, 0, 0, 20000, 0, 0, 1, 50) == 0
    site = controller.settings.doc["site"]
    assert site["max_total_current"] == 16000 and site["max_total_evse_current"] == 20000
    assert site["max_unbalance_ma"] is None and site["load_management"] is False
    assert site["unbalance_with_house"] is True and operator.number(40962) == 0
    assert operator.write(40960, 0) == 0 and site is not controller.settings.doc["site"]
    assert controller.settings.doc["site"]["max_total_evse_current"] is None
    # Less than 1 mA is not none, the lenient way.
    assert operator.write(40960, 0.5) == 0
    assert controller.settings.doc["site"]["max_total_evse_current"] == 0
    assert operator.write(40962, 0.5) == 3
    assert operator.write(40956, 0.5) == 0 and operator.number(40956) == 0
    controller.site.house.overdraft_max_ma = 1234
    assert operator.number(40958) == 1234 and operator.write(40958, 1234) == 0
    assert operator.write(40958, 0) == 0 and operator.number(40958) == 0


def test_flags_and_variables():
    operator = master()
    controller = operator.controller
    assert operator.read(40972, 32) == bytes(64) and controller.specials is None
    assert operator.put(40974, b"\x00\x01") == 0
    assert controller.names.lookup("cm", "_flag3") == 1
    controller.get_specials().set("_flag32", 1e9)
    assert operator.read(41003, 1) == b"\x7f\xff"
    controller.variables.set_many([("tarif", "2 + 1"), ("AVAIL", 50), ("broken", "M9.power_w")])
    writes = controller.store.writes
    assert operator.read(41004) == b"\xea\x62\x00\x42"
    assert [operator.number(41026 + 22 * i) for i in (0, 2)] == [50, 3]
    assert unknown(operator.number(41048))
    assert operator.write(41070, 7.25) == 0
    assert controller.names.lookup("", "tarif") == 7.25
    assert operator.write(41070, float("nan")) == 3 and operator.number(41070) == 7.25
    assert operator.write(41070, 2e37) == 3  # more than a variable may be
    controller.variables.unsaved = False
    assert operator.write(41026, 51) == 0
    assert not controller.variables.unsaved and controller.store.writes == writes


def test_refusals_and_our_own_faults():
    operator = master()
    assert operator.ask(b"\x01\x9c\x40\x00\x01") == 1  # there are no coils
    assert operator.read(40000, 126) == operator.read(40000, 0) == 3
    assert operator.read(39999, 1) == operator.write(40070, 1) == 2
    operator.controller.balance = None
    assert operator.read(40098) == 4
    assert operator.read(40000) == b"SunS" and "SunSpec: " in operator.controller.logged[-1]


def test_no_room():
    operator = master()
    controller = operator.controller
    left = []

    def fails(function):
        def call(*arguments):
            if left:
                left.pop()
                raise MemoryError
            return function(*arguments)

        return call

    controller.balance = fails(controller.balance)
    controller.settings_changed = fails(controller.settings_changed)
    left.append(1)
    assert operator.number(40098) == 4300  # what is seldom used went, and there was room
    left.append(1)
    assert operator.write(40954, 16000) == 0
    assert controller.settings.doc["site"]["max_total_current"] == 16000
    left += [1, 1]
    assert operator.write(40954, 17000) == 4  # nothing of it
    assert controller.settings.doc["site"]["max_total_current"] == 16000
    assert operator.number(40954) == 16000


def refused(controller, **server):
    try:
        controller.settings.apply({"sunspec_server": server})
    except Refusal as error:
        assert error.text("de") != str(error)
        return error.field.partition(".")[2], error.code
    return None


def test_a_bus_of_another_board_on_flash():
    """It is said, and the server works over TCP."""
    controller = Controller(bus="rs485_1")
    document = dict(controller.settings.doc)
    document["sunspec_server"] = dict(document["sunspec_server"])
    document["sunspec_server"]["bus"] = "rs485_9"
    controller.store.documents["settings.json"] = document
    settings = Settings(controller.store, data.load_json, BOARD)
    assert settings.problem.startswith("sunspec_server.bus rs485_9 is not on this board")
    assert settings.doc["sunspec_server"]["enabled"] and not settings.unused


def test_settings_that_do_not_go_together():
    controller = Controller()
    for server, expected in (
        ({"port": 80}, ("port", "port_taken")),
        ({"port": 0}, ("port", "sunspec_nowhere")),
        ({"unit": 247}, ("unit", "must_int")),
        ({"hosts": ["192.168.1.300"]}, ("hosts[0]", "pattern")),
        ({"hosts": ["192.168.1.30", "192.168.01.020"]}, ("hosts[1]", "pattern")),
        ({"bus": "rs485_9"}, ("bus", "not_on_board")),
        ({"hosts": ["ripplegate"]}, ("hosts[0]", "pattern")),
        ({"devices": ["M1", "M9"]}, ("devices[1]", "not_there")),
        ({"devices": ["M1", "M1"]}, ("devices[1]", "twice")),
        ({"port": 0, "bus": "rs485_1"}, None),
        ({"port": 502, "hosts": ["192.168.1.30"], "bus": None}, None),
    ):
        assert refused(controller, **server) == expected, server
    doc = dict(controller.settings.doc)
    meter = dict(doc["meters"][0])
    meter["bus"] = "rs485_1"
    doc["meters"] = [meter]
    doc["sunspec_server"] = dict(doc["sunspec_server"])
    doc["sunspec_server"]["bus"] = "rs485_1"
    found = [error.code for error in sunspec_check.faults(doc)]
    assert found == ["not_there", "sunspec_bus"]  # M3 is gone
    doc["sunspec_server"] = {}
    assert not sunspec_check.faults(doc)
