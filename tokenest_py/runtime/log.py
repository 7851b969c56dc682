"""The one log of the runtime, `tokenest`."""

from __future__ import annotations

import contextlib


def warn(message: str) -> None:
    """Say in the host's log what cannot be raised, whatever the host's handlers do."""
    with contextlib.suppress(Exception):  # a handler of the host's, or a half-gone interpreter
        import logging

        logging.getLogger("tokenest").warning("%s", message)
