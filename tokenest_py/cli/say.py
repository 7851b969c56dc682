"""What a command says to people: one line on standard error, apart from its result."""

from __future__ import annotations

import sys

from tokenest_py.pipeline.printable import printable

__all__ = ["say"]


def say(line: str) -> None:
    """Print a line on standard error, without control characters."""
    print(printable(line), file=sys.stderr)
