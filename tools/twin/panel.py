"""The twin's HTTP door: its JSON interface for scripts, and the panel page for people."""

import json
import pathlib

from aiohttp import web

from .config import fault_places
from .errors import TwinError

_MAX_BODY = 16384
_WEB = pathlib.Path(__file__).with_name("web")
_PAGES = {
    "/": ("panel.html", "text/html"),
    "/panel.css": ("panel.css", "text/css"),
    "/panel.js": ("panel.js", "text/javascript"),
    "/chart.js": ("chart.js", "text/javascript"),
    "/texts.js": ("texts.js", "text/javascript"),
}


class Panel:
    """Serves /, /twin/state, /twin/set, /twin/setup, /twin/record.*, /twin/picture.png."""

    def __init__(self, twin):
        self._twin = twin

    async def start(self, host, port):
        """Listen and return the port; port 0 takes any free one."""
        app = web.Application()
        for path in _PAGES:
            app.router.add_get(path, self._page)
        app.router.add_get("/twin/state", self._state)
        app.router.add_get("/twin/setup", self._setup)
        app.router.add_post("/twin/set", self._set)
        app.router.add_get("/twin/record.json", self._record_json)
        app.router.add_get("/twin/record.csv", self._record_csv)
        app.router.add_get("/twin/picture.png", self._picture)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        return self._runner.addresses[0][1]

    async def stop(self):
        """Close the door."""
        await self._runner.cleanup()

    async def _page(self, request):
        name, kind = _PAGES[request.path]
        return web.Response(text=(_WEB / name).read_text(encoding="utf-8"), content_type=kind)

    async def _state(self, request):
        return web.json_response(self._twin.state())

    async def _setup(self, request):
        """What the installation consists of: the panel draws itself from this."""
        twin = self._twin
        return web.json_response(
            {
                "scenario": twin.scenario["name"],
                "text": twin.scenario["text"],
                "ptys": twin.ptys,
                "tcp_ports": twin.tcp_ports,
                "chip_port": twin.chip_port,
                "contacts": dict(twin.closed),
                "meters": {
                    m["id"]: {"kind": m["kind"], "measures": m["measures"]}
                    for m in twin.config["meters"]
                },
                "wallboxes": {
                    b["id"]: {
                        "kind": b["kind"],
                        "max_current_ma": b["max_current_ma"],
                        "phases": b["phases"],
                    }
                    for b in twin.config["wallboxes"]
                },
                "appliances": twin.config["appliances"],
                "battery": twin.config["battery"],
                "faults": fault_places(twin.config),
            }
        )

    async def _set(self, request):
        body = await request.content.read(_MAX_BODY + 1)
        while len(body) <= _MAX_BODY and not request.content.at_eof():
            body += await request.content.read(_MAX_BODY + 1 - len(body))
        try:
            if len(body) > _MAX_BODY:
                raise TwinError(f"the body is larger than {_MAX_BODY} bytes")
            self._twin.set(_parsed(body))
        except TwinError as error:
            return web.Response(status=400, text=f"{error}.\n")
        return web.Response(status=204)

    async def _record_json(self, request):
        last = request.query.get("last", "")
        return web.json_response(self._twin.recorder.rows(int(last) if last.isdecimal() else None))

    async def _record_csv(self, request):
        return web.Response(text=self._twin.recorder.text(), content_type="text/csv")

    async def _picture(self, request):
        lang = "de" if request.query.get("lang") == "de" else "en"
        picture = await self._twin.recorder.picture(lang)
        if picture is None:
            return web.Response(status=404, text="nothing is recorded yet; try in a second.\n")
        return web.Response(body=picture, content_type="image/png")


def _parsed(body):
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise TwinError(f"the body is not JSON: {str(error)[:100]}") from None
