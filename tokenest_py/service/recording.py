"""The service's own telemetry files, written as the recorder writes: acknowledged is written.

Events and OTLP go to files of their own, because a file belongs to one source. All the lines of a
request are one write; they are acknowledged together, or none is.
"""

from __future__ import annotations

import errno
import threading
from typing import TYPE_CHECKING

from tokenest_py.errors import DroppedEventError
from tokenest_py.pipeline.collection.events import is_writable
from tokenest_py.runtime.recorder.file import EventFile
from tokenest_py.runtime.recorder.record import PATH_MODES, path_privacy
from tokenest_py.runtime.recorder.recorder import MAX_FILE_BYTES, MAX_FILE_SECONDS, is_on
from tokenest_py.service.requests import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from tokenest_py.pipeline.settings import Settings

__all__ = ["EVENTS", "OTLP", "Recording"]

EVENTS, OTLP = "events", "otlp"


class Recording:
    """Where the service writes; safe to use from many threads."""

    def __init__(self, settings: Settings) -> None:
        """Take the folder and the recorder's settings; the first line makes a file."""
        self.folder: Path = settings.telemetry_folder.absolute()
        values = settings.values
        mode = values["TOKENEST_TELEMETRY_PATHS"]
        key = values["TOKENEST_TELEMETRY_PATH_KEY"]
        self.path_privacy = path_privacy(mode if mode in PATH_MODES else "none", key)
        self._files = {
            prefix: EventFile(
                self.folder,
                fsync=is_on(values["TOKENEST_TELEMETRY_FSYNC"]),
                max_bytes=MAX_FILE_BYTES,
                max_age_seconds=MAX_FILE_SECONDS,
                prefix=prefix,
            )
            for prefix in (EVENTS, OTLP)
        }
        self._lock = threading.Lock()
        self.written = 0

    def append(self, prefix: str, lines: bytes, count: int) -> None:
        """Write whole lines that hold so many records. Once this returns, they survive a kill.

        Raises:
            RefusedError: They are not written, or nobody knows.
        """
        if not lines:
            return
        try:
            with self._lock:
                self._files[prefix].append(lines)
                self.written += count
        except (OSError, DroppedEventError) as error:
            raise RefusedError(503, f"{self.folder} takes nothing: {_reason(error)}") from error

    def fault(self) -> str:
        """Return why nothing can be recorded; empty where it can."""
        return "" if is_writable(self.folder) else f"{self.folder} cannot be written to"

    def close(self) -> None:
        """End the files."""
        with self._lock:
            for file in self._files.values():
                file.close()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, "OSError")
    return str(error)
