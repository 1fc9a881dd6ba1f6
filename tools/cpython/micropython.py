"""Stands in for MicroPython's built-in module `micropython` on CPython."""


def const(value):
    """On MicroPython the compiler folds it; here it is the value."""
    return value


def native(function):
    return function


viper = native


def schedule(function, argument):
    function(argument)
