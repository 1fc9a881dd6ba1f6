"""HTTPS, and the port for a smart meter gateway with client certificates: TLS before http.py.

The TLS library works off what came in in one go: in a handshake that is some 0.5 s on an ESP32,
and nothing else can run meanwhile. So of all connections one such step is taken at a time, and
after it the rest of the firmware has three times as long. docs/decisions/tls.md.
"""

import asyncio
import gc

from micropython import const

from controller import data, strangers
from controller.unload import unload

_MAX_WAITING = const(4)
_ROOM_BYTES = const(16384)  # free at the start; with less, the rest could starve
_PSRAM_BYTES = const(1000000)  # only a board with PSRAM has so much
_STALE_MS = const(3000)  # who has sent nothing for so long makes room for another
_WAIT_MS = const(50)
_LOOK_MS = const(1000)
_WARN_S = const(3600)
_PART = const(512)
_REST = const(3)  # after a step all else has so many times as long
_GONE = (-29312, 104, 32)  # MBEDTLS_ERR_SSL_CONN_EOF, ECONNRESET, EPIPE: the peer left
_NO_CERTIFICATE = const(-29824)  # MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE
_UTILITY = "GET /api/operator;POST /api/operator/limit;get_cm_vars;set_cm_vars"


def _readable(stream):
    """MicroPython's way to wait for a stream, for await."""
    # asyncio has no public name for it; private ones are shortened when the firmware is built.
    yield getattr(getattr(asyncio, "core"), "_io_queue").queue_read(stream)


def _reason(error):
    """(code of texts/events.json, what the library says) of a failed handshake; None: the peer
    only left."""
    text = str(error.args[-1] if error.args else error).strip()
    if isinstance(error, ValueError):
        return "tls_wrong_certificate", text
    number = error.args[0] if error.args else 0
    if number in _GONE:
        return None
    return ("tls_no_certificate" if number == _NO_CERTIFICATE else "tls_failed"), text


class _Listener:
    """A port with TLS. gateway: its section of the settings, None for HTTPS.

    context is None while it has no certificate; most: how many TLS connections at a time.
    """

    def __init__(self, owner, port, most, gateway=None):
        self._owner = owner
        self._most = most
        self._inside = []
        self._waiting = []
        self._silent = []
        self._gateway = gateway
        self._port = port
        self._context: object = None
        self._server = None

    async def _start(self):
        name = "gateway" if self._gateway else "HTTPS"
        self._server = await self._owner.door.listen(name, self._port, self._serve)

    async def _serve(self, reader, writer):
        await self._owner.door.serve(reader, writer, self)

    async def connect(self, request):
        """Put TLS under a request's streams. Raises EOFError where the peer is not let in."""
        door = self._owner.door
        gateway = self._gateway
        if gateway and strangers.address(request.writer) != gateway["address"]:
            strangers.tell(door, "tls_wrong_address", request.writer)
            raise EOFError
        if len(self._silent) + len(self._waiting) >= _MAX_WAITING:
            if not self._silent:
                raise EOFError
            self._silent.pop(0).task.cancel()
        await self._turn(request)
        request.since_ms = self._owner.now_ms()
        if not self._context:
            raise EOFError
        try:
            await self._shake(request)
        except (OSError, ValueError) as error:
            why = _reason(error)
            if why:
                strangers.tell(door, why[0], request.source, why[1])
            raise EOFError
        request.ready = True

    async def _turn(self, request):
        """Wait until the peer has sent something and there is room: TLS takes none before."""
        self._silent.append(request)
        if hasattr(request.reader, "s"):
            await _readable(request.reader.s)  # pyright: ignore[reportGeneralTypeIssues]
        self._silent.remove(request)
        self._waiting.append(request)
        while len(self._inside) >= self._most:
            for other in self._inside:
                if other.idle and self._owner.now_ms() - other.since_ms > _STALE_MS:
                    other.task.cancel()
            await asyncio.sleep_ms(_WAIT_MS)
        self._waiting.remove(request)
        self._inside.append(request)

    async def _shake(self, request):
        """The handshake, and the first bytes after it. Raises OSError and ValueError."""
        if hasattr(request.writer, "start_tls"):  # CPython does it in one go
            return await request.writer.start_tls(self._context)
        stream = getattr(self._context, "wrap_socket")(
            request.reader.s, server_side=True, do_handshake_on_connect=False
        )
        request.reader = request.writer = asyncio.StreamReader(stream)
        while True:
            await _readable(stream)  # pyright: ignore[reportGeneralTypeIssues]
            request.idle = False  # it has sent all, and waits for us
            data = await self._owner.step(stream)
            request.idle = True
            request.since_ms = self._owner.now_ms()
            if data is not None:
                request.input = data
                return

    def leave(self, request):
        """The connection is over."""
        for those in (self._silent, self._waiting, self._inside):
            if request in those:
                those.remove(request)

    def check(self, request):
        """True if the gateway may ask for this; False on HTTPS, which needs a password."""
        if not self._gateway:
            return False
        request.who = "gateway"
        rights = self._gateway["rights"]
        if rights != "admin":
            wanted = request.method + " " + request.path
            if request.path == "/cnf":
                wanted = request.args.get("cmd")
            if rights != "utility" or wanted not in _UTILITY.split(";"):
                refusal = self._owner.door.refusal
                raise refusal(403, "rights" if rights == "utility" else "no_rights")
        return True


class TlsListeners:
    """The task "tls": opens the ports that the settings want, and watches the certificates.

    door: the HttpDoor that answers; it opens plain HTTP where HTTPS does not come up.
    """

    def __init__(self, controller, door):
        self.door = door
        self.now_ms = controller.clock.now_ms
        self._controller = controller
        self._next_ms = 0  # no step of a handshake before
        self._https = self._gateway = None
        self._faults = []
        self._warnings = []
        self._ends = {}
        self._warned = None
        self._loaded = False
        doc = controller.settings.doc
        https, gateway = doc["tls"], doc["gateway"]
        # 20 to 25 kB a connection from outside the Python heap, where an ESP32 has little.
        most = 4 if gc.mem_free() > _PSRAM_BYTES else 1 if gateway.get("enabled") else 2
        if https.get("enabled"):
            self._https = _Listener(self, https["port"], most)
        if gateway.get("enabled"):
            self._gateway = _Listener(self, gateway["port"], 2 if most > 2 else 1, gateway)

    async def step(self, stream):
        """What a stream in its handshake brings; as soon as a step may be taken."""
        while self._next_ms > self.now_ms():
            await asyncio.sleep_ms(self._next_ms - self.now_ms())
        began_ms = self.now_ms()
        try:
            return stream.read(_PART)
        finally:
            now_ms = self.now_ms()
            self._next_ms = now_ms + _REST * (now_ms - began_ms) + 1

    def load(self):
        """Take the certificates from flash; what is wrong with them becomes a fault."""
        from controller import certificates

        found = []
        self._ends = {}
        store = self._controller.store
        for name, listener in (("https", self._https), ("gateway", self._gateway)):
            if listener:
                kind = "gateway" if listener._gateway else "server"
                if listener._gateway and certificates.load(store, kind)[0] is None:
                    kind = "server"
                authority = "ca" if listener._gateway else None
                try:
                    made = certificates.context(store, kind, authority)
                except certificates.CertificateError as error:
                    found.append(str(error))
                    if not listener._gateway:
                        self.door.open_plain()
                else:
                    listener._context, self._ends[name] = made
        del certificates
        unload()
        self._faults = self._show(self._faults, found)
        self._warned = None
        self._loaded = True
        self._warn()

    def reload(self):
        """Take certificates that have changed, where the ports are open or will be."""
        if self._loaded:
            self.load()

    def _show(self, old, new):
        """Replaces faults by others; returns the new ones."""
        faults = self._controller.faults
        for text in old:
            if text in faults:
                faults.remove(text)
        for text in new:
            self._controller.fault(text)
        return new

    def _warn(self):
        """Once an hour: who has to renew a certificate?"""
        clock = self._controller.clock
        hour = clock.utc_s() // _WARN_S
        if not clock.trusted or hour == self._warned:
            return
        self._warned = hour
        from controller import certificates

        found = []
        for name, end_s in self._ends.items():
            text = certificates.warning(name, end_s, clock)
            if text:
                found.append(text)
        if found != self._warnings:
            self._warnings = self._show(self._warnings, found)

    async def run(self, beat=None):
        try:
            await self._run(beat)
        finally:  # whatever it was
            self._let_in()

    def _let_in(self):
        """Where HTTPS did not come up, the owner is not locked out."""
        if self._https and not self._https._server:
            self.door.open_plain()

    async def _run(self, beat):
        if not self._loaded:
            unload()
            gc.collect()
            if 0 < gc.mem_free() < _ROOM_BYTES:  # a PC says 0
                self._show((), [data.text("certificates", "no_room", (_ROOM_BYTES >> 10,))])
                return
            self.load()
        while True:
            if beat:
                beat()
            for listener in (self._https, self._gateway):
                if listener and listener._context and not listener._server:
                    await listener._start()
            self._let_in()
            self._warn()
            await asyncio.sleep_ms(_LOOK_MS)
