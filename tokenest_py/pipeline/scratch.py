"""A folder for what is needed for a moment."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tokenest_py.errors import TokenestError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["scratch_folder"]


@contextmanager
def scratch_folder(prefix: str = "tokenest-") -> Iterator[Path]:
    """Yield a folder that is gone afterwards.

    Raises:
        TokenestError: There is no place for one, as in a container whose root is read-only.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as error:
        reason = f"no temporary folder can be made: {error.strerror}; set TMPDIR to a writable one"
        raise TokenestError(reason) from error
    with folder as name:
        yield Path(name)
