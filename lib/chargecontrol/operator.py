"""What the grid operator commands: limits from contact sets and channels, side by side. Pure.

The smallest wins, which the site sees to (operator_limits.py); each is kept and shown.
"""

from micropython import const

from chargecontrol import levels
from chargecontrol.limits import Limit

_KNOWN_MS = const(60000)  # a contact not known so long after the start has a fault of its own


class OperatorLimit(Limit):
    """A limit with the level that it comes from: (kind, value), or None while it limits nothing.

    value is None for Pmin, too: level tells the two apart. part: what of its source it is: a kind
    (of a contact set), "command" or "failsafe" (of a channel), "test".
    """

    level = None

    def __init__(self, source, kind, part):
        super().__init__(source, kind)
        self.part = part

    def hold(self, level, code, arguments, now_ms, until_ms=None):
        """Holds a level for a reason, until it changes or until_ms."""
        if self.level != level:
            self.reason = None
        self.level = level
        self.kind = level[0]
        self.until_ms = until_ms
        self.say(code, arguments + (levels.text(level),), level[1], self.phase_ma, now_ms)

    def release(self, now_ms):
        """Limits nothing."""
        if self.level:
            self.reason = None
        self.level = None
        self.clear(now_ms)


class Operator:
    """limits: [OperatorLimit], of each contact set one for each kind of its levels, of a channel
    what was written and what holds while it is silent, then a test; sets: {id: ContactSet};
    channels: {name: Channel}; ready: after a start, True from when all of them are known on, or
    had their time.

    events: [(code, arguments ..)] of what happened since the caller emptied the list.
    """

    def __init__(self):
        self.sets = {}
        self.channels = {}
        self.limits = []
        self.events = []
        self.ready = False
        self._first_ms = None
        self.tested = None  # the OperatorLimit of a test
        self._kept = {}
        self._states = {}

    def configure(self, sets, channels, now_ms, settle_ms=None):
        """Takes settings["contact_sets"] and settings["channels"]; what did not change goes on.

        settle_ms: {id of a set: the longest delay of its contacts}.
        """
        known_sets, self.sets = self.sets, {}
        for config in sets:
            from chargecontrol.contact_sets import ContactSet

            made = ContactSet(config, (settle_ms or {}).get(config["id"], 2000))
            known = known_sets.get(made.id)
            self.sets[made.id] = known if known and known.same(made) else made
        known_channels, self.channels = self.channels, {}
        for config in channels:
            from chargecontrol.channels import Channel

            channel = known_channels.get(config["channel"])
            if channel:
                channel.configure(config, now_ms)
            else:
                channel = Channel(config)
                channel.start(now_ms, self._kept.pop(channel.name, None))
            self.channels[channel.name] = channel
            self._states.setdefault(channel.name, channel.state)
        self._kept = {}
        wanted = [(made.id, kind, kind) for made in self.sets.values() for kind in made.kinds]
        for name in self.channels:
            wanted += [(name, "percent", "command"), (name, "percent", "failsafe")]
        known = {(limit.source, limit.part): limit for limit in self.limits}
        self.limits = [known.get((one[0], one[2])) or OperatorLimit(*one) for one in wanted]
        self.end_test(now_ms)

    def update(self, now_ms, inputs, moving=None):
        """Call it each cycle, and as soon as a contact changed. inputs, moving: ContactSet."""
        for one in self.sets.values():
            if one.update(now_ms, inputs, moving):
                self.events.append(("contact_" + one.fault[0], one.id, one.fault[1]))
        for channel in self.channels.values():
            channel.update(now_ms)
            if self._states.get(channel.name) != channel.state:
                self._states[channel.name] = channel.state
                self.events.append(("channel_" + channel.state, channel.name))
        if self.tested and now_ms >= self.tested.until_ms:
            self.end_test(now_ms)
        for limit in self.limits:
            if limit.source in self.sets:
                _say_set(self.sets[limit.source], limit, now_ms)
            elif limit is not self.tested:
                _say_channel(self.channels[limit.source], limit, now_ms)
        if not self.ready:
            if self._first_ms is None:
                self._first_ms = now_ms
            waited = now_ms - self._first_ms >= _KNOWN_MS
            known = [one.settled or waited for one in self.sets.values()]
            known += [channel.state != "init" for channel in self.channels.values()]
            self.ready = all(known)

    def write(self, channel, level, now_ms, until_ms=None):
        """A command through a channel, a heartbeat as well: a level, or ("none", None) to release.
        until_ms: when the limit ends by itself.

        ValueError: "channel" (it is not configured), "level".
        """
        self._channel(channel).write(levels.checked(*level), now_ms, until_ms)

    def beat(self, channel, now_ms):
        """A heartbeat of a channel. ValueError("channel") where it is not configured."""
        self._channel(channel).beat(now_ms)

    def touch(self, channel, now_ms):
        """A command by variables: heartbeat and write, see Channel.touch."""
        self._channel(channel).touch(now_ms)

    def _channel(self, name):
        if name not in self.channels:
            raise ValueError("channel")
        return self.channels[name]

    def number(self, id):
        """Number of the level of a contact set that counts now, a test included. KeyError."""
        return self.sets[id].number(None, self._tested(id))

    def _tested(self, id):
        return self.tested.level if self.tested and self.tested.part == id else None

    def dimming(self):
        """[(W or None for Pmin, source)] of all who dim."""
        dims = [one for one in self.limits if one.level and one.kind == "dimming"]
        return [(one.value, one.source) for one in dims]

    def feed_in(self):
        """% of the installed PV power that may be fed in, the smallest; None: nobody limits it."""
        found = [one.value or 0 for one in self.limits if one.level and one.kind == "feed_in"]
        return min(found) if found else None

    def test(self, source, level, now_ms, until_ms):
        """Holds a level until then as if a source asked for it, beside what really holds.

        source: id of a contact set or name of a channel. ValueError: "source", "level".
        """
        if source not in self.sets and source not in self.channels:
            raise ValueError("source")
        level = levels.checked(*level)
        self.end_test(now_ms)
        limit = self.tested = OperatorLimit("test", level[0], source)
        limit.hold(level, "operator_test", (source,), now_ms, until_ms)
        self.limits.append(limit)
        self.events.append(("operator_test", source, levels.text(level)))

    def end_test(self, now_ms):
        """Ends a test; False where there is none."""
        limit = self.tested
        if not limit:
            return False
        self.tested = None
        self.limits = [one for one in self.limits if one is not limit]
        self.events.append(("operator_test_ended", limit.part, levels.text(limit.level)))
        return True

    def kept(self, now_ms):
        """What has to outlast a restart: {channel: [state, level, s left or None]}."""
        return {name: channel.kept(now_ms) for name, channel in self.channels.items()}

    def restore(self, kept):
        """Takes what `kept` gave before the restart; call it before `configure`. ValueError where
        it is not of that shape: then nothing is taken.
        """
        for state, text, left_s in kept.values():
            levels.parse(text)
            if not isinstance(state, str) or not (left_s is None or isinstance(left_s, int)):
                raise ValueError("kept")
        self._kept = dict(kept)


def _say_set(one, limit, now_ms):
    number = one.number(limit.part)
    if number is None:
        limit.release(now_ms)
    elif one.fault:
        what, detail = one.fault
        code = "contact_unknown" if what == "unknown" else "contact_invalid"
        limit.hold(one.levels[number], code, (one.id, detail), now_ms)
    else:
        limit.hold(one.levels[number], "contact_level", (one.id,), now_ms)


def _say_channel(channel, limit, now_ms):
    if limit.part == "command":
        if channel.level == levels.NONE:
            limit.release(now_ms)
        else:
            arguments = (channel.name,)
            limit.hold(channel.level, "channel_limit", arguments, now_ms, channel.until_ms)
    elif channel.fails_safe:
        until_ms = channel.failsafe_until_ms
        code = "channel_init" if channel.state == "init" else "channel_failsafe"
        limit.hold(channel.failsafe, code, (channel.name,), now_ms, until_ms)
    else:
        limit.release(now_ms)
