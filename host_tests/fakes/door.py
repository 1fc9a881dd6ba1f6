"""Starts door_server.py on CPython or the 32-bit VM and speaks to it, by curl and bare sockets."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import build

ROOT = Path(__file__).resolve().parent.parent.parent
FAKES = ROOT / "host_tests" / "fakes"
SERVER = FAKES / "door_server.py"
HEAP = "140k"  # what a plain ESP32 has, as tools/simulation.py gives it
SITE_HEAP = "230k"  # the sources of the test itself are compiled there, too


class Door:
    """A running door. runtime: "cpython" or the command of the VM; settings: those of a site whose
    devices are all pushed (whole_site.py), None for a bare door."""

    def __init__(self, runtime, password=None, settings=None):
        self.runtime = runtime
        self.arguments = [] if settings is None else ["site"]
        self.folder = tempfile.mkdtemp()
        self.password = password
        tree = build.build_files()
        os.symlink(tree / "data", self.folder + "/data")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        path = ["", str(tree / "lib"), str(tree), ".frozen"]
        self.script = self.folder + "/start.py"
        if settings is not None:
            shutil.copy(FAKES / "whole_site.py", self.folder)
            Path(self.folder, "settings.json").write_text(json.dumps(settings))
        Path(self.script).write_text(
            "import sys\nif sys.implementation.name != 'cpython':\n    sys.path[:] = %r\n%s"
            % (path, SERVER.read_text())
        )
        self.start()

    def start(self):
        if self.runtime == "cpython":
            command = [sys.executable]
        else:
            heap = SITE_HEAP if self.arguments else HEAP
            command = [self.runtime, "-X", "heapsize=" + heap]
        folders = [ROOT / "tools" / "cpython", ROOT / "lib", ROOT / "firmware"]
        environment = dict(os.environ, PYTHONPATH=":".join(map(str, folders)))
        self.process = subprocess.Popen(
            command + [self.script, str(self.port), *self.arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = []
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith("password for user admin: "):
                self.password = line.split(": ")[1].strip()
            if line == "listening\n":
                return
        raise AssertionError("".join(self.said))

    def kill(self):
        """As if by kill -9; what was printed after the start is returned."""
        self.process.kill()
        return self.process.communicate()[0]

    def close(self):
        output = self.kill()
        shutil.rmtree(self.folder)
        return output

    def curl(self, path, *arguments, password=None, lang=""):
        """(status, parsed answer, {header: value}) of a request by curl."""
        command = [
            "curl",
            "-s",
            "-i",
            "-m",
            "30",
            "--user",
            "admin:" + (password or self.password),
        ]
        url = "http://127.0.0.1:%d%s" % (self.port, path)
        done = subprocess.run(command + list(arguments) + [url], capture_output=True, timeout=60)
        return answer(done.stdout)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def raw(self, data):
        """The same for bytes sent as they are; None if there was no answer."""
        with self.connect() as s:
            try:
                s.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all was sent; the answer is there
            return answer(receive(s))

    def variables(self):
        answer = self.curl("/cnf?cmd=get_cm_vars")[1]
        return {item["name"]: item for item in answer["vars"]}

    def everything(self):
        """What bad input must not change."""
        return [
            {name: item["expr"] for name, item in self.variables().items()},
            self.curl("/cnf?cmd=get_cm_vars")[1]["flash_writes"],
            self.curl("/api/settings")[1],
        ]


def receive(s):
    data = b""
    try:
        while True:
            part = s.recv(65536)
            if not part:
                return data
            data += part
    except ConnectionResetError:
        return data


def answer(data):
    while data.startswith(b"HTTP/1.1 100"):
        data = data.split(b"\r\n\r\n", 1)[1]
    if b"\r\n\r\n" not in data:
        return None
    head, body = data.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    headers = {key.lower(): value for key, value in (line.split(": ", 1) for line in lines[1:])}
    return int(lines[0].split()[1]), json.loads(body), headers
