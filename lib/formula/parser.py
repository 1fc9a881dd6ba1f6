"""Reads the text of a formula by operator precedence, with two stacks and without recursion.

The limits keep a formula from eating the heap (a node takes 32 bytes, and two characters), the C
stack (16 kB on an ESP32, about 350 bytes for a level of evaluation) or the second; they are far
above what a sensible formula needs.
"""

from micropython import const

from . import nodes
from .nodes import FormulaError

# The opposite of a comparison follows it: the odd ones turn the result of the even ones around.
BINARY = "== != < >= > <= - min max / % ^ & | + * && ||".split()
_PRECEDENCES = bytes((6, 6, 7, 7, 7, 7, 8, 0, 0, 9, 9, 11, 5, 4, 8, 9, 3, 2))
_ONE_OPERAND = const(("--", "abs", "round", "sqrt", "!"))

_MAX_LENGTH = const(512)  # characters
_MAX_LEVELS = const(20)  # of operations inside one another
_MAX_WAITING = const(48)  # open brackets, and operators that wait for their last operand

# Precedences that are not in the table. What waits for its end is 0: nothing reduces across it.
_OPEN = const(0)
_CHOICE = const(1)
_UNARY = const(10)

_SPACE = const(" \t\r\n")
_NUMBER = const("0123456789.")
_NAME = const("0123456789._abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def parse(text):
    """Read a formula and return its Expression; FormulaError tells what is wrong and where."""
    if not isinstance(text, str):
        raise FormulaError("not_text", 1)
    if len(text) > _MAX_LENGTH:
        raise FormulaError("too_long", _MAX_LENGTH + 1, _MAX_LENGTH)
    operands = []  # of (node, constant, levels), with node None for a constant
    waiting = []  # of (precedence, column, token, operands before it)
    value_next = True
    token = ""
    end = 0
    while True:
        start = end
        while start < len(text) and text[start] in _SPACE:
            start += 1
        if start == len(text):
            break
        if len(waiting) > _MAX_WAITING:
            raise FormulaError("too_deep", start + 1, _MAX_LEVELS)
        before = token
        end = _token_end(text, start)
        token = text[start:end]
        if value_next:
            value_next = _take_value(token, start + 1, operands, waiting)
        else:
            value_next = _take_operator(token, before, start + 1, operands, waiting)
    if value_next:
        raise FormulaError("no_value_here", start + 1)
    _reduce(_CHOICE, operands, waiting)
    if waiting:
        raise FormulaError("no_colon" if waiting[-1][2] == "?" else "not_closed", waiting[-1][1])
    return nodes.Expression(_node(operands[0]))


def _token_end(text, start):
    end = start + 1
    if text[start] in _NAME:
        number = text[start] in _NUMBER
        while end < len(text) and (
            text[end] in _NAME or number and text[end] in "+-" and text[end - 1] in "eE"
        ):
            end += 1
    elif end < len(text) and text[start : end + 1] in BINARY:
        end += 1
    elif text[start] not in "+-*/%^&|<>!?:(),":
        raise FormulaError("bad_character", start + 1, text[start])
    return end


def _take_value(token, column, operands, waiting):
    """Take a token where a value must begin. Returns whether a value must follow."""
    if token[0] in _NUMBER:
        operands.append((None, _number(token, column), 0))
        return False
    if token[0] in _NAME:
        name = token.lower()
        if name[-1] == "." or ".." in name:
            raise FormulaError("bad_name", column, token)
        dot = name.find(".")
        node = (nodes.read, name[: max(dot, 0)], name[dot + 1 :], column)
        operands.append((node, None, 0))
        return False
    if token == "(":
        waiting.append((_OPEN, column, token, 0))
    elif token in "-!":
        waiting.append((_UNARY, column, "--" if token == "-" else token, 0))
    else:
        raise FormulaError("no_value_here", column)
    return True


def _number(token, column):
    try:
        if token.isdigit():
            return nodes.fit(int(token), column)
        if not token.strip(_NUMBER + "eE+-") and token != ".":
            return nodes.fit(float(token), column)
    except ValueError:
        pass
    raise FormulaError("bad_number", column, token)


def _take_operator(token, before, column, operands, waiting):
    """Take a token where a value has ended. Returns whether a value must follow."""
    precedence = _PRECEDENCES[BINARY.index(token)] if token in BINARY else 0
    if precedence:
        # Of equal ones the left goes first. The power starts from the right; && and || may.
        from_right = token in ("^", "&&", "||")
        _reduce(precedence + 1 if from_right else precedence, operands, waiting)
        waiting.append((precedence, column, token, 0))
    elif token == "?":
        _reduce(_CHOICE + 1, operands, waiting)
        waiting.append((_OPEN, column, token, 0))
    elif token in ":,)":
        _reduce(_CHOICE, operands, waiting)
        return _end_part(token, column, operands, waiting)
    elif token == "(" and before[0] in _NAME and before[0] not in _NUMBER:
        # What looked like a name is a function.
        name = before.lower()
        column = operands.pop()[0][3]
        if name not in _ONE_OPERAND and name not in ("min", "max", "clamp", "exists", "param"):
            raise FormulaError("no_function", column, before)
        waiting.append((_OPEN, column, name, len(operands)))
    else:
        raise FormulaError("no_operator", column)
    return True


def _end_part(token, column, operands, waiting):
    _, opened, opener, count = waiting[-1] if waiting else (0, 0, "", 0)
    if token == ":":
        if opener != "?":
            raise FormulaError("no_question", column)
        waiting[-1] = (_CHOICE, opened, token, 0)
        return True
    if opener == "?":
        raise FormulaError("no_colon", opened)
    if token == ",":
        if len(opener) < 2:
            raise FormulaError("bad_comma", column)
        return True
    if not opener:
        raise FormulaError("not_opened", column)
    waiting.pop()
    if opener != "(":
        _call(opener, opened, len(operands) - count, operands)
    return False


def _call(name, column, count, operands):
    wanted = count if name in BINARY else 3 if name == "clamp" else 1
    if count != wanted:
        raise FormulaError("bad_count", column, name, wanted, count)
    if name == "exists":
        node = operands.pop()[0]
        if not node or node[0] is not nodes.read:
            raise FormulaError("bad_exists", column)
        operands.append(((nodes.exists,) + node[1:], None, 0))
    elif name == "param":  # param(7) is the name param.7
        number = operands.pop()[1]
        if not isinstance(number, int):
            raise FormulaError("bad_param", column)
        operands.append(((nodes.read, name, str(number), column), None, 0))
    elif name == "clamp":
        highest = operands.pop()
        _build("max", column, operands)
        operands.append(highest)
        _build("min", column, operands)
    elif name in _ONE_OPERAND:
        _build(name, column, operands)
    else:
        for _ in range(count - 1):
            _build(name, column, operands)


def _reduce(precedence, operands, waiting):
    """Build the nodes of all operators that bind at least so strongly."""
    while waiting and waiting[-1][0] >= precedence:
        _, column, token, _ = waiting.pop()
        _build(token, column, operands)


def _build(token, column, operands):
    """Replace the operands of an operator by its node."""
    last = operands.pop()
    b, y, levels = last
    if token in _ONE_OPERAND:
        if token == "--" and not b:
            operands.append((None, -y, 0))
            return
        function = nodes.logical_not if token == "!" else nodes.change
        node = (function, _node(last), column << 5 | _ONE_OPERAND.index(token))
    else:
        a, x, more_levels = operands.pop()
        if token == ":":
            test = operands.pop()
            more_levels = max(more_levels, test[2])
            node = (nodes.choose, _node(test), a, b, x, y)
        else:
            number = BINARY.index(token)
            node = (_function(number), a, b, column << 5 | number, x, y)
        if b and b[0] is node[0] and token in (":", "&&", "||"):  # a chain, see nodes.py
            levels -= 1
        levels = max(levels, more_levels)
    if levels >= _MAX_LEVELS:
        raise FormulaError("too_deep", column, _MAX_LEVELS)
    operands.append((node, None, levels + 1))


def _node(operand):
    return operand[0] or (nodes.constant, operand[1])


def _function(number):
    """The function of nodes.py for an entry of BINARY."""
    if number < 6:
        return nodes.compare
    if number < 14:
        return nodes.calculate
    return (nodes.add, nodes.multiply, nodes.logical_and, nodes.logical_or)[number - 14]


def names(root):
    """The (object, field) pairs below a node, see Expression.names."""
    found = []
    todo = [root]
    while todo:
        node = todo.pop()
        if node[0] is nodes.read or node[0] is nodes.exists:
            if node[1:3] not in found:
                found.append(node[1:3])
        else:
            for item in reversed(node):
                if isinstance(item, tuple):
                    todo.append(item)
    return tuple(found)
