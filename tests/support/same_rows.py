"""Whether two engines built the same rows.

Values are equal, or they are doubles that differ by at most 1e-9 of their size.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    import duckdb

__all__ = ["Comparison", "compared"]

TOLERANCE = 1e-9
Row = tuple[object, ...]


class Comparison(NamedTuple):
    """How two tables differ, in words, and by how much where they do not."""

    rows: int
    columns: int
    doubles: int
    largest: float
    found: list[str]


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
    names: list[str], floats: set[str], ours: list[Row], theirs: list[Row], other: str
) -> tuple[list[str], float]:
    """What differs, in words, and the largest difference between doubles that count as equal."""
    fixed = [number for number, name in enumerate(names) if name not in floats]
    found: list[str] = []
    largest = 0.0

    def identity(row: Row) -> Row:
        return tuple(row[number] for number in fixed)

    left, right = Counter(map(identity, ours)), Counter(map(identity, theirs))
    only_left, only_right = left - right, right - left
    for side, rows in (("DuckDB", only_left), (other, only_right)):
        for row, count in rows.items():
            shown = {names[n]: v for n, v in zip(fixed, row, strict=True) if v is not None}
            found.append(f"only on {side} ({count}): {shown}")
    if found:
        changed = Counter(
            names[number]
            for one, two in zip(only_left.elements(), only_right.elements(), strict=False)
            for number, a, b in zip(fixed, one, two, strict=True)
            if a != b
        )
        return [*found, f"columns that differ, pairing in order: {dict(changed)}"], largest
    for one, two in zip(ours, theirs, strict=True):
        for name, a, b in zip(names, one, two, strict=True):
            if name in floats:
                equal, difference = _is_close(a, b)
                largest = max(largest, difference if equal else 0.0)
                if not equal:
                    found.append(f"{name}: {a!r} on DuckDB, {b!r} on {other} in {identity(one)}")
    return found, largest


def compared(
    connection: duckdb.DuckDBPyConnection,
    ours: str,
    theirs: str,
    other: str,
    left_out: Collection[str] = (),
) -> Comparison:
    """Compare two relations that DuckDB can read; `other` is the engine that made the second."""
    columns, others = _columns(connection, ours), _columns(connection, theirs)
    for words in (columns, others):
        for name in ("looks_like", *left_out):  # the first is for people: what stands for a file
            words.pop(name, None)
    floats = {name for name in columns if "DOUBLE" in (columns[name], others.get(name))}
    if list(columns) != list(others):
        return Comparison(0, len(columns), len(floats), 0.0, [f"{list(columns)}, {list(others)}"])
    left = _rows(connection, ours, columns, floats)
    right = _rows(connection, theirs, others, floats)
    found, largest = _differences(list(columns), floats, left, right, other)
    return Comparison(len(left), len(columns), len(floats), largest, found)
