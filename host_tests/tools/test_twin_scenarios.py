"""What the scenarios of load management need of the twin, and that its pictures show it."""

import asyncio
import csv
import json
import socket
from pathlib import Path

import pytest
from PIL import Image

from controller import data
from controller.settings import Settings
from tools.simulation import laid_over, settings
from tools.twin import Twin, TwinError
from tools.twin.config import DEFAULTS, check_set, complete
from tools.twin.picture import main as draw
from tools.twin.profiles import value_at
from tools.twin.scenario import SCENARIOS
from twin_bench import living, until

ROOT = Path(__file__).resolve().parents[2]
METER, HEIDELBERG, KEBA = DEFAULTS["meters"][0], *DEFAULTS["wallboxes"]
EIGHT = {"name": "eight", "text": {"en": "E.", "de": "D."}}


def boxes(count):
    return [dict(KEBA, id=f"E{i + 1}") for i in range(count)]


def step(twin, seconds):
    for _ in range(int(seconds * 10)):
        twin.step(100)


def test_up_to_sixteen_wallboxes():
    assert len(Twin(config={"wallboxes": boxes(16)}).boxes) == 16
    with pytest.raises(TwinError, match="wallboxes has more than 16 entries"):
        complete({"wallboxes": boxes(17)})


def free_base():
    """A port base whose next 26 ports nobody listens on."""
    for base in range(24000, 32000, 50):
        try:
            for port in range(base, base + 26):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    raise AssertionError("no free ports")


def test_tcp_devices_leave_the_time_servers_port_free():
    base = free_base()
    twin = Twin(config={"wallboxes": boxes(5)}, port_base=base)

    async def test():
        await twin.start()
        await twin.stop()

    asyncio.run(test())
    ports = [port - base for port in twin.tcp_ports.values()]
    assert ports == [6, 7, 8, 10, 11] and twin.ntp.port == base + 9


def test_a_meter_of_a_group_adds_up_its_wallboxes_and_other_loads():
    twin = Twin(
        config={
            "appliances": {"sauna": [2500, 2500, 2500]},
            "meters": [METER, dict(METER, id="M2", unit=5, measures=["E1", "sauna"])],
        }
    )
    step(twin, 8)
    meters = twin.state()["meters"]
    assert meters["M2"]["current_ma"] == [15900] * 3
    assert meters["M1"]["power_w"] == 650 + 3 * (3657 + 7337)
    twin.set({"appliances": {"sauna": True}})
    step(twin, 1)
    after = twin.state()["meters"]
    assert after["M2"]["power_w"] == meters["M2"]["power_w"] + 7500
    assert after["M1"]["power_w"] == meters["M1"]["power_w"] + 7500
    assert after["M2"]["import_wh"] > 0


def test_a_car_asleep_stays_plugged_draws_nothing_and_wakes():
    twin = Twin()
    step(twin, 8)
    twin.set({"cars": {"E1": {"sleep_s": 20}}})
    step(twin, 5)
    state = twin.state()
    assert state["cars"]["E1"]["asleep"] and state["cars"]["E1"]["plugged"]
    assert state["wallboxes"]["E1"]["state"] == "B"
    assert state["wallboxes"]["E1"]["current_ma"] == [0, 0, 0]
    assert state["wallboxes"]["E1"]["offered_ma"] == 16000
    assert state["wallboxes"]["E2"]["state"] == "C"
    step(twin, 24)
    state = twin.state()
    assert not state["cars"]["E1"]["asleep"] and state["wallboxes"]["E1"]["state"] == "C"
    twin.set({"cars": {"E1": {"sleep_s": 600}}})
    twin.set({"cars": {"E1": {"plugged": False}}})
    assert not twin.state()["cars"]["E1"]["asleep"]


def test_profiles_move_sun_and_cars_until_a_hand_does():
    points = [[10, 1000], [20, 3000], [30, 0]]
    at = {ms: value_at(points, ms) for ms in (0, 9999, 10000, 15000, 20000, 29999, 99000)}
    assert at == {0: None, 9999: None, 10000: 1000, 15000: 2000, 20000: 3000, 29999: 0, 99000: 0}

    async def test():
        profiles = {"pv_w": [[0, 4000], [1, 6000]], "E2": [[0, 7000]]}
        async with living(config={"profiles": profiles}) as twin:
            await until(lambda: twin.pv_w == 6000)
            assert twin.state()["cars"]["E2"]["max_current_ma"] == 7000
            twin.set({"pv_w": 500, "cars": {"E2": {"max_current_ma": 9000}}})
            await asyncio.sleep(0.3)
            state = twin.state()
            assert state["pv_w"] == 500 and state["cars"]["E2"]["max_current_ma"] == 9000

    asyncio.run(test())


def test_the_time_server_says_the_time_of_the_scenario():
    twin = Twin(config={"clock": "2026-06-01T05:59:30+02:00"})
    assert abs(twin.utc_s() - 1780286370) < 5
    assert twin.state()["clock"].startswith("2026-06-01T05:59:3")
    sent = []
    twin.ntp._transport = type("Wire", (), {"sendto": lambda self, *sent_: sent.append(sent_)})()
    twin.ntp.datagram_received(b"\x23" + bytes(39) + b"a cookie", "peer")
    seconds = int.from_bytes(sent[0][0][40:44], "big") - 2208988800
    assert abs(seconds - 1780286370) < 5
    assert Twin().state()["clock"] is None


@pytest.mark.parametrize(
    "change, named",
    [
        ({"clock": "05:59"}, "clock is '05:59'"),
        ({"clock": "2026-06-01T05:59:30"}, "offset from UTC"),
        ({"clock": 7}, "clock is 7"),
        ({"profiles": {"E9": [[0, 6000]]}}, "E9"),
        ({"profiles": {"pv_w": []}}, "profiles.pv_w"),
        ({"profiles": {"pv_w": [[0, 1], [0, 2]]}}, "order of time"),
        ({"profiles": {"pv_w": [5]}}, "profiles.pv_w[0]"),
        ({"profiles": {"E1": [[0, 100]]}}, "profiles.E1[0][1]"),
        ({"meters": [dict(METER, measures=["E1", "E1"])]}, "each source once"),
        ({"meters": [dict(METER, measures=[])]}, "meters[0].measures"),
        ({"meters": [dict(METER, measures=["E1", "sauna"])]}, "meters[0].measures[1]"),
        ({"meters": [dict(METER, fuse_ma=0)]}, "meters[0].fuse_ma"),
        ({"appliances": {"E1": [1, 2, 3]}}, "appliances.E1"),
        ({"cars": {"E1": {"sleep_s": -1}}}, "cars.E1.sleep_s"),
    ],
)
def test_what_is_wrong_is_named(change, named):
    with pytest.raises(TwinError) as error:
        complete(change)
    assert named in str(error.value)


def test_a_hand_may_not_send_a_car_to_sleep_for_ever():
    with pytest.raises(TwinError, match="cars.E1.sleep_s"):
        check_set({"cars": {"E1": {"sleep_s": "long"}}}, complete())


@pytest.mark.parametrize(
    "key, bad", [("settings", {"site": 5}), ("rules", 5), ("profile", "rom"), ("heap", 140)]
)
def test_a_scenarios_part_for_the_firmware_is_looked_at(key, bad):
    with pytest.raises(TwinError, match=key):
        Twin(scenario=dict(EIGHT, **{key: bad}))


def test_a_scenarios_settings_are_laid_over_the_usual_ones():
    usual = {"a": {"b": 1, "c": 2}, "list": [{"id": "E1", "x": 1}, {"id": "E2", "x": 2}]}
    patch = {"a": {"c": 3}, "list": [{"id": "E2", "y": 4}, {"id": "E3"}], "new": None}
    assert laid_over(usual, patch) == {
        "a": {"b": 1, "c": 3},
        "list": [{"id": "E1", "x": 1}, {"id": "E2", "x": 2, "y": 4}, {"id": "E3"}],
        "new": None,
    }
    assert usual["a"]["c"] == 2


class Flash:
    def __init__(self, document):
        self._document = document

    def load(self, name):
        return self._document, None


@pytest.mark.parametrize("name", sorted(path.stem for path in SCENARIOS.glob("*.json")))
def test_the_firmware_takes_the_settings_of_each_scenario(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for kind in ("server", "ca"):  # the simulation makes them
        (tmp_path / f"tls_{kind}.json").touch()
    board = json.loads((ROOT / "boards" / "esp32-devkit" / "board.json").read_text())
    twin = Twin(scenario=name, board=board)
    twin.ntp.port = 123
    for i, id_ in enumerate(twin.tcp):
        twin.tcp_ports[id_] = 1000 + i
    document = settings(twin, 80)
    taken = Settings(Flash(document), data.load_json, board)
    assert taken.problem is None
    assert [evse["id"] for evse in taken.doc["evses"]] == list(twin.boxes)
    assert taken.doc["site"]["max_total_current"] == document["site"]["max_total_current"]


@pytest.mark.parametrize("name, lang", [("eight_cars", "en"), ("asleep", "de"), ("group", "en")])
def test_a_recording_of_many_cars_becomes_a_small_picture(tmp_path, name, lang):
    twin = Twin(scenario=name)
    twin.set({"cars": {id_: {"plugged": True} for id_ in twin.boxes}})
    rows = []
    for second in range(60):
        if second == 20:
            twin.set({"cars": {"E1": {"sleep_s": 10}}, "faults": {"M1": "silent"}})
        step(twin, 1)
        rows.append(dict(twin.recorder._flat(twin.state()), t_ms=1000 * second))
    with (tmp_path / "twin.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    draw(tmp_path / "twin.csv", tmp_path / "twin.png", lang)
    assert (tmp_path / "twin.png").stat().st_size < 120000
    with Image.open(tmp_path / "twin.png") as image:
        image.verify()
        assert image.height > 80 * len(twin.boxes)
