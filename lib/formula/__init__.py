"""The formula language: text -> checked expression -> value. docs/formulas.md describes it.

parse(text) reads a formula once; the Expression that it returns is evaluated as often as wanted.
Nothing here ever runs text as Python code, and every size is bounded (see parser.py).
"""

from .nodes import FormulaError as FormulaError
from .parser import parse as parse
