"""The journal on the chip's file system, with the power cut at every operation of the flash."""

import sys

from fakes import journal_site as at

VM = sys.implementation.name == "micropython"
SETTINGS = {"max_kb": 32, "keep_days": 730}

if VM:
    import gc

    import vfs

    BLOCKS = 48

    class Flash:
        """A block device in RAM that loses power after some writes, in the midst of the last.

        It returns its errors (an exception would jump out of the midst of LittleFS) and takes no
        memory: the collector closes what a cut left open.
        """

        def __init__(self, data=None):
            self.data = bytearray(512 * BLOCKS)
            if data:
                self.data[:] = data
            self.left = None
            self.torn = self.dead = False

        def readblocks(self, n, buf, off=0):
            if self.dead:
                return -5
            data = self.data
            at = n * 512 + off
            for i in range(len(buf)):
                buf[i] = data[at + i]

        def _cut(self):
            """0 while there is power, 1 for the operation that is cut, 2 from then on."""
            if self.dead:
                return 2
            if self.left is None:
                return 0
            self.left -= 1
            return 0 if self.left >= 0 else 1 if self.left == -1 else 2

        def writeblocks(self, n, buf, off=0):
            cut = self._cut()
            count = len(buf) // 2 if cut == 1 and self.torn else 0 if cut else len(buf)
            data = self.data
            at = n * 512 + off
            for i in range(count):
                data[at + i] = buf[i]
            return -5 if cut else 0

        def ioctl(self, op, arg):
            if op == 4:
                return BLOCKS
            if op == 5:
                return 512
            if op == 6:
                if self._cut():
                    return -5
                data = self.data
                at = arg * 512
                for i in range(512):
                    data[at + i] = 255
            return 0

    def mounted(flash):
        vfs.mount(vfs.VfsLfs2(flash, progsize=32, readsize=32), "/cut")

    FOLDER = "/cut/evidence/"
else:
    import tempfile

    FOLDER = tempfile.mkdtemp() + "/evidence/"


class Site(at.Controller):
    def __init__(self):
        at.Controller.__init__(self, FOLDER, SETTINGS, leave_bytes=512)


def day(c, minutes, small=VM):
    """A dimming; returns how many records were surely on the flash at the end."""
    c.run(1)
    if small:
        c.journal.segment_bytes = 400
    c.dim(4200)
    c.run(2)
    for _ in range(minutes):
        c.clock.ms += 59000
        c.run(1)
    c.dim(None)
    c.run(2)
    return c.journal.measures.seq


def checked():
    """How many records there are in a chain that is whole."""
    count = 0
    for row in at.each(FOLDER):
        count += 1
    return count


def test_power_cut_at_every_block_operation():
    if not VM:
        return
    base = Flash()
    vfs.VfsLfs2.mkfs(base)
    mounted(base)
    day(Site(), 3)
    before = checked()
    vfs.umount("/cut")
    image = bytes(base.data)
    del base
    for torn in (False, True):
        for left in range(0, 400):
            gc.collect()
            flash = Flash(image)
            flash.left = left
            flash.torn = torn
            sure = before
            c = None
            try:
                mounted(flash)
                c = Site()
                sure = day(c, 2)
            except OSError:
                pass
            if c and c.journal.boot:
                sure = c.journal.measures.seq
            finished = flash.left >= 0
            # Files that could not be closed are closed by the collector, while it can do no harm.
            c = None
            flash.dead = True
            gc.collect()
            vfs.umount("/cut")
            flash.left = None
            flash.dead = False
            mounted(flash)
            found = checked()
            assert found >= sure, (torn, left, found, sure)
            again = Site()
            sure = day(again, 0)
            assert again.journal.problem == "" and checked() == sure, (
                left,
                again.journal.problem,
                checked(),
                sure,
            )
            names = len(at.names(FOLDER))
            vfs.umount("/cut")
            if finished:
                break
        else:
            raise AssertionError("it never ended")
        assert left > 12 and names > 2, (left, names)


def test_every_torn_write_is_repaired():
    """Where a file system keeps half of a write: each length of it."""
    if VM:
        return
    at.empty(FOLDER)
    c = Site()
    day(c, 2)
    name = FOLDER + at.names(FOLDER)[-1]
    with open(name, "rb") as file:
        data = file.read()
    for size in range(len(data)):
        at.empty(FOLDER)
        with open(name, "wb") as file:
            file.write(data[:size])
        c = Site()
        day(c, 1)
        notes = [row for row in at.each(FOLDER) if row["kind"] == "note"]
        assert len(notes) <= 1 and c.journal.problem == ""
        assert checked() == c.journal.measures.seq or size < 60


class Full:
    """Stands in for open(): the flash takes so many bytes, then no more."""

    def __init__(self, room):
        self.room = room

    def __call__(self, path, mode):
        file = open(path, mode)
        return FullFile(file, self) if "a" in mode else file


class FullFile:
    def __init__(self, file, flash):
        self.file = file
        self.flash = flash

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, data):
        part = data[: self.flash.room]
        self.file.write(part)
        self.flash.room -= len(part)
        if len(part) < len(data):
            raise OSError(28, "full")


def test_flash_that_takes_half_a_write_loses_nothing():
    if VM:
        return
    from controller import journal

    for room in range(0, 400, 3):
        at.empty(FOLDER)
        c = Site()
        journal.open = Full(room)
        try:
            day(c, 6)
            assert c.journal.problem in ("", "journal_flash")
            said = list(c.faults)
        finally:
            del journal.open
        c.run(70)
        assert c.journal.problem == "" and not c.faults, room
        assert said == [] or "28" in said[0]
        rows = at.rows(FOLDER)
        kinds = [row["kind"] for row in rows]
        assert kinds.count("command") == kinds.count("release") == 1, (room, kinds)
        assert kinds.count("sample") == 6 and kinds.count("start") == 1, (room, kinds)
