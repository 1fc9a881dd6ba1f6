"""make flash: the image checks, the esptool call, fetching, and the sentences. No chip is here.

The images are made with esptool's own writer, so their headers, checksums and digests are right.
"""

import http.server
import struct
import sys
import threading

import pytest
from esptool.bin_image import ELFSection, ESP32FirmwareImage, ESP32S3FirmwareImage

import firmware_image
import flash
from firmware_image import BadImage, check_image

WRITERS = {"esp32": ESP32FirmwareImage, "esp32s3": ESP32S3FirmwareImage}
BOARDS = {"esp32": "esp32-devkit", "esp32s3": "waveshare-s3-8di-8ro"}


def program(folder, chip, text):
    """An application image of that chip with this text in it."""
    image = WRITERS[chip]()
    image.entrypoint = 0x40080000
    image.segments = [ELFSection(b".dram0.data", 0x3FFB0000, text + bytes(-len(text) % 4), 0)]
    path = folder / "app.bin"
    image.save(str(path))
    return path.read_bytes()


def entry(kind, subtype, offset, size, label):
    return b"\xaa\x50" + struct.pack("<BBII16sI", kind, subtype, offset, size, label, 0)


def micropython(folder, chip="esp32", version=b"1.25.0", app=None, vfs_at=0x200000):
    """A whole image as MicroPython's downloads are: loader, partition table, program."""
    offset = firmware_image.OFFSETS[chip]
    if app is None:
        text = b"3.4.0; MicroPython v%s on 2025-04-15" % version
        app = program(folder, chip, text + bytes(5000))
    table = entry(1, 2, 0x9000, 0x6000, b"nvs") + entry(0, 0, 0x10000, 0x1F0000, b"factory")
    table += entry(1, 0x81, vfs_at, 0x200000, b"vfs") + b"\xff" * 32
    image = program(folder, chip, b"loader")
    image += b"\xff" * (0x8000 - offset - len(image)) + table
    return image + b"\xff" * (0x10000 - offset - len(image)) + app


@pytest.mark.parametrize("chip", ["esp32", "esp32s3"])
def test_a_right_image_is_taken_and_its_version_read(tmp_path, chip):
    assert check_image(micropython(tmp_path, chip), chip) == (1, 25, 0)


@pytest.mark.parametrize("chip, other", [("esp32", "esp32s3"), ("esp32s3", "esp32")])
def test_an_image_for_another_chip_is_refused(tmp_path, chip, other):
    with pytest.raises(BadImage, match="for the chip %s, but the board has a %s" % (other, chip)):
        check_image(micropython(tmp_path, other), chip)


@pytest.mark.parametrize("content", [b"", b"\xe9", b"<!DOCTYPE html><html>" * 99, bytes(70000)])
def test_what_is_no_image_is_refused(content):
    with pytest.raises(BadImage, match="no ESP32 image"):
        check_image(content, "esp32")


def test_a_program_without_loader_is_refused(tmp_path):
    with pytest.raises(BadImage, match="app-bin"):
        check_image(program(tmp_path, "esp32", bytes(90000)), "esp32")


def test_an_image_cut_short_anywhere_is_refused(tmp_path):
    whole = micropython(tmp_path)
    for length in [0x8000, 0xF000, 0xF010, 0xF020, len(whole) - 33, len(whole) - 1]:
        with pytest.raises(BadImage):
            check_image(whole[:length], "esp32")


def test_one_wrong_byte_in_the_program_is_noticed(tmp_path):
    image = bytearray(micropython(tmp_path))
    image[-3000] ^= 1
    with pytest.raises(BadImage, match="damaged"):
        check_image(bytes(image), "esp32")


def test_an_image_that_would_write_over_the_settings_is_refused(tmp_path):
    with pytest.raises(BadImage, match="longer than"):
        check_image(micropython(tmp_path, vfs_at=0x11000), "esp32")


def test_too_old_a_micropython_is_refused(tmp_path):
    with pytest.raises(BadImage, match="MicroPython 1.24.1; RippleGate needs 1.25"):
        check_image(micropython(tmp_path, version=b"1.24.1"), "esp32")


@pytest.mark.parametrize("chip, offset", [("esp32", "0x1000"), ("esp32s3", "0x0")])
def test_the_esptool_call(chip, offset):
    call = flash.command("u0", chip, "x.bin", False)
    assert call[1:3] == ["-m", "esptool"]
    assert call[3:] == [
        "--chip",
        chip,
        "--port",
        "/dev/ttyUSB0",
        "--baud",
        "460800",
        "write-flash",
        offset,
        "x.bin",
    ]
    assert "--erase-all" in flash.command("u0", chip, "x.bin", True)
    assert "--port" not in flash.command("auto", chip, "x.bin", False)


def test_no_port_named_is_a_sentence(capsys):
    assert flash.main(["--board", BOARDS["esp32"]]) == 1
    assert "PORT=" in capsys.readouterr().err


@pytest.mark.parametrize("erase", [False, True])
def test_esptool_takes_the_call_and_a_missing_port_is_a_sentence(tmp_path, capfd, erase):
    firmware = tmp_path / "x.bin"
    firmware.write_bytes(micropython(tmp_path))
    arguments = ["--port", "/dev/ttyNOPE7", "--board", BOARDS["esp32"]] + ["--erase"] * erase
    assert flash.main(arguments + ["--firmware", str(firmware)]) == 1
    out, err = capfd.readouterr()
    assert "could not open port /dev/ttyNOPE7" in out  # esptool came as far as the port
    assert "esptool could not open the port" in err
    assert ("settings and password on it are lost" in out) == erase


@pytest.mark.parametrize(
    "said, sentence",
    [
        ("A fatal error occurred: Failed to connect to ESP32: No serial data received.", "BOOT"),
        (
            "A fatal error occurred: This chip is ESP32-S3, not ESP32. Wrong chip argument?",
            "not the one that BOARD",
        ),
        ("A fatal error occurred: MD5 of file does not match data in flash!", "read back"),
        ("something new", "last lines above"),
    ],
)
def test_what_esptool_says_becomes_a_sentence(said, sentence, capsys):
    with pytest.raises(flash.FlashProblem, match=sentence):
        flash.run_esptool([sys.executable, "-c", "print(%r); raise SystemExit(2)" % said])
    assert said in capsys.readouterr().out


def test_success_needs_the_verification():
    flash.run_esptool([sys.executable, "-c", "print('Hash of data verified.')"])
    with pytest.raises(flash.FlashProblem, match="without comparing"):
        flash.run_esptool([sys.executable, "-c", "print('Wrote 3 bytes')"])


def test_wrong_image_file_never_reaches_esptool(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(flash, "run_esptool", lambda call: pytest.fail("esptool was started"))
    firmware = tmp_path / "s3.bin"
    firmware.write_bytes(micropython(tmp_path, "esp32s3"))
    arguments = ["--port", "u0", "--board", BOARDS["esp32"], "--firmware", str(firmware)]
    assert flash.main(arguments) == 1
    assert "s3.bin is for the chip esp32s3" in capsys.readouterr().err
    assert flash.main(arguments[:-1] + [str(tmp_path / "none.bin")]) == 1
    assert "none.bin can't be read" in capsys.readouterr().err


@pytest.mark.parametrize("board", ["", "no-such-board"])
def test_a_board_must_be_named(board, capsys):
    assert flash.main(["--port", "u0", "--board", board]) == 1
    assert "Which board?" in capsys.readouterr().err


@pytest.mark.parametrize("chip", ["esp32", "esp32s3"])
def test_chip_of_a_board(chip):
    assert flash.read_board(BOARDS[chip])[0] == chip


PAGE = """<a href="/resources/firmware/ESP32_GENERIC-20990101-v1.31.0.bin">
<a href="/resources/firmware/ESP32_GENERIC-20250415-v1.25.0.bin">
<a href="/resources/firmware/ESP32_GENERIC-20250911-v1.26.1.bin">
<a href="/resources/firmware/ESP32_GENERIC-20250911-v1.26.1.app-bin">
<a href="/resources/firmware/ESP32_GENERIC-20251001-v1.27.0-preview.44.gabc.bin">
<a href="/resources/firmware/ESP32_GENERIC-SPIRAM-20251209-v1.27.0.bin">
<a href="/resources/firmware/ESP32_GENERIC-20240602-v1.23.0.bin">"""


def test_the_newest_release_that_is_known_to_work_is_chosen():
    assert flash.newest_image(PAGE, "ESP32_GENERIC").endswith("ESP32_GENERIC-20250911-v1.26.1.bin")
    assert flash.newest_image(PAGE, "ESP32_GENERIC-SPIRAM").endswith("-v1.27.0.bin")
    assert flash.newest_image(PAGE, "ESP32_GENERIC_S3") is None


class Site(http.server.BaseHTTPRequestHandler):
    files = {}

    def do_GET(self):
        content = self.files.get(self.path)
        self.send_response(200 if content is not None else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setattr(flash, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield "http://127.0.0.1:%d" % server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_fetching_keeps_a_right_image_and_does_without_network_then(site, tmp_path):
    image = micropython(tmp_path, version=b"1.26.1")
    path = "/resources/firmware/ESP32_GENERIC-20250911-v1.26.1.bin"
    Site.files = {"/download/ESP32_GENERIC/": PAGE.encode(), path: image}
    fetched = flash.fetch("ESP32_GENERIC", "esp32", site)
    assert fetched.read_bytes() == image
    Site.files = {}
    assert flash.fetch("ESP32_GENERIC", "esp32", site) == fetched


@pytest.mark.parametrize("served", [{}, {"/download/ESP32_GENERIC/": b"<html></html>"}])
def test_nothing_to_fetch_is_one_sentence_that_says_what_to_do(site, served):
    Site.files = served
    with pytest.raises(flash.FlashProblem) as caught:
        flash.fetch("ESP32_GENERIC", "esp32", site)
    assert "Download ESP32_GENERIC-<date>-v<version>.bin" in str(caught.value)
    assert "FIRMWARE=<file>" in str(caught.value)


def test_a_bad_download_is_not_kept(site, tmp_path):
    image = micropython(tmp_path)[:-40]
    path = "/resources/firmware/ESP32_GENERIC-20250911-v1.26.1.bin"
    Site.files = {"/download/ESP32_GENERIC/": PAGE.encode(), path: image}
    with pytest.raises(flash.FlashProblem, match="damaged"):
        flash.fetch("ESP32_GENERIC", "esp32", site)
    assert not list((tmp_path / "cache").glob("*"))


def test_no_network_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(flash, "CACHE", tmp_path / "cache")
    with pytest.raises(flash.FlashProblem, match="could not be fetched"):
        flash.fetch("ESP32_GENERIC", "esp32", "http://127.0.0.1:9")
