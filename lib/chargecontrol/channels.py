"""Channels that may fall silent, with the states of EEBus LPC V1.0.0 (VDE-AR-E 2829-6). Pure.

init -> limited, controlled: a write that follows a heartbeat; -> autonomous: none in time
limited, controlled -> each other: a write, or the end of the limit; -> failsafe: no heartbeat
failsafe -> limited, controlled: heartbeat and write; -> autonomous: its time is over, or there
are heartbeats again and nobody writes
autonomous -> limited, controlled: heartbeat and write
"""

from chargecontrol import levels


class Channel:
    """One channel. state as above ("controlled": LPC's unlimited/controlled), since_ms; level:
    what was last written and holds, until_ms its end or None; failsafe: the level of silence.

    timeout_ms 0: nobody watches; what was written holds until it is changed, the other states and
    the fail-safe level do not occur.
    """

    def __init__(self, config):
        self.name = config["channel"]
        self.level = levels.NONE
        self.until_ms = None
        self.heard_ms = None  # the last heartbeat
        self.failsafe_until_ms = None
        self._back_ms = None  # since when there are heartbeats again
        self._served = False  # it was under control before the restart
        self.state = ""
        self.since_ms = self.timeout_ms = self.duration_ms = 0
        self.configure(config, 0)

    def configure(self, config, now_ms):
        """Takes other settings; the state stays where it can."""
        watched = self.timeout_ms
        self.timeout_ms = config["timeout_s"] * 1000
        if not watched and self.state in ("limited", "controlled"):
            self.heard_ms = now_ms  # nobody watched until now
        duration_ms = config["duration_s"] * 1000
        if self.state == "failsafe":
            self.failsafe_until_ms += duration_ms - self.duration_ms
        self.duration_ms = duration_ms
        self.failsafe = levels.safe(config["failsafe"])
        if not self.timeout_ms and self.state in ("init", "failsafe"):
            self._to("autonomous", now_ms)

    def start(self, now_ms, kept=None):
        """Begins; kept: what `kept` gave before the restart, of which none of the time counts in
        which the controller was off.
        """
        state, text, left_s = kept or ("", "none", None)
        level = levels.parse(text)
        if not self.timeout_ms:
            # The register of the SunSpec server is volatile.
            if self.name == "sunspec" or state not in ("limited", "controlled"):
                return self._to("autonomous", now_ms)
            self._to(state, now_ms, level, _end_ms(left_s, now_ms))
        elif state == "failsafe" and left_s:
            self._to(state, now_ms)
            self.failsafe_until_ms = _end_ms(left_s, now_ms)
        else:
            # LPC: a restart begins with the fail-safe limit. What was commanded holds as well.
            self._served = state in ("limited", "controlled")
            if state != "limited":
                level, left_s = levels.NONE, None
            self._to("init", now_ms, level, _end_ms(left_s, now_ms))

    def _to(self, state, now_ms, level=levels.NONE, until_ms=None):
        if state != self.state:
            self.since_ms = now_ms
        self.state = state
        self.level = level
        self.until_ms = until_ms
        self._back_ms = self.failsafe_until_ms = None
        if state == "failsafe":
            self.failsafe_until_ms = now_ms + self.duration_ms

    def beat(self, now_ms):
        """A heartbeat: whoever is on the other side lives."""
        if self.state == "failsafe" and (self._back_ms is None or self._silent(now_ms)):
            self._back_ms = now_ms
        self.heard_ms = now_ms

    def _silent(self, now_ms):
        return self.heard_ms is None or now_ms - self.heard_ms >= self.timeout_ms

    def write(self, level, now_ms, until_ms=None):
        """A command: a level, NONE releases. It is a heartbeat as well."""
        self.beat(now_ms)
        self._served = False
        if level == levels.NONE:
            self._to("controlled", now_ms)
        else:
            self._to("limited", now_ms, level, until_ms)

    def touch(self, now_ms):
        """A command that reaches the site by another way (a variable that a formula reads): it is
        a heartbeat and a write, and says nothing of this channel's own limit.
        """
        self.beat(now_ms)
        if self.state == "init":
            self.write(self.level, now_ms, self.until_ms)
        elif self.state not in ("limited", "controlled"):
            self.write(levels.NONE, now_ms)

    def update(self, now_ms):
        """What time brings; call it each cycle."""
        if self.until_ms is not None and now_ms >= self.until_ms:
            if self.state == "limited":
                self._to("controlled", now_ms)
            self.level = levels.NONE
            self.until_ms = None
        if not self.timeout_ms:
            return
        state = self.state
        if state in ("limited", "controlled"):
            if self._silent(now_ms):
                self._to("failsafe", now_ms)
        elif state == "init":
            if now_ms - self.since_ms >= self.timeout_ms:
                # A restart must not set free what was being controlled.
                self._to("failsafe" if self._served else "autonomous", now_ms)
                self._served = False
        elif state == "failsafe":
            back_ms = self._back_ms
            over = self.failsafe_until_ms is not None and now_ms >= self.failsafe_until_ms
            if back_ms is not None and not self._silent(now_ms):
                over = over or now_ms - back_ms >= self.timeout_ms
            if over:
                self._to("autonomous", now_ms)

    @property
    def fails_safe(self):
        """True while the fail-safe level holds."""
        return self.state in ("init", "failsafe")

    @property
    def end_ms(self):
        """When what holds now ends by itself, None where it does not."""
        return self.failsafe_until_ms if self.state == "failsafe" else self.until_ms

    def kept(self, now_ms):
        """[state, text of the level, s left of it or None], for `start` after a restart."""
        end_ms = self.end_ms
        left_s = None if end_ms is None else max(1, (end_ms - now_ms + 999) // 1000)
        state = self.state
        if state == "init" and self._served:
            state = "controlled" if self.level == levels.NONE else "limited"
        return [state, levels.text(self.level), left_s]


def _end_ms(left_s, now_ms):
    return None if left_s is None else now_ms + left_s * 1000
