"""A document survives a power cut at any moment."""

import sys

from controller.store import Store, StoreError

OLD = {"a": 1, "text": "old " * 30}
NEW = {"a": 2, "text": "new " * 60, "more": [1, 2, 3]}
VM = sys.implementation.name == "micropython"


class PowerCut(Exception):
    pass


if VM:
    import os

    import vfs

    class Flash:
        """A block device in RAM that loses power after some writes, in the midst of the last."""

        def __init__(self):
            self.data = bytearray(512 * 32)
            self.left = None
            self.torn = False

        def readblocks(self, n, buf, off=0):
            buf[:] = memoryview(self.data)[n * 512 + off : n * 512 + off + len(buf)]

        def _cut(self):
            if self.left is None:
                return False
            self.left -= 1
            if self.left < -1:
                raise OSError(5)
            return self.left == -1

        def writeblocks(self, n, buf, off=0):
            cut = self._cut()
            count = len(buf) // 2 if cut and self.torn else 0 if cut else len(buf)
            self.data[n * 512 + off : n * 512 + off + count] = memoryview(buf)[:count]
            if cut:
                raise OSError(5)

        def ioctl(self, op, arg):
            if op == 4:
                return 32
            if op == 5:
                return 512
            if op == 6:
                if self._cut():
                    raise OSError(5)
                start = arg * 512
                self.data[start : start + 512] = b"\xff" * 512
            return 0

    def mounted(flash):
        vfs.mount(vfs.VfsLfs2(flash, progsize=32, readsize=32), "/cut")

    def test_power_cut_at_every_block_operation():
        empty = Flash()
        vfs.VfsLfs2.mkfs(empty)
        mounted(empty)
        Store("/cut/").save("x.json", {"a": 0})
        Store("/cut/").save("x.json", OLD)
        vfs.umount("/cut")
        for torn in (False, True):
            seen = []
            for left in range(200):
                flash = Flash()
                flash.data[:] = empty.data
                flash.left = left
                flash.torn = torn
                finished = False
                try:
                    mounted(flash)
                    Store("/cut/").save("x.json", NEW)
                    finished = True
                except (OSError, StoreError):
                    pass
                vfs.umount("/cut")
                finished = finished and flash.left >= 0
                flash.left = None
                mounted(flash)
                document, _ = Store("/cut/").load("x.json")
                assert document == OLD or document == NEW, (left, document)
                seen.append(document == NEW)
                assert Store("/cut/").save("x.json", {"a": 3}), left  # works on after the cut
                assert Store("/cut/").load("x.json") == ({"a": 3}, None)
                vfs.umount("/cut")
                if finished:
                    assert document == NEW
                    break
            else:
                raise AssertionError("the save never ended")
            assert len(seen) > 5 and not seen[0]

    FOLDER = "/ram/"
    _ram = Flash()
    vfs.VfsLfs2.mkfs(_ram)
    vfs.mount(vfs.VfsLfs2(_ram), "/ram")
else:
    import os
    import tempfile

    FOLDER = tempfile.mkdtemp() + "/"

    def test_error_at_every_file_operation():
        """Each call that reaches the file system fails once, by error and by sudden death."""
        from controller import store_files

        for kind in (OSError(28, "full"), PowerCut()):
            for step in range(20):
                name = "step%d%s.json" % (step, type(kind).__name__)
                Store(FOLDER).save(name, OLD)
                calls = Cutting(step, kind)
                store_files.open, real = calls.open, store_files.os
                store_files.os = calls
                try:
                    finished = Store(FOLDER).save(name, NEW)
                except (StoreError, PowerCut):
                    finished = False
                finally:
                    del store_files.open
                    store_files.os = real
                document, _ = Store(FOLDER).load(name)
                assert document == NEW or not finished and document == OLD, step
                if calls.left >= 0:
                    break
            assert finished and step >= 5

    class Cutting:
        """Stands in for os and open(); lets some calls pass, then fails."""

        def __init__(self, left, error):
            self.left = left
            self.error = error

        def step(self):
            self.left -= 1
            if self.left == -1:
                raise self.error

        def open(self, path, mode):
            self.step()
            file = open(path, mode)
            return file if mode == "rb" else CuttingFile(file, self.step)

        def rename(self, old, new):
            self.step()
            os.rename(old, new)

    class CuttingFile:
        def __init__(self, file, step):
            self.file = file
            self.step = step

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()
            self.step()

        def write(self, data):
            self.file.write(data[: len(data) // 2])
            self.step()
            self.file.write(data[len(data) // 2 :])


def write(name, data):
    with open(FOLDER + name, "wb") as file:
        file.write(data)


def read(name):
    with open(FOLDER + name, "rb") as file:
        return file.read()


def test_nothing_there_is_no_problem():
    assert Store(FOLDER).load("none.json") == (None, None)


def test_written_only_when_different_and_counted():
    s = Store(FOLDER)
    assert s.save("count.json", {"a": 1})
    assert not s.save("count.json", {"a": 1})
    assert s.save("count.json", {"a": 2})
    assert s.writes == 2
    again = Store(FOLDER)
    assert again.load("count.json") == ({"a": 2}, None)
    assert again.writes == 2  # over the whole life of the document
    again.save("count.json", {"a": 3})
    assert again.writes == 3


def test_every_torn_file_falls_back_and_says_so():
    s = Store(FOLDER)
    s.save("torn.json", OLD)
    s.save("torn.json", NEW)
    whole = read("torn.json")
    for length in range(len(whole)):
        write("torn.json", whole[:length])
        document, problem = Store(FOLDER).load("torn.json")
        assert document == OLD and "torn.json" in str(problem), length


def test_flipped_bit_is_seen():
    s = Store(FOLDER)
    s.save("flip.json", OLD)
    s.save("flip.json", NEW)
    data = bytearray(read("flip.json"))
    data[data.find(b"new")] ^= 1
    write("flip.json", data)
    document, problem = Store(FOLDER).load("flip.json")
    assert document == OLD and problem.code == "last_good"


def test_damaged_file_does_not_push_out_the_last_good_one():
    s = Store(FOLDER)
    s.save("keep.json", OLD)
    s.save("keep.json", NEW)
    write("keep.json", b"{torn")
    Store(FOLDER).save("keep.json", {"a": 5})
    write("keep.json", b"")
    assert Store(FOLDER).load("keep.json")[0] == OLD


def test_both_damaged():
    write("bad.json", b"{")
    document, problem = Store(FOLDER).load("bad.json")
    assert document is None and problem.code == "lost"
    assert "beschädigt" in problem.text("de")


def test_written_by_hand():
    write("hand.json", b'{\n  "a": 1,\n  "b": [2]\n}\n')
    assert Store(FOLDER).load("hand.json") == ({"a": 1, "b": [2]}, None)
    write("hand.json", b"[1]")
    assert Store(FOLDER).load("hand.json")[0] is None
