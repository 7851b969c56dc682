"""Which coefficients are in use: those of the file, the last good ones, or the packaged ones."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tokenest_py.errors import CoefficientsError
from tokenest_py.runtime.arguments import check_flag, check_number, path_in_environment, path_of
from tokenest_py.runtime.log import warn
from tokenest_py.runtime.table import PACKAGED, load

if TYPE_CHECKING:
    from tokenest_py.runtime.table import Coefficients

ENVIRONMENT = "TOKENEST_COEFFICIENTS"


class Status(NamedTuple):
    """Which coefficients are in use and why.

    Attributes:
        source: "file", "packaged defaults", or "last good file" when its newer version is faulty.
        path: The file that was asked for, or the packaged one.
        coefficients_id: The table in use.
        rows: How many rows it has.
        fault: What is wrong with the file, in one line; "" when it is in use.
        reloads: How often a newer table was taken since.
    """

    source: str
    path: str
    coefficients_id: str
    rows: int
    fault: str
    reloads: int


class Source:
    """One coefficients file, looked at again only when that was asked for."""

    def __init__(
        self, path: str | os.PathLike[str] | None, *, strict: bool, reload_after: float | None
    ) -> None:
        """Load the file; raises CoefficientsError only when strict."""
        said = "" if path is None else path_of("path", path)
        check_flag("strict", strict)
        if reload_after is not None:
            check_number("reload_after", reload_after, threading.TIMEOUT_MAX)
        self._path = PACKAGED
        if said := said or path_in_environment(ENVIRONMENT):
            self._path = said
            with contextlib.suppress(OSError):  # the working directory may be gone
                self._path = str(Path(said).absolute())  # the host may change it
        self._strict = strict
        self._reload_after = reload_after
        self._next_look = time.monotonic() + (reload_after or 0.0)
        self._seen = file_identity(self._path)
        self._fault = ""
        self._reloads = 0
        try:
            self.coefficients = load(self._path)
        except CoefficientsError as error:
            if strict:
                raise
            self._fault = str(error)
            self.coefficients = load()

    def __reduce__(self) -> tuple[object, ...]:
        """How it was made: another process reads the file itself."""
        path = None if self._path == PACKAGED else self._path
        again = functools.partial(Source, strict=self._strict, reload_after=self._reload_after)
        return again, (path,)

    def latest(self) -> Coefficients:
        """The coefficients to use now; reads the disk only when the time has come, never raises."""
        if self._reload_after is not None and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + self._reload_after
            self._look()
        return self.coefficients

    def status(self) -> Status:
        """Which coefficients are in use and why."""
        used = self.coefficients
        if used.path == PACKAGED:
            source = "packaged defaults"
        else:
            source = "last good file" if self._fault else "file"
        return Status(
            source, self._path, used.coefficients_id, used.row_count, self._fault, self._reloads
        )

    def _look(self) -> None:
        seen = file_identity(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            found = load(self._path)
        except CoefficientsError as error:
            self._fault = str(error)
            warn(f"{error}; the table that was in use stays")
        else:
            self._fault = ""
            self._reloads += found.coefficients_id != self.coefficients.coefficients_id
            self.coefficients = found


def file_identity(path: str) -> tuple[int, ...]:
    """What changes when a file does: device, inode, size and time; empty when there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError):
        return ()
    try:
        found = os.fstat(descriptor)
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
    finally:
        os.close(descriptor)
