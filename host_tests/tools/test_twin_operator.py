"""The twin's grid operator: Modbus master, client certificates, interference, relays, judge."""

import asyncio
import ssl
import struct

import pytest
from aiohttp import web

from tools import certificates
from tools.simulation_doors import Doors, give_ports
from tools.twin import Twin, TwinError
from tools.twin.config import complete
from twin_bench import http, living, run, until

BOARD = {
    "inputs": [{"id": 1, "pin": 32, "active_low": True}, {"id": 2, "pin": 33, "active_low": True}],
    "expanders": [{"address": 36, "role": "outputs"}],
    "relays": [
        {"id": 1, "pin": 27, "active_low": False},
        {"id": 2, "expander": 0, "bit": 1, "active_low": True},
    ],
}
RELAYS = {"1": {"reduces": "heat_pump", "to_w": [300, 300, 300]}, "2": {"contactor": "E2"}}


class Master:
    """A Modbus server that stands for the firmware: notes writes, answers 40098 with 1234 W."""

    def __init__(self):
        self.percents = []
        self.connections = 0
        self.ended = asyncio.Event()

    async def start(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = await reader.readexactly(7)
                pdu = await reader.readexactly(int.from_bytes(head[4:6], "big") - 1)
                function, address = struct.unpack(">BH", pdu[:3])
                assert head[6] == 7 and address == {16: 40968, 3: 40098}[function]
                if function == 16:
                    self.percents.append(struct.unpack(">f", pdu[6:])[0])
                    answer = pdu[:5]
                else:
                    answer = b"\x03\x04" + struct.pack(">f", 1234)
                writer.write(head[:4] + (len(answer) + 1).to_bytes(2, "big") + head[6:] + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.ended.set()
        finally:
            writer.close()


def test_a_modbus_master_repeats_itself_dies_and_comes_back():
    async def test(twin):
        master = Master()
        server = await master.start()
        player = twin.operator.modbus
        twin.set({"operator": {"modbus": {"write_pct": 30}}})
        await until(lambda: "no door" in player.error)
        twin.operator.connect(modbus=("127.0.0.1", master.port, 7))
        twin.set({"operator": {"modbus": {"write_pct": 30, "every_s": 0.1}}})
        await until(lambda: len(master.percents) > 2)
        report = twin.state()["operator"]["modbus"]
        assert master.percents[0] == 30.0 and master.connections == 1
        assert report["grid_w"] == 1234 and report["wants"] == "30 %" and not report["error"]
        twin.set({"operator": {"modbus": {"alive": False}}})
        await asyncio.wait_for(master.ended.wait(), 2)
        count = len(master.percents)
        await asyncio.sleep(0.3)
        assert (
            len(master.percents) == count and twin.state()["operator"]["modbus"]["wants"] is None
        )
        twin.set({"operator": {"modbus": {"alive": True, "write_pct": "nan"}}})
        await until(lambda: len(master.percents) > count)
        assert master.percents[-1] != master.percents[-1] and master.connections == 2
        server.close()

    run(test)


def test_a_gateway_shows_its_certificate_and_checks_the_boards(tmp_path):
    document = {"gateway": {"enabled": True}, "tls": {"enabled": True, "plain_http": False}}
    give_ports(document, 0, lambda: 1)
    assert document["gateway"]["address"] == "127.0.0.1"
    doors = Doors(document, 80, tmp_path / "certificates")
    assert doors.http is None and doors.page == doors.https == "https://127.0.0.1:1"
    doors.write_certificates(tmp_path)
    assert (tmp_path / "tls_server.json").exists() and (tmp_path / "tls_ca.json").exists()
    asked = []

    async def answer(request):
        peer = request.transport.get_extra_info("peercert")
        asked.append((request.path_qs, await request.json(), dict(peer["subject"][0])))
        return web.json_response("ok")

    async def test(twin):
        folder = tmp_path / "certificates"
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        address = "https://127.0.0.1:%d" % runner.addresses[0][1]
        twin.operator.connect(gateway=(address, {"ssl": doors.context()}))
        twin.set({"operator": {"gateway": {"vars": {"AVAIL": 60}, "limit": {"level": "40 %"}}}})
        await until(lambda: len(asked) == 2)
        name = {"commonName": "smart meter gateway"}
        assert asked[0] == (
            "/cnf?cmd=set_cm_vars",
            {"vars": [{"name": "AVAIL", "expr": "60"}]},
            name,
        )
        assert asked[1] == ("/api/operator/limit", {"level": "40 %"}, name)
        await until(lambda: twin.operator.gateway.answered == 1)
        # One that another authority signed is not let in.
        stranger = certificates.make_client(certificates.make_ca())
        stranger.write(folder, "stranger")
        twin.operator.connect(gateway=(address, {"ssl": doors.context("stranger")}))
        twin.set({"operator": {"gateway": {"vars": {"AVAIL": 0}}}})
        await until(lambda: twin.operator.gateway.error)
        assert len(asked) == 2
        await runner.cleanup()

    run(test)


def test_interference_leaves_the_contact_where_it_was():
    async def test():
        async with living(config={"board": BOARD}) as twin:
            told = []
            twin.inputs._send = told.append
            twin.set({"faults": {"contact1": "burst"}})
            await asyncio.sleep(0.1)
            assert told == ["pin 32 0\n", "pin 32 1\n"] * (len(told) // 2) and len(told) >= 6
            assert not twin.inputs.is_active(1) and twin.state()["faults"] == {}
            twin.set({"contacts": {"1": True}})
            told.clear()
            twin.set({"faults": {"contact1": "burst"}})
            await asyncio.sleep(0.1)
            assert told == ["pin 32 1\n", "pin 32 0\n"] * (len(told) // 2) and told
            assert twin.inputs.is_active(1)

    asyncio.run(test())


def test_relays_of_the_chip_reduce_a_heat_pump_and_switch_phases():
    twin = Twin(config={"board": BOARD, "relays": RELAYS})
    twin.set({"appliances": {"heat_pump": True}})
    twin.step(100)
    assert twin.state()["relays"] == {"1": False, "2": False}
    assert twin.load_w == [1200, 1100, 1050] and twin.boxes["E2"].phases == 1
    twin.chip._take(["out", "27", "1"])
    twin.chip._take(["i2c", "36", "253"])  # bit 1 low: closed
    twin.step(100)
    assert twin.state()["relays"] == {"1": True, "2": True}
    assert twin.load_w == [600, 500, 450] and twin.boxes["E2"].phases == 3
    assert twin.phases_w("heat_pump") == [300, 300, 300]
    assert "i2c 36 255\n" in twin.inputs.lines()


def test_the_judge_looks_at_what_the_controllable_devices_draw_from_the_grid():
    twin = Twin(config={"pv_w": 6000, "house_w": [400, 300, 300], "controllable": ["E2"]})
    twin.set({"cars": {"E1": {"plugged": False}}})
    for _ in range(100):
        twin.step(100)
    judge = twin.operator.judges["dim_w"]
    assert judge.drawn_w == twin.boxes["E2"].power_w - 5000
    twin.set({"operator": {"dim_w": 4200, "grid_w": 20000}})
    twin.step(100)
    assert judge.after_ms is None and twin.operator.judges["grid_w"].after_ms is not None
    twin.set({"cars": {"E2": {"max_current_ma": 6000}}})
    for _ in range(100):
        twin.step(100)
    assert judge.after_ms is not None and judge.over_w == 0
    twin.set({"cars": {"E2": {"max_current_ma": 32000}}})
    for _ in range(60):
        twin.step(100)
    assert judge.over_w == twin.boxes["E2"].power_w - 5000 - 4200
    twin.set({"operator": {"dim_w": None}})
    assert twin.state()["operator"]["dim_w"]["limit_w"] is None


@pytest.mark.parametrize(
    "change, named",
    [
        ({"fax": {}}, "operator has the unknown key 'fax'"),
        ({"modbus": {"write_pct": "60"}}, "operator.modbus.write_pct is '60'"),
        ({"modbus": {"every_s": -1}}, "operator.modbus.every_s"),
        ({"modbus": {"alive": 1}}, "operator.modbus.alive"),
        ({"http": {"vars": [1]}}, "operator.http.vars"),
        ({"gateway": {"write_pct": 3}}, "operator.gateway has the unknown key"),
        ({"dim_w": -1}, "operator.dim_w"),
    ],
)
def test_what_the_operator_is_told_is_checked(change, named):
    async def test(twin):
        with pytest.raises(TwinError, match=named):
            twin.set({"operator": change})
        async with http(twin) as session:
            async with session.post("/twin/set", json={"operator": change}) as answer:
                assert answer.status == 400 and named in await answer.text()

    run(test)


@pytest.mark.parametrize(
    "relays, named",
    [
        ({"0": {"contactor": "E1"}}, "relays.0"),
        ({"1": {"contactor": "E9"}}, "relays.1.contactor"),
        ({"1": {"reduces": "fridge"}}, "relays.1.reduces"),
        ({"1": {}}, "one of contactor and reduces"),
        ({"1": {"contactor": "E1", "when": "never"}}, "relays.1.when"),
    ],
)
def test_relays_are_checked(relays, named):
    with pytest.raises(TwinError, match=named):
        complete({"relays": relays})
