"""Certificates that end soon: a warning among the faults, until there is a new one."""

import asyncio
import types
from datetime import datetime, timedelta, timezone

import pytest
from fakes import doors_site
from fakes.doors_site import until

from controller import data
from doors import certificates_api, tls_listener
from doors.http import HttpDoor
from tools import certificates

DAY_S = 86400
NOW = datetime.fromtimestamp(doors_site.Clock().s, timezone.utc)


def ending_in(days, make=certificates.make_server):
    return make(start=NOW + timedelta(days=days - 100), days=100)


AUTHORITY = ending_in(90, certificates.make_ca)
NEW = ending_in(95)


class Rig:
    """The running task of the TLS listeners; pass_s moves the clock."""

    def __init__(self, controller):
        self.controller = controller
        self.listeners = controller.tls = tls_listener.TlsListeners(
            controller, HttpDoor(controller)
        )

    async def __aenter__(self):
        self._task = asyncio.create_task(self.listeners.run(self._beat))
        self.beats = 0
        await self.looked()
        return self

    async def __aexit__(self, *what):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _beat(self):
        self.beats += 1

    async def looked(self):
        """Waits until the task has looked at the clock since."""
        await until(lambda beats=self.beats: self.beats >= beats + 2, "a look", 5)

    async def pass_s(self, seconds):
        self.controller.clock.s += seconds
        self.controller.clock.ms += seconds * 1000
        await self.looked()

    async def upload(self, kind, pem):
        door = types.SimpleNamespace(controller=self.controller)
        path = "/api/certificates/" + kind
        request = types.SimpleNamespace(path=path, data=pem.encode(), who="admin")
        assert (await certificates_api.ROUTES[path]["POST"](door, request))[1] == 200

    @property
    def faults(self):
        return self.controller.faults


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(tls_listener, "_LOOK_MS", 5)


def warning(state, name, pair):
    end = pair.x509.not_valid_after_utc.strftime("%Y-%m-%d")
    return data.text("certificates", state, (name, end))


def test_30_days_before_the_end_until_there_is_a_new_one(tmp_path):
    async def run():
        controller = doors_site.Controller(tmp_path, "tls")
        pair = ending_in(31)
        controller.write("server", pair.pem)
        async with Rig(controller) as rig:
            await rig.pass_s(DAY_S - 60)
            assert rig.faults == []
            await rig.pass_s(3600)
            assert rig.faults == [warning("expires", "https", pair)]
            assert rig.faults[0].startswith("The certificate for https is valid until 20")
            for _ in range(50):
                await rig.pass_s(3600)
            assert len(rig.faults) == 1  # said once
            await rig.pass_s(28 * DAY_S)
            assert rig.faults == [warning("expired", "https", pair)]
            assert " expired on " in rig.faults[0]
            await rig.upload("server", NEW.pem)
            assert rig.faults == []
            await rig.pass_s(3600)
            assert rig.faults == []

    asyncio.run(run())


def test_not_while_the_clock_is_not_trusted(tmp_path):
    async def run():
        controller = doors_site.Controller(tmp_path, "tls")
        pair = ending_in(20)
        controller.write("server", pair.pem)
        controller.clock.trusted = False
        async with Rig(controller) as rig:
            await rig.pass_s(50 * DAY_S)
            assert rig.faults == []
            await rig.pass_s(-50 * DAY_S)
            controller.clock.trusted = True
            await rig.looked()
            assert rig.faults == [warning("expires", "https", pair)]

    asyncio.run(run())


def test_each_listener_by_what_ends_first(tmp_path):
    """The gateway's authority counts, too; a new one of these takes only its own warning away."""

    async def run():
        controller = doors_site.Controller(tmp_path, "tls", "gateway")
        server, authority = ending_in(25), ending_in(10, certificates.make_ca)
        controller.write("server", server.pem)
        controller.write("gateway", NEW.pem)
        controller.write("ca", authority.certificate)
        async with Rig(controller) as rig:
            assert rig.faults == [
                warning("expires", "https", server),
                warning("expires", "gateway", authority),
            ]
            controller.fault("something else")
            await rig.upload("ca", AUTHORITY.certificate)
            assert rig.faults == ["something else", warning("expires", "https", server)]
            await rig.upload("server", NEW.pem)
            assert rig.faults == ["something else"]

    asyncio.run(run())
