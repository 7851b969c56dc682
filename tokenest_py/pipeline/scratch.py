"""A folder for what is needed for a moment."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tokenest_py.errors import TokenestError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MORE_ROOM", "names_scratch", "scratch_folder"]

MORE_ROOM = "set TMPDIR to a folder with more room"
_PREFIX = "tokenest-"


@contextmanager
def scratch_folder(kind: str = "") -> Iterator[Path]:
    """Yield a folder that is gone afterwards.

    Raises:
        TokenestError: There is no place for one, as in a container whose root is read-only.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{kind}")
    except OSError as error:
        reason = f"no temporary folder can be made: {error.strerror}; set TMPDIR to a writable one"
        raise TokenestError(reason) from error
    with folder as name:
        yield Path(name)


def names_scratch(message: str) -> bool:
    """Whether a message of DuckDB is about a file in such a folder."""
    return f'"{Path(tempfile.gettempdir(), _PREFIX)}' in message
