"""What the HTTP door needs for a request that changes something. Loaded when one comes.

door: the HttpDoor; door.refusal is the class of the errors raised.
"""

import asyncio

from controller.strict_json import JsonError, parsing
from controller.unload import unload


def refuse_cross_site(door, request):
    """Refuse what another site's page makes the owner's browser send."""
    headers = request.headers
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin") or headers.get("referer")
    if site:
        own = site in ("same-origin", "none")
    elif origin:
        parts = origin.split("/")
        own = len(parts) > 2 and parts[2].lower() == headers.get("host", "").lower()
    else:  # programs send neither; a browser without them hides where it comes from
        own = not headers.get("user-agent", "").startswith("Mozilla/")
    if not own:
        raise door.refusal(403, "cross_site")


async def read(door, request, limit, raw=False):
    """Read and parse the JSON body of at most so many bytes; raw: leave it as bytes."""
    if "transfer-encoding" in request.headers:
        raise door.refusal(411, "chunked")
    if request.length > limit:
        raise door.refusal(413, "too_large", limit)
    if "expect" in request.headers:
        await request.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    if raw:
        request.data = await request.body()
        return
    try:
        for document in parsing(await request.body()):
            if document:
                request.data = document[0]
            await asyncio.sleep_ms(0)
    except JsonError as error:
        raise door.refusal(400, "bad_json", error)
    # What takes the document needs the room.
    unload(("controller.http_body", "controller.strict_json"))
