"""An empty microdot route on the VM, to compare the /cnf door with: empty_route.py LIB PORT."""

import sys

sys.path.insert(0, sys.argv[1])

import asyncio  # noqa: E402

from microdot.microdot import Microdot  # noqa: E402

app = Microdot()


@app.get("/")
async def index(request):
    return {}


asyncio.run(app.start_server("127.0.0.1", int(sys.argv[2])))
