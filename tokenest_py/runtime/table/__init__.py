"""The table of coefficients: its file, its kinds of rows, and its look-ups."""

from __future__ import annotations

from tokenest_py.runtime.table.table import PACKAGED, Coefficients, load, parse

__all__ = ["PACKAGED", "Coefficients", "load", "parse"]
