"""The HTTP door: a small server with bounds on all that comes in; routes need a password.

One request a connection: docs/decisions/http-server.md. doors/tls_listener.py puts TLS before it.
"""

import asyncio
import gc
import sys

from micropython import const

from controller import data as texts
from controller.json_pieces import pieces
from controller.refusal import Refusal
from controller.unload import unload

_MAX_HEAD = const(2048)  # bytes of request line and headers
_MAX_CONNECTIONS = const(6)
_REQUEST_MS = const(10000)
_DRAIN_MS = const(3000)  # how long an answer waits for a sender who does not stop
_PAUSE_MS = const(500)  # or pauses
_AGAIN_MS = const(5000)  # a try costs a socket until the next collection of garbage
_PACKET = const(512)
_JSON = "application/json"
_HEADERS = (
    b"\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
)


class HttpError(Refusal):
    """A request that is refused, with its HTTP status."""

    area = "http"

    def __init__(self, status, code, *arguments):
        super().__init__(code, *arguments)
        self.status = status
        self.retry_ms = 1000 if status == 503 else 0


class Request:
    """One connection with its one request and its answer.

    Routes use method, path, args (the query), headers (names in lower case), data (the parsed
    body, None without one) and who ("admin", "gateway", None where nobody has to say it).
    listener: where it came in over TLS, None over plain HTTP; ready: it can be answered.
    """

    who = data = None
    late = begun = _chunked = False  # begun: its answer is on the way
    idle = _unread = True  # idle: its head is not complete yet

    def __init__(self, reader, writer, now_ms, listener):
        self.reader = reader
        self.writer = self.source = writer  # source: knows the peer's address
        self.listener = listener
        self.ready = not listener
        self._now_ms = now_ms
        self.input = b""  # what came and is not used yet
        self.args = {}
        self.headers = {}
        self.task = asyncio.current_task()
        self.end_ms = now_ms() + _REQUEST_MS

    async def _read(self, count):
        data = await self.reader.read(count)
        if not data:
            raise EOFError
        return data

    async def _read_head(self):
        """Read what comes before the body. Raises HttpError."""
        data = self.input
        while True:
            data = data.lstrip(b"\r\n")
            end = data.find(b"\r\n\r\n")
            if (len(data) if end < 0 else end) > _MAX_HEAD:
                raise HttpError(431, "head_long", _MAX_HEAD)
            if end >= 0:
                break
            data += await self._read(512)
        self.input = data[end + 4 :]
        self.idle = self._unread = False
        data = data[:end]
        try:
            self._parse(data.decode().replace("\r\n", "\n").split("\n"))
        except ValueError:
            raise HttpError(400, "bad_request")
        length = self.headers.get("content-length", "0")
        if not length.isdigit() or data.lower().count(b"content-length:") > 1:
            raise HttpError(400, "length")
        self.length = int(length[:9])
        self._unread = self.length > 0 or "transfer-encoding" in self.headers

    def _parse(self, lines):
        self.method, url, version = lines[0].split(" ")
        if not version.startswith("HTTP/1."):
            raise ValueError
        # Over TLS its end must show: whoever cuts the connection could shorten the answer.
        self._chunked = self.listener and version != "HTTP/1.0"
        self.path, _, query = url.partition("?")
        for pair in query.split("&"):
            name, _, value = pair.partition("=")
            name = _unquote(name)
            if name and name in self.args:
                raise HttpError(400, "parameter_twice", name[:32])
            self.args[name] = _unquote(value)
        for line in lines[1:]:
            name, value = line.split(":", 1)
            self.headers[name.lower()] = value.strip()

    async def body(self):
        """The bytes that follow the head."""
        body = bytearray(self.length)
        have = min(len(self.input), self.length)
        body[:have] = self.input[:have]
        self.input = b""
        while have < self.length:
            part = await self._read(min(512, self.length - have))
            body[have : have + len(part)] = part
            have += len(part)
        self._unread = False
        return body

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()
        await asyncio.sleep_ms(0)

    async def answer(self, body, status, kind=_JSON, headers=""):
        """Send it piece by piece: the heap need not have room for all of it at once.

        body: for JSON what json_pieces takes; for another content type an iterable of bytes or
        texts, an empty one of which lets others have their turn.
        """
        chunked = self._chunked and status < 300
        if kind == _JSON:
            body = pieces(body)
        if status >= 300:  # short, and known to be whole while the request still comes
            body = ["".join(body)]
            headers += "\r\nContent-Length: %d" % len(body[0].encode())
        elif chunked:
            headers += "\r\nTransfer-Encoding: chunked"
        line = "HTTP/1.1 %d %s" % (status, "OK" if status < 300 else "Refused")
        before = (line + headers + "\r\nContent-Type: " + kind).encode() + _HEADERS
        output = bytearray()
        for part in body:
            output += part.encode() if isinstance(part, str) else part
            if len(output) >= _PACKET:
                self.begun = True
                await self.send(before + _chunk(output, chunked))
                before = b""
                output = bytearray()
            elif part:
                continue
            else:
                await asyncio.sleep_ms(0)
            self.end_ms = self._now_ms() + _REQUEST_MS  # as long as it moves on
        await self.send(before + _chunk(output, chunked) + (b"0\r\n\r\n" if chunked else b""))

    async def refuse(self, error):
        """Answer with a Refusal."""
        headers = ""
        if error.retry_ms:
            headers = "\r\nRetry-After: %d" % ((error.retry_ms + 999) // 1000)
        elif error.status == 401:
            headers = '\r\nWWW-Authenticate: Basic realm="RippleGate"'
        body = {"error": error.text(self.args.get("lang", "en")), "code": error.code}
        if error.field:
            body["field"] = error.field
        await self.answer(body, error.status, _JSON, headers)

    async def drain(self):
        """Throw away what still comes: to close before it would undo the answer."""
        last_ms = self._now_ms() + _DRAIN_MS
        while self._unread:
            self.end_ms = min(last_ms, self._now_ms() + _PAUSE_MS)
            await self._read(512)

    async def close(self):
        try:
            self.writer.close()
            await self.writer.wait_closed()
        except OSError:
            pass  # gone already


def _chunk(data, chunked):
    return b"%x\r\n" % len(data) + data + b"\r\n" if chunked and data else data


def _unquote(text):
    parts = text.replace("+", " ").encode().split(b"%")
    result = parts[0]
    for part in parts[1:]:
        result += bytes((int(part[:2], 16),)) + part[2:]
    return result.decode()


class HttpDoor:
    """Serves the routes of the API modules; controller as in firmware/main.py.

    The door hands itself to what answers, which uses controller, refusal (the class of the error
    to raise: status, key of texts/http.json, what fills its sentence) and refuse_cross_site().
    plain: there is plain HTTP; told: see controller/strangers.py.
    """

    refusal = HttpError

    def __init__(self, controller):
        self.controller = controller
        self._now_ms = controller.clock.now_ms
        self._requests = []
        self._routes = []
        self._server = None
        self._closed = {}  # port that can't be opened: (fault, when to try again)
        self.plain = True
        self.told = {}

    def route(self, path, module, open=False):
        """A module answers for a path and all below it; the first such route holds.

        It is imported when a request comes and may be unloaded in between. It has MAX_BODY (in
        bytes), RAW if it takes bytes in place of JSON, and ROUTES: {path: {method: function(door,
        request) -> (body, status) or (body, status, content type), plain or async}}. A body is a
        dict, list or str for JSON; a value of a dict may be a generator: it is sent as a list, one
        item at a time. For another content type it is an iterable of bytes. open: no password.
        """
        self._routes.append((path, module, open))

    def refuse_cross_site(self, request):
        """Refuse what another site's page makes the owner's browser send; for all that writes."""
        from controller import http_body

        http_body.refuse_cross_site(self, request)

    def open_plain(self):
        """Where HTTPS does not come up, the owner is not locked out; a fault for as long."""
        if not self.plain:
            self.plain = True
            self.controller.fault(texts.text("certificates", "plain_opened"))

    async def start(self, port=None):
        """Listens on the port given or that of the settings, if it can be opened."""
        port = port or self.controller.settings.doc["http"]["port"]
        self._server = await self.listen("HTTP", port, self.serve)

    async def listen(self, name, port, serve, backlog=5):
        """The server of a port. None where it can't be opened: a fault, until a later call can."""
        text, next_ms = self._closed.get(port, (None, 0))
        if self._now_ms() < next_ms:
            return None
        try:
            server = await asyncio.start_server(serve, "0.0.0.0", port, backlog=backlog)
        except OSError as error:
            if not text:
                text = texts.text("net", "port_closed", (name, port, error))
                self.controller.fault(text)
            self._closed[port] = text, self._now_ms() + _AGAIN_MS
            return None
        if self._closed.pop(port, None):
            self.controller.faults.remove(text)
        return server

    async def run(self, beat=None):
        """Listens, unless it does already, and ends the connections whose time is over."""
        while True:
            if beat:
                beat()
            now_ms = self._now_ms()
            if self.plain and not self._server:
                await self.start()
            for request in list(self._requests):
                if now_ms >= request.end_ms:
                    request.late = True
                    request.end_ms = now_ms + _DRAIN_MS
                    request.task.cancel()
            await asyncio.sleep_ms(250)

    async def serve(self, reader, writer, listener=None):
        """Read and answer the one request of a connection; over TLS where there is a listener."""
        request = Request(reader, writer, self._now_ms, listener)
        try:
            try:
                await self._handle(request)
            except (Exception, asyncio.CancelledError) as error:
                refusal = self._refusal(error, request)
                if not request.ready:
                    raise EOFError
                if not request.begun:
                    await request.refuse(refusal)
            await request.drain()
        except (OSError, EOFError, MemoryError, asyncio.CancelledError):
            pass  # the peer went away, or had its time; or there is no room even for a refusal
        finally:
            if request in self._requests:
                self._requests.remove(request)
            if listener:
                listener.leave(request)
            await request.close()

    def _opened(self, request):
        """True for the one request that the owner may open to all: the state of the devices."""
        wanted = request.path == "/cnf" and request.args.get("cmd") == "get_dev_info"
        wanted = wanted and request.method == "GET" and not request._unread
        return wanted and self.controller.settings.doc["http"]["open_dev_info"]

    def _end_idle(self):
        """End the oldest connection that has not sent its request; False if there is none."""
        for request in self._requests:
            if request.idle and not request.listener:
                self._requests.remove(request)
                request.task.cancel()
                return True
        return False

    async def _admit(self, request, open):
        """Return if this may be asked; before anything large is read. Raises Refusal."""
        if request.listener and request.listener.check(request):
            return
        if not open and not self._opened(request):
            try:
                await self.controller.login.check(request.headers.get("authorization"))
            except Refusal as error:
                if error.code == "login":
                    from controller import strangers

                    strangers.tell(self, "login_failed", request.source)
                raise
            request.who = "admin"

    async def _handle(self, request):
        """Read a request and answer it; raises all that may go wrong."""
        listener = request.listener
        plain = [other for other in self._requests if not other.listener]
        if not listener and len(plain) >= _MAX_CONNECTIONS and not self._end_idle():
            request._unread = False  # there is no time to wait for it
            raise HttpError(503, "busy")
        self._requests.append(request)
        if listener:
            await listener.connect(request)
            request.end_ms = self._now_ms() + _REQUEST_MS
        await request._read_head()
        for path, name, open in self._routes:
            if (request.path + "/").startswith(path + "/"):
                break
        else:
            name = open = None
        await self._admit(request, open)
        if not name:
            raise HttpError(404, "not_found")
        # To take a body, and to show all there is, needs more room than anything else.
        if request._unread or request.path.startswith("/api/"):
            unload()
            gc.collect()
        try:
            return await self._call(name, request)
        except MemoryError:
            if request.length or request.begun:
                raise
        unload()
        gc.collect()
        await self._call(name, request)

    async def _call(self, name, request):
        """Let a module answer."""
        module = __import__(name, None, None, ("ROUTES",))
        methods = module.ROUTES.get(request.path)
        if not methods:
            raise HttpError(404, "not_found")
        if request.method not in methods:
            raise HttpError(405, "method")
        if request.method != "GET":
            self.refuse_cross_site(request)
        if request._unread:
            from controller import http_body

            await http_body.read(self, request, module.MAX_BODY, hasattr(module, "RAW"))
        answer = methods[request.method](self, request)
        if hasattr(answer, "send"):
            answer = await answer
        await request.answer(*answer)

    def _refusal(self, error, request):
        """What to answer after an error; raises it again where nobody waits for an answer."""
        if isinstance(error, Refusal):
            return error
        if isinstance(error, MemoryError):
            unload()
            gc.collect()
            return HttpError(503, "memory")
        if request.late:
            request._unread = False
            return HttpError(408, "late")
        if isinstance(error, (OSError, EOFError, asyncio.CancelledError)):
            raise error
        # A fault of our own: the door stays open, the log has it.
        self.controller.log("HTTP: %s: %s" % (type(error).__name__, error))
        sys.print_exception(error) if hasattr(sys, "print_exception") else None
        return HttpError(500, "internal")
