"""Who may read and write a file that takes the place of another: those who might before."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["keep_access"]


def keep_access(new: Path, old: Path) -> None:
    """Give a file the mode, group and owner of the one that it will replace, as far as one may.

    Where there is no old one it stays as it was made: its owner's alone.
    """
    with suppress(OSError):
        found = old.stat()
        new.chmod(stat.S_IMODE(found.st_mode))  # of its own: open() takes the umask off
        if hasattr(os, "chown"):  # Windows has none
            os.chown(new, -1, found.st_gid)
            os.chown(new, found.st_uid, -1)
