"""A folder for what is needed for a moment."""

from __future__ import annotations

import secrets
import shutil
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
        folder = Path(tempfile.gettempdir(), f"{_PREFIX}{kind}{secrets.token_hex(8)}")
    except OSError as error:
        raise _no_folder(error) from error
    # It has its name before it is made: mkdtemp leaves one behind that a signal interrupts.
    try:
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise _no_folder(error) from error
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _no_folder(error: OSError) -> TokenestError:
    reason = f"no temporary folder can be made: {error.strerror}; set TMPDIR to a writable one"
    return TokenestError(reason)


def names_scratch(message: str) -> bool:
    """Whether a message of DuckDB is about a file in such a folder."""
    return f'"{Path(tempfile.gettempdir(), _PREFIX)}' in message
