"""Whole days of charging with the sun, second by second."""
