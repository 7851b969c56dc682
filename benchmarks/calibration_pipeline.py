"""The project's own calibration SQL on made-up or real calls, many times in one process.

dbt compiles the models once; after that each calibration is the same SQL, run on a table of
staged events that the benchmark fills. Budgets come from the real runtime.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from tokenest_py import Estimator
from tokenest_py.runtime.table.file import content_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeAlias

    Sizer: TypeAlias = Callable[[str | None, str | None, str | None, int | None, float], int]

ROOT = Path(__file__).parents[1]
DBT = Path(sys.executable).parent / "dbt"
# In the order in which they build on each other, up to the export.
MODELS = (
    "int_repeated_events", "int_demand", "int_demand_history", "int_demand_survival",
    "int_counted_replays", "int_prediction_ratios", "int_shrunk_medians",
    "int_multiplier_cells", "int_cell_medians", "int_calls_so_far", "so_far", "so_far_quantiles",
    "online_rates", "cell_quantiles", "budget_quantiles", "calibration_multipliers", "coefficients",
)  # fmt: skip
SCHEMAS = {"int": "intermediate", "coefficients": "exports"}
COLUMNS = (
    "kind", "name", "category", "complexity", "labels", "model", "input_bin", "max_truncation",
    "position", "label", "threshold", "value", "n", "confidence", "method",
)  # fmt: skip
EVENT_COLUMNS = {
    "event_id": "varchar", "occurred_at": "timestamp", "run_id": "varchar", "phase_id": "varchar",
    "attempt": "bigint", "category": "varchar", "complexity": "varchar", "model": "varchar",
    "input_tokens": "bigint", "coefficients_id": "varchar", "selected_budget": "bigint",
    "actual_max_tokens": "bigint", "actual_output_tokens": "bigint", "is_truncated": "boolean",
    "is_success": "boolean", "is_control": "boolean",
}  # fmt: skip


@dataclass
class Pipeline:
    """A scratch database in `folder` with the models compiled for some variables."""

    folder: Path
    variables: Mapping[str, Any] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Build the project on no telemetry, and compile the calibration."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._dbt("build", "--exclude-resource-type", "unit_test", "test")
        self._dbt("compile", "--full-refresh", "--select", *MODELS)
        compiled = {
            path.stem: path.read_text(encoding="utf-8")
            for path in (self.folder / "target" / "compiled").rglob("*.sql")
        }
        for model in MODELS:
            schema = SCHEMAS.get(model, SCHEMAS.get(model.partition("_")[0], "marts"))
            table = f"create or replace table {schema}.{model} as {compiled[model]}"
            self.statements.append(table)

    def calibrate(self, events: Iterable[Mapping[str, Any]]) -> Estimator:
        """The runtime with the coefficients that these events give."""
        with duckdb.connect(str(self.folder / "bench.duckdb")) as connection:
            connection.execute("set timezone = 'UTC'")
            self._stage(connection, events)
            for statement in self.statements:
                connection.execute(statement)
            rows = connection.execute(
                f"select {', '.join(COLUMNS)} from exports.coefficients"
            ).fetchall()
        path = self.folder / "coefficients.ndjson"
        path.write_bytes(_table(rows))
        return Estimator.load(path, strict=True)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query on what the last calibration left."""
        with duckdb.connect(str(self.folder / "bench.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def _stage(
        self, connection: duckdb.DuckDBPyConnection, events: Iterable[Mapping[str, Any]]
    ) -> None:
        path = self.folder / "events.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, EVENT_COLUMNS, extrasaction="ignore")
            writer.writerows(events)
        connection.execute("delete from staging.stg_tokenest__events")
        connection.execute(
            "insert into staging.stg_tokenest__events by name"
            " select *, true as has_event_id, cast('x' as varchar) as source_file, 1 as line_no,"
            " case when is_truncated then 'truncated' else 'complete' end as stop_class"
            " from read_csv(?, header = false, columns = ?)",
            [str(path), EVENT_COLUMNS],
        )

    def _dbt(self, *arguments: str) -> None:
        done = subprocess.run(
            [DBT, "--quiet", *arguments, "--project-dir", ROOT, "--profiles-dir", ROOT,
             "--target-path", self.folder / "target", "--log-path", self.folder / "logs",
             "--vars", json.dumps(dict(self.variables))],
            env=os.environ | {
                "TOKENEST_DB": str(self.folder / "bench.duckdb"),
                "TOKENEST_EXPORTS": str(self.folder),
                "TOKENEST_TELEMETRY": str(self.folder / "no-telemetry" / "*.ndjson"),
                "DO_NOT_TRACK": "1",
            },
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"dbt {arguments[0]} failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")


def sizes(estimator: Estimator) -> Sizer:
    """A function of (category, complexity, model, input_tokens, rate): max_tokens."""
    estimate = cache(estimator.estimate)

    @cache
    def size(
        category: str | None,
        complexity: str | None,
        model: str | None,
        input_tokens: int | None,
        rate: float,
    ) -> int:
        return estimator.budget(
            estimate(None, category, complexity),
            model=model,
            input_tokens=input_tokens,
            max_truncation=rate,
        ).max_tokens

    return size


def _table(rows: list[tuple[Any, ...]]) -> bytes:
    lines = []
    for row in rows:
        found = {name: value for name, value in zip(COLUMNS, row, strict=True) if value is not None}
        if "labels" in found:
            found["labels"] = json.loads(found["labels"])
        lines.append(json.dumps(found, ensure_ascii=False).encode() + b"\n")
    body = b"".join(lines)
    header = {
        "kind": "header",
        "format_version": 2,
        "coefficients_id": content_id(body),
        "levels": ["category", "complexity", "model", "input_bin"],
        "rows": len(lines),
    }
    return json.dumps(header).encode() + b"\n" + body
