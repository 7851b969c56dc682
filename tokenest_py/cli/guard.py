"""Saying, before anything starts, which database and which telemetry folder are worked on."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from tokenest_py.cli.say import say
from tokenest_py.errors import CollectionError, DatabaseBusyError
from tokenest_py.pipeline.collection.events import file_sizes, is_writable
from tokenest_py.pipeline.database import open_database
from tokenest_py.pipeline.report.words import count

if TYPE_CHECKING:
    from tokenest_py.pipeline.settings import Settings

__all__ = [
    "show_database",
    "show_folder",
]


def show_database(
    path: Path, *, allow_empty: bool, lock_timeout: float, may_be_busy: bool = False
) -> int | None:
    """Say which database is in use and return its events; None when there is none yet.

    Raises:
        DatabaseError: It is foreign or damaged.
        NoDataError: It is empty, and that is not allowed.
        DatabaseBusyError: Another process holds it, and may not.
    """
    if not path.exists():
        say(f"database: none yet at {path}")
        return None
    try:
        with open_database(path, lock_timeout=lock_timeout, allow_empty=allow_empty) as connection:
            found = connection.execute("select count(*) from events.int_events")
            events = int((found.fetchone() or (0,))[0])
    except DatabaseBusyError:
        if not may_be_busy:
            raise
        say(f"database: {path} (busy: another process works on it)")
        return None
    say(f"database: {path} ({count(events, 'event')})")
    return events


def show_folder(settings: Settings, *, to_write: bool) -> bool:
    """Say which telemetry folder is in use, and say and return whether a build would read it.

    Raises:
        CollectionError: It cannot be written to, so every event would be lost.
    """
    folder, globs = settings.telemetry_folder, settings.telemetry
    if to_write and not is_writable(folder):
        raise CollectionError(folder, "cannot be written to; set TOKENEST_TELEMETRY_DIR")
    files = count(len(file_sizes(folder)), "file")
    say(f"telemetry folder: {folder.absolute()} ({files})")
    is_read = any(_covers(glob, folder) for glob in globs)
    if not is_read:
        say(f"note: a build reads {', '.join(globs)}, not this folder; set TOKENEST_TELEMETRY")
    return is_read


def _covers(glob: str, folder: Path) -> bool:
    """Return whether a file of the folder would match. As near as fnmatch comes to it."""
    file = folder.absolute() / "events.ndjson"
    pattern = glob.replace("**/", "*")
    return any(fnmatch.fnmatch(name, pattern) for name in (str(file), str(_relative(file))))


def _relative(file: Path) -> Path:
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
