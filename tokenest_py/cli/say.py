"""What a command says to people: one line on standard error, apart from its result."""

from __future__ import annotations

import contextlib
import sys

from tokenest_py.pipeline.printable import printable

__all__ = ["say"]


def say(line: str) -> None:
    """Print a line on standard error, without control characters."""
    with contextlib.suppress(OSError):  # nobody listens, which is no reason to stop
        print(printable(line), file=sys.stderr)
