"""Relays of the board that pass something on: by a formula, or to reduce a controllable device.

Loaded where the settings give a relay such a task. docs/dimming.md.
"""

from formula import FormulaError, parse


class _Relay:
    """One relay: number, name, closed, since_ms (it was set; None: not yet), error ((column, what
    is wrong) while its fail-safe state holds, or None), steerable (settings of the device that it
    reduces; None: it has a formula)."""

    def __init__(self, number, output):
        self.number = number
        self.name = ""
        self.closed = False
        self.since_ms = None
        self.error = None
        self.steerable = None
        self._expression = None
        self._failsafe = False
        self._least_ms = 0
        self._output = output
        self.known = False  # it has followed its formula or device since the start

    def configure(self, entry, steerable):
        """Takes other settings; its state stays until it has another one to be in."""
        self.steerable = steerable
        self.name = (steerable or entry)["name"]
        self.error = None
        if steerable:
            self._least_ms = 0
        else:
            self._expression = parse(str(entry["closed_when"]))
            self._failsafe = entry["failsafe_closed"]
            self._least_ms = entry["min_s"] * 1000

    def update(self, now_ms, lookup, reduced):
        """reduced: ids of the devices that are to draw less."""
        known = True
        if self.steerable:
            closed = (self.steerable["id"] in reduced) == self.steerable["closed_is_reduced"]
        else:
            try:
                closed = bool(self._expression.value(lookup))
                self.error = None
            except FormulaError as error:
                closed = self._failsafe
                known = False
                self.error = error.column, str(error)
        if closed != self.closed or self.since_ms is None:
            # A fault, and the first state after the start, wait for nothing.
            held = known and self.known and now_ms - self.since_ms < self._least_ms
            if not held:
                self.switch(closed, now_ms)
        self.known = self.known or known

    def switch(self, closed, now_ms):
        """Closes or opens it."""
        self.closed = closed
        self.since_ms = now_ms
        self._output.value(closed)


class Outputs:
    """Part of the cycle after the site has decided. relays: [_Relay].

    before: the parts that are replaced; relays that still have a task keep their state, others
    open.
    """

    def __init__(self, controller, before):
        self._controller = controller
        known = {}
        for part in before:
            if isinstance(part, Outputs):
                known = {relay.number: relay for relay in part.relays}
        doc = controller.settings.doc
        self.relays = []
        tasks = [(entry["relay"], entry, None) for entry in doc["outputs"]]
        tasks += [(item["relay"], None, item) for item in doc["steerables"] if item["relay"]]
        for number, entry, steerable in tasks:
            relay = known.pop(number, None)
            if relay is None:
                if number > len(controller.relays):
                    controller.fault("relay %d: this board has no such relay" % number)
                    continue
                relay = _Relay(number, controller.relays[number - 1])
            relay.configure(entry, steerable)
            self.relays.append(relay)
        for relay in known.values():
            relay.switch(False, 0)

    def update(self, now_ms):
        """Once in each cycle."""
        controller = self._controller
        manages = controller.settings.doc["site"]["load_management"]
        dims = controller.dimming if manages else None  # else it only observes
        reduced = dims.dimming.reduced if dims else ()
        for relay in self.relays:
            relay.update(now_ms, controller.names.lookup, reduced)
