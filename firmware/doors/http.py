"""The HTTP door: a small server with bounds on all that comes in; routes need a password.

One request a connection, as docs/decisions/http-server.md explains.
"""

import asyncio
import gc
import sys

from micropython import const

from controller.login import LoginError
from controller.refusal import Refusal
from controller.store import StoreError
from controller.strict_json import JsonError, parsing, pieces

_MAX_HEAD = const(2048)  # bytes of request line and headers
_MAX_BODY = const(4096)
_MAX_CONNECTIONS = const(6)
_REQUEST_MS = const(10000)
_DRAIN_MS = const(3000)  # how long an answer waits for a sender who does not stop
_PAUSE_MS = const(500)  # or pauses
_PACKET = const(1024)

_HEADERS = (
    b"\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n"
    b"X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
)


class HttpError(Refusal):
    """A request that is refused, with its HTTP status."""

    area = "http"

    def __init__(self, status, code, *arguments):
        super().__init__(code, *arguments)
        self.status = status


class Request:
    """method, path, args (the query), headers (lower case), length and data of the body."""

    def __init__(self, head):
        try:
            lines = head.decode().replace("\r\n", "\n").split("\n")
            self.method, url, version = lines[0].split(" ")
            if not version.startswith("HTTP/1."):
                raise ValueError
            self.path, _, query = url.partition("?")
            self.args = {}
            for pair in query.split("&"):
                name, _, value = pair.partition("=")
                name = _unquote(name)
                if name and name in self.args:
                    raise HttpError(400, "parameter_twice", name[:32])
                self.args[name] = _unquote(value)
            self.headers = {}
            for line in lines[1:]:
                name, value = line.split(":", 1)
                self.headers[name.lower()] = value.strip()
        except ValueError:
            raise HttpError(400, "bad_request")
        length = self.headers.get("content-length", "0")
        if not length.isdigit() or head.lower().count(b"content-length:") > 1:
            raise HttpError(400, "length")
        self.length = int(length[:9])
        self.data = None


def _unquote(text):
    parts = text.replace("+", " ").encode().split(b"%")
    result = parts[0]
    for part in parts[1:]:
        result += bytes((int(part[:2], 16),)) + part[2:]
    return result.decode()


class _Connection:
    """One connection with its one request and answer."""

    def __init__(self, reader, writer, now_ms):
        self._reader = reader
        self._writer = writer
        self._now_ms = now_ms
        self._input = b""
        self._output = bytearray()
        self.task = asyncio.current_task()
        self.end_ms = now_ms() + _REQUEST_MS
        self.idle = True  # its head is not complete yet
        self.late = False
        self.unread = True

    async def _read(self, count):
        data = await self._reader.read(count)
        if not data:
            raise EOFError
        return data

    async def request(self):
        """The request without its body. Raises HttpError."""
        data = b""
        end = -1
        while end < 0:
            data = (data + await self._read(512)).lstrip(b"\r\n")
            end = data.find(b"\r\n\r\n")
            if (len(data) if end < 0 else end) > _MAX_HEAD:
                raise HttpError(431, "head_long", _MAX_HEAD)
        self._input = data[end + 4 :]
        self.idle = self.unread = False
        request = Request(data[:end])
        self.unread = request.length > 0 or "transfer-encoding" in request.headers
        return request

    async def body(self, length):
        """So many bytes that follow the head."""
        body = bytearray(length)
        have = min(len(self._input), length)
        body[:have] = self._input[:have]
        self._input = b""
        while have < length:
            part = await self._read(min(512, length - have))
            body[have : have + len(part)] = part
            have += len(part)
        self.unread = False
        return body

    async def write(self, data):
        self._output += data
        if len(self._output) >= _PACKET:
            await self.flush()

    async def flush(self):
        self._writer.write(bytes(self._output))
        self._output = bytearray()
        await self._writer.drain()
        await asyncio.sleep_ms(0)

    async def answer(self, status, headers, body):
        """Send JSON, piece by piece: the heap need not have room for all of it at once."""
        parts = pieces(body)
        lines = ["HTTP/1.1 %d %s" % (status, "OK" if status < 300 else "Refused")]
        lines.extend(headers)
        if status >= 300:  # short, and known to be whole while the request still comes
            parts = ["".join(parts)]
            lines.append("Content-Length: %d" % len(parts[0].encode()))
        await self.write("\r\n".join(lines).encode() + _HEADERS)
        for part in parts:
            await self.write(part.encode())
        await self.flush()

    async def drain(self):
        """Throw away what still comes: to close before it would undo the answer."""
        last_ms = self._now_ms() + _DRAIN_MS
        while self.unread:
            self.end_ms = min(last_ms, self._now_ms() + _PAUSE_MS)
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
        self._log = controller.log
        self._connections = []
        self._routes = {}
        self._server = None

    def route(self, path, methods, handler, body_limit=_MAX_BODY, open=False):
        """handler(request) -> (dict, list or str for JSON, status), plain or async.

        request.args has the query, request.data the parsed body (None without one). A value of a
        dict may be a generator: it is sent as a list, one item at a time. open: without password.
        """
        for method in methods:
            self._routes[method + path] = (handler, body_limit, open)
        self._routes.setdefault(path, True)

    def refusal(self, status, code, *arguments):
        """The error to raise when a request is refused; the code is a key of texts/http.json."""
        return HttpError(status, code, *arguments)

    def refuse_cross_site(self, request):
        """Refuse what another site's page makes the owner's browser send; for all that writes."""
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
            for connection in list(self._connections):
                if now_ms >= connection.end_ms:
                    connection.late = True
                    connection.end_ms = now_ms + _DRAIN_MS
                    connection.task.cancel()
            await asyncio.sleep_ms(250)

    async def _serve(self, reader, writer):
        connection = _Connection(reader, writer, self._now_ms)
        try:
            if len(self._connections) < _MAX_CONNECTIONS or self._end_idle():
                self._connections.append(connection)
                try:
                    answer = await self._answer(connection)
                except asyncio.CancelledError:
                    if not connection.late:
                        return
                    answer = _error(HttpError(408, "late"))
                    connection.unread = False
            else:
                answer = _error(HttpError(503, "busy"))
                connection.unread = False
            await connection.answer(*answer)
            await connection.drain()
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # the peer went away, or had its time
        finally:
            if connection in self._connections:
                self._connections.remove(connection)
            await connection.close()

    def _end_idle(self):
        """End the oldest connection that has not sent its request; False if there is none."""
        for connection in self._connections:
            if connection.idle:
                self._connections.remove(connection)
                connection.task.cancel()
                return True
        return False

    async def _answer(self, connection):
        """(status, header lines, body) for the request of a connection, whatever happens."""
        lang = "en"
        try:
            request = await connection.request()
            lang = request.args.get("lang", "en")
            body, status = await self._handle(request, connection)
            return status, (), body
        except Refusal as error:
            return _error(error, lang)
        except MemoryError:
            gc.collect()
            return _error(HttpError(503, "memory"), lang)
        except (OSError, EOFError):
            raise
        except Exception as error:  # a fault of our own: the door stays open, the log has it
            self._log("HTTP: %s: %s" % (type(error).__name__, error))
            if hasattr(sys, "print_exception"):
                sys.print_exception(error)
            return _error(HttpError(500, "internal"), lang)

    async def _handle(self, request, connection):
        route = self._routes.get(request.method + request.path)
        if not (route and route[2]):
            await self._login.check(request.headers.get("authorization"))
        if not route:
            known = request.path in self._routes
            raise HttpError(405, "method") if known else HttpError(404, "not_found")
        if request.method != "GET":
            self.refuse_cross_site(request)
        await _read_data(request, connection, route[1])
        answer = route[0](request)
        if hasattr(answer, "send"):
            answer = await answer
        return answer


async def _read_data(request, connection, limit):
    """Read and parse the JSON body, if there is one."""
    if "transfer-encoding" in request.headers:
        raise HttpError(411, "chunked")
    if request.length > limit:
        raise HttpError(413, "too_large", limit)
    if not request.length:
        return
    if "expect" in request.headers:
        await connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await connection.flush()
    try:
        for document in parsing(await connection.body(request.length)):
            if document:
                request.data = document[0]
            await asyncio.sleep_ms(0)
    except JsonError as error:
        raise HttpError(400, "bad_json", error)


def _error(error, lang="en"):
    """The answer to a request that was refused: (status, header lines, body)."""
    headers = []
    status = 400
    if isinstance(error, HttpError):
        status = error.status
        if status == 503:
            headers.append("Retry-After: 1")
    elif isinstance(error, LoginError):
        status = 401
        if error.retry_ms:
            status = 429
            headers.append("Retry-After: %d" % ((error.retry_ms + 999) // 1000))
        else:
            headers.append('WWW-Authenticate: Basic realm="RippleGate"')
    elif isinstance(error, StoreError):
        status = 500
    body = {"error": error.text(lang), "code": error.code}
    field = getattr(error, "field", None)
    if field:
        body["field"] = field
    return status, headers, body
