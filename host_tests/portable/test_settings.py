"""Settings are taken whole or not at all, and what is wrong is named."""

from controller import data
from controller.refusal import Refusal
from controller.settings import Settings
from controller.store import StoreError

BOARD = {"inputs": [{"id": 1}, {"id": 2}], "rs485": [{"id": "rs485_1"}]}
METER = {"id": "M1", "template": "sdm630", "role": "grid", "bus": "rs485_1", "unit": 1}
EVSE = {"id": "E1", "template": "heidelberg", "bus": "rs485_1", "unit": 2}


class FakeStore:
    """Keeps documents in RAM."""

    def __init__(self, document=None):
        self.document = document
        self.saves = 0
        self.full = False

    def load(self, name):
        return self.document, None

    def save(self, name, document):
        if self.full:
            raise StoreError("not_saved", name, "full")
        self.document = dict(document)
        self.saves += 1
        return True


def settings(document=None):
    store = FakeStore(document)
    return Settings(store, data.load_json, BOARD), store


def test_defaults_are_complete():
    s, store = settings()
    assert s.problem is None
    assert s.doc["site"] == {
        "title": "",
        "desc": "",
        "load_management": True,
        "max_total_evse_current": None,
        "max_total_evse_power": None,
        "max_unbalance_ma": 20000,
        "unbalance_with_house": False,
        "min_pause_s": 300,
        "rotation_s": 900,
        "disable_policy": 0,
        "surplus": None,
        "max_total_current": 35000,
        "max_total_power": None,
        "failsafe_current_ma": 6000,
        "reserve_current_ma": 0,
        "voltage_v": 230,
        "meter_loss_current_ma": 6000,
    }
    assert (
        s.doc["meters"] == []
        and s.doc["buses"] == {}
        and s.doc["http"] == {"port": 80, "open_dev_info": False}
    )
    assert s.doc["clock"]["tz"] == "CET-1CEST,M3.5.0,M10.5.0/3"
    assert store.saves == 0


def test_takes_a_whole_site():
    s, store = settings()
    changed = s.apply(
        {
            "site": {"max_total_current": "55000 * AVAIL / 100", "max_total_power": 25000},
            "meters": [METER, {"id": "M2", "template": "s0", "role": "generation", "input": 2}],
            "evses": [EVSE, {"id": "E2", "template": "keba_p30", "host": "10.0.0.5", "unit": 255}],
            "buses": {"rs485_1": {"baudrate": 9600}},
            "contacts": [{"input": 1, "on_delay_ms": 500}],
            "clock": {"tz": "<+0330>-3:30"},
        }
    )
    assert changed == {"site", "meters", "evses", "buses", "contacts", "clock"}
    assert s.doc["meters"][1]["pulses_per_kwh"] == 1000 and s.doc["meters"][1]["phases"] == [
        1,
        2,
        3,
    ]
    assert s.doc["evses"][0]["max_current_ma"] == 16000 and s.doc["evses"][1]["port"] == 502
    assert s.doc["buses"] == {"rs485_1": {"baudrate": 9600, "parity": "E", "stop": 1}}
    assert s.doc["contacts"][0]["off_delay_ms"] == 2000
    again = Settings(FakeStore(store.document), data.load_json, BOARD)
    assert again.problem is None and again.doc == s.doc


def test_merges_and_saves_only_what_differs():
    s, store = settings()
    assert s.apply({"site": {"voltage_v": 231}}) == {"site"}
    assert s.apply({"site": {"max_total_power": "PB.input1 ? 9660 : 25000"}}) == {"site"}
    assert s.doc["site"]["voltage_v"] == 231
    assert s.apply({"site": {"voltage_v": 231}, "http": {}}) == set()
    assert store.saves == 2
    s.apply({"buses": {"rs485_1": {"parity": "N"}}})
    s.apply({"buses": {"rs485_1": {"stop": 2}}})
    assert s.doc["buses"]["rs485_1"] == {"baudrate": 19200, "parity": "N", "stop": 2}
    assert s.apply({"buses": {"rs485_1": None}}) == {"buses"} and s.doc["buses"] == {}


def faults():
    """(patch, field that the error must name, words that its sentence must have)."""

    def meter(**fields):
        item = dict(METER)
        item.update(fields)
        return {"meters": [item]}

    def evse(**fields):
        item = dict(EVSE)
        item.update(fields)
        return {"evses": [item]}

    def formulas(value):
        return meter(template="expression", bus=None, formulas=value)

    grid = dict(METER)
    grid["id"] = "M2"
    return (
        ([], "settings", "object"),
        ({"nonsense": 1}, "nonsense", "not a setting"),
        ({"site": 5}, "site", "object"),
        ({"site": {"max_curent": 1}}, "site.max_curent", "not a setting"),
        ({"site": {"max_total_current": -1}}, "site.max_total_current", "0 to 1000000 mA"),
        ({"site": {"max_total_current": 1.5}}, "site.max_total_current", "whole number"),
        ({"site": {"max_total_current": True}}, "site.max_total_current", "whole number"),
        ({"site": {"max_total_current": None}}, "site.max_total_current", "whole number"),
        ({"site": {"max_total_current": "1 +"}}, "site.max_total_current", "column 4"),
        ({"site": {"max_total_power": "(" * 300}}, "site.max_total_power", "column"),
        ({"site": {"voltage_v": "230"}}, "site.voltage_v", "whole number"),
        ({"meters": {}}, "meters", "list"),
        ({"meters": [METER, METER]}, "meters[1].id", "M1 occurs twice"),
        ({"meters": [METER] * 99}, "meters", "16 entries"),
        ({"meters": [5]}, "meters[0]", "object"),
        ({"meters": [{"id": "M1"}]}, "meters[0].template", "needed"),
        (meter(id="E1"), "meters[0].id", "M1"),
        (meter(id="M0"), "meters[0].id", "M1"),
        (meter(role="boss"), "meters[0].role", "grid, consumption"),
        (meter(bus="rs485_9"), "meters[0].bus", "rs485_1"),
        (meter(host="10.0.0.1"), "meters[0]", "bus | host"),
        (meter(bus=None), "meters[0]", "bus | host"),
        (meter(unit=255), "meters[0].unit", "247"),
        (meter(unit=0), "meters[0].unit", "1 to 255"),
        (meter(bus=None, host="10.0.0.1", unit=250), "meters[0].unit", "247"),
        (meter(bus=None, host="ten dot"), "meters[0].host", "192.168.1.50"),
        (meter(template="sdm631"), "meters[0].template", "sdm631"),
        (meter(template="../board"), "meters[0].template", "sdm630"),
        (meter(template="heidelberg"), "meters[0].template", "not a template of a meter"),
        (meter(template="s0"), "meters[0]", "input"),
        (meter(template="s0", bus=None, input=3), "meters[0].input", "1, 2"),
        (meter(phases=[1, 1]), "meters[0].phases", "phases"),
        (meter(phases=[4]), "meters[0].phases", "phases"),
        (meter(phases=[[1]]), "meters[0].phases", "phases"),
        (evse(template="sdm630"), "evses[0].template", "wallbox"),
        (evse(phases=4), "evses[0].phases", "1, 2, 3"),
        (evse(phases=1.0), "evses[0].phases", "1, 2, 3"),
        (evse(phases=True), "evses[0].phases", "1, 2, 3"),
        (evse(phase_rotation=90), "evses[0].phase_rotation", "0, 120, 240"),
        (evse(min_current_ma=16000, max_current_ma=8000), "evses[0].min_current_ma", "8000"),
        (evse(name="x" * 10000), "evses[0].name", "32"),
        (evse(template="http_input"), "evses[0]", "-"),
        (evse(group="G1"), "evses[0].group", "G1 does not exist"),
        (evse(meter="M9"), "evses[0].meter", "M9 does not exist"),
        ({"groups": [{"id": "G1", "parent": "G2"}]}, "groups[0].parent", "G2"),
        (
            {"groups": [{"id": "G1", "parent": "G2"}, {"id": "G2", "parent": "G1"}]},
            "groups",
            "in itself",
        ),
        ({"meters": [METER, grid]}, "meters", "M1 has it"),
        (meter(template="virtual"), "meters[0]", "-"),
        (meter(template="virtual", bus=None), "meters[0].measure", "virtual"),
        (meter(measure="surplus"), "meters[0].measure", "virtual"),
        (meter(template="expression", bus=None), "meters[0].formulas", "expression"),
        (formulas(5), "meters[0].formulas", "12"),
        (formulas({"Power": "1"}), "meters[0].formulas", "power_w"),
        (formulas({"power_w": "1 +"}), "meters[0].formulas.power_w", "column 4"),
        (formulas({"power_w": None}), "meters[0].formulas.power_w", "text"),
        ({"buses": {"rs485_7": {}}}, "buses", "rs485_7"),
        ({"buses": {"rs485_1": {"baudrate": 9601}}}, "buses.rs485_1.baudrate", "9600"),
        ({"contacts": [{"input": 9}]}, "contacts[0].input", "1, 2"),
        ({"contacts": [{"input": 1}, {"input": 1}]}, "contacts[1].input", "twice"),
        (
            {"contacts": [{"input": 1, "closed_is_active": 1}]},
            "contacts[0].closed_is_active",
            "true",
        ),
        ({"network": {"hostname": "a b"}}, "network.hostname", "ripplegate"),
        ({"http": {"port": 65536}}, "http.port", "65535"),
    )


def test_each_fault_names_its_field_and_changes_nothing():
    s, store = settings()
    s.apply({"meters": [METER], "evses": [EVSE]})
    before = repr(s.doc)
    for patch, field, words in faults():
        if isinstance(patch, dict):  # a good part beside the bad one is not taken either
            patch = dict(patch)
            patch["clock"] = {"ntp_host": "changed"}
        try:
            s.apply(patch)
        except Refusal as error:
            assert error.field == field, (patch, error.field, str(error))
            assert words in str(error), (patch, str(error))
            assert field in error.text("de") and error.text("de") != str(error), str(error)
        else:
            raise AssertionError("%r was taken" % (patch,))
        assert repr(s.doc) == before and store.saves == 1


def test_what_is_not_saved_is_not_taken():
    s, store = settings()
    store.full = True
    try:
        s.apply({"http": {"port": 81}})
    except StoreError as error:
        assert "full" in str(error)
    else:
        raise AssertionError("taken")
    assert s.doc["http"]["port"] == 80


def test_secrets_are_not_public():
    s, _ = settings()
    s.apply({"network": {"ssid": "home", "password": "s3cret!!"}, "login": {"hash": "abcd"}})
    assert s.doc["network"]["password"] == "s3cret!!"
    from controller import settings_view

    public = settings_view.public(s)
    assert "s3cret" not in repr(public) and "abcd" not in repr(public)
    assert public["network"] == {"hostname": "ripplegate", "ssid": "home"}
    assert "login" not in public
    s.apply(public)
    assert s.doc["network"]["password"] == "s3cret!!"


def test_a_bad_section_on_flash_is_said_and_kept_there():
    bad = {"site": {"voltage_v": 231}, "http": {"port": "eighty"}, "later_version": {"x": 1}}
    s, store = settings(bad)
    assert s.problem and s.doc["http"]["port"] == 80 and s.doc["site"]["voltage_v"] == 231
    s.apply({"site": {"voltage_v": 232}})
    assert store.document["http"] == {"port": "eighty"}
    assert store.document["later_version"] == {"x": 1}
    assert s.apply({"http": {"port": 80}}) == {"http"}
    assert store.document["http"]["port"] == 80


def test_groups_and_calculated_meters_are_taken():
    s, _ = settings()
    s.apply(
        {
            "meters": [
                {"id": "M5", "template": "virtual", "role": "display", "measure": "surplus"},
                {
                    "id": "M6",
                    "template": "expression",
                    "role": "display",
                    "formulas": {"power_w": "M5.power_w / 2", "soc": 50},
                },
            ],
            "groups": [
                {"id": "G1", "max_current": "PB.input1 ? 10000 : 32000", "meter": "M5"},
                {"id": "G2", "parent": "G1"},
            ],
            "evses": [{"id": "E1", "template": "http_input", "group": "G2"}],
        }
    )
    assert s.problem is None and s.doc["groups"][1]["max_current"] is None
    try:
        s.apply({"groups": []})
    except Refusal as error:
        assert error.field == "evses[0].group"
    else:
        raise AssertionError("a group in use was deleted")
