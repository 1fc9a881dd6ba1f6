"""The HTTP door: microdot behind bounds on all that comes in; routes need a password."""

import asyncio
import gc
import json

from microdot.microdot import Microdot, Request, Response
from micropython import const

from controller.login import LoginError
from controller.refusal import Refusal
from controller.store import StoreError
from controller.strict_json import JsonError, parsing

_MAX_HEAD = const(2048)  # bytes of request line and headers
_MAX_BODY = const(4096)
_MAX_CONNECTIONS = const(6)
_REQUEST_MS = const(10000)
_DRAIN_MS = const(2000)  # how long an answer waits for a sender who does not stop
_PACKET = const(1024)

# A body is read by _Stream.body, after the password has been checked.
Request.max_body_length = 0
Request.max_content_length = 0x7FFFFFFF


class HttpError(Refusal):
    """A request that is refused, with its HTTP status."""

    area = "http"

    def __init__(self, status, code, *arguments):
        super().__init__(code, *arguments)
        self.status = status


class _Stream:
    """One connection: bounds what microdot reads of it, gathers what it writes into packets."""

    def __init__(self, reader, writer, now_ms):
        self._reader = reader
        self._writer = writer
        self._input = b""
        self._output = bytearray()
        self._head_left = _MAX_HEAD
        self.task = asyncio.current_task()
        self.end_ms = now_ms + _REQUEST_MS
        self.idle = True  # its request is not complete yet
        self.late = False
        self.unread = True

    async def _read(self, count):
        data = await self._reader.read(count)
        if not data:
            raise EOFError
        return data

    async def readline(self):
        while True:
            end = self._input.find(b"\n") + 1
            if (end or len(self._input)) > self._head_left:
                raise HttpError(431, "head_long", _MAX_HEAD)
            if end:
                line = self._input[:end]
                self._input = self._input[end:]
                self._head_left -= end
                return line
            self._input += await self._read(512)

    async def body(self, length):
        """The body, of the length that the request says."""
        body = bytearray(length)
        have = min(len(self._input), length)
        body[:have] = self._input[:have]
        while have < length:
            part = await self._read(min(512, length - have))
            body[have : have + len(part)] = part
            have += len(part)
        self.unread = False
        return body

    async def awrite(self, data):
        self._output += data
        if len(self._output) >= _PACKET:
            await self.flush()

    async def flush(self):
        self._writer.write(bytes(self._output))
        self._output = bytearray()
        await self._writer.drain()
        await asyncio.sleep_ms(0)

    async def drain(self, now_ms):
        """Throw away what still comes: to close before it would undo the answer."""
        self.end_ms = now_ms + _DRAIN_MS
        while self.unread:
            await self._read(512)

    async def close(self):
        try:
            self._writer.close()
            await self._writer.wait_closed()
        except OSError:
            pass  # gone already


class HttpDoor:
    """Serves the routes that the API modules register; controller as in firmware/main.py."""

    def __init__(self, controller):
        self._login = controller.login
        self._now_ms = controller.clock.now_ms
        self._settings = controller.settings
        self._streams = []
        self._server = None
        self._app = Microdot()
        for error in (HttpError(404, "not_found"), HttpError(405, "method")):
            self._app.errorhandler(error.status)(self._guarded(_raiser(error), None, False))
        self._app.errorhandler(500)(_internal)

    def route(self, path, methods, handler, body_limit=_MAX_BODY, open=False):
        """handler(request) -> (dict, list or str for JSON, status), plain or async.

        request.args has the query, request.data the parsed body (None without one). A value of a
        dict may be a generator: it is sent as a list, one item at a time. open: without password.
        """
        self._app.route(path, methods=methods)(self._guarded(handler, body_limit, open))

    def refuse(self, status, code, *arguments):
        """Raise the error that ends a request; the code is a key of texts/http.json."""
        raise HttpError(status, code, *arguments)

    def refuse_cross_site(self, request):
        """Refuse what another site's page makes the owner's browser send; for all that writes."""
        headers = request.headers
        site = headers.get("Sec-Fetch-Site")
        origin = headers.get("Origin") or headers.get("Referer")
        if site:
            own = site in ("same-origin", "none")
        elif origin:
            parts = origin.split("/")
            own = len(parts) > 2 and parts[2].lower() == headers.get("Host", "").lower()
        else:  # programs send neither; a browser without them hides where it comes from
            own = not headers.get("User-Agent", "").startswith("Mozilla/")
        if not own:
            raise HttpError(403, "cross_site")

    async def start(self, port=None):
        """Returns when listening, on the port given or that of the settings. Raises OSError."""
        port = port or self._settings.doc["http"]["port"]
        self._server = await asyncio.start_server(self._serve, "0.0.0.0", port)

    def stop(self):
        self._server.close()
        self._server = None

    async def run(self, beat=None):
        """Listens, unless it does already, and ends the connections whose time is over."""
        if not self._server:
            await self.start()
        while True:
            if beat:
                beat()
            now_ms = self._now_ms()
            for stream in list(self._streams):
                if now_ms >= stream.end_ms:
                    stream.late = True
                    stream.end_ms = now_ms + _DRAIN_MS
                    stream.task.cancel()
            await asyncio.sleep_ms(500)

    async def _serve(self, reader, writer):
        stream = _Stream(reader, writer, self._now_ms())
        try:
            if len(self._streams) < _MAX_CONNECTIONS or self._end_idle():
                self._streams.append(stream)
                try:
                    response = await self._respond(stream)
                except asyncio.CancelledError:
                    if not stream.late:
                        return
                    response = _error(None, HttpError(408, "late"))
                    stream.unread = False
            else:
                response = _error(None, HttpError(503, "busy"))
                stream.unread = False
            await response.write(stream)
            await stream.flush()
            await stream.drain(self._now_ms())
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # the peer went away, or had its time
        finally:
            if stream in self._streams:
                self._streams.remove(stream)
            await stream.close()

    def _end_idle(self):
        """End the oldest connection that has not sent its request; False if there is none."""
        for stream in self._streams:
            if stream.idle:
                self._streams.remove(stream)
                stream.task.cancel()
                return True
        return False

    async def _respond(self, stream):
        try:
            request = await Request.create(self._app, stream, stream, None)
            if request:
                stream.idle = False
                stream.unread = (
                    request.content_length > 0 or "Transfer-Encoding" in request.headers
                )
                return await self._app.dispatch_request(request)
        except HttpError as error:
            return _error(None, error)
        except (ValueError, IndexError):
            pass
        return _error(None, HttpError(400, "bad_request"))

    def _guarded(self, handler, body_limit, open):
        """A microdot handler that checks password, origin and body; errors become answers."""

        async def run(request, *_, **__):
            try:
                if not open:
                    await self._login.check(request.headers.get("Authorization"))
                if request.method not in ("GET", "HEAD"):
                    self.refuse_cross_site(request)
                if body_limit is not None:
                    request.data = await _data(request, body_limit)
                answer = handler(request)
                if hasattr(answer, "send"):
                    answer = await answer
                return _response(*answer)
            except Refusal as error:
                return _error(request, error)
            except MemoryError:
                gc.collect()
                return _error(request, HttpError(503, "memory"))

        return run


def _raiser(error):
    def handler(request):
        raise error

    return handler


async def _internal(request):
    return _error(request, HttpError(500, "internal"))


async def _data(request, limit):
    """The parsed JSON body, None if there is none."""
    if "Transfer-Encoding" in request.headers:
        raise HttpError(411, "chunked")
    length = request.content_length
    if length < 0:
        raise HttpError(400, "length")
    if length > limit:
        raise HttpError(413, "too_large", limit)
    if not length:
        return None
    stream, writer = request.sock
    if "Expect" in request.headers:
        await writer.awrite(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.flush()
    try:
        for document in parsing(await stream.body(length)):
            if document:
                return document[0]
            await asyncio.sleep_ms(0)
    except JsonError as error:
        raise HttpError(400, "bad_json", error)


def _response(body, status=200, headers=None):
    headers = headers or {}
    headers["Content-Type"] = "application/json"
    headers["Cache-Control"] = "no-store"
    listed = isinstance(body, dict) and any([_is_list(value) for value in body.values()])
    return Response(_pieces(body) if listed else json.dumps(body), status, headers)


def _error(request, error):
    """The answer to a request that was refused."""
    headers = {}
    status = 400
    if isinstance(error, HttpError):
        status = error.status
        if status == 503:
            headers["Retry-After"] = "1"
    elif isinstance(error, LoginError):
        status = 401
        if error.retry_ms:
            status = 429
            headers["Retry-After"] = str((error.retry_ms + 999) // 1000)
        else:
            headers["WWW-Authenticate"] = 'Basic realm="RippleGate"'
    elif isinstance(error, StoreError):
        status = 500
    lang = request.args.get("lang", "en") if request else "en"
    body = {"error": error.text(lang), "code": error.code}
    if hasattr(error, "field"):
        body["field"] = error.field
    return _response(body, status, headers)


def _is_list(value):
    return isinstance(value, list) or hasattr(value, "__next__")


def _pieces(body):
    """The JSON of a dict in small pieces: the heap need not have room for all of it at once."""
    mark = "{"
    for key, value in body.items():
        yield mark + json.dumps(key) + ": "
        mark = ", "
        if _is_list(value):
            inner = "["
            for item in value:
                yield inner + json.dumps(item)
                inner = ", "
            yield "[]" if inner == "[" else "]"
        else:
            yield json.dumps(value)
    yield "}"
