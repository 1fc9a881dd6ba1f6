"""A board for mpremote to talk to: MicroPython's REPL protocol on a loopback TCP port.

Runs on the 32-bit VM; what is sent is really executed, on a real LittleFS that lives in an image
file and is mounted at "/" as on an ESP32. When it dies it dies like a board in a power cut: what
was not yet written to the image is lost. `micropython raw_repl_board.py options.json` (a file, as
an argument of the VM has no room for more than 255 bytes), keys:

image          file that is the flash (made and formatted if it is not there)
blocks         its size in blocks of 4096 bytes
port_file      where to write the TCP port
name, version, mpy, platform   what `sys` says instead of the truth
frozen         the firmware is frozen into this board's MicroPython
plain          no raw paste mode, and a `machine` without reset and watchdog
noise          the chip prints this before each script's own output
flips          so many of the lines with file contents arrive with one character changed
dies_at_write  the power goes in the middle of that write to the flash (counted from 1)
dies_at_run    ... when that script arrives (counted from 1)
watchdog_runs  a watchdog that main.py started bites after so many scripts without feeding
script         only run this text with the flash mounted
dump           only print the files of the image as JSON {path: hex}, folders as {path/: null}
"""

import binascii
import builtins
import io
import json
import os
import socket
import struct
import sys
import time

import ffi
import vfs

_BLOCK = 4096
_IPPROTO_TCP, _TCP_NODELAY, _TCP_QUICKACK = 6, 1, 12
_WINDOW = 128  # raw paste: half of an ESP32's stdin buffer
with open(sys.argv[1]) as _file:
    _options = json.load(_file)
_libc = ffi.open("libc.so.6")
_exit = _libc.func("v", "_exit", "i")
_getsockname = _libc.func("i", "getsockname", "iPP")


class Reset(BaseException):
    """The board restarts (machine.reset, or the power came back)."""


class Flash:
    """Block device on a host file, with a power cut in the middle of a write if wanted."""

    def __init__(self, path, blocks):
        try:
            self._file = open(path, "r+b")
            self.formatted = True
        except OSError:
            with open(path, "wb") as file:
                for _ in range(blocks):
                    file.write(b"\xff" * _BLOCK)
            self._file = open(path, "r+b")
            self.formatted = False
        self._blocks = self._file.seek(0, 2) // _BLOCK
        self._left = None

    def arm(self, writes):
        self._left = writes

    def readblocks(self, number, buffer, offset=0):
        self._file.seek(number * _BLOCK + offset)
        self._file.readinto(buffer)

    def writeblocks(self, number, buffer, offset=0):
        self._file.seek(number * _BLOCK + offset)
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self._file.write(memoryview(buffer)[: len(buffer) // 2])
                _exit(9)
        self._file.write(buffer)

    def ioctl(self, op, _argument):
        return {4: self._blocks, 5: _BLOCK}.get(op, 0)


class Line:
    """The serial line: one connection at a time, a new one takes over after the old one ends."""

    def __init__(self):
        self._server = socket.socket()
        self._server.bind(socket.getaddrinfo("127.0.0.1", 0)[0][-1])
        self._server.listen(1)
        address, size = bytearray(16), struct.pack("I", 16)
        _getsockname(self._server.fileno(), address, size)
        self.port = struct.unpack(">H", address[2:4])[0]
        self._connection = None
        self._input = b""

    def _receive(self, wait):
        while True:
            try:
                if self._connection is None:
                    self._server.settimeout(None if wait else 0)
                    self._connection = self._server.accept()[0]
                    self._connection.setsockopt(_IPPROTO_TCP, _TCP_NODELAY, 1)
                self._connection.settimeout(None if wait else 0)
                got = self._connection.recv(512)
                # mpremote's small writes wait for each other's acknowledgement.
                self._connection.setsockopt(_IPPROTO_TCP, _TCP_QUICKACK, 1)
            except OSError as error:
                if not wait and error.errno in (11, 110, 115):
                    return
                got = b""
            if got:
                self._input += got
                return
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            if not wait:
                return

    def read(self):
        """Waits for one character and returns it."""
        while not self._input:
            self._receive(True)
        first, self._input = self._input[:1], self._input[1:]
        return first

    def interrupted(self):
        """Whether a Ctrl-C has arrived; takes it, and what was before it."""
        self._receive(False)
        if b"\x03" not in self._input:
            return False
        self._input = self._input.split(b"\x03", 1)[1]
        return True

    def write(self, data):
        if self._connection is None:
            return
        try:
            self._connection.settimeout(10)
            self._connection.write(data)
        except OSError:
            self._connection.close()
            self._connection = None


class Watchdog:
    """machine.WDT: counts scripts instead of milliseconds, so that no test waits."""

    runs = None

    def __init__(self, timeout=5000):
        # A deploy lets it run for minutes; main.py's own is a matter of seconds.
        Watchdog.runs = _options.get("watchdog_runs") if timeout < 60000 else None

    def feed(self):
        pass

    @staticmethod
    def count():
        if Watchdog.runs is not None:
            Watchdog.runs -= 1
            if Watchdog.runs < 0:
                Watchdog.runs = None
                raise Reset


class Names:
    """A module's stand-in: given names, and the real module for the others."""

    def __init__(self, real=None, **names):
        self.__real = real
        for name, value in names.items():
            setattr(self, name, value)

    def __getattr__(self, name):
        return getattr(self.__real, name)


def _reset():
    raise Reset


class Board:
    def __init__(self, line):
        self.line = line
        self.raw = False
        self.names = {}
        self.runs = 0
        self.flips = _options.get("flips", 0)
        self._stand_ins()
        if _options.get("frozen"):
            sys.modules["_data"] = Names()
        self._kept = set(sys.modules)

    def _stand_ins(self):
        def sleep_ms(ms):
            end = time.ticks_add(time.ticks_ms(), ms)
            while True:
                if self.line.interrupted():
                    raise KeyboardInterrupt
                if time.ticks_diff(end, time.ticks_ms()) <= 0:
                    return
                time.sleep_ms(10)

        implementation = Names(
            None,
            name=_options.get("name", "micropython"),
            version=tuple(_options.get("version") or sys.implementation.version),
            _mpy=_options.get("mpy") or sys.implementation._mpy,
            _machine="Generic ESP32 module with ESP32",
        )
        hardware = {} if _options.get("plain") else {"reset": _reset, "WDT": Watchdog}
        sys.modules["machine"] = Names(None, **hardware)
        sys.modules["time"] = Names(time, sleep_ms=sleep_ms)
        platform = _options.get("platform", "esp32")
        sys.modules["sys"] = Names(sys, platform=platform, implementation=implementation)
        builtins.print = self._print

    def _print(self, *values, sep=" ", end="\n", file=None):
        text = sep.join([str(value) for value in values]) + end
        self.line.write(text.replace("\n", "\r\n").encode())

    def execute(self, source, name="<stdin>"):
        """Runs the source; returns b"" or the text of its traceback."""
        try:
            exec(compile(source, name, "exec"), self.names)
            return b""
        except (Reset, SystemExit):
            raise
        except BaseException as error:
            text = io.BytesIO()
            sys.print_exception(error, text)
            return text.getvalue().replace(b"\n", b"\r\n")

    def _run_file(self, name):
        try:
            with open(name) as file:
                source = file.read()
        except OSError:
            return
        self.line.write(self.execute(source, name))

    def start(self):
        """boot.py, and main.py unless the raw REPL asked for the restart."""
        for name in list(sys.modules):
            if name not in self._kept:
                del sys.modules[name]
        self.names = {"__name__": "__main__"}
        os.chdir("/")
        self._run_file("boot.py")
        if not self.raw:
            self._run_file("main.py")

    def _banner(self):
        if self.raw:
            return b"raw REPL; CTRL-B to exit\r\n>"
        return b"MicroPython v1.25.0; Generic ESP32 module with ESP32\r\n>>> "

    def serve(self):
        hard = True
        while True:
            try:
                if hard:
                    self.raw = False
                    Watchdog.runs = None
                    self.line.write(b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0xc (SW_CPU_RESET)\r\n")
                else:
                    self.line.write(b"MPY: soft reboot\r\n")
                self.start()
                self.line.write(self._banner())
                self._repl()
                hard = False
            except Reset:
                hard = True

    def _repl(self):
        """Takes input until a soft reset is asked for."""
        text = b""
        while True:
            char = self.line.read()
            if char in b"\x01\x02":
                self.raw = char == b"\x01"
                self.line.write(b"\r\n" * (not self.raw) + self._banner())
                text = b""
            elif char == b"\x03":
                text = b""
                self.line.write(b"" if self.raw else b"\r\n>>> ")
            elif char == b"\x04" and not self.raw:
                return
            elif char == b"\x04":
                self.line.write(b"OK")
                if not text:
                    self.line.write(b"\r\n")
                    return
                self._run(text)
                text = b""
            elif char == b"\x05" and self.raw and not text:
                self._raw_paste()
            elif self.raw:
                text += char

    def _raw_paste(self):
        if self.line.read() + self.line.read() != b"A\x01":
            return
        if _options.get("plain"):
            self.line.write(b"R\x00")
            return
        self.line.write(b"R\x01" + struct.pack("<H", _WINDOW) + b"\x01")
        source = bytearray()
        while True:
            char = self.line.read()
            if char == b"\x04":
                break
            source.extend(char)
            if len(source) % _WINDOW == 0:
                self.line.write(b"\x01")
        self.line.write(b"\x04")
        self._run(bytes(source))

    def _run(self, source):
        Watchdog.count()
        self.runs += 1
        if self.runs == _options.get("dies_at_run"):
            _exit(9)
        if self.flips and len(source) > 64 and b'_write(b"' in source:
            self.flips -= 1
            at = source.find(b'_write(b"') + 12
            wrong = b"A" if source[at : at + 1] != b"A" else b"B"
            source = source[:at] + wrong + source[at + 1 :]
        if _options.get("noise"):
            self._print(_options["noise"], end="")
        problem = self.execute(source)
        self.line.write(b"\x04" + problem + b"\x04>")


def _dump(folder, files):
    for entry in os.ilistdir(folder):
        path = folder + entry[0]
        if entry[1] == 0x4000:
            files[path[1:] + "/"] = None
            _dump(path + "/", files)
        else:
            with open(path, "rb") as file:
                files[path[1:]] = binascii.hexlify(file.read()).decode()
    return files


def _main():
    flash = Flash(_options["image"], _options.get("blocks", 128))
    if not flash.formatted:
        vfs.VfsLfs2.mkfs(flash)
    if "dump" in _options or "script" in _options:
        vfs.umount("/")
        vfs.mount(vfs.VfsLfs2(flash), "/")
        flash.arm(_options.get("dies_at_write"))
        if "dump" in _options:
            print(json.dumps(_dump("/", {})))
        else:
            exec(_options["script"], {})
        return
    line = Line()
    with open(_options["port_file"], "w") as file:
        file.write("%d\n" % line.port)
    vfs.umount("/")
    vfs.mount(vfs.VfsLfs2(flash), "/")
    flash.arm(_options.get("dies_at_write"))
    sys.path[:] = ["", ".frozen", "/lib"]
    Board(line).serve()


_main()
