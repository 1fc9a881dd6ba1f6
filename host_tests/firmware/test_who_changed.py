"""Who changed settings, certificates and the password is told by each door that changes them."""

import asyncio
import types

import pytest
from fakes import doors_site
from fakes.sunspec_site import Controller

from doors import certificates_api, cnf_devices, cnf_params, power_manager_api, settings_api
from tools import certificates

CASES = {
    "settings": (settings_api.ROUTES["/api/settings"]["POST"], {"site": {"title": "x"}}, "site"),
    "set_params": (cnf_params.COMMANDS["set_params"], {"title": "x"}, "site"),
    "set_device": (
        cnf_devices.COMMANDS["set_device"],
        {"devices": [{"dev_id": "E1", "name": "x"}]},
        "evses",
    ),
    "power manager": (
        power_manager_api.ROUTES.get("/power_manager/config_update")["POST"],
        {"enabled": False, "battery_deadzone": 50},
        "power_manager",
    ),
}


def asked(controller, data, path=""):
    """(door, request) of the gateway."""
    request = types.SimpleNamespace(path=path, data=data, args={}, headers={}, who="gateway")
    return types.SimpleNamespace(controller=controller), request


@pytest.mark.parametrize("name", CASES)
def test_settings(name):
    answer, data, section = CASES[name]
    controller = Controller()
    told = []
    if section == "power_manager":
        data = dict(controller.settings.doc[section], **data)  # this door takes all of it
    controller.settings_changed = lambda sections, who: told.append((sorted(sections), who))
    answer(*asked(controller, data))
    assert told == [([section], "gateway")]


def test_certificates(tmp_path):
    controller = doors_site.Controller(tmp_path)
    controller.clock.trusted = False
    pair = certificates.make_server(["board"])
    path = "/api/certificates/server"
    methods = certificates_api.ROUTES[path]
    asyncio.run(methods["POST"](*asked(controller, pair.pem.encode(), path)))
    methods["DELETE"](*asked(controller, None, path))
    end = pair.x509.not_valid_after_utc.strftime("%Y-%m-%d")
    assert controller.events == [
        ("certificate_set", "gateway", "server (CN=board)", end),
        ("certificate_deleted", "gateway", "server"),
    ]


def test_password(tmp_path, monkeypatch):
    async def change(login, old, new):
        pass

    monkeypatch.setattr("controller.password.change", change)
    controller = doors_site.Controller(tmp_path)
    controller.login = None
    answer = settings_api.ROUTES["/api/login/password"]["POST"]
    asyncio.run(answer(*asked(controller, {"old": "", "new": ""})))
    assert controller.events == [("password_changed", "gateway")]
