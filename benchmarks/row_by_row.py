"""The yardstick of calibration: row by row in Python over SQLite, as the origin did it.

    python benchmarks/row_by_row.py load BUILT ROWS
    python benchmarks/row_by_row.py calibrate ROWS

Reads all events as rows, keeps the successful ones that were not cut off, and gives for each
category and complexity the medians, the mean of the smape, and the multiplier of the square root.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
from collections import defaultdict

FIELDS = (
    "event_id", "occurred_at", "run_id", "phase_id", "category", "complexity",
    "deliverable_count", "model", "predicted_output_tokens", "selected_budget",
    "actual_max_tokens", "actual_output_tokens", "stop_reason", "is_truncated", "is_success",
)  # fmt: skip


def load(built: str, rows: str) -> None:
    """Copy the events of a built database into SQLite."""
    import duckdb

    with duckdb.connect(built, read_only=True) as source, sqlite3.connect(rows) as sink:
        sink.execute(f"create table events ({', '.join(FIELDS)})")
        cursor = source.execute(f"select {', '.join(FIELDS)} from marts.estimates")
        sink.executemany(
            f"insert into events values ({', '.join('?' * len(FIELDS))})",
            (
                [str(v) if i == 1 else v for i, v in enumerate(row)]
                for row in iter(cursor.fetchone, None)
            ),
        )


def calibrate(rows: str) -> None:
    """Print a line for each category and complexity."""
    with sqlite3.connect(rows) as connection:
        connection.row_factory = sqlite3.Row
        events = connection.execute("select * from events").fetchall()
    samples = [
        {
            "category": row["category"],
            "complexity": row["complexity"],
            "predicted": row["predicted_output_tokens"],
            "actual": row["actual_output_tokens"],
            "smape": 200
            * abs(row["predicted_output_tokens"] - row["actual_output_tokens"])
            / (row["predicted_output_tokens"] + row["actual_output_tokens"]),
            "waste": row["predicted_output_tokens"] / row["actual_output_tokens"],
        }
        for row in events
        if row["is_success"] and not row["is_truncated"] and row["actual_output_tokens"]
    ]
    groups = defaultdict(list)
    for sample in samples:
        groups[sample["category"], sample["complexity"]].append(sample)
    for (category, complexity), group in sorted(groups.items()):
        ratio = statistics.median(s["actual"] / s["predicted"] for s in group)
        print(
            category, complexity, len(group), round(ratio**0.5, 3),
            round(statistics.fmean(s["smape"] for s in group), 2),
            round(statistics.median(s["waste"] for s in group), 2),
        )  # fmt: skip


if __name__ == "__main__":
    {"load": load, "calibrate": calibrate}[sys.argv[1]](*sys.argv[2:])
