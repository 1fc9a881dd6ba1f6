"""The relays of the board: what the firmware drives, and what hangs on them in the house.

`relays` of a configuration: {"1": {"contactor": "E2"}} switches L2 and L3 before a wallbox
(closed: three phases); {"2": {"reduces": "heat_pump", "to_w": [0, 0, 0]}} is SG-Ready: while it is
closed (or with "when": "open", while it is open) the appliance draws no more than that.
"""

from .errors import TwinError, choice, shown, table, triple


def check(config):
    """Check `relays` of a configuration whose wallboxes and appliances are checked."""
    boxes = tuple(config["cars"])
    for number, what in table("relays", config["relays"]).items():
        where = f"relays.{number}"
        if not str(number).isdigit() or not 1 <= int(number) <= 32:
            raise TwinError(f"{where} is no relay; a number from 1 to 32 is allowed")
        table(where, what, ("contactor", "reduces", "to_w", "when"))
        if ("contactor" in what) == ("reduces" in what):
            raise TwinError(f"{where} is {shown(what)}; one of contactor and reduces is allowed")
        if "contactor" in what:
            choice(f"{where}.contactor", what["contactor"], boxes)
        else:
            choice(f"{where}.reduces", what["reduces"], tuple(config["appliances"]))
            triple(f"{where}.to_w", what.setdefault("to_w", [0, 0, 0]), 0, 50000)
        choice(f"{where}.when", what.setdefault("when", "closed"), ("closed", "open"))


class Relays:
    """Relays of a board by what the chip drives; a board without them has all open."""

    def __init__(self, board, tasks, outputs):
        self._parts = {str(part["id"]): part for part in board.get("relays") or []}
        self._expanders = board.get("expanders") or []
        self._tasks = tasks
        self._outputs = outputs

    def closed(self):
        """Return {number: True where the relay is closed} of every relay of the board."""
        return {number: self._closed(part) for number, part in self._parts.items()}

    def _closed(self, part):
        expander = part.get("expander")
        if expander is None:
            level = self._outputs.get(str(part["pin"]))
        else:
            byte = self._outputs.get("i2c%d" % self._expanders[expander]["address"])
            level = None if byte is None else byte >> part["bit"] & 1
        # A pin that nobody drives, as of a chip without power, pulls no relay.
        return level is not None and bool(level) != bool(part.get("active_low"))

    def loads_w(self, appliances):
        """Return {name: load} of `appliances` with what the relays reduce."""
        now = dict(appliances)
        for what in self._acting("reduces"):
            name = what["reduces"]
            now[name] = [min(pair) for pair in zip(now[name], what["to_w"])]
        return now

    def phases(self):
        """Return {wallbox: phases that its contactor lets through}."""
        closed = {id(what) for what in self._acting("contactor")}
        return {
            what["contactor"]: 3 if id(what) in closed else 1
            for what in self._tasks.values()
            if "contactor" in what
        }

    def _acting(self, kind):
        now = self.closed()
        for number, what in self._tasks.items():
            if kind in what and now.get(str(number), False) == (what["when"] == "closed"):
                yield what
