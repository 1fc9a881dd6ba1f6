"""The operator's contacts and channels: reads the inputs, keeps the channels' state on flash."""

from micropython import const

from chargecontrol.operator import Operator
from controller.store import StoreError
from controller.unload import unload

_NAME = "operator.json"
_SILENT_MS = const(10000)  # so long the last reading of a device's input holds
_TICK_MS = const(900000)  # what is left of a time is saved so often
_WRITE_MS = const(60000)  # a write to flash a minute, in the long run
_BURST_MS = const(1200000)  # and so much of that in advance
_DELAY_MS = const(2000)


class OperatorInputs:
    """operator: the lib's Operator, which the site asks. Doors use write(), beat() and test()."""

    def __init__(self, controller):
        self._controller = controller
        self.operator = Operator()
        self._contacts = {}  # {name: Contact} of the inputs of devices
        self._seen = self._saved = None
        self._saved_ms = self._wear_ms = 0
        # What was before a channel is set up in the course of work says nothing any more.
        kept, problem = (None, None) if controller.cycle.count else controller.store.load(_NAME)
        try:
            self.operator.restore(kept or {})
        except (ValueError, TypeError, AttributeError):
            problem = problem or "it has another shape"
        if problem:
            controller.fault("%s: %s" % (_NAME, problem))
        controller.site.operator = self.operator

    def configure(self, doc):
        """Takes the settings of contact sets and channels."""
        delays_ms = {
            "PB.input%d" % entry["input"]: max(entry["on_delay_ms"], entry["off_delay_ms"])
            for entry in doc["contacts"]
        }
        settle_ms = {}
        contacts, self._contacts = self._contacts, {}
        for config in doc["contact_sets"]:
            names = config["inputs"]
            settle_ms[config["id"]] = max([delays_ms.get(name, _DELAY_MS) for name in names])
            for name in names:
                if name[:3] != "PB.":
                    self._contacts[name] = contacts.get(name) or self._contact()
        now_ms = self._controller.clock.now_ms()
        self.operator.configure(doc["contact_sets"], doc["channels"], now_ms, settle_ms)

    def _contact(self):
        from controller.contact_settings import USUAL
        from controller.contacts import Contact

        return Contact(USUAL)

    def update(self, now_ms):
        """Called each cycle, before the site decides."""
        for name, contact in self._contacts.items():
            closed = self._reading(name, now_ms)
            if closed is None:
                contact.closed = None
                contact.stable = False
            else:
                contact.update(closed, now_ms)
        operator = self.operator
        operator.update(now_ms, self._input, self._moving)
        while operator.events:
            self._controller.event(*operator.events.pop(0))
        if operator.channels or self._saved:
            self._save(now_ms)

    def _reading(self, name, now_ms):
        """What a device says of its input, None where it does not, or is silent."""
        id, _, key = name.partition(".")
        device = self._controller.devices.get(id)
        if not device or device.read_ms is None or now_ms - device.read_ms > _SILENT_MS:
            return None
        value = device.readings.get(key)
        return None if value is None else bool(value)

    def _input(self, name):
        """1, 0, or None where it is not known."""
        contact = self._contact_of(name)
        return int(contact.active) if contact and contact.stable else None

    def _moving(self, name):
        contact = self._contact_of(name)
        return bool(contact) and contact.due_ms(self._controller.clock.now_ms()) is not None

    def _contact_of(self, name):
        if name in self._contacts:
            return self._contacts[name]
        return self._controller.contacts.contacts.get(int(name[8:]))

    def inputs_state(self, names):
        """[{"input", "active" (None: not known), "moving"}] of some inputs."""
        return [
            {"input": name, "active": self._input(name), "moving": self._moving(name)}
            for name in names
        ]

    def write(self, channel, level, until_ms=None):
        """A command, e.g. ("percent", 30), takes effect at once. ValueError: Operator.write."""
        self.operator.write(channel, level, self._controller.clock.now_ms(), until_ms)
        self._controller.wake()

    def touch(self, channel):
        """Somebody set variables through a channel's door: a heartbeat and a command; nothing
        where the channel is not configured."""
        if channel in self.operator.channels:
            self.operator.touch(channel, self._controller.clock.now_ms())
            self._controller.wake()

    def _save(self, now_ms):
        """Writes the channels' state where it changed, in the cycle after, so that no setpoint
        waits for the flash; and what is left of a time now and then, so that a restart does not
        begin it anew.
        """
        channels = self.operator.channels.values()
        state = [(one.state, one.level, one.end_ms) for one in channels]
        if state != self._seen:
            if self._seen is None:  # as it was restored
                self._saved, self._saved_ms = state, now_ms
            self._seen = state
            return
        running = [one for one in channels if one.end_ms is not None]
        if state == self._saved and not (running and now_ms - self._saved_ms >= _TICK_MS):
            return
        if self._wear_ms <= now_ms + _BURST_MS:
            self._write(state, now_ms)

    def flush(self):
        """Writes the channels' state before the board is restarted."""
        if self.operator.channels:
            self._write(None, self._controller.clock.now_ms())

    def _write(self, state, now_ms):
        try:
            self._controller.store.save(_NAME, self.operator.kept(now_ms))
        except StoreError as error:
            if str(error) not in self._controller.faults:
                self._controller.fault(str(error))
        except MemoryError:
            unload()  # there will be room in the next second
            return
        self._saved, self._saved_ms = state, now_ms
        self._wear_ms = max(self._wear_ms, now_ms) + _WRITE_MS
