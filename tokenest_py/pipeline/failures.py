"""What a step of a build that failed says, in one line with the fix."""

from __future__ import annotations

import re

from tokenest_py.errors import BuildError, FileGoneError
from tokenest_py.pipeline.scratch import MORE_ROOM, names_scratch

__all__ = ["failure", "file_gone", "refused"]

_GONE = (
    r'IO Error: (?:Cannot open file "(.+)": No such file or directory'
    r'|No files found that match the pattern "(.+)")'
)
_WRITE = "this user has to write the file and its folder"


def failure(name: str, message: str) -> BuildError:
    """Return the error for a step and the first line of what went wrong."""
    if name != "export" and (gone := re.match(_GONE, message)):
        return file_gone(gone[1] or gone[2])
    return BuildError(_explained(name, message))


def refused(message: str) -> str:
    """Return a line where the system lets this user not write; empty where it is something else."""
    found = re.search(
        r'Cannot open file "(.+?)": (Permission denied|Read-only file system)', message
    )
    return f"{found[1]} cannot be opened: {found[2]}; {_WRITE}" if found else ""


def file_gone(path: str) -> FileGoneError:
    """Return the error for a file that was listed, and is not there."""
    return FileGoneError(f"telemetry file {path} went away while it was read; build again")


def _explained(name: str, message: str) -> str:
    if outside := re.match(r'Permission Error: Cannot access file "(.+)"', message):
        return (
            f"telemetry file {outside[1]} is a link that leads out of the folders of"
            " TOKENEST_TELEMETRY; name its target's folder there, or put the file in its place"
        )
    if re.search("No space left on device|File too large", message):
        fix = "make room, then build again: what had landed is kept"
        return f"{name}: {message}; {MORE_ROOM if names_scratch(message) else fix}"
    if line := refused(message):
        return line
    if message.startswith("Out of Memory Error"):
        return f"{name}: {message}; raise TOKENEST_MEMORY_LIMIT: what had landed is kept"
    return message if message.startswith("telemetry file") else f"{name}: {message}"
