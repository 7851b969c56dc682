"""`tokenest identity`: which database this is, or which table of coefficients."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenest_py.cli import output
from tokenest_py.cli.options import AllowEmptyOption, FormatOption, LockTimeoutOption, OutputOption
from tokenest_py.cli.output import Format
from tokenest_py.pipeline.calibration.provenance import database_id
from tokenest_py.pipeline.database import open_database, read_in_full, read_view
from tokenest_py.pipeline.identity import tables
from tokenest_py.pipeline.settings import Settings
from tokenest_py.runtime.table.file import decode, read

if TYPE_CHECKING:
    import duckdb

__all__ = ["identity"]

TableArgument = Annotated[
    Path | None, typer.Argument(help="A table of coefficients: its identity instead.")
]


def identity(
    table: TableArgument = None,
    *,
    form: FormatOption = Format.TABLE,
    output_file: OutputOption = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every value of every table: finds a damaged block.")
    ] = False,
    allow_empty_db: AllowEmptyOption = False,
    lock_timeout: LockTimeoutOption = 30.0,
) -> None:
    """Show which database is in use, or what a table is.

    Its path, size and age, the rows of each table, and the last landing; of coefficients their id
    and the rows of each kind.
    """
    if table is not None:
        facts = _facts_of_file(table)
    else:
        path = Settings.read().database
        with open_database(path, lock_timeout=lock_timeout, allow_empty=allow_empty_db) as opened:
            facts = _facts(path, opened)
            if deep:
                facts.append({"what": "rows read in full", "value": read_in_full(path, opened)})
    output.write(output.render(facts, form, columns=["what", "value"]), output_file)


def _facts_of_file(path: Path) -> list[dict[str, Any]]:
    """What a table of coefficients is; raises CoefficientsError where the runtime would."""
    coefficients_id, levels, rows = decode(read(str(path)), str(path), check_hash=True)
    kinds = Counter(row["kind"] for row in rows)
    return _listed([
        *_of_file("coefficients", path),
        ("coefficients_id", coefficients_id),
        ("levels", ", ".join(levels)),
        *[(f"rows of {kind}", kinds[kind]) for kind in sorted(kinds)],
    ])  # fmt: skip


def _of_file(what: str, path: Path) -> list[tuple[str, Any]]:
    real = path.resolve()
    status = real.stat()
    modified = datetime.fromtimestamp(status.st_mtime, tz=UTC).replace(tzinfo=None)
    return [(what, real), ("size in bytes", status.st_size), ("modified", modified)]


def _listed(facts: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    return [{"what": what, "value": value} for what, value in facts]


def _facts(path: Path, connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    landing = read_view(connection, "cmd_identity_landing")[0]
    facts: list[tuple[str, Any]] = [
        *_of_file("database", path),
        ("database id", database_id(path)),
        ("files landed", landing["files"]),
        ("newest file landed", landing["newest_file"]),
        ("newest event", landing["newest_event"]),
    ]
    facts += [(f"rows in {table['name']}", table["n"]) for table in tables(connection)]
    return _listed(facts)
