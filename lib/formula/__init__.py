"""The formula language: text -> checked expression -> value. docs/formulas.md describes it.

parse(text) reads a formula once; the Expression that it returns is evaluated as often as wanted.
Nothing here ever runs text as Python code, and every size is bounded (see parser.py).
"""

from .nodes import FormulaError as FormulaError


def parse(text):
    """Returns the Expression that `text` means: .value(lookup), .names. Raises FormulaError.

    The parser is imported when it is needed, so that a small machine may drop it in between.
    """
    from .parser import parse as read

    return read(text)
