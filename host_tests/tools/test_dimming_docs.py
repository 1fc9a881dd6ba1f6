"""docs/dimming.md: its examples are taken, its numbers are those of the firmware."""

import json
import re
from pathlib import Path

import pytest

from chargecontrol.dimming_setup import p_min_w
from controller import data
from controller.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "dimming.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.M | re.S)]
BOARD = {
    "rs485": [{"id": "rs485_1"}],
    "relays": [{"id": n} for n in (1, 2, 3)],
    "inputs": [{"id": 1}],
}


class NoFlash:
    def load(self, name):
        return None, None

    def save(self, name, document):
        return True


@pytest.mark.parametrize("document", EXAMPLES, ids=lambda document: "-".join(document))
def test_every_example_is_taken(document):
    settings = Settings(NoFlash(), data.load_json, BOARD)
    boxes = [
        {"id": "E%d" % n, "template": "heidelberg", "bus": "rs485_1", "unit": n} for n in (1, 2)
    ]
    settings.apply({"evses": boxes})
    assert settings.apply(document) == set(document)
    if "steerables" in document:
        rated = [(item["kind"], item["power_w"]) for item in document["steerables"]]
        assert "= %d W" % p_min_w(rated) in PAGE


def test_the_table_is_what_the_firmware_owes():
    box = ("evse", 11000)
    cells = {}
    for line in PAGE.split("| devices | W owed |")[2].split("\n\n")[0].splitlines()[2:]:
        parts = [part.strip() for part in line.strip("|").split("|")]
        for at in range(0, len(parts) - 1, 3):
            cells[parts[at]] = parts[at + 1]
    for count in (1, 2, 3, 5, 10):
        name = "1 wallbox 11 kW" if count == 1 else "%d wallboxes" % count
        assert int(cells[name]) == p_min_w([box] * count)
    assert int(cells["wallbox and battery (5 kW)"]) == p_min_w([box, ("storage", 5000)])
    assert int(cells["wallbox and heat pump 20 kW"]) == p_min_w([box, ("heat_pump", 20000)])
    assert int(cells["three heat pumps of 5 kW"]) == p_min_w([("heat_pump", 5000)] * 3)


def test_every_field_is_described():
    for section in ("steerables", "outputs", "dimming"):
        schema = ROOT / "firmware/controller/schema" / (section + ".json")
        fields = json.loads(schema.read_text())
        for field in fields["fields"]:
            if (section, field["name"]) not in (("steerables", "name"), ("dimming", "enabled")):
                assert "`%s`" % field["name"] in PAGE or "`dimming.%s`" % field["name"] in PAGE
