"""The yardstick of landing: one typed read_json into a table of TOKENEST_DB."""

from __future__ import annotations

import os
import sys

import duckdb

COLUMNS = {
    "event_id": "varchar", "occurred_at": "timestamptz", "run_id": "varchar",
    "phase_id": "varchar", "attempt": "bigint", "category": "varchar", "complexity": "varchar",
    "deliverables": "varchar[]", "deliverable_count": "bigint", "provider": "varchar",
    "model": "varchar", "input_tokens": "bigint", "coefficients_id": "varchar",
    "estimator_version": "varchar", "predicted_output_tokens": "bigint",
    "selected_budget": "bigint", "actual_max_tokens": "bigint", "actual_output_tokens": "bigint",
    "reasoning_tokens": "bigint", "stop_reason": "varchar", "truncated": "boolean",
    "success": "boolean", "is_control": "boolean", "quality_flags": "varchar[]",
    "smape_percent": "double", "waste_ratio": "double", "underestimated": "boolean",
}  # fmt: skip

if __name__ == "__main__":
    with duckdb.connect(os.environ["TOKENEST_DB"]) as connection:
        connection.execute("set TimeZone = 'UTC'")
        columns = ", ".join(f"{name}: '{kind}'" for name, kind in COLUMNS.items())
        connection.execute(
            "create table events as select * from read_json($files,"
            " format = 'newline_delimited', filename = true, ignore_errors = true,"
            f" columns = {{{columns}}})",
            {"files": sys.argv[1]},
        )
