"""What docs/grid-operator.md shows is what the firmware takes."""

import json
import re
from pathlib import Path

from controller import data
from controller.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "grid-operator.md").read_text(encoding="utf-8")
BOARD = {
    "inputs": [{"id": n} for n in range(1, 5)],
    "relays": [{"id": 1}],
    "rs485": [{"id": "rs485_1"}],
}


class NoFlash:
    def load(self, name):
        return None, None

    def save(self, name, document):
        return True


def test_the_examples_of_contact_sets_and_channels_are_taken():
    settings = Settings(NoFlash(), data.load_json, BOARD)
    box = {"id": "E1", "template": "heidelberg", "bus": "rs485_1", "unit": 2}
    settings.apply({"evses": [box]})
    taken = []
    for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL):
        document = json.loads(block)
        if {"contacts", "contact_sets", "channels"} & set(document):
            settings.apply(document)
            taken += list(document)
    assert taken.count("contact_sets") >= 5 and "channels" in taken and "contacts" in taken


def test_the_forms_and_states_are_all_told():
    schema = json.loads((ROOT / "firmware/controller/schema/contact_sets.json").read_text())
    (form,) = [field for field in schema["fields"] if field["name"] == "form"]
    for word in form["values"] + ["init", "limited", "controlled", "failsafe", "autonomous"]:
        assert "`%s`" % word in PAGE or '"%s"' % word in PAGE, word
