"""Names to addresses, and questions over UDP, without blocking the loop as getaddrinfo does."""

import asyncio
import errno
import os
import socket

from micropython import const

_PORT = const(53)
_LOOK_MS = const(10)  # between two looks at the socket
_TIMEOUT_MS = const(2000)
_ANSWER = const(512)  # RFC 1035 4.2.1


class DnsError(Exception):
    """A name that has no address; `code` names the sentence, `name` is its argument."""

    def __init__(self, code, name, text):
        super().__init__("The name %s %s." % (name, text))
        self.code = code
        self.name = name


def is_address(text):
    """True for four numbers with full stops between them, as in 192.168.1.10."""
    parts = text.split(".")
    return len(parts) == 4 and all(p.isdigit() and len(p) < 4 and int(p) < 256 for p in parts)


async def ask(address, port, request, accept, timeout_ms=_TIMEOUT_MS):
    """Sends `request` by UDP and returns the first truthy accept(answer).

    What `accept` turns down (returns nothing) may be forged: the true answer is waited for.
    OSError when none came in time, or the network refused.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        # Connected: answers from elsewhere don't count.
        sock.connect(socket.getaddrinfo(address, port)[0][-1])
        sock.send(request)
        for _ in range(timeout_ms // _LOOK_MS):
            await asyncio.sleep_ms(_LOOK_MS)
            try:
                found = accept(sock.recv(_ANSWER))
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    raise
            else:
                if found:
                    return found
    finally:
        sock.close()
    raise OSError(errno.ETIMEDOUT)


def _question(name):
    question = b""
    for label in name.split("."):
        if not 0 < len(label) < 64:
            raise DnsError("dns_name", name, "is not a host name")
        question += bytes([len(label)]) + label.encode()
    return question + b"\0\0\1\0\1"  # type A, class IN


def _after_name(answer, at):
    """Offset behind a name of labels, or one that ends in a pointer (RFC 1035 4.1.4)."""
    while answer[at] and answer[at] < 0xC0:
        at += 1 + answer[at]
    return at + (2 if answer[at] else 1)


def _first_address(answer, at):
    """The first A record of the answer section that starts at `at`; "" where there is none."""
    for _ in range(answer[6] << 8 | answer[7]):
        at = _after_name(answer, at)
        size = answer[at + 8] << 8 | answer[at + 9]
        if answer[at : at + 4] == b"\0\1\0\1" and size == 4:
            return "%d.%d.%d.%d" % tuple(answer[at + 10 : at + 14])
        at += 10 + size
    return ""


async def resolve(name, server, port=_PORT, timeout_ms=_TIMEOUT_MS):
    """IPv4 address of a host name, asked of the name server at `server` (RFC 1035); DnsError."""
    if is_address(name):
        return name
    question = _question(name)
    cookie = os.urandom(2)

    def accept(answer):
        start = 12 + len(question)
        # An answer repeats cookie and question; 0x80: is an answer, 4 low bits: its error.
        if answer[:2] != cookie or answer[12:start].lower() != question.lower():
            return None
        if not answer[2] & 0x80 or answer[3] & 0x0F:
            raise DnsError("dns_unknown", name, "is not known to the name server")
        try:
            address = _first_address(answer, start)
        except (IndexError, TypeError):  # cut short
            return None
        if not address:
            raise DnsError("dns_unknown", name, "has no IPv4 address")
        return address

    try:
        request = cookie + b"\1\0\0\1\0\0\0\0\0\0" + question
        return await ask(server, port, request, accept, timeout_ms)
    except OSError:
        raise DnsError("dns_silent", name, "could not be asked: the name server is silent")
