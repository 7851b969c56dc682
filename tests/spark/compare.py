"""Compares the tables of a DuckDB build with those of a Spark build, row by row.

Spark's tables are read from its warehouse, Parquet files, without Spark. Values are equal, or they
are doubles that differ by at most 1e-9 of their size. Views hold no rows of their own: what is
built on them is compared.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["compare", "compare_exports"]

LAYERS = ("staging", "events", "intermediate", "marts", "origin", "exports")
TOLERANCE = 1e-9
ONE_UNIT = 1.5e-6  # numbers are exported with six decimals
# What note_landed() notes of a file that was looked at again; Parquet cannot change a row.
NOTED = ("file_path", "file_bytes", "modified_at", "landed_bytes", "has_open_tail")
Row = tuple[object, ...]


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    described = connection.execute(f"describe select * from {relation}").fetchall()
    return {name: kind for name, kind, *_ in described}


def _rows(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: dict[str, str], floats: set[str]
) -> list[Row]:
    """All rows, times in UTC, sorted by what has to be equal and then by the doubles."""
    values = []
    for name in columns:
        if name in floats:
            value = f'cast("{name}" as double)'
        elif columns[name].startswith("TIMESTAMP"):
            value = f'cast("{name}" as timestamp)'
        else:
            value = f'"{name}"'
        values.append(f'{value} as "{name}"')
    order = [f'"{name}" nulls last' for name in sorted(columns, key=lambda name: name in floats)]
    query = (
        f"select * from (select {', '.join(values)} from {relation}) order by {', '.join(order)}"
    )
    return [tuple(map(_comparable, row)) for row in connection.execute(query).fetchall()]


def _comparable(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _is_close(one: object, other: object) -> tuple[bool, float]:
    """Whether two doubles count as equal, and by what part of their size they differ."""
    if one is None or other is None:
        return one is other, 0.0
    if not isinstance(one, float) or not isinstance(other, float):
        return False, math.inf
    if one == other or (math.isnan(one) and math.isnan(other)):
        return True, 0.0
    difference = abs(one - other) / max(abs(one), abs(other))
    return difference <= TOLERANCE, difference


def _differences(
    names: list[str], floats: set[str], ours: list[Row], theirs: list[Row]
) -> tuple[list[str], float]:
    """What differs, in words, and the largest difference between doubles that count as equal."""
    fixed = [number for number, name in enumerate(names) if name not in floats]
    found: list[str] = []
    largest = 0.0

    def identity(row: Row) -> Row:
        return tuple(row[number] for number in fixed)

    left, right = Counter(map(identity, ours)), Counter(map(identity, theirs))
    only_left, only_right = left - right, right - left
    for side, rows in (("DuckDB", only_left), ("Spark", only_right)):
        for row, count in rows.items():
            shown = {names[n]: v for n, v in zip(fixed, row, strict=True) if v is not None}
            found.append(f"only on {side} ({count}): {shown}")
    if found:
        changed = Counter(
            names[number]
            for one, other in zip(only_left.elements(), only_right.elements(), strict=False)
            for number, a, b in zip(fixed, one, other, strict=True)
            if a != b
        )
        return [*found, f"columns that differ, pairing in order: {dict(changed)}"], largest
    for one, other in zip(ours, theirs, strict=True):
        for name, a, b in zip(names, one, other, strict=True):
            if name in floats:
                equal, difference = _is_close(a, b)
                largest = max(largest, difference if equal else 0.0)
                if not equal:
                    found.append(f"{name}: {a!r} on DuckDB, {b!r} on Spark in {identity(one)}")
    return found, largest


def compare(database: Path, warehouse: Path) -> int:
    """Print the table of parity and every difference; return how many tables differ."""
    differing = 0
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables"
            " where table_type = 'BASE TABLE' and list_contains(?, table_schema)"
            " order by list_position(?, table_schema), 2",
            [list(LAYERS), list(LAYERS)],
        ).fetchall()
        print(f"{'table':<44}{'rows':>7}{'columns':>9}{'doubles':>9}  largest difference")
        for schema, table in tables:
            ours = f'"{schema}"."{table}"'
            files = warehouse / f"{schema}.db" / table
            theirs = f"read_parquet('{files}/*.parquet')"
            columns, others = _columns(connection, ours), _columns(connection, theirs)
            for words in (columns, others):
                words.pop("looks_like", None)  # for people: which record stands for a file
                for name in NOTED if table.endswith("__lines") else ():
                    words.pop(name, None)
            floats = {name for name in columns if "DOUBLE" in (columns[name], others.get(name))}
            if list(columns) != list(others):
                found, largest, count = [f"columns: {list(columns)}, {list(others)}"], 0.0, 0
            else:
                left = _rows(connection, ours, columns, floats)
                right = _rows(connection, theirs, others, floats)
                count = len(left)
                found, largest = _differences(list(columns), floats, left, right)
            differing += bool(found)
            result = "DIFFERS" if found else (f"{largest:.1e}" if floats else "-")
            print(
                f"{schema + '.' + table:<44}{count:>7}{len(columns):>9}{len(floats):>9}  {result}"
            )
            for difference in found:
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
