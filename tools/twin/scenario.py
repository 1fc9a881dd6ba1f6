"""Scenario files: an installation, what happens in it, and the settings of its controller.

`settings` and `rules` are for tools/simulation.py, which lays them over the usual site's; here
they are only looked at from outside. `profile` says which build `make sim` takes by itself,
`heap` how much memory its simulated board has.
"""

import json
import pathlib
import re

from .config import check_set, complete
from .errors import TwinError, choice, shown, table

SCENARIOS = pathlib.Path(__file__).with_name("scenarios")
_KEYS = ("name", "text", "config", "steps", "settings", "rules", "profile", "heap")


def load_scenario(source):
    """Return the scenario `source`: a name in scenarios/, a path to a .json file, or a dict.

    Raises TwinError with a sentence when it is not there or not right.
    """
    if isinstance(source, dict):
        return check_scenario(source)
    path = pathlib.Path(source)
    if path.suffix != ".json":
        path = SCENARIOS / f"{source}.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        names = ", ".join(sorted(p.stem for p in SCENARIOS.glob("*.json")))
        raise TwinError(
            f"there is no scenario {shown(str(source))}; there are: {names}; "
            "a path to a .json file is allowed too"
        ) from None
    except (ValueError, OSError) as error:
        raise TwinError(f"scenario {path.name} cannot be read: {error}") from None
    return check_scenario(data, path.name)


def check_scenario(data, name="scenario"):
    """Return `data` if it is a complete scenario whose steps fit the installation it sets up."""
    table(name, data, _KEYS)
    if not isinstance(data.get("name"), str) or not re.fullmatch(r"[a-z0-9_]{1,40}", data["name"]):
        raise TwinError(
            f"{name}: name is {shown(data.get('name'))}; a word of small letters, "
            "digits and _ is allowed"
        )
    text = table(f"{name}: text", data.get("text"), ("en", "de"))
    for lang in ("en", "de"):
        if not isinstance(text.get(lang), str) or not text[lang]:
            raise TwinError(f"{name}: text.{lang} is missing; one sentence in each of en and de")
    config = complete(table(f"{name}: config", data.get("config", {})))
    for section, part in table(f"{name}: settings", data.get("settings", {})).items():
        if not isinstance(part, (dict, list)):
            raise TwinError(f"{name}: settings.{section} is {shown(part)}; a section is allowed")
    if not isinstance(data.get("rules", {}), (dict, list)):
        raise TwinError(f"{name}: rules is {shown(data['rules'])}; a rule document is allowed")
    if "profile" in data:
        choice(f"{name}: profile", data["profile"], ("files", "image"))
    if "heap" in data and not re.fullmatch(r"[1-9][0-9]{2}k", str(data["heap"])):
        raise TwinError(f"{name}: heap is {shown(data['heap'])}; 100k to 999k is allowed")
    steps = data.get("steps", [])
    if not isinstance(steps, list) or len(steps) > 1000:
        raise TwinError(f"{name}: steps is {shown(steps)}; a list of up to 1000 steps is allowed")
    last_s = 0
    for i, step in enumerate(steps):
        where = f"{name}: steps[{i}]"
        table(where, step, ("at_s", "set"))
        at_s = step.get("at_s")
        if isinstance(at_s, bool) or not isinstance(at_s, (int, float)) or not 0 <= at_s <= 1e6:
            raise TwinError(
                f"{where}.at_s is {shown(at_s)}; seconds from 0 to 1000000 are allowed"
            )
        if at_s < last_s:
            raise TwinError(f"{where}.at_s is {at_s}; steps must be in order of time")
        last_s = at_s
        try:
            check_set(step.get("set"), config)
        except TwinError as error:
            raise TwinError(f"{where}.set: {error}") from None
    return data
