"""The yardstick of calibration: row by row in Python over SQLite, as the origin did it.

    python benchmarks/row_by_row.py load BUILT ROWS
    python benchmarks/row_by_row.py calibrate ROWS
    python benchmarks/row_by_row.py compare ROWS BUILT

`calibrate` reads all events as rows and computes what marts.multipliers says of the
methods that compare call by call, for each estimator version, category and complexity. `compare`
fails when a figure of the mart is not the same.
"""

from __future__ import annotations

import math
import sqlite3
import statistics
import sys
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIELDS = (
    "event_id", "occurred_at", "run_id", "phase_id", "category", "complexity",
    "deliverable_count", "model", "estimator_version", "predicted_output_tokens",
    "replayed_output_tokens", "selected_budget", "actual_max_tokens", "actual_output_tokens",
    "stop_reason", "is_truncated", "is_success", "is_clean",
)  # fmt: skip
INTERVAL_Z = 1.96

Group: TypeAlias = tuple[str, str, str, str]
Figures: TypeAlias = tuple["float | None", ...]


def load(built: str, rows: str) -> None:
    """Copy the events of a built database into SQLite."""
    import duckdb

    with (
        duckdb.connect(built, read_only=True) as source,
        closing(sqlite3.connect(rows)) as sink,
        sink,
    ):
        sink.execute(f"create table events ({', '.join(FIELDS)})")
        cursor = source.execute(f"select {', '.join(FIELDS)} from marts.calls")
        sink.executemany(
            f"insert into events values ({', '.join('?' * len(FIELDS))})",
            (
                [str(v) if i == 1 else v for i, v in enumerate(row)]
                for row in iter(cursor.fetchone, None)
            ),
        )


def comparisons(row: sqlite3.Row) -> Iterator[tuple[str, str, int]]:
    """The methods that the event counts for: method, estimator version, estimate."""
    predicted, replayed = row["predicted_output_tokens"], row["replayed_output_tokens"]
    if row["is_success"] and row["is_truncated"] == 0:
        if predicted is not None:
            yield "t5_exact", row["estimator_version"], predicted
        if replayed is not None:
            yield "t5_damped", "replayed", replayed
    if row["is_clean"]:
        if predicted:
            yield "median", row["estimator_version"], predicted
        if replayed:
            yield "median", "replayed", replayed


def calibrate(rows: str) -> dict[Group, Figures]:
    """Return the figures of each method, version, category and complexity."""
    with closing(sqlite3.connect(rows)) as connection:
        connection.row_factory = sqlite3.Row
        events = connection.execute("select * from events").fetchall()
    groups = defaultdict(list)
    for row in events:
        for method, version, estimate in comparisons(row):
            group = method, version, row["category"] or "unknown", row["complexity"] or "unknown"
            groups[group].append(row["actual_output_tokens"] / estimate if estimate else 0.0)
    return {group: figures(group[0], sorted(ratios)) for group, ratios in groups.items()}


def figures(method: str, ratios: list[float]) -> Figures:
    """n, multiplier, ends of its interval, least, most and deviation of the sorted ratios."""
    n = len(ratios)
    half_width = INTERVAL_Z * math.sqrt(n) / 2
    low, high = math.floor(n / 2 - half_width + 0.5), math.floor(n / 2 + 1 + half_width + 0.5)
    multiplier = statistics.median(ratios) if method == "median" else ratios[n // 2]
    ends = [
        multiplier,
        ratios[low - 1] if low >= 1 else None,
        ratios[high - 1] if high <= n else None,
    ]
    if method == "t5_damped":
        ends = [None if end is None else min(1.5, max(0.5, math.sqrt(end))) for end in ends]
    mean = sum(ratios) / n
    deviation = math.sqrt(sum((ratio - mean) ** 2 for ratio in ratios) / n)
    return (n, *ends, ratios[0], ratios[-1], deviation)


def compare(rows: str, built: str) -> None:
    """Stop when the mart says anything else."""
    import duckdb

    with duckdb.connect(built, read_only=True) as connection:
        mart = {
            row[:4]: row[4:]
            for row in connection.execute(
                "select method, estimator_version, category, complexity, n, multiplier,"
                " interval_low, interval_high, min_ratio, max_ratio, ratio_deviation"
                " from marts.multipliers"
                " where method in ('t5_exact', 't5_damped', 'median')"
            ).fetchall()
        }
    for group, expected in calibrate(rows).items():
        for one, other in zip(mart.pop(group), expected, strict=True):
            if not (one == other or (one and other and math.isclose(one, other))):
                sys.exit(f"{group}: the mart says {one}, row by row it is {other}")
    if mart:
        sys.exit(f"row by row there is no {next(iter(mart))}")


if __name__ == "__main__":
    commands: dict[str, Callable[..., object]] = {
        "load": load,
        "calibrate": calibrate,
        "compare": compare,
    }
    commands[sys.argv[1]](*sys.argv[2:])
