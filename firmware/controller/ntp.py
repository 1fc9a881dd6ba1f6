"""Time from the network (NTP, RFC 5905), without blocking the loop."""

import os

from micropython import const

from controller.clock import ClockError
from controller.dns import DnsError, ask, resolve

_PORT = const(123)
_REQUEST = b"\x23"  # no leap warning, version 4, mode 3 (client): RFC 5905 figure 8
_UNIX_S = const(2208988800)  # from 1900 to 1970
_ERA_S = const(4294967296)
_FIRST_HALF = const(0x80000000)  # seconds below this belong to the era that starts in 2036
_MAX_ROOT = const(0x100000)  # 16 s in units of 1/65536 s: MAXDISP of RFC 5905
_RESYNC_S = const(3600)
_FIRST_RETRY_S = const(15)
_LAST_RETRY_S = const(900)
_PANIC_MS = const(1000000)  # a greater jump of a trusted clock must be confirmed
_AGREE_MS = const(2000)


class NtpError(Exception):
    """An answer that can't be used; `code` names the sentence."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def _number(data, at):
    return int.from_bytes(data[at : at + 4], "big")


def parse(answer, cookie):
    """(unix seconds, ms) of a server's answer to the request that carried `cookie`.

    None when it answers something else; NtpError when the server says itself that it is unusable.
    """
    if len(answer) < 48 or answer[24:32] != cookie or answer[0] & 7 != 4:
        return None
    if answer[1] == 0:  # kiss of death, RFC 5905 7.4
        raise NtpError("ntp_refused", "The time server refuses to answer.")
    if answer[0] >> 6 == 3 or answer[1] > 15:
        raise NtpError("ntp_unset", "The time server does not know the time itself.")
    seconds = _number(answer, 40)
    if _number(answer, 4) // 2 + _number(answer, 8) > _MAX_ROOT or not seconds:
        raise NtpError("ntp_unset", "The time server does not know the time itself.")
    if seconds < _FIRST_HALF:
        seconds += _ERA_S
    return seconds - _UNIX_S, _number(answer, 44) * 1000 // _ERA_S


class Ntp:
    """Keeps `clock` right by the server `host` ("name", "name:port"; "" asks the router).

    net: `.ip`, `.dns`, `.gateway`, each "" while unknown. `problem` is the code of the last
    failure or "", `jump_ms` by how much the last answer moved the clock. What one query leaves for
    the next lies in the dict `memory`, so that object and module may go in between.
    """

    def __init__(self, clock, net, host="", memory=None):
        self._clock = clock
        self._net = net
        self.host = host
        self.problem = "ntp_waiting"
        self.jump_ms = 0
        self._memory = {} if memory is None else memory

    async def query(self, timeout_ms=2000):
        """(unix seconds, ms) of now; NtpError, DnsError or OSError."""
        name, _, port = (self.host or self._net.gateway).partition(":")
        if port and not port.isdigit():
            raise NtpError("ntp_host", "The time server must be written as name or name:port.")
        address = await resolve(name, self._net.dns)
        cookie = os.urandom(8)  # in place of our time of sending, which is nobody's business
        sent_ms = self._clock.now_ms()

        def accept(answer):
            return parse(answer, cookie)

        request = _REQUEST + bytes(39) + cookie
        seconds, ms = await ask(address, int(port or _PORT), request, accept, timeout_ms)
        ms += (self._clock.now_ms() - sent_ms) // 2
        return seconds + ms // 1000, ms % 1000

    async def sync(self, timeout_ms=2000):
        """Asks once and sets the clock; returns the seconds until the next time."""
        try:
            seconds, ms = await self.query(timeout_ms)
            self._check(seconds)
            self.jump_ms = self._clock.set_utc(seconds, "ntp", ms)
        except (NtpError, DnsError, ClockError) as error:
            self.problem = error.code
        except OSError:
            self.problem = "ntp_silent"
        else:
            self.problem = ""
            self._memory["retry_s"] = _FIRST_RETRY_S
            return _RESYNC_S
        if self.problem == "ntp_refused":  # it asks to be left alone
            return _RESYNC_S
        wait_s = self._memory.get("retry_s", _FIRST_RETRY_S)
        self._memory["retry_s"] = min(2 * wait_s, _LAST_RETRY_S)
        return wait_s

    def _check(self, seconds):
        """A clock that is trusted does not jump because of one answer."""
        jump_ms = (seconds - self._clock.utc_s()) * 1000
        suspect_ms = self._memory.get("suspect_ms")
        self._memory["suspect_ms"] = jump_ms
        if self._clock.trusted and abs(jump_ms) > _PANIC_MS:
            if suspect_ms is None or abs(jump_ms - suspect_ms) > _AGREE_MS:
                raise NtpError("ntp_jump", "The time server is far off; a second answer decides.")
