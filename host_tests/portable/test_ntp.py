"""Time and names over UDP against real sockets on loopback, with servers that misbehave."""

import asyncio
import os
import socket
import struct
import sys

from controller import ntp as ntp_module
from controller import timekeeper
from controller.clock import Clock
from controller.dns import DnsError, is_address, resolve
from controller.ntp import Ntp, NtpError, parse

NOW_S = 1792890000
QUICK_MS = 120  # how long to wait for an answer that never comes


class Server:
    """Answers each datagram with reply(request) -> list of datagrams, from within the loop."""

    def __init__(self, reply):
        self.reply = reply
        self.requests = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while True:
            self.port = 20000 + int.from_bytes(os.urandom(2), "big") % 20000
            try:
                self.socket.bind(socket.getaddrinfo("127.0.0.1", self.port)[0][-1])
                break
            except OSError:
                pass
        self.socket.setblocking(False)

    async def run(self):
        while True:
            try:
                request, sender = self.socket.recvfrom(512)
            except OSError:
                await asyncio.sleep_ms(3)
                continue
            self.requests.append(request)
            for answer in self.reply(request):
                self.socket.sendto(answer, sender)


def served(reply, client):
    """Runs client(server) beside a server; returns what it returns."""

    async def main():
        server = Server(reply)
        task = asyncio.create_task(server.run())
        try:
            return await client(server)
        finally:
            task.cancel()
            server.socket.close()

    return asyncio.run(main())


def answer(
    request,
    unix_s=NOW_S,
    ms=0,
    first=0x24,
    stratum=2,
    delay=0x1000,
    dispersion=0x1000,
    cookie=None,
):
    """A server's answer as RFC 5905 figure 8 lays it out."""
    stamp = struct.pack(">II", (unix_s + 2208988800) % (1 << 32), (ms << 32) // 1000)
    head = struct.pack(">BBBBII4s", first, stratum, 6, 0xEC, delay, dispersion, b"GPS\0")
    return head + stamp + (cookie or request[40:48]) + stamp + stamp


class Net:
    ip = "127.0.0.1"
    dns = "127.0.0.1"
    gateway = "127.0.0.1"


def synced(replies, syncs=1, trusted_s=None):
    """Syncs against a server that uses replies[i] for request i; (Clock, Ntp, waits, requests)."""
    clock = Clock("UTC0")
    if trusted_s:
        clock.set_utc(trusted_s)
    waits = []

    def reply(request):
        return replies[min(len(waits), len(replies) - 1)](request)

    async def client(server):
        tested = Ntp(clock, Net(), "127.0.0.1:%d" % server.port)
        for _ in range(syncs):
            waits.append(await tested.sync(QUICK_MS))
        return tested, server.requests

    tested, requests = served(reply, client)
    return clock, tested, waits, requests


def good(request):
    return [answer(request)]


def test_good_answer_sets_the_clock():
    clock, tested, waits, requests = synced([good], 2)
    assert clock.trusted and clock.source == "ntp" and tested.problem == ""
    assert NOW_S <= clock.utc_s() <= NOW_S + 60
    assert waits == [3600, 3600] and abs(tested.jump_ms) < 60000
    assert len(requests[0]) == 48 and requests[0][0] == 0x23
    assert requests[0][40:] != requests[1][40:]  # a new cookie each time


def test_jump_is_recorded():
    def later(request):
        return [answer(request, NOW_S + 500)]

    clock, tested, _, _ = synced([good, later], 2)
    assert 430000 < tested.jump_ms <= 500500 and clock.utc_s() >= NOW_S + 500


def test_fraction():
    cookie = b"12345678"
    request = bytes(40) + cookie
    assert parse(answer(request, ms=250), cookie) in ((NOW_S, 250), (NOW_S, 249))


def test_second_era_from_2036():
    cookie = b"12345678"
    for unix_s in (2085978495, 2085978497, 2540000000, 4102444799):
        assert parse(answer(bytes(40) + cookie, unix_s), cookie)[0] == unix_s
    clock, _, _, _ = synced([lambda request: [answer(request, 2540000000)]])
    assert 2540000000 <= clock.utc_s() < 2540000060


def silent(request):
    return []


def test_silence_backs_off_from_15_s_to_15_min():
    clock, tested, waits, _ = synced([silent], 8)
    assert waits == [15, 30, 60, 120, 240, 480, 900, 900]
    assert tested.problem == "ntp_silent" and not clock.trusted


def test_success_ends_the_back_off():
    _, tested, waits, _ = synced([silent, silent, good, silent], 4)
    assert waits == [15, 30, 3600, 15] and tested.problem == "ntp_silent"


def test_nobody_listens():
    clock = Clock("UTC0")
    server = Server(silent)
    server.socket.close()
    tested = Ntp(clock, Net(), "127.0.0.1:%d" % server.port)
    assert asyncio.run(tested.sync(QUICK_MS)) == 15 and tested.problem == "ntp_silent"


def test_what_is_not_an_answer_to_us_is_passed_over():
    for bad in (
        lambda request: b"",
        lambda request: b"x",
        lambda request: answer(request)[:47],
        lambda request: os.urandom(48),
        lambda request: answer(request, cookie=b"\0" * 8),
        lambda request: answer(request, cookie=b"forged!!"),
        lambda request: request,  # an echo is no server
        lambda request: answer(request, first=0x25),  # broadcast
        lambda request: answer(request, stratum=0, cookie=b"forged!!"),
    ):
        clock, tested, waits, _ = synced([lambda request: [bad(request)]])
        assert not clock.trusted and tested.problem == "ntp_silent" and waits == [15]
    # The true answer behind a forged one counts.
    clock, tested, _, _ = synced(
        [lambda request: [answer(request, NOW_S + 9000, cookie=b"forged!!")] + good(request)]
    )
    assert clock.trusted and clock.utc_s() < NOW_S + 60


def test_server_that_says_it_is_unusable():
    for changes in (
        {"first": 0xE4},  # clock not synchronised
        {"stratum": 16},
        {"delay": 0x400000},
        {"dispersion": 0x200000},
        {"unix_s": -2208988800},  # transmit timestamp 0
    ):
        clock, tested, waits, _ = synced([lambda request: [answer(request, **changes)]])
        assert not clock.trusted and tested.problem == "ntp_unset" and waits == [15], changes


def test_kiss_of_death_is_obeyed():
    clock, tested, waits, _ = synced([lambda request: [answer(request, stratum=0)]])
    assert not clock.trusted and tested.problem == "ntp_refused" and waits == [3600]


def test_impossible_year():
    for unix_s in (1500000000, 1735689599, 4102444800, 4200000000):
        clock, tested, _, _ = synced([lambda request: [answer(request, unix_s)]])
        assert not clock.trusted and tested.problem == "clock_range"


def test_one_answer_does_not_move_a_trusted_clock_far():
    def far(request):
        return [answer(request, NOW_S + 86400)]

    clock, tested, waits, _ = synced([far, good], 2, NOW_S)
    assert waits == [15, 3600] and tested.problem == "" and clock.utc_s() < NOW_S + 60
    clock, tested, waits, _ = synced([far, far], 2, NOW_S)
    assert waits == [15, 3600] and clock.utc_s() >= NOW_S + 86400  # a second one agrees
    clock, tested, waits, _ = synced([far], 1, NOW_S)
    assert tested.problem == "ntp_jump" and clock.utc_s() < NOW_S + 60


def test_host_forms():
    clock = Clock("UTC0")
    for host in ("127.0.0.1:x", "127.0.0.1:", ":123x"):
        tested = Ntp(clock, Net(), host)
        asyncio.run(tested.sync(QUICK_MS))
        assert tested.problem in ("ntp_host", "ntp_silent")
    try:
        asyncio.run(Ntp(clock, Net(), "127.0.0.1:x").query(QUICK_MS))
    except NtpError as error:
        assert error.code == "ntp_host" and "name:port" in str(error)
    else:
        raise AssertionError("taken")


def test_without_a_host_the_router_is_asked():
    clock = Clock("UTC0")

    async def client(server):
        net = Net()
        net.gateway = "127.0.0.1:%d" % server.port
        tested = Ntp(clock, net, "")
        await tested.sync(QUICK_MS)
        return tested

    assert served(good, client).problem == "" and clock.trusted


def test_task_waits_for_the_network_and_asks_again_on_another():
    """In fake time: the task must not sit out its back-off when the board moved to another net."""
    net = Net()
    net.gateway = ""
    asked = []
    seconds = [0]
    beats = []

    class Finished(Exception):
        pass

    class FakeAsyncio:
        async def sleep(self, s):
            seconds[0] += s
            if seconds[0] == 10:
                net.gateway = "127.0.0.1"
            if seconds[0] == 40:
                net.ip = "127.0.0.2"
            if seconds[0] > 60:
                raise Finished

    tested = timekeeper.Timekeeper(Clock("UTC0"), net, "")

    async def ask(memory):
        asked.append(seconds[0])
        return 900

    tested.ask = ask
    timekeeper.asyncio = FakeAsyncio()
    try:
        asyncio.run(tested.run(lambda: beats.append(seconds[0])))
    except Finished:
        pass
    finally:
        timekeeper.asyncio = asyncio
    assert asked == [10, 40] and beats == list(range(61))


def test_task_sets_the_clock_and_its_code_leaves_the_ram():
    clock = Clock("UTC0")
    beats = []

    async def client(server):
        net = Net()
        net.gateway = "127.0.0.1:%d" % server.port
        tested = timekeeper.Timekeeper(clock, net, "", 0)
        task = asyncio.create_task(tested.run(lambda: beats.append(1)))
        for _ in range(100):
            await asyncio.sleep(0.02)
            if clock.trusted:
                break
        task.cancel()
        return tested.problem

    assert served(good, client) == ""
    assert clock.trusted and "controller.ntp" not in sys.modules


# -- names


def record(name, kind, data):
    return name + struct.pack(">HHIH", kind, 1, 300, len(data)) + data


POINTER = b"\xc0\x0c"
ADDRESS = record(POINTER, 1, bytes((10, 1, 2, 3)))


def dns_answer(request, records, code=0, flags=0x81, count=None):
    head = request[:2] + struct.pack(
        ">BBHHHH", flags, 0x80 | code, 1, len(records) if count is None else count, 0, 0
    )
    return head + request[12:] + b"".join(records)


def resolved(reply, name="time.example.org"):
    async def client(server):
        return await resolve(name, "127.0.0.1", server.port, QUICK_MS), server.requests

    return served(lambda request: [reply(request)], client)


def test_name_becomes_address():
    address, requests = resolved(lambda request: dns_answer(request, [ADDRESS]))
    assert address == "10.1.2.3"
    assert requests[0][2:] == (
        b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04time\x07example\x03org\x00\x00\x01\x00\x01"
    )


def test_alias_and_other_records_before_the_address():
    records = [
        record(POINTER, 5, b"\x04pool\xc0\x11"),
        record(b"\x04pool\xc0\x11", 28, bytes(16)),
        record(b"\x04pool\x07example\x03org\x00", 1, bytes((192, 0, 2, 1))),
        ADDRESS,
    ]
    assert resolved(lambda request: dns_answer(request, records))[0] == "192.0.2.1"


def dns_code(reply, name="time.example.org"):
    try:
        resolved(reply, name)
    except DnsError as error:
        assert name in str(error)
        return error.code
    return "taken"


def test_name_server_that_does_not_know():
    assert dns_code(lambda request: dns_answer(request, [], 3)) == "dns_unknown"
    assert dns_code(lambda request: dns_answer(request, [])) == "dns_unknown"
    assert dns_code(lambda request: dns_answer(request, [ADDRESS], 2)) == "dns_unknown"
    short = record(POINTER, 1, b"\1")
    assert dns_code(lambda request: dns_answer(request, [short])) == "dns_unknown"
    assert dns_code(lambda request: request) == "dns_unknown"  # an echo


def test_garbage_from_the_name_server():
    for reply in (
        lambda request: b"",
        lambda request: request[:11],
        lambda request: b"\0\0" + dns_answer(request, [ADDRESS])[2:],
        lambda request: dns_answer(request[:12] + b"\5other\0\0\1\0\1", [ADDRESS]),
        lambda request: dns_answer(request, [ADDRESS])[:-1],
        lambda request: dns_answer(request, [ADDRESS[:9]]),
        lambda request: dns_answer(request, [], count=500),
        lambda request: dns_answer(request, [b"\x3f" * 60], count=65535),
    ):
        assert dns_code(reply) == "dns_silent"


def test_any_spoiled_answer_is_an_address_or_an_error():
    size = len(dns_answer(b"ab" + bytes(10) + b"\4time\0\0\1\0\1", [ADDRESS]))
    for at in range(2, size, 5):
        for change in (1, 0xC0):

            def reply(request):
                spoiled = bytearray(dns_answer(request, [ADDRESS]))
                spoiled[at] ^= change
                return bytes(spoiled)

            try:
                assert is_address(resolved(reply, "time")[0])
            except DnsError:
                pass


def test_names_that_are_none():
    for name in ("", "a..b", ".a", "x" * 64 + ".org"):
        assert dns_code(lambda request: dns_answer(request, [ADDRESS]), name) == "dns_name"


def test_addresses_need_no_server():
    assert asyncio.run(resolve("192.168.1.10", "")) == "192.168.1.10"
    for text in ("192.168.1", "192.168.1.256", "1.2.3.4.5", "a.b.c.d", "1.2.3.-4", "", "1..2.3"):
        assert not is_address(text)


def test_ntp_with_a_name_asks_the_name_server():
    """The name goes to the net's server; where that is silent, the reason says so."""
    net = Net()
    net.dns = "127.0.0.1"
    tested = Ntp(Clock("UTC0"), net, "time.example.org")

    async def unknown(name, server):
        assert (name, server) == ("time.example.org", "127.0.0.1")
        raise DnsError("dns_unknown", name, "is not known")

    plain = ntp_module.resolve
    ntp_module.resolve = unknown
    try:
        assert asyncio.run(tested.sync(QUICK_MS)) == 15 and tested.problem == "dns_unknown"
    finally:
        ntp_module.resolve = plain
