"""Whether a formula only adds to a value: `import_wh + M1.power_w * dt / 3600`.

Such a sum can be carried in integers, where a float would lose what is small beside it. Loaded
for expression meters only.
"""

from . import nodes
from .parser import BINARY, names

_SUBTRACT = BINARY.index("-")


def adds_to(node, own):
    """True where the value is one of the `own` (object, field) pairs plus or minus something.

    So with that pair read as 0 the formula gives what is to be added. Each branch of a choice is
    looked at by itself; one that does not read the pair gives a value of its own.
    """
    if not _reads(node, own):
        return False
    while node[0] is nodes.choose:
        if _reads(node[1], own) or not _alone(node[2], own):
            return False
        node = node[3]
        if not _reads(node, own):
            return True
    if node[0] is nodes.read:
        return True
    left, right = node[1:3]
    if node[0] is nodes.add and _reads(right, own):
        left, right = right, left
    elif node[0] is not nodes.add and not (
        node[0] is nodes.calculate and node[3] & 31 == _SUBTRACT
    ):
        return False
    return not _reads(right, own) and adds_to(left, own)


def _alone(node, own):
    return not _reads(node, own) or adds_to(node, own)


def _reads(node, own):
    return bool(node) and any([name in own for name in names(node)])
