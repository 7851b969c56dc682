"""One process's own telemetry file: whole lines, appended with one write each.

Two processes never share a file: a killed writer can leave half a line behind, and only in a
file of its own is that half line the last one. A live file is never renamed or truncated.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from typing import TYPE_CHECKING

from tokenest_py.errors import DroppedEventError

if TYPE_CHECKING:
    from pathlib import Path

_FLAGS = (
    os.O_WRONLY
    | os.O_APPEND
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)  # Windows has none
)


class EventFile:
    """Appends lines to a file that it creates, and to a new one when that is full, old or gone.

    Not safe for use by two threads at once, nor by two processes: the recorder sees to both.
    """

    def __init__(
        self,
        directory: Path,
        *,
        fsync: bool,
        max_bytes: int,
        max_age_seconds: float,
        prefix: str = "events",
    ) -> None:
        """Keep the options; the first line makes the file, whose name begins with the prefix."""
        self.path: Path | None = None
        self._prefix = prefix
        self._directory = directory
        self._fsync = fsync
        self._max_bytes = max_bytes
        self._max_age_seconds = max_age_seconds
        self._token = os.urandom(6).hex()
        self._number = 0
        self._fd = -1
        self._identity = (-1, -1)
        self._opened_at = 0.0
        self._has_lines = False
        self._is_torn = False

    def append(self, line: bytes) -> None:
        """Write `line`, which ends in a newline. Once this returns, the kernel has all of it.

        Raises:
            OSError: Nothing of the line was written, or with `fsync` it may not have lasted.
            DroppedEventError: A part was written, and the next line will not be glued to it; or
                the host took the descriptor away meanwhile, and nobody knows where the line is.
        """
        fd = self._ready()
        if self._is_torn:
            line = b"\n" + line
        self._is_torn = True  # until the rest has proved otherwise, even by an interrupt
        try:
            written = os.write(fd, line)
        except OSError as error:
            if error.errno == errno.EFBIG and self._has_lines:
                self.close()  # this file can never grow again
            raise
        if written != len(line):
            raise DroppedEventError("short_write")
        if self._fsync:
            self._sync(fd)
        if self._stat(fd) is None:  # it was ours before the write
            self._fd = -1
            raise DroppedEventError("descriptor_lost")
        self._is_torn = False
        self._has_lines = True

    def close(self) -> None:
        """End the file, if the descriptor is still this file's. The next line opens another."""
        if self._is_torn and self._fd >= 0 and self._stat(self._fd) is not None:
            with contextlib.suppress(OSError):
                os.write(self._fd, b"\n")
        self.abandon()

    def abandon(self) -> None:
        """Close the descriptor without touching the file: after a fork it is the parent's."""
        fd, self._fd = self._fd, -1
        if fd >= 0 and self._stat(fd) is not None:
            os.close(fd)

    def _ready(self) -> int:
        """Return the descriptor of a file of ours that may take a line."""
        if self._fd >= 0:
            state = self._stat(self._fd)
            if state is None:
                self._fd = -1  # the host closed it, and the number may be the host's by now
            elif (
                state.st_nlink == 0
                or state.st_size >= self._max_bytes
                or time.monotonic() - self._opened_at >= self._max_age_seconds
            ):
                self.close()
        return self._fd if self._fd >= 0 else self._open()

    def _stat(self, fd: int) -> os.stat_result | None:
        """Return the state of the open file, or None where the number is not our file's."""
        try:
            state = os.fstat(fd)
        except OSError:
            return None
        return state if (state.st_dev, state.st_ino) == self._identity else None

    def _open(self) -> int:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except ValueError as error:  # a NUL in it
            raise DroppedEventError("invalid_folder") from error
        started = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self._number += 1
        name = f"{self._prefix}-{started}-{os.getpid()}-{self._token}-{self._number:04d}.ndjson"
        path = self._directory / name
        fd = os.open(path, _FLAGS, 0o600)
        state = path.stat()  # by its name: the number may be the host's already
        self._fd, self._identity, self.path = fd, (state.st_dev, state.st_ino), path
        self._opened_at = time.monotonic()
        self._has_lines = self._is_torn = False
        return fd

    def _sync(self, fd: int) -> None:
        """Make the line last through a power cut and, for the first one, the file's name."""
        os.fsync(fd)
        if not self._has_lines:
            directory = os.open(self._directory, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def __del__(self) -> None:
        """Close the file, without a word."""
        with contextlib.suppress(Exception):  # the interpreter may be half gone
            self.close()
