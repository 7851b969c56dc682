"""What a step of a build that failed says, in one line with the fix."""

from __future__ import annotations

import re

__all__ = ["explained"]


def explained(name: str, message: str) -> str:
    """Return the line for a step and the first line of what went wrong."""
    if outside := re.match(r'Permission Error: Cannot access file "(.+)"', message):
        return (
            f"telemetry file {outside[1]} is a link that leads out of the folders of"
            " TOKENEST_TELEMETRY; name its target's folder there, or put the file in its place"
        )
    if re.search("No space left on device|File too large", message):
        return f"{name}: {message}; make room, then build again: what had landed is kept"
    return message if message.startswith("telemetry file") else f"{name}: {message}"
