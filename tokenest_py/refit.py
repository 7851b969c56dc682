"""Calibrates again on the earlier part of a database, in a database of its own.

A back-test asks what would have been exported at a moment in the past. The staged events before
that moment are copied into a scratch database, and the project's own models build on them: the
figures come from the same SQL as the real ones, and no later row can reach them.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenest_py.config import project_folder
from tokenest_py.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    import duckdb

__all__ = ["Refit"]

# What the calibration reads: the staged events, what is made of each alone, and all seeds.
EVENT_TABLES = {
    "staging.stg_telemetry__events": "occurred_at",
    "marts.estimates": "occurred_at",
    "intermediate.int_replayed_estimates": "event_id",
}
# From demand to the export; the rest of the project does not touch it.
MODELS = (
    "int_demand", "int_demand_history", "int_demand_survival", "int_prediction_ratios",
    "int_shrunk_medians", "int_multiplier_cells", "adaptive_rates", "cell_quantiles",
    "budget_quantiles", "calibration_multipliers", "coefficients",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refit:
    """A scratch database in `folder`, filled from the database at `source`."""

    source: Path
    folder: Path

    @property
    def database(self) -> Path:
        """The scratch database."""
        return self.folder / "refit.duckdb"

    def calibrate(self, before: datetime) -> Path:
        """Return the coefficients that the calls before a moment give.

        Raises BuildError when a model or a test of the export fails.
        """
        exports = self.folder / before.strftime("%Y%m%dT%H%M%S%f")
        exports.mkdir()
        self._copy(before)
        self._build(
            ["build", "--select", *MODELS, "--exclude-resource-type", "unit_test",
             "--indirect-selection", "cautious"], exports,
        )  # fmt: skip
        return exports / "coefficients.ndjson"

    def score(self) -> None:
        """Build backtest.backtest_scores from backtest.scored_calls."""
        self._build(["run", "--select", "backtest_scores"], self.folder)

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a connection to the scratch database."""
        import duckdb

        with duckdb.connect(str(self.database)) as connection:
            yield connection

    def _copy(self, before: datetime) -> None:
        with self.connect() as connection:
            connection.execute(f"attach {_quoted(self.source)} as source (read_only)")
            seeds = [
                f"seeds.{name}"
                for (name,) in connection.execute(
                    "select table_name from duckdb_tables()"
                    " where database_name = 'source' and schema_name = 'seeds'"
                ).fetchall()
            ]
            for schema in ("staging", "marts", "intermediate", "seeds"):
                connection.execute(f"create schema if not exists {schema}")
            for table in seeds:
                connection.execute(f"create or replace table {table} as from source.{table}")
            for table, key in EVENT_TABLES.items():
                earlier = (
                    "where occurred_at < $before"
                    if key == "occurred_at"
                    else "where event_id in (select event_id from staging.stg_telemetry__events)"
                )
                connection.execute(
                    f"create or replace table {table} as from source.{table} {earlier}",
                    {"before": before} if key == "occurred_at" else {},
                )

    def _build(self, arguments: Sequence[str], exports: Path) -> None:
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner

        project = str(project_folder())
        with _environment(TOKENEST_DB=str(self.database), TOKENEST_EXPORTS=str(exports)):
            outcome = dbtRunner().invoke(
                ["--log-level", "none", "--log-level-file", "none", *arguments,
                 "--project-dir", project, "--profiles-dir", project, "--vars", "{backtest: true}",
                 "--target-path", str(self.folder / "target")]
            )  # fmt: skip
        if outcome.result is not None:
            # dbt keeps the file open, and DuckDB lets nobody else read it until it is closed.
            DuckDBConnectionManager.env().close()
            DuckDBConnectionManager.close_all_connections()
        if not outcome.success:
            results = getattr(outcome.result, "results", [])
            failed = [r for r in results if str(r.status) in {"error", "fail", "runtime error"}]
            reason = f"{failed[0].node.name}: {failed[0].message}" if failed else outcome.exception
            raise BuildError(f"back-test: {reason}")


@contextmanager
def _environment(**changes: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes, DO_NOT_TRACK="1")
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
