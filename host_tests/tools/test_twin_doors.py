"""The twin's other doors: HTTP, the panel, the recording, the chip channel, S0."""

import asyncio
import csv
import io
import json

from PIL import Image

from twin_bench import http, run, until


class Chip:
    """A simulated chip: collects the lines that it is told."""

    async def connect(self, twin):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", twin.chip_port)
        self.lines = []
        self._task = asyncio.create_task(self._collect())
        await until(lambda: "ready" in self.lines)
        return self

    async def _collect(self):
        while line := await self.reader.readline():
            self.lines.append(line.decode().strip())

    async def close(self):
        self.writer.close()
        await asyncio.gather(self._task, return_exceptions=True)


def test_state_has_the_documented_keys():
    async def test(twin):
        async with http(twin) as web:
            state = await (await web.get("/twin/state")).json()
        assert state["contacts"] == {"1": False, "2": False}
        assert state["house_w"] == [300, 200, 150] and state["pv_w"] == 0
        assert set(state["battery"]) == {"power_w", "soc"} and state["faults"] == {}
        assert set(state["meters"]["M1"]) >= {"power_w", "current_ma", "import_wh"}
        assert state["meters"]["M1"]["power_w"] == 650
        for id_, setpoint_ma in (("E1", 16000), ("E2", 32000)):
            box = state["wallboxes"][id_]
            assert box["setpoint_ma"] == setpoint_ma and box["written_ms"] is None
            assert len(box["current_ma"]) == 3 and box["state"] == "B" and box["energy_wh"] == 0
            assert state["cars"][id_]["plugged"] and state["cars"][id_]["phases"] == 3
        assert set(state["bus"]["rs485_1"]) >= {"requests", "busy_pct", "errors"}
        assert isinstance(state["t_ms"], int)

    run(test)


def test_set_takes_any_part():
    async def test(twin):
        async with http(twin) as web:
            for part in (
                {"contacts": {"1": True}},
                {"house_w": [2300, 200, 150]},
                {"pv_w": 6000},
                {"cars": {"E1": {"phases": 1}, "E2": {"plugged": False}}},
                {"faults": {"M1": "frozen", "E2": "ignores"}},
                {"appliances": {"hob": True}},
                {},
            ):
                answer = await web.post("/twin/set", json=part)
                assert answer.status == 204 and await answer.text() == ""
            state = await (await web.get("/twin/state")).json()
        assert state["contacts"]["1"] and state["house_w"] == [2300, 200, 150]
        assert state["load_w"] == [2300, 2500, 2450]
        assert state["cars"]["E1"]["phases"] == 1 and not state["cars"]["E2"]["plugged"]
        assert state["wallboxes"]["E2"]["state"] == "A"
        assert state["faults"] == {"M1": "frozen", "E2": "ignores"}
        twin.set({"faults": {"M1": "", "E2": None}})
        assert twin.faults() == {}

    run(test)


def test_set_refuses_with_one_sentence():
    async def test(twin):
        bad = [
            b"",
            b"{",
            b"[]",
            b"[" * 5000,
            b'{"contacts": {"7": true}}',
            b'{"contacts": {"1": true}, "house_w": "much"}',
            b"\xff\xfe",
            b'{"house_w": [1, 1, 1], "house_w2": ' + b"1" * 1000000 + b"}",
        ]
        async with http(twin) as web:
            for body in bad:
                answer = await web.post("/twin/set", data=body)
                text = await answer.text()
                assert answer.status == 400, body[:50]
                assert text.endswith(".\n") and text.count("\n") == 1 and len(text) < 300
            assert (await web.get("/twin/set")).status == 405
        assert not twin.closed["1"] and twin.house_w == [300, 200, 150]

    run(test)


def test_the_panel_is_served_complete():
    async def test(twin):
        async with http(twin) as web:
            page = await web.get("/?lang=de")
            text = await page.text()
            assert page.content_type == "text/html" and 'type="module" src="panel.js"' in text
            for name in ("panel.css", "panel.js", "chart.js", "texts.js"):
                part = await web.get(f"/{name}")
                body = await part.text()
                assert part.status == 200 and body
                assert "http://" not in body and "https://" not in body
            setup = await (await web.get("/twin/setup")).json()
            assert setup["text"]["de"] and setup["tcp_ports"] == twin.tcp_ports
            assert set(setup["faults"]) == {"M1", "E1", "E2", "contact1", "contact2"}
            assert (await web.get("/../twin.py")).status == 404

    run(test)


def test_both_languages_of_the_panel_say_the_same_things():
    from tools.twin.panel import _WEB
    from tools.twin.picture import _TEXTS

    text = (_WEB / "texts.js").read_text(encoding="utf-8")
    english, german = text.split("  de: {")
    for part in text.replace("{", " ").replace(",", " ").split():
        if part.endswith(":") and part[:-1].isidentifier() and part not in ("en:", "de:"):
            assert part in english and part in german, part
    assert _TEXTS["en"].keys() == _TEXTS["de"].keys()
    assert _TEXTS["en"]["faults"].keys() == _TEXTS["de"]["faults"].keys()


def test_scenario_plays_and_the_recording_shows_it(tmp_path):
    scenario = {
        "name": "quick",
        "text": {"en": "Quick.", "de": "Schnell."},
        "config": {"house_w": [1000, 0, 0]},
        "steps": [
            {"at_s": 0.5, "set": {"contacts": {"1": True}}},
            {"at_s": 2.5, "set": {"contacts": {"1": False}, "faults": {"M1": "silent"}}},
        ],
    }

    async def test(twin):
        async with http(twin) as web:
            await until(lambda: "M1" in twin.faults())
            await until(lambda: twin.recorder.rows()[-1]["faults"])
            text = await (await web.get("/twin/record.csv")).text()
            rows = list(csv.DictReader(io.StringIO(text)))
            last = await (await web.get("/twin/record.json?last=1")).json()
            assert len(last) == 1 and last[0]["faults"] == "M1:silent"
            picture = await web.get("/twin/picture.png?lang=de")
            assert picture.content_type == "image/png"
            with Image.open(io.BytesIO(await picture.read())) as image:
                image.verify()
                assert image.width > 800 and image.height > 500
        assert {row["contact1"] for row in rows} == {"0", "1"}
        assert all(row["house_w"] == "1000" for row in rows)
        assert {"E1_setpoint_ma", "E2_l3_ma", "E1_state", "E2_written_ms"} <= set(rows[0])
        times = [int(row["t_ms"]) for row in rows]
        assert times == sorted(times) and len(times) >= 3

    run(test, scenario=scenario, record_dir=tmp_path / "rec")
    with Image.open(tmp_path / "rec" / "twin.png") as image:
        image.verify()
    rows = list(csv.DictReader((tmp_path / "rec" / "twin.csv").open()))
    assert rows[-1]["faults"] == "M1:silent"


def test_cars_start_to_charge_and_the_meter_sees_it():
    async def test(twin):
        for _ in range(80):
            twin.step(100)
        state = twin.state()
        assert [state["wallboxes"][id_]["state"] for id_ in ("E1", "E2")] == ["C", "C"]
        assert state["wallboxes"]["E1"]["current_ma"] == [15900] * 3
        assert state["wallboxes"]["E2"]["current_ma"] == [31900] * 3
        assert state["meters"]["M1"]["power_w"] == 650 + 3 * (3657 + 7337)
        twin.set({"cars": {"E2": {"plugged": False}}})
        await until(lambda: twin.state()["meters"]["M1"]["power_w"] == 650 + 3 * 3657)

    run(test)


def test_chip_hears_levels_first_and_then_changes():
    async def test(twin):
        twin.set({"contacts": {"1": True}})
        chip = await Chip().connect(twin)
        assert chip.lines == ["pin 34 0", "pin 35 1", "ready"] and twin.chip_clients == 1
        twin.set({"contacts": {"1": False, "2": True}})
        await until(lambda: len(chip.lines) == 5)
        assert chip.lines[3:] == ["pin 34 1", "pin 35 0"]
        twin.set({"contacts": {"2": True}})
        chip.writer.write(b"out 25 1\nnonsense\nout 26 0\n")
        await until(lambda: "26" in twin.state()["chip"]["outputs"])
        assert twin.state()["chip"]["outputs"] == {"25": 1, "26": 0}
        lost = []
        twin.chip.on_lost.append(lambda: lost.append(twin.chip_clients))
        await chip.close()
        await until(lambda: lost)
        assert lost == [0] and len(chip.lines) == 5

    run(test)


def test_contacts_behind_an_expander():
    board = {
        "inputs": [
            {"id": 1, "expander": 0, "bit": 0, "active_low": True},
            {"id": 2, "expander": 0, "bit": 3, "active_low": True},
            {"id": 3, "pin": 5, "active_low": False},
        ],
        "expanders": [{"kind": "pcf8574", "address": 34, "role": "inputs"}],
    }

    async def test(twin):
        chip = await Chip().connect(twin)
        assert chip.lines == ["i2c 34 255", "pin 5 0", "ready"]
        twin.set({"contacts": {"2": True}})
        twin.set({"contacts": {"1": True}})
        await until(lambda: len(chip.lines) == 5)
        assert chip.lines[3:] == ["i2c 34 247", "i2c 34 246"]
        await chip.close()

    run(test, board=board)


def test_a_bouncing_contact_ends_where_it_should():
    async def test(twin):
        chip = await Chip().connect(twin)
        twin.set({"faults": {"contact1": "bounce"}})
        twin.set({"contacts": {"1": True}})
        await until(lambda: len(chip.lines) >= 12)
        await asyncio.sleep(0.05)
        assert chip.lines[3:] == ["pin 34 0", "pin 34 1"] * 4 + ["pin 34 0"]
        await chip.close()

    run(test)


def test_s0_meter_pulses_for_its_load():
    async def test(twin):
        chip = await Chip().connect(twin)
        assert twin.state()["contacts"] == {"1": False}
        await until(lambda: len(chip.lines) >= 9)
        assert chip.lines[3:9] == ["pin 35 0", "pin 35 1"] * 3
        await chip.close()

    run(
        test,
        config={
            "house_w": [6000, 3000, 3000],
            "s0": [{"input": 2, "pulses_per_kwh": 1000, "measures": "house"}],
        },
    )


def test_the_twin_runs_alone():
    async def test():
        import sys

        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tools.twin",
            "--port-base",
            "0",
            "--duration",
            "1",
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        word, text = out.decode().split(" ", 1)
        assert word == "twin" and set(json.loads(text)) == {
            "panel",
            "ptys",
            "tcp_ports",
            "chip_port",
        }
        assert process.returncode == 0
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tools.twin",
            "--scenario",
            "nowhere",
            stderr=asyncio.subprocess.PIPE,
        )
        _, err = await process.communicate()
        assert process.returncode == 1 and err.decode().startswith("twin: there is no scenario")

    asyncio.run(test())
