"""Opening the database: the right one, read-only, and never by accident a new one."""

from __future__ import annotations

import random
import re
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenest_py.errors import DatabaseBusyError, DatabaseError, NoDataError
from tokenest_py.pipeline import magic
from tokenest_py.pipeline.failures import refused
from tokenest_py.pipeline.schema import is_of_version_1, refuse_newer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

__all__ = [
    "busy",
    "check_file",
    "checked",
    "count",
    "open_database",
    "read",
    "read_in_full",
    "read_view",
    "rows",
    "table_names",
    "view_query",
    "wait_for",
]


def check_file(path: Path, fix: str = "run `tokenest build` first, or set TOKENEST_DB") -> None:
    """Raise DatabaseError, in one line that ends with the fix, unless path is a DuckDB file."""
    if path.exists() and not path.is_file():  # to open a FIFO would wait for its writer
        kind = "a folder" if path.is_dir() else "no file"
        raise DatabaseError(f"{path} is {kind}, not a database; {fix}")
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except FileNotFoundError:
        raise DatabaseError(f"there is no database at {path}; {fix}") from None
    except OSError as error:
        raise DatabaseError(f"{path} cannot be read: {error.strerror}") from error
    if head[8:12] != magic.DUCKDB:
        kind = "an SQLite file" if head.startswith(magic.SQLITE) else "not a DuckDB database"
        kind = "an empty file" if not head else kind
        raise DatabaseError(f"{path} is {kind}; {fix}")


@contextmanager
def open_database(
    path: Path, *, lock_timeout: float = 30.0, allow_empty: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a read-only connection to a database that `tokenest build` made.

    Raises DatabaseError for a missing or foreign one, NoDataError for an empty one unless that is
    allowed, and DatabaseBusyError when another process holds it for longer than lock_timeout
    seconds.
    """
    check_file(path)
    connection = wait_for(path, lock_timeout, read_only=True)
    try:
        connection.execute("set enable_external_access = false")
        _check_ours(connection, path, allow_empty=allow_empty)
        yield connection
    finally:
        connection.close()


def view_query(view: str) -> str:
    """The SQL that reads a view of models/report/ in the order that it numbers."""
    return f"select * exclude (row_no)\nfrom report.{view}\norder by row_no"


def read(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    """Return the rows of a query of what the project builds.

    Raises DatabaseError when the database does not have it.
    """
    with checked():
        return rows(connection, query)


@contextmanager
def checked() -> Iterator[None]:
    """Raise DatabaseError where a query in here asks for what the last build did not make."""
    import duckdb

    try:
        yield
    except duckdb.CatalogException as error:
        raise DatabaseError(
            f"the database needs a newer build ({str(error).splitlines()[0]}); run `tokenest build`"
        ) from error


def read_view(connection: duckdb.DuckDBPyConnection, view: str) -> list[dict[str, Any]]:
    """Return the rows of a view of models/report/; raises DatabaseError without it."""
    return read(connection, view_query(view))


def rows(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: list[Any] | None = None
) -> list[dict[str, Any]]:
    """Return the rows of a query as dictionaries; values go in as bound parameters."""
    cursor = connection.execute(query, parameters or [])
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def read_in_full(path: Path, connection: duckdb.DuckDBPyConnection) -> int:
    """Read every value, so that DuckDB checks the sum of every block; return the rows.

    Raises DatabaseError, naming the table, when a block is not what was written.
    """
    import duckdb

    n = 0
    for schema, table, quoted in table_names(connection):
        try:
            n += count(connection, f"select count(hash(r)) from {quoted} as r")
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            message = (
                f"{path} is damaged, table {schema}.{table}: {reason}; rebuild it from the"
                f" telemetry files: move it away, then run `tokenest build` (docs/operations.md)"
            )
            raise DatabaseError(message) from error
    return n


def table_names(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str]]:
    """Schema, name and quoted name of every table."""
    found = connection.execute(
        "select table_schema, table_name from information_schema.tables"
        " where table_type = 'BASE TABLE' order by all"
    ).fetchall()
    return [
        (schema, table, ".".join(f'"{name.replace(chr(34), chr(34) * 2)}"' for name in names))
        for names in found
        for schema, table in [names]
    ]


def count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """Return the one whole number that a query gives; 0 where it gives none."""
    return int((connection.execute(query).fetchone() or (0,))[0])


def wait_for(path: Path, timeout: float, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Return a connection as soon as no other process holds the file, within timeout seconds."""
    import duckdb

    deadline = time.monotonic() + timeout
    pause = 0.05
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only)
        except duckdb.IOException as error:
            if "Could not set lock" not in str(error):
                raise DatabaseError(_one_line(path, error)) from error
            if time.monotonic() >= deadline:
                raise busy(path, str(error), timeout) from error
        except duckdb.Error as error:
            raise DatabaseError(_one_line(path, error)) from error
        time.sleep(min(pause * random.uniform(0.5, 1.5), max(0.0, deadline - time.monotonic())))
        pause = min(pause * 2, 2.0)


def busy(path: Path, message: str, timeout: float) -> DatabaseBusyError:
    """Return the error that names the holder, whom DuckDB's message gives."""
    holder = re.search(r"held in (.+?) \(PID (\d+)\)", message)
    who = f"process {holder[2]} ({Path(holder[1]).name})" if holder else "another process"
    return DatabaseBusyError(
        f"database {path} is held by {who}; waited {timeout:g} s (--lock-timeout)"
    )


def _check_ours(connection: duckdb.DuckDBPyConnection, path: Path, *, allow_empty: bool) -> None:
    import duckdb

    refuse_newer(path, connection)
    try:
        found = connection.execute("select count(*) from events.int_events").fetchone()
    except duckdb.CatalogException:
        if is_of_version_1(connection):
            message = (
                f"{path} was built by version 1; run `tokenest build`, which keeps what has landed"
            )
            raise DatabaseError(message) from None
        if not connection.execute("select 1 from information_schema.tables").fetchone():
            # what a first build leaves that was ended, or found no room
            message = f"{path} holds no table; run `tokenest build`, or set TOKENEST_DB"
            raise DatabaseError(message) from None
        raise DatabaseError(
            f"{path} was not made by `tokenest build`: it has no events.int_events; set TOKENEST_DB"
        ) from None
    if not allow_empty and found == (0,):
        raise NoDataError(
            f"{path} holds no events; build it on telemetry, or pass --allow-empty-db"
        )


def _one_line(path: Path, error: Exception) -> str:
    message = str(error).splitlines()[0]
    return refused(message) or f"{path} cannot be opened: {message}"
