"""Puts the built firmware on a board, over mpremote, all of it or nothing.

    python tools/deploy.py --port a0 [--board wt32-eth01] [--dry-run]

Only files that differ are sent. They are laid in .deploy/ on the board, each is hashed there and
compared, and only when all are right does one small file, .deploy/commit, make them count:
firmware/boot.py moves them to their places, at once or, if the power goes, at the next start.
Settings, variables, journal and certificates are never touched. A board without a certificate for
HTTPS gets one that is made here, since MicroPython can make no keys; the key stays nowhere else.
"""

import argparse
import base64
import contextlib
import json
import re
import sys
import time
from pathlib import Path

from board_link import Board, BoardProblem, LinkLost, ScriptFailed
from deploy_plan import (
    STAGE,
    BadTree,
    NoSpace,
    Plan,
    Unsuitable,
    VerificationFailed,
    check_board,
    check_space,
    own_folders,
    read_tree,
    sha256,
    staged_as,
)

COMMIT = STAGE + "/commit"
CERTIFICATE = "tls_server.json"  # firmware/controller/certificates.py
_CHUNK = 1536  # a line of 2 kB on the board, about 6 kB of heap while it is compiled
_TRIES = 3
_AFTER_READY_S = 2  # the network's first lines come after the doors are open
_WATCHDOG_MS = 180000

# Runs on the board. The firmware's watchdog cannot be stopped, only given more time; it also
# restarts a board whose cable was pulled in the middle.
_HELPERS = """
import binascii, hashlib, os
_buffer = bytearray(1024)
_view = memoryview(_buffer)
def _feed():
    pass
try:
    from machine import WDT
    _feed = WDT(timeout=%d).feed
except (ImportError, AttributeError):
    pass
def _hash(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while True:
            n = file.readinto(_buffer)
            if not n:
                return binascii.hexlify(digest.digest()).decode()
            digest.update(_view[:n])
def _entries(folder):
    return [entry[:2] for entry in os.ilistdir(folder)]
def _exists(path):
    try:
        os.stat(path)
        return True
    except OSError as error:
        if error.errno != 2:
            raise
        return False
def _list(folder):
    print("@@ - " + folder + "/")
    for name, kind in _entries(folder):
        path = folder + "/" + name
        if kind == 0x4000:
            _list(path)
        else:
            _feed()
            print("@@ " + _hash(path) + " " + path)
def _write(text):
    _file.write(binascii.a2b_base64(text))
"""

_LOOK = """
import json, sys
_frozen = False
try:
    import _data
    _frozen = "_data.py" not in os.listdir() and "_data.mpy" not in os.listdir()
except ImportError:
    pass
_fs = os.statvfs(os.getcwd()) if hasattr(os, "statvfs") else None
print("@@ " + json.dumps({
    "name": sys.implementation.name,
    "version": list(sys.implementation.version),
    "mpy": getattr(sys.implementation, "_mpy", 0),
    "platform": sys.platform,
    "frozen": _frozen,
    "block": _fs[0] if _fs else 4096,
    "free": _fs[3] * _fs[1] if _fs else None,
    "root": [[name, kind == 0x4000] for name, kind in _entries("")],
}))
"""

_PRESENT = """
for _path in %r:
    if _exists(_path):
        _list(_path)
for _path in %r:
    if _exists(_path):
        print("@@ " + _hash(_path) + " " + _path)
"""


class Deploy:
    """One deploy over an open line whose REPL is ours."""

    def __init__(self, board, tree, say=print):
        self._board = board
        self._tree = tree
        self._say = say

    def _run(self, script):
        """Runs a script and returns its answer lines, without what the chip itself prints."""
        answer = self._board.run(script)
        return [line[3:].strip() for line in answer.splitlines() if line.startswith("@@")]

    def _facts(self):
        self._run(_HELPERS % _WATCHDOG_MS)
        answer = self._run(_LOOK)
        if not answer:
            raise Unsuitable("What answers there is no MicroPython that could take this firmware.")
        return json.loads(answer[0])

    def _present(self, folders):
        """{path: sha256 or "-"} of the files in these folders and of our files in the root."""
        root = [path for path in self._tree if "/" not in path]
        script = _PRESENT % (folders, root)
        found = {}
        for line in self._run(script):
            digest, _, path = line.partition(" ")
            found[path] = digest
        return found

    def look(self):
        """Reads the board, checks it, and returns its Plan. Nothing is written."""
        facts = self._facts()
        check_board(facts, self._tree)
        self._root = [name for name, _ in facts["root"]]
        self._warn(facts["root"])
        self._folders = own_folders(self._tree)
        self._found = self._present(self._folders + [STAGE])
        plan = Plan(self._tree, self._found)
        check_space(facts, self._tree, plan, self._found)
        return plan

    def _warn(self, root):
        names = {name for name, _ in root}
        if "board.json" not in names and "board.json" not in self._tree:
            self._say(
                "Note: the board has no board.json yet, so its pins are unknown to the "
                "firmware. Name it once: make deploy PORT=... BOARD=..."
            )
        if ".deploy" in names:
            self._say("An earlier deploy was interrupted; this one goes on from there.")
        for name, is_folder in root:
            package = name if is_folder else name.rpartition(".")[0]
            if "lib/%s/__init__.mpy" % package in self._tree:
                self._say(
                    "Note: %s in the root of the flash is run instead of lib/%s. It is not "
                    "ours and stays; remove it if you can." % (name, package)
                )

    def carry_out(self, plan):
        """Stages, verifies, commits, checks. VerificationFailed, NoSpace, LinkLost."""
        try:
            self._stage_all(plan)
            self._commit(plan)
        except ScriptFailed as error:
            if "ENOSPC" not in error.error and not error.error.endswith("28"):
                raise
            self.discard()
            raise NoSpace(
                "The board's flash is full. The old version is still in place."
            ) from None
        except VerificationFailed:
            self.discard()
            raise
        if not Plan(self._tree, self._present(self._folders)).empty:
            raise VerificationFailed(
                "After the change the files on the board are not as they should be: deploy again."
            )

    def _stage_all(self, plan):
        self._run("if not _exists(%r): os.mkdir(%r)" % (STAGE, STAGE))
        wanted = {staged_as(path): sha256(self._tree[path]) for path in plan.copy}
        for path, digest in self._found.items():
            if path.startswith(STAGE + "/") and digest not in ("-", wanted.get(path)):
                self._run("os.remove(%r)" % path)
        total = sum(len(self._tree[path]) for path in plan.copy)
        done = 0
        # boot.py goes first and at once: it is the one that finishes an interrupted deploy.
        for number, path in enumerate(sorted(plan.copy, key=lambda path: path != "boot.py"), 1):
            size = len(self._tree[path])
            done += size
            if self._found.get(staged_as(path)) == wanted[staged_as(path)]:
                word = "already there"
            else:
                self._send(staged_as(path), self._tree[path])
                word = "verified"
            self._say(
                "[%*d of %d] %s, %d bytes, %s (%d of %d kB)"
                % (
                    len(str(len(plan.copy))),
                    number,
                    len(plan.copy),
                    path,
                    size,
                    word,
                    done // 1024,
                    total // 1024,
                )
            )
            if path == "boot.py":
                self._run("os.rename(%r, 'boot.py')" % staged_as(path))

    @property
    def needs_certificate(self):
        """Whether the board has none for HTTPS; known after look()."""
        return CERTIFICATE not in self._root and CERTIFICATE + ".bak" not in self._root

    def give_certificate(self, names):
        """Makes a certificate for these names and addresses, and puts it on the board."""
        from certificates import flash_file, make_server

        pair = make_server(names)
        self._send(CERTIFICATE + ".new", flash_file("server", pair.pem))
        self._run("os.rename('%s.new', '%s')" % (CERTIFICATE, CERTIFICATE))
        self._say(
            "The board had no certificate for HTTPS; it has one now, for %s. It is used once the "
            "setting tls.enabled is true; the browser then shows this fingerprint (SHA-256):\n  %s"
            % (", ".join(names), pair.sha256)
        )

    def discard(self):
        """Gives back the room that an unfinished version takes."""
        if not self._run("if _exists(%r): print('@@')" % STAGE):
            return
        self._run(
            "for _path, _ in _entries('%s'): os.remove('%s/' + _path)\nos.rmdir('%s')"
            % (STAGE, STAGE, STAGE)
        )

    def _send(self, path, content):
        """Writes one file and compares its hash, read back on the board."""
        name = path.rpartition("/")[2].replace("~", "/")
        for _ in range(_TRIES):
            script = "_feed()\n_file = open(%r, 'wb')\n" % path
            for start in range(0, len(content), _CHUNK):
                text = base64.b64encode(content[start : start + _CHUNK])
                script += '_write(b"%s")\n' % text.decode()
                if start + _CHUNK < len(content):
                    self._run(script)
                    script = ""
            answer = self._run(script + "_file.close()\nprint('@@ ' + _hash(%r))" % path)
            if answer == [sha256(content)]:
                return
            self._say("%s arrived damaged, once more" % name)
        raise VerificationFailed(
            "%s arrives damaged at the board, %d times in a row. Try another cable or port. "
            "The old version is still in place." % (name, _TRIES)
        )

    def _commit(self, plan):
        parents = {parent.as_posix() for path in plan.copy for parent in Path(path).parents}
        self._run(
            "for _path in %r:\n if not _exists(_path): os.mkdir(_path)"
            % (sorted(parents - {"."}),)
        )
        for path, why in plan.remove:
            self._say("remove %s: %s" % (path, why))
        gone = "".join(path + "\n" for path, _ in plan.remove)
        self._send(STAGE + "/commit~", gone.encode())
        self._run("os.rename('%s/commit~', '%s')" % (STAGE, COMMIT))
        self._run("with open('boot.py') as _file: exec(_file.read(), {})")


def _show(plan, tree):
    for path in plan.copy:
        print("copy   %s, %d bytes" % (path, len(tree[path])))
    for path, why in plan.remove:
        print("remove %s: %s" % (path, why))


def _show_log(board, seconds):
    print("The board restarts. First lines of its log:")
    try:
        end = time.monotonic() + seconds
        for line in board.log_lines(lambda: end):
            print("  " + line, flush=True)
            if re.search(r"\bready\b", line):
                end = min(end, time.monotonic() + _AFTER_READY_S)
    except LinkLost as error:
        print("No more of the log: " + str(error))


def _renew(board, tree, dry_run, names):
    job = Deploy(board, tree)
    plan = job.look()
    print("%d of %d files differ, %d to remove." % (len(plan.copy), len(tree), len(plan.remove)))
    if dry_run:
        _show(plan, tree)
        if job.needs_certificate:
            print("make   %s, a certificate for HTTPS" % CERTIFICATE)
        print("Nothing was written; the board was only stopped to look, and starts again.")
        return
    if plan.empty:
        job.discard()
    else:
        job.carry_out(plan)
        print("All %d files are in place and verified." % len(tree))
    if job.needs_certificate:
        job.give_certificate(names)


def _built():
    import build

    return build.build_files()


def _names(arguments):
    from certificates import USUAL_NAMES

    return arguments.names.split() + list(USUAL_NAMES) if arguments.names else list(USUAL_NAMES)


def deploy(arguments):
    """Carries out one deploy; every BoardProblem leaves a whole version on the board."""
    tree = read_tree(arguments.tree or _built(), arguments.board)
    with Board(arguments.port) as board:
        board.interrupt()
        try:
            _renew(board, tree, arguments.dry_run, _names(arguments))
        except LinkLost as error:
            raise LinkLost(
                "%s One whole version is on it, the old or the new: deploy again." % error
            ) from None
        except KeyboardInterrupt:
            board.interrupt()
            board.restart()
            raise
        except BoardProblem:
            with contextlib.suppress(BoardProblem):
                board.restart()
            raise
        board.restart()
        _show_log(board, arguments.log_s)


def main(arguments=None):
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--port",
        required=True,
        help="any mpremote device: a0, u0, auto, id:serial, /dev/ttyUSB0, COM3, "
        "socket://host:port, rfc2217://host:port",
    )
    options.add_argument("--board", help="also write boards/<name>/board.json")
    options.add_argument("--tree", help="what to deploy; otherwise the firmware is built first")
    options.add_argument("--dry-run", action="store_true", help="only say what would change")
    options.add_argument(
        "--names", help="for the certificate: more names and addresses of the board, e.g. its IP"
    )
    options.add_argument("--log-s", type=float, default=30, help="how long to wait for ready")
    try:
        chosen = options.parse_args(arguments)
        if not chosen.port:
            raise BadTree("Which port? make deploy PORT=/dev/ttyUSB0 (a0, u0, COM3, auto, ...)")
        deploy(chosen)
    except BoardProblem as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("Stopped. The old version is still in place; deploy again.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
