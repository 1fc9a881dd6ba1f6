"""Turns of TLS handshakes: who waits for the board keeps its place, who is silent loses it. With
peers and a TLS library of the test's own; CPython only.
"""

import asyncio
import time
import types

import pytest
import tls
from fakes import doors_site

from doors import tls_listener
from doors.http import HttpError
from tools import certificates

STEP_S = 0.1


class Clock(doors_site.Clock):
    def now_ms(self):
        return int(time.monotonic() * 1000)


class Stream:
    """A handshake of two steps; peer: "talks", or "stops" after the first."""

    def __init__(self, peer):
        self.peer = peer
        self.steps = 0

    def read(self, count):
        time.sleep(STEP_S)
        self.steps += 1
        return None if self.steps < 2 else b"GET"


class Context:
    """In place of the TLS library's."""

    def __init__(self, protocol):
        pass

    def load_cert_chain(self, certificate, key):
        pass

    def load_verify_locations(self, certificates):
        pass

    def wrap_socket(self, stream, server_side, do_handshake_on_connect):
        return Stream(stream)


async def readable(stream):
    await asyncio.sleep(0)
    if isinstance(stream, Stream) and stream.peer == "stops" and stream.steps:
        await asyncio.Event().wait()


class Door:
    """In place of the HTTP door: keeps what serves a port."""

    plain = True
    refusal = HttpError

    def __init__(self):
        self.told = {}
        self.serves = {}

    async def listen(self, name, port, serve, backlog=5):
        self.serves[name] = serve
        return True

    async def serve(self, reader, writer, listener):
        self.listener = listener


class Request:
    idle = True
    who = None
    method, path, args = "GET", "/cnf", {"cmd": "get_cm_vars"}

    def __init__(self, peer):
        self.reader = types.SimpleNamespace(s=peer)
        self.writer = self.source = types.SimpleNamespace(
            get_extra_info=lambda name: ("127.0.0.1", 1)
        )
        self.task = asyncio.current_task()


@pytest.fixture(autouse=True)
def library(monkeypatch):
    monkeypatch.setattr(tls, "SSLContext", Context)
    monkeypatch.setattr(asyncio, "StreamReader", lambda stream: stream)
    monkeypatch.setattr(tls_listener, "_readable", readable)
    monkeypatch.setattr(tls_listener, "_STALE_MS", 200)
    monkeypatch.setattr(tls_listener, "_WAIT_MS", 5)


async def listener(folder, name):
    """That of a board with one TLS connection at a time, as it has with a gateway."""
    controller = doors_site.Controller(folder, "tls", "gateway")
    controller.clock = Clock()
    pair = certificates.make_server()
    controller.write("server", pair.pem)
    controller.write("ca", certificates.make_ca().certificate)
    door = Door()
    task = asyncio.create_task(tls_listener.TlsListeners(controller, door).run())
    await doors_site.until(lambda: name in door.serves, "the listener")
    task.cancel()
    await door.serves[name](None, None)
    return door.listener


def connected(folder, *peers):
    """What becomes of peers that come one after the other."""

    async def run():
        listens = await listener(folder, "HTTPS")
        became = []

        async def connect(peer):
            request = Request(peer)
            try:
                await listens.connect(request)
                became.append("in")
            except asyncio.CancelledError:
                became.append("out")
            finally:
                listens.leave(request)

        tasks = []
        for peer in peers:
            tasks.append(asyncio.create_task(connect(peer)))
            await asyncio.sleep(0.01)
        await asyncio.wait(tasks, timeout=5)
        return became

    return asyncio.run(run())


def test_who_waits_for_his_step_is_not_stale(tmp_path):
    assert connected(tmp_path, "talks", "talks", "talks") == ["in", "in", "in"]


def test_who_is_silent_in_a_handshake_makes_room(tmp_path):
    assert connected(tmp_path, "stops", "talks") == ["out", "in"]


def test_the_gateway_is_named_as_who_asks(tmp_path):
    async def run():
        asked = Request("talks")
        assert (await listener(tmp_path, "gateway")).check(asked) and asked.who == "gateway"
        asked = Request("talks")
        assert not (await listener(tmp_path, "HTTPS")).check(asked) and asked.who is None

    asyncio.run(run())
