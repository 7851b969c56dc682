"""Compares the tables of a DuckDB build with those of a Spark build, row by row.

Spark's tables are read from its warehouse, Parquet files, without Spark. Views hold no rows of
their own: what is built on them is compared.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb

from same_rows import compared

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

__all__ = ["LAYERS", "compare", "compare_exports"]

LAYERS = ("staging", "events", "intermediate", "marts", "origin", "exports")
# Sources land in no order, and each landing takes the next number; what is named by one.
LANDINGS = ("landing_no", "newest_landing_no", "content_key")
# What note_landed() notes of a file that was looked at again; Parquet cannot change a row.
NOTED = ("file_path", "file_bytes", "modified_at", "landed_bytes", "has_open_tail")
ONE_UNIT = 1.5e-6  # numbers are exported with six decimals


def compare(
    database: Path, warehouse: Path, layers: tuple[str, ...], absent: Collection[str]
) -> int:
    """Print the layers' table of parity and every difference; return how many tables differ.

    Tables in the folders of sources that are `absent` on Spark have to be empty.
    """
    differing = 0
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_type = 'BASE TABLE' and list_contains(?, table_schema)"
            " order by list_position(?, table_schema), 2",
            [list(layers), list(layers)],
        ).fetchall()
        print(f"{'table':<44}{'rows':>7}{'columns':>9}{'doubles':>9}  largest difference")
        for schema, table in tables:
            ours = f'"{schema}"."{table}"'
            folder = table.partition("__")[0].partition("_")[2]
            if f"path:models/staging/{folder}" in absent:
                differing += len(connection.execute(f"from {ours} limit 1").fetchall())
                continue
            files = warehouse / f"{schema}.db" / table
            theirs = f"read_parquet('{files}/*.parquet')"
            left_out = LANDINGS + (NOTED if table.endswith("__lines") else ())
            result = compared(connection, ours, theirs, "Spark", left_out)
            differing += bool(result.found)
            ends = f"{result.largest:.1e}" if result.doubles else "-"
            print(
                f"{schema + '.' + table:<44}{result.rows:>7}{result.columns:>9}{result.doubles:>9}"
                f"  {'DIFFERS' if result.found else ends}"
            )
            for difference in result.found:
                print(f"    {difference}")
    return differing


def compare_exports(ours: Path, theirs: Path) -> int:
    """Print how two exported files differ, and return in how many rows by more than rounding.

    A sum in another order may fall on the other side of a half in the last decimal, and with it the
    hash of the rows in the header.
    """
    pairs = list(
        zip(
            ours.read_text(encoding="utf-8").splitlines()[1:],
            theirs.read_text(encoding="utf-8").splitlines()[1:],
            strict=False,
        )
    )
    lengths = {len(path.read_bytes().splitlines()) for path in (ours, theirs)}
    other = [(one, two) for one, two in pairs if one != two and not _is_rounded(one, two)]
    rounded = sum(one != two for one, two in pairs) - len(other)
    print(f"coefficients.ndjson: {len(pairs)} rows, {rounded} rounded otherwise", flush=True)
    for one, two in other[:5]:
        print(f"DIFFERS: {one}\n         {two}", flush=True)
    if len(lengths) > 1:
        print(f"DIFFERS: {lengths} lines", flush=True)
    return len(other) + (len(lengths) > 1)


def _is_rounded(one: str, other: str) -> bool:
    """Whether two rows are the same but for one unit of the last decimal of numbers."""
    ours, theirs = json.loads(one), json.loads(other)
    return ours.keys() == theirs.keys() and all(
        value == theirs[name]
        or (
            isinstance(value, float)
            and isinstance(theirs[name], float)
            and abs(value - theirs[name]) < ONE_UNIT
        )
        for name, value in ours.items()
    )
