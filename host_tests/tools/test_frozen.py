"""firmware/manifest.py names all that the deployed tree has, and frozen it finds its data.

The functions a manifest may call are given here as documented in "MicroPython manifest files";
freezing to C needs MicroPython's source and the ESP-IDF and is not done here.
"""

import json
import os
import subprocess
import types
from pathlib import Path

import pytest

import frozen

ROOT = Path(__file__).resolve().parent.parent.parent
FIRMWARE = ROOT / "firmware"


class Manifest:
    """Runs a manifest and gathers {path in the image: source file}."""

    def __init__(self):
        self.files = {}
        self.included = []

    def _add(self, base_path, path):
        source = Path(base_path).resolve() / path
        assert source.is_file(), source
        assert Path(path).as_posix() not in self.files, "frozen twice: %s" % path
        self.files[Path(path).as_posix()] = source

    def package(self, package_path, files=None, base_path=".", opt=None):
        if files is None:
            found = sorted((Path(base_path) / package_path).rglob("*.py"))
            files = [path.relative_to(Path(base_path) / package_path) for path in found]
        for file in files:
            self._add(base_path, Path(package_path) / file)

    def module(self, module_path, base_path=".", opt=None):
        assert module_path.endswith(".py")
        self._add(base_path, module_path)

    def include(self, manifest_path, **_):
        self.included.append(manifest_path)

    def execute(self, path):
        names = {
            "package": self.package,
            "module": self.module,
            "include": self.include,
            "options": types.SimpleNamespace(),
        }
        previous = os.getcwd()
        os.chdir(path.parent)
        try:
            exec(path.read_text(), names)
        finally:
            os.chdir(previous)
        return self


@pytest.fixture(scope="module")
def manifest():
    frozen.main()
    return Manifest().execute(FIRMWARE / "manifest.py")


def test_it_freezes_what_a_deploy_copies_and_no_more(manifest):
    tree = frozen.build.build_files()
    deployed = {
        path.relative_to(tree).with_suffix(".py").as_posix().removeprefix("lib/")
        for path in tree.rglob("*")
        if path.suffix in (".py", ".mpy")
    }
    assert set(manifest.files) == deployed | {"_data.py"}


def test_the_stock_modules_stay(manifest):
    assert manifest.included == ["$(PORT_DIR)/boards/manifest.py"]


def test_the_data_module_holds_every_data_file(manifest):
    names = {}
    exec(manifest.files["_data.py"].read_text(), names)
    data = frozen.build.build_files() / "data"
    files = {
        path.relative_to(data).as_posix(): path.read_bytes()
        for path in data.rglob("*")
        if path.is_file()
    }
    assert names["FILES"] == files
    assert "templates/sdm630.json" in files


def test_every_frozen_module_compiles_and_loads_its_data(manifest, micropython, tmp_path):
    """Compiled as for freezing, without a data folder, on the VM: the firmware finds its data."""
    for path, source in manifest.files.items():
        frozen.build.compile_file(source, (tmp_path / path).with_suffix(".mpy"), path, "-O2")
    script = (
        "import sys\n"
        "sys.path[:] = ['', '.frozen']\n"
        "from controller import data\n"
        "import formula, chargecontrol, modbus, json\n"
        "print(json.dumps(data.load_json('templates/sdm630.json')))\n"
    )
    done = subprocess.run(
        [micropython, "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shipped = frozen.build.build_files() / "data" / "templates" / "sdm630.json"
    assert json.loads(done.stdout) == json.loads(shipped.read_text())


def test_missing_data_files_are_a_sentence(tmp_path):
    folder = tmp_path / "firmware"
    folder.mkdir()
    (folder / "manifest.py").write_text((FIRMWARE / "manifest.py").read_text())
    with pytest.raises(ValueError, match="tools/frozen.py"):
        Manifest().execute(folder / "manifest.py")
