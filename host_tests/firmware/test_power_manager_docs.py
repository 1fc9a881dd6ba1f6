"""Each line of curl of docs/power-manager.md works as it is written, on the simulated board.

Among them are all of the WARP's documentation.
"""

import asyncio
import json
import os
import subprocess
from pathlib import Path

from simulated import simulated

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "power-manager.md").read_text()


def commands():
    """Each command of the page that begins with curl; it may go over several lines."""
    lines = iter(PAGE.split("\n"))
    for line in lines:
        if line.startswith("curl "):
            while line.count("'") % 2:
                line += "\n" + next(lines)
            yield line


@simulated(profile="image")
async def test_each_line_of_the_page_works_as_it_is_written(site):
    host = "admin:%s@127.0.0.1:%d" % (site.simulation.board.password, site.simulation.port)

    async def run(command):
        """Answer of a line as a shell runs it, with the variable HOST; and its status."""
        process = await asyncio.create_subprocess_exec(
            "sh",
            "-c",
            command.replace("curl ", "curl -s -w '\n%{http_code}' ", 1),
            env={"HOST": host, "PATH": os.environ["PATH"]},
            stdout=subprocess.PIPE,
        )
        body, _, status = (await process.communicate())[0].decode().rpartition("\n")
        return body, int(status)

    read, written = set(), set()
    for command in commands():
        body, status = await run(command)
        path = command.split("/power_manager/")[1].split()[0]
        if " -d " not in command:
            assert status == 200 and isinstance(json.loads(body), dict), (command, body)
            read.add(path)
        elif path == "external_control":  # the page's config has another phase_switching_mode
            assert status == 400 and "external control is off" in body, (command, body)
        else:
            assert (body, status) == ("", 200), (command, body)
        if " -d " in command:
            written.add(path)
    assert len(read) == 7 and len(written) == 5
    config = await site.get("/power_manager/config")
    assert config["meter_slot_grid_power"] == 3 and config["enabled"] is True
    assert await site.get("/power_manager/charge_modes/E1") == 0
    assert await site.get("/power_manager/charge_mode/mode") == 2
    shown = await site.get("/power_manager/low_level_state")
    assert shown["overall_min_power"] in (1380, 4140) and shown["is_on_last"] is False
    assert shown["evses"]["E2"]["mode"] == 2 and shown["power_at_meter"] is None  # no meter M3
    # What is refused, as the small VM says it; and what it said yes to holds without a restart.
    url = "http://$HOST/power_manager/"
    body, status = await run('curl %sconfig?lang=de -d \'{"default_mode": 4, "x": 1}\'' % url)
    assert status == 400 and len(body.split("\n")) == 9 and "x ist keine Einstellung" in body
    external = json.dumps(dict(config, excess_charging_enable=False, phase_switching_mode=3))
    assert (await run("curl -X PUT %sconfig_update -d '%s'" % (url, external))) == ("", 200)

    async def ready():
        return (await site.get("/power_manager/state"))["external_control"] == 0

    await site.until(ready, 30, "a wallbox that can switch phases")
    for command in commands():
        if "external_control" in command:
            body, status = await run(command)
            assert status == 200 and (not body or " -d " not in command), (command, body)
    assert await site.get("/power_manager/external_control") == {"phases_wanted": 1}
    assert (await run("curl %sstate/" % url))[1] == 404
    assert not [line for line in site.simulation.board.console if "failed" in line]
