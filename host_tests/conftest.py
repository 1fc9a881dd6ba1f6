"""Runs each file of host_tests/portable on CPython and, compiled, on the 32-bit MicroPython."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / name) for name in ("lib", "firmware", "tools/cpython", "tools")]

import compat  # noqa: E402,F401  (adds MicroPython's names before a test imports firmware)

import build  # noqa: E402
import portable  # noqa: E402
from controller import data  # noqa: E402
from controller.unload import seldom  # noqa: E402
from fetch_micropython import MicroPythonMissing, find  # noqa: E402

data.roots.insert(0, str(build.build_python() / "data") + "/")


@pytest.fixture(scope="session")
def micropython():
    """Command that starts the 32-bit MicroPython; skipped where it can't be had, except in CI."""
    try:
        return find()
    except MicroPythonMissing as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def modules_stay():
    """What a test unloads comes back after it: other tests hold classes of these modules."""
    before = {name: sys.modules[name] for name in seldom() if name in sys.modules}
    yield
    for name, module in before.items():
        if sys.modules.get(name) is not module:
            sys.modules[name] = module
            package, _, last = name.rpartition(".")
            setattr(sys.modules[package], last, module)


def pytest_collect_file(file_path, parent):
    if file_path.parent.name == "portable" and file_path.name.startswith("test_"):
        return VmFile.from_parent(parent, path=file_path)
    return None


class VmFile(pytest.File):
    """The tests of one portable file on the VM: all in one process, started by the first."""

    results = None

    def collect(self):
        for name in portable.test_names(self.path):
            test = VmTest.from_parent(self, name="micropython:" + name)
            # They share one process of the VM, so one worker takes them all.
            test.add_marker(pytest.mark.xdist_group(self.path.name))
            yield test

    def result(self, name):
        if self.results is None:
            try:
                command = find()
            except MicroPythonMissing as error:
                if os.environ.get("CI") == "true":
                    raise VmFailure(str(error)) from None
                pytest.skip(str(error))
            self.results = portable.run(command, self.path)
        return self.results.get(name, "no result: the VM ended early\n" + self.results[""])


class VmFailure(Exception):
    pass


class VmTest(pytest.Item):
    def runtest(self):
        outcome = self.parent.result(self.name.split(":")[1])
        if outcome != "ok":
            raise VmFailure(outcome)

    def repr_failure(self, excinfo):
        if isinstance(excinfo.value, (VmFailure, subprocess.TimeoutExpired)):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, 0, self.name
