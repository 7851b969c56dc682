"""`tokenest identity`: which database this is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tokenest_py.cli import output
from tokenest_py.cli.database import AllowEmptyOption, LockTimeoutOption, open_database, rows
from tokenest_py.cli.output import Format, FormatOption, OutputOption
from tokenest_py.config import database_path

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

__all__ = ["identity"]


def identity(
    *,
    form: FormatOption = Format.TABLE,
    output_file: OutputOption = None,
    allow_empty_db: AllowEmptyOption = False,
    lock_timeout: LockTimeoutOption = 30.0,
) -> None:
    """Show which database is in use: path, size, age, rows by table, last landing."""
    path = database_path()
    with open_database(path, lock_timeout=lock_timeout, allow_empty=allow_empty_db) as connection:
        facts = _facts(path, connection)
    output.write(output.render(facts, form, columns=["what", "value"]), output_file)


def _facts(path: Path, connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    real = path.resolve()
    status = real.stat()
    landing = rows(
        connection,
        "select count(distinct source_file) as files, count(event_key) as records,"
        " max(modified_at) as newest_file, max(occurred_at) as newest_event"
        " from staging.base_telemetry__lines",
    )[0]
    facts: list[tuple[str, Any]] = [
        ("database", real),
        ("size in bytes", status.st_size),
        ("modified", datetime.fromtimestamp(status.st_mtime, tz=UTC).replace(tzinfo=None)),
        ("files landed", landing["files"]),
        ("newest file landed", landing["newest_file"]),
        ("newest event", landing["newest_event"]),
    ]
    facts += [(f"rows in {table['name']}", table["n"]) for table in _tables(connection)]
    return [{"what": what, "value": value} for what, value in facts]


def _tables(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = rows(
        connection,
        "select table_schema, table_name from information_schema.tables"
        " where table_schema in ('staging', 'marts', 'exports') order by all",
    )
    counted = []
    for row in names:
        schema, table = (row[key].replace('"', '""') for key in ("table_schema", "table_name"))
        count = rows(connection, f'select count(*) as n from "{schema}"."{table}"')[0]["n"]
        counted.append({"name": f"{schema}.{table}", "n": count})
    return counted
