"""What the grid operator's doors must do, written from the documents alone: design/control.md
section 1 and reference/peers.md 2.3 (EEBus LPC). It knows nothing of the firmware.
"""

WHOLE_MA = 35000
VOLTAGE_V = 230
P_MIN_W = 7560  # two wallboxes of 11 kW: 4200 + 0.80 * 4200
START_MA = 6000  # the site's fail-safe current after a boot
SETTLE_S = 5  # contacts: delay, and the time in which the others of a set may follow
SAVED_S = 901  # what is left of a time is saved so often


def phase_ma(level):
    """mA per phase that a level (kind, value) allows; None: it says nothing of that."""
    kind, value = level
    if kind == "percent":
        return WHOLE_MA * value // 100
    if kind == "power":
        return value * 1000 // (3 * VOLTAGE_V)
    return value if kind == "current" else None


def dim_w(level):
    kind, value = level
    if kind != "dimming":
        return None
    return P_MIN_W if value is None else value


class ModelChannel:
    """A channel: states of LPC, with the time in s since the beginning of the test.

    until and failsafe_until are (earliest, latest): after a restart they are not known exactly.
    """

    def __init__(self, name, timeout_s, failsafe, duration_s, volatile):
        self.name = name
        self.timeout_s = timeout_s
        self.failsafe = failsafe
        self.duration_s = duration_s
        self.volatile = volatile
        self.state = "init" if timeout_s else "autonomous"
        self.since_s = self.heard_s = 0
        self.level = None
        self.until = None
        self.served = False
        self.lasts_s = 0

    def _to(self, state, now_s, level=None, until=None):
        self.state, self.since_s, self.level, self.until = state, now_s, level, until
        if until and until[0] == until[1]:
            self.lasts_s = until[0] - now_s

    def write(self, level, now_s, seconds=None):
        """A command is heartbeat and write; None releases."""
        self.heard_s = now_s
        self.served = False
        if level is None:
            self._to("controlled", now_s)
        else:
            until = None if seconds is None else (now_s + seconds, now_s + seconds)
            self._to("limited", now_s, level, until)

    def touch(self, now_s):
        """Variables were set through this channel: heartbeat and write, but of no limit here."""
        if self.state in ("failsafe", "autonomous"):
            self.write(None, now_s)
        elif self.state == "init":
            level, until = self.level, self.until
            self.write(level, now_s)
            self.until = until
        self.heard_s = now_s

    def restart(self, now_s):
        state, level, until = self.state, self.level, self.until
        self.heard_s = None
        # What was left when it was saved last is left again.
        until = until and (until[0], max(until[0], min(until[1] + SAVED_S, now_s + self.lasts_s)))
        if not self.timeout_s:
            if self.volatile or state not in ("limited", "controlled"):
                self._to("autonomous", now_s)
            else:
                self._to(state, now_s, level, until)
        elif state == "failsafe":
            # The time that is left goes on; LPC: duration minimum.
            self._to("failsafe", now_s, None, until)
        else:
            self.served = self.served or state in ("limited", "controlled")
            self._to("init", now_s, level, until)

    def pass_time(self, now_s, real_state):
        """What time brings. Where a restart made the end of a time uncertain, real_state decides
        between the two that are right."""
        if self.until and self.state != "failsafe" and self._over(now_s, real_state == "limited"):
            if self.state == "limited":
                self._to("controlled", now_s)
            self.level = self.until = None
        if not self.timeout_s:
            return
        if self.state in ("limited", "controlled"):
            if now_s - self.heard_s >= self.timeout_s:
                self._to("failsafe", now_s, None, (now_s + self.duration_s,) * 2)
        elif self.state == "init":
            if now_s - self.since_s >= self.timeout_s:
                if self.served:  # a restart must not set free what was under control
                    self._to("failsafe", now_s, None, (now_s + self.duration_s,) * 2)
                else:
                    self._to("autonomous", now_s)
                self.served = False
        elif self.state == "failsafe" and self._over(now_s, real_state == "failsafe"):
            self._to("autonomous", now_s)

    def _over(self, now_s, still):
        return now_s >= self.until[1] or now_s >= self.until[0] and not still

    def levels(self):
        """[(name in the journal, class, level)] of what holds."""
        held = []
        if self.level is not None:
            held.append((self.name, "operator", self.level))
        if self.state in ("init", "failsafe"):
            held.append((self.name + " failsafe", "failsafe", self.failsafe))
        return held


class ModelSet:
    """A contact set: pattern -> level; a pattern that is not in the table means the strictest."""

    def __init__(self, name, inputs, table, strictest):
        self.name = name
        self.inputs = inputs
        self.table = table
        self.strictest = strictest
        self.pattern = (0,) * len(inputs)
        self.moved_s = 0

    def move(self, closed, now_s):
        pattern = tuple(int(closed[n]) for n in self.inputs)
        if pattern != self.pattern:
            self.pattern = pattern
            self.moved_s = now_s

    def settled(self, now_s):
        return now_s - self.moved_s >= SETTLE_S

    def levels(self):
        known = self.pattern in self.table
        levels = [self.table[self.pattern]] if known else self.strictest
        kind = "operator" if known else "failsafe"
        return [(self.name, kind, level) for level in levels if level is not None]


class Model:
    """All sources side by side; the smallest wins."""

    def __init__(self, sets, channels):
        self.sets = sets
        self.channels = {channel.name: channel for channel in channels}
        self.avail_pct = None
        self.booted_s = 0
        self.test = None  # (source, level, until): one that the owner holds, beside all others

    def restart(self, now_s):
        self.booted_s = now_s
        self.test = None
        for channel in self.channels.values():
            channel.restart(now_s)
        for one in self.sets:
            one.moved_s = now_s

    def pass_time(self, now_s, real_states):
        for name, channel in self.channels.items():
            channel.pass_time(now_s, real_states[name])
        if self.test and now_s >= self.test[2]:
            self.test = None

    def settled(self, now_s):
        """True where contacts are at rest, so that what holds is one value."""
        return all(one.settled(now_s) for one in self.sets)

    def starting(self):
        """True while a channel is not in a known state since the boot."""
        return any(channel.state == "init" for channel in self.channels.values())

    def orders(self):
        """{name: (class, level)} of what each source says."""
        held = [one for part in (*self.sets, *self.channels.values()) for one in part.levels()]
        if self.test:
            held.append(("test " + self.test[0], "test", self.test[1]))
        return {(name, level[0]): (kind, level) for name, kind, level in held}

    def effective(self):
        """(mA per phase, W of the controllable devices or None) that hold now."""
        whole_ma = WHOLE_MA
        if self.avail_pct is not None:
            whole_ma = WHOLE_MA * self.avail_pct // 100
        phases_ma, dims_w = [whole_ma], []
        if self.starting():
            phases_ma.append(START_MA)
        for _, level in self.orders().values():
            # A percentage is one of the connection as it is set now.
            if level[0] == "percent":
                phases_ma.append(whole_ma * level[1] // 100)
            elif phase_ma(level) is not None:
                phases_ma.append(phase_ma(level))
            if dim_w(level) is not None:
                dims_w.append(dim_w(level))
        return min(phases_ma), min(dims_w) if dims_w else None
