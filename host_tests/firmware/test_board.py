"""controller/board.py against a chip of the test's own: levels, bits, edges, serial ports."""

import asyncio
import importlib
import json
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
A6 = "kincony-kc868-a6"
BOARDS = sorted(path.parent.name for path in (ROOT / "boards").glob("*/board.json"))


class Chip:
    """Levels of the pins, I2C devices as (writes so far, byte to read), opened UARTs."""

    def __init__(self):
        self.levels = {}
        self.pins = {}
        self.devices = {}
        self.order = []

    def edge(self, number, level):
        """A level change at a pin, as the interrupt sees it."""
        self.levels[number] = level
        self.pins[number].handler(self.pins[number])


def fake_machine(chip):
    class Pin:
        IN, OUT, PULL_DOWN, PULL_UP, IRQ_RISING, IRQ_FALLING = 1, 3, 1, 2, 1, 2

        def __init__(self, number, mode=-1, pull=-1, value=None):
            self.number, self.mode, self.pull, self.handler = number, mode, pull, None
            chip.pins[number] = self
            if value is not None:
                chip.levels[number] = value
            chip.order.append(("pin", number, value))

        def value(self, level=None):
            if level is None:
                return chip.levels.get(self.number, 1 if self.pull == Pin.PULL_UP else 0)
            assert self.mode == Pin.OUT
            chip.levels[self.number] = level

        def irq(self, handler, trigger):
            self.handler, self.trigger = handler, trigger

    class I2C:
        def __init__(self, number, scl, sda, freq):
            chip.order.append(("i2c", number, scl.number, sda.number))

        def writeto(self, address, data):
            self._device(address)[0].append(bytes(data))

        def readfrom_into(self, address, buffer):
            buffer[:] = bytes([self._device(address)[1]])

        def _device(self, address):
            if address not in chip.devices:
                raise OSError(19)
            return chip.devices[address]

    class UART:
        def __init__(self, number, **options):
            self.number, self.options = number, options

    module = types.ModuleType("machine")
    module.Pin, module.I2C, module.UART = Pin, I2C, UART
    return module


@pytest.fixture
def chip():
    return Chip()


@pytest.fixture
def board(chip, monkeypatch):
    """The module controller.board, fresh, on the fake chip; the simulation's stays untouched."""
    import controller

    monkeypatch.setitem(sys.modules, "machine", fake_machine(chip))
    for name in ("board", "inputs", "expander"):
        monkeypatch.delitem(sys.modules, "controller." + name, raising=False)
        monkeypatch.delattr(controller, name, raising=False)
    module = importlib.import_module("controller.board")
    yield module
    for name in ("board", "inputs", "expander"):
        sys.modules.pop("controller." + name, None)


def described(name):
    return json.loads((ROOT / "boards" / name / "board.json").read_text())


def load(board, name):
    return board.Board(described(name))


@pytest.mark.parametrize("name", BOARDS)
def test_every_shipped_board_starts_with_relays_off(board, chip, name):
    doc = described(name)
    for part in doc["expanders"]:
        chip.devices[part["address"]] = [[], 0xFF]
    for part in doc["inputs"]:
        chip.levels[part.get("pin")] = int(part["active_low"])  # an external resistor's, if any
    made = load(board, name)
    assert made.faults == [] and made.name == name
    assert made.inputs.count == len(doc["inputs"])
    assert made.ethernet == doc["ethernet"] and made.wlan == doc["wlan"]
    assert not any(made.inputs.read(n + 1) for n in range(made.inputs.count))
    for part in doc["relays"]:
        if "pin" in part:
            assert chip.levels[part["pin"]] == int(part["active_low"])
        else:
            last = chip.devices[doc["expanders"][part["expander"]]["address"]][0]
            outputs = [data for data in last if data[0] != 3][-1][-1]
            assert outputs >> part["bit"] & 1 == int(part["active_low"])


def test_polarity_and_edges_of_pins(board, chip):
    made = load(board, "esp32-devkit")
    seen = []
    made.inputs.on_change(lambda number, closed: seen.append((number, closed)))
    assert not made.inputs.read(1)
    chip.edge(32, 0)
    assert made.inputs.read(1) and not made.inputs.read(2)
    chip.edge(25, 0)
    chip.edge(25, 0)  # the second interrupt of a bounce finds the level that is already known
    chip.edge(25, 1)
    chip.edge(32, 1)
    assert seen == [(1, True), (3, True), (3, False), (1, False)]


def test_active_high_input_and_no_interrupt_without_a_listener(board, chip):
    doc = described("esp32-devkit")
    doc["inputs"][0].update(pull="down", active_low=False)
    made = board.Board(doc)
    assert not made.inputs.read(1) and chip.pins[32].handler is None
    chip.levels[32] = 1
    assert made.inputs.read(1)


def test_closed_at_start_is_read_and_is_no_edge(board, chip):
    chip.levels[32] = 0
    made = load(board, "esp32-devkit")
    seen = []
    made.inputs.on_change(lambda number, closed: seen.append((number, closed)))
    assert made.inputs.read(1) and seen == []
    chip.edge(32, 1)
    assert seen == [(1, False)]


def test_inputs_behind_a_pcf8574_are_polled(board, chip):
    chip.devices = {34: [[], 0xFF], 36: [[], 0xFF]}
    made = load(board, A6)
    assert chip.devices[34][0] == [b"\xff"]
    seen = []
    made.inputs.on_change(lambda number, closed: seen.append((number, closed)))
    made.inputs.poll()
    first = list(seen)
    chip.devices[34][1] = 0b11111101
    made.inputs.poll()
    made.inputs.poll()
    assert made.inputs.read(2) and not made.inputs.read(1)
    assert (2, True) not in first and seen[len(first) :] == [(2, True)]
    assert made.inputs.polled and ("i2c", 0, 15, 4) in chip.order


def test_a_running_poll_sees_a_short_pulse(board, chip):
    chip.devices = {34: [[], 0xFF], 36: [[], 0xFF]}
    made = load(board, A6)
    edges = []
    made.inputs.on_change(lambda number, closed: edges.append(closed) if number == 1 else None)

    async def pulse():
        task = asyncio.create_task(made.inputs.run())
        for level in (0xFE, 0xFF):
            chip.devices[34][1] = level
            while edges[-1:] != [level == 0xFE]:
                await asyncio.sleep(0.001)
        task.cancel()

    asyncio.run(asyncio.wait_for(pulse(), 20))
    assert edges[-2:] == [True, False]


def test_interrupt_line_spares_the_bus(board, chip):
    doc = described(A6)
    doc["expanders"][0]["int_pin"] = 13
    chip.devices = {34: [[], 0xFF], 36: [[], 0xFF]}
    made = board.Board(doc)
    made.inputs.poll()
    chip.devices[34][1] = 0xFE
    made.inputs.poll()
    assert not made.inputs.read(1)
    chip.pins[13].handler(chip.pins[13])
    made.inputs.poll()
    assert made.inputs.read(1)
    chip.devices[34][1] = 0xFF  # an interrupt that got lost
    for _ in range(30):
        made.inputs.poll()
    assert not made.inputs.read(1)


def test_inputs_behind_a_tca9554(board, chip):
    doc = described(A6)
    doc["expanders"][0].update(kind="tca9554", address=32)
    chip.devices = {32: [[], 0xFE], 36: [[], 0xFF]}
    made = board.Board(doc)
    assert chip.devices[32][0] == [b"\x03\xff", b"\x00"]
    assert made.inputs.read(1)


def test_tca9554_outputs_get_their_levels_before_they_drive(board, chip):
    chip.devices = {32: [[], 0]}
    made = load(board, "waveshare-s3-8di-8ro")
    writes = chip.devices[32][0]
    assert writes[:2] == [b"\x01\x00", b"\x03\x00"]
    made.relays[0].value(1)
    made.relays[7].value(True)
    made.relays[0].value(0)
    assert [data[1] for data in writes[-3:]] == [0x01, 0x81, 0x80]


def test_pcf8574_relays_are_active_low(board, chip):
    chip.devices = {34: [[], 0xFF], 36: [[], 0xFF]}
    made = load(board, A6)
    made.relays[1].value(1)
    assert chip.devices[36][0][-1] == bytes([0b11111101])


def test_silent_expander_is_a_fault_and_never_an_open_contact(board, chip):
    chip.devices = {36: [[], 0xFF]}
    made = load(board, A6)
    assert [fault.field for fault in made.faults] == ["expanders[0]"]
    with pytest.raises(board.BoardError) as error:
        made.inputs.read(1)
    assert error.value.code == "board_expander" and "0x22" in str(error.value)
    with pytest.raises(board.BoardError):
        made.inputs.poll()
    assert not made.inputs.read(7)  # a pin, not behind the expander
    chip.devices[34] = [[], 0xFE]
    made.inputs.poll()
    assert made.inputs.read(1)
    del chip.devices[34]
    with pytest.raises(board.BoardError):
        made.inputs.poll()
    with pytest.raises(board.BoardError):
        made.inputs.read(1)


def test_uart_with_driver_enable(board, chip):
    made = load(board, "esp32-devkit")
    uart, driver = made.uart("rs485_1", 19200, parity="E")
    assert uart.number == 1
    wanted = {"baudrate": 19200, "bits": 8, "parity": 0, "stop": 1, "tx": 19, "rx": 18}
    assert wanted.items() <= uart.options.items()
    assert uart.options["txbuf"] >= 260 and uart.options["rxbuf"] >= 512
    assert chip.levels[21] == 0
    driver.value(1)
    assert chip.levels[21] == 1


def test_uart_active_low_driver_and_automatic_direction(board, chip):
    doc = described("esp32-devkit")
    doc["rs485"][0]["de_active_high"] = False
    _, driver = board.Board(doc).uart("rs485_1", 9600, parity="O", stop=2)
    assert chip.levels[21] == 1
    driver.value(1)
    assert chip.levels[21] == 0
    uart, driver = load(board, "waveshare-s3-8di-8ro").uart("rs485_1", 9600)
    assert driver is None and uart.options["parity"] is None


def test_errors_name_the_field(board):
    doc = described("esp32-devkit")
    cases = [
        (lambda d: d["inputs"][1].pop("pin"), "inputs[1].pin"),
        (lambda d: d.pop("name"), "board.name"),
        (lambda d: d["relays"][0].update(expander=0, bit=1), "relays"),
        (lambda d: d.update(expanders=[{"i2c": 0}]), "expanders[0].scl"),
    ]
    for spoil, field in cases:
        broken = json.loads(json.dumps(doc))
        spoil(broken)
        with pytest.raises(board.BoardError) as error:
            board.Board(broken)
        assert error.value.field == field
    made = board.Board(doc)
    for number in (0, 5, -1):
        with pytest.raises(board.BoardError) as error:
            made.inputs.read(number)
        assert "1 to 4" in str(error.value)
    with pytest.raises(board.BoardError) as error:
        made.uart("rs485_9", 9600)
    assert error.value.field == "rs485_9"


def test_every_code_has_a_sentence_in_both_languages():
    folder = ROOT / "firmware" / "controller"
    code = "".join(
        (folder / name).read_text() for name in ("board.py", "inputs.py", "expander.py")
    )
    texts = json.loads((ROOT / "firmware" / "texts" / "board.json").read_text())
    assert set(re.findall(r'"(board_\w+)"', code)) == set(texts)
    for sentences in texts.values():
        assert len(sentences) == 2
        filled = [sentence.format("rs485_1", "0x22") for sentence in sentences]
        assert all("rs485_1" in sentence for sentence in filled)


@pytest.mark.parametrize("name", BOARDS)
def test_every_shipped_board_starts_on_the_vm(micropython, tmp_path, name):
    """The simulated chip has no expanders here, so the faults say so."""
    doc = described(name)
    script = tmp_path / "start.py"
    paths = [str(ROOT / part) for part in ("firmware", "lib", "tools/chip")]
    script.write_text(
        "import sys\nsys.path[:] = %r\n" % (["", *paths, ".frozen"],)
        + "import json\nfrom controller import board\n"
        + "b = board.Board(json.load(open(%r)))\n" % str(ROOT / "boards" / name / "board.json")
        + "print(b.name, b.inputs.count, len(b.relays), len(b.faults), b.inputs.polled)\n"
    )
    done = subprocess.run(
        [micropython, "-X", "heapsize=120k", str(script)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    polled = any(part["role"] == "inputs" for part in doc["expanders"])
    wanted = [name, len(doc["inputs"]), len(doc["relays"]), len(doc["expanders"]), polled]
    assert done.stdout.split() == [str(word) for word in wanted], done.stdout + done.stderr
