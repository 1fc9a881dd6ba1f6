"""Each shipped set runs through a simulated day: sun from 8 to 18, low prices from 1 to 5."""

from chargecontrol.rule_reader import Reader
from chargecontrol.rules import Rules
from controller import rule_store


class Box:
    id = "E1"
    min_ma = 6000
    lines = 7

    def house_phase(self, line):
        return line


class Day:
    """A day in steps of five minutes; charges what the rules want."""

    def __init__(self, id, **parameters):
        sets, uses = Reader(rule_store.template).read(
            {"use": {"E1": {"box": {"set": id, "parameters": parameters}}}}
        )
        self.lookups = [self.lookup] * 3
        self.known = ({}, {}, {})
        self.scope = None
        self.variables = {}
        self.minute = 0
        self.energy_wh = 0
        name, parameters, by_phase = uses["E1"][0]
        self.rules = Rules(Box(), sets, name, parameters, by_phase, self)

    def lookup(self, name, field):
        if name == "e1" and field == "max_current":
            return 16000
        if name == "e1" and field == "txn_energy":
            return int(self.energy_wh)
        if name == "cm" and field == "_price_level":
            return -5 if 60 <= self.minute < 300 else -3
        return self.variables[name + "." + field]

    def now(self):
        return self.minute, 3

    def write(self, place, field, value):
        self.variables[place + "." + field] = value

    def surplus_ma(self):
        """A triangle: 0 at 8 and 18 o'clock, 15 A at 13."""
        return max(0, 15000 - 50 * abs(self.minute - 780))

    def run(self):
        """{minute: mA} of the minutes at which the wish changes by more than the sun does."""
        changes = {}
        last_ma = 0
        for self.minute in range(0, 1440, 5):
            wish_ma = self.rules.wish(self.minute * 60000, self.surplus_ma(), 1000 / 690)
            assert self.rules.reason[0] in ("rule", "rule_none"), self.rules.reason
            if abs(wish_ma - last_ma) > 300:
                changes[self.minute] = wish_ma
            last_ma = wish_ma
            self.energy_wh += wish_ma * 690 / 1000 / 12
        return changes


def test_each_has_a_test_here():
    tested = "".join([name for name in globals() if name.startswith("test_")])
    for id in rule_store.TEMPLATES.split():
        assert "test_" + id in tested, id
        for lang in ("en", "de"):
            entry = rule_store.template(id, lang)
            assert entry["id"] == id and isinstance(entry["name"], str) and len(entry["help"]) > 20


def test_energy_limit():
    day = Day("energy_limit", kwh=7)
    assert day.run() == {0: 16000, 40: 0}
    assert 7000 <= day.energy_wh < 8000


def test_cheap():
    assert Day("cheap").run() == {60: 16000, 300: 0}
    assert Day("cheap", level=-6).run() == {}


def test_surplus():
    assert Day("surplus").run() == {610: 6500, 955: 0}
    assert Day("surplus", start=10000).run() == {680: 10000, 885: 0}


def test_surplus_then_energy():
    day = Day("surplus_then_energy", kwh=50, until=24)
    assert day.run() == {610: 6500, 955: 0, 1200: 16000, 1245: 0}
    assert 50000 <= day.energy_wh < 51000


def test_surplus_then_cheap():
    assert Day("surplus_then_cheap").run() == {60: 16000, 300: 0, 610: 6500, 955: 0}
    assert Day("surplus_then_cheap", until=3).run()[180] == 0


def test_surplus_at_least():
    day = Day("surplus_at_least", least=8000)
    assert day.run() == {0: 8000}
    assert Day("surplus_at_least", least=6500).rules.wish(0, 9000, 1) == 9000


def test_relay_cheap():
    day = Day("relay_cheap")
    assert day.run() == {0: 16000} and day.variables == {"cm.relay1": 0}
    day.minute = 100
    assert day.rules.wish(0, 0, 1) == 16000 and day.variables == {"cm.relay1": 1}


def test_relay_pulse():
    day = Day("relay_pulse", seconds=600)
    seen = []
    for day.minute in range(0, 1440, 5):
        assert day.rules.wish(day.minute * 60000, 0, 1) == 16000
        if day.variables.get("cm.relay1"):
            seen.append(day.minute)
    assert seen == [60, 65]
