"""A copy of the database that is whole, and the way back from it."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from itertools import count as count_from
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tokenest_py.errors import DatabaseBusyError, DatabaseError, UsageError
from tokenest_py.pipeline.access import keep_access
from tokenest_py.pipeline.database import check_file, count, open_database, read_in_full, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Copy", "back_up", "restore"]


class Copy(NamedTuple):
    """What was copied: where it is now, its size in bytes, its rows of all tables and its calls."""

    path: Path
    size: int
    rows: int
    events: int


def back_up(database: Path, target: Path, *, lock_timeout: float) -> Copy:
    """Copy the database to a new file while others may read it; no build runs meanwhile.

    Every value of the copy is read before it gets its name. Raises UsageError where the target
    exists, DatabaseError for a missing, foreign or damaged database or a place that cannot be
    written, and DatabaseBusyError while a build holds the database.
    """
    if target.exists():
        raise UsageError("target", str(target), "the name of a file that does not exist yet")
    with open_database(database, lock_timeout=lock_timeout, allow_empty=True):
        return _copied(database, target)


def restore(backup: Path, database: Path, *, lock_timeout: float) -> Copy:
    """Put a backup in the place of the database, which stays beside it as `*.replaced`.

    What an earlier restore left there stays too: this one is `*.replaced-2`, and so on. The backup
    is copied and every value of it read before anything is replaced. A database that is damaged is
    replaced like any other. Raises as back_up.
    """
    check_file(backup, "give a file that `tokenest backup` wrote")
    if database.exists() and not database.is_file():
        raise DatabaseError(f"{database} is no file; set TOKENEST_DB")
    with open_database(backup, lock_timeout=lock_timeout, allow_empty=True):
        fresh = _copied(backup, database.with_name(database.name + ".restored"))
    try:
        with _held(database, lock_timeout):
            keep_access(fresh.path, database)
            _keep(database)
            fresh.path.replace(database)
    except BaseException:
        fresh.path.unlink(missing_ok=True)
        raise
    return fresh._replace(path=database)


@contextmanager
def _held(database: Path, lock_timeout: float) -> Iterator[None]:
    """Be its one writer: nobody reads or builds, and what was written is in the file."""
    import duckdb

    with ExitStack() as stack:
        try:
            if database.exists():
                present = wait_for(database, lock_timeout, read_only=False)
                stack.enter_context(present).execute("checkpoint")
        except DatabaseBusyError:
            raise
        except (DatabaseError, duckdb.Error):
            pass  # it is damaged, and nobody can open it
        yield


def _keep(database: Path) -> None:
    """Move what was there out of the way, with the log that nobody could take up."""
    names = chain([".replaced"], (f".replaced-{number}" for number in count_from(2)))
    places = (f"{database}{name}" for name in names)
    kept = next(p for p in places if not Path(p).exists() and not Path(f"{p}.wal").exists())
    for ending in ("", ".wal"):
        with suppress(FileNotFoundError):
            Path(f"{database}{ending}").replace(f"{kept}{ending}")


def _copied(source: Path, target: Path) -> Copy:
    part = target.with_name(target.name + ".part")
    try:
        _copy_bytes(source, part)
        wal = Path(f"{source}.wal")
        if wal.exists():
            # a build that was killed: DuckDB takes up what it had committed
            _copy_bytes(wal, Path(f"{part}.wal"))
            wait_for(part, 0, read_only=False).close()
        with open_database(part, lock_timeout=0, allow_empty=True) as copy:
            rows = read_in_full(part, copy)
            events = count(copy, "select count(*) from events.int_events")
        part.replace(target)
    except OSError as error:
        fix = f"{target.parent} has to be a folder that this user may write, with room for the copy"
        message = f"{source} cannot be copied to {target}: {error.strerror}; {fix}"
        raise DatabaseError(message) from error
    finally:
        for left in (part, Path(f"{part}.wal")):
            with suppress(OSError):
                left.unlink(missing_ok=True)
    return Copy(target, target.stat().st_size, rows, events)


def _copy_bytes(source: Path, target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with source.open("rb") as read, os.fdopen(descriptor, "wb") as write:
        shutil.copyfileobj(read, write, 1 << 20)
        write.flush()
        os.fsync(write.fileno())
