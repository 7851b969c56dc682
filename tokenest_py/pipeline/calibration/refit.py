"""Calibrates again on the earlier part of a database, in a database of its own.

A back-test asks what would have been exported at a moment in the past. The staged events before
that moment are copied into a scratch database, and the project's own models build on them: the
figures come from the same SQL as the real ones, and no later row can reach them.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenest_py.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    import duckdb

    from tokenest_py.pipeline.plan.plan import Plan
    from tokenest_py.pipeline.settings import Settings

__all__ = ["Refit"]

# What the calibration reads: the staged events, what is made of each alone, and all seeds.
EVENT_TABLES = {
    "events.int_events": "occurred_at",
    "marts.calls": "occurred_at",
    "intermediate.int_replayed_estimates": "event_id",
}
# From demand to the export; the rest of the project does not touch it.
MODELS = (
    "int_source_quality", "int_withheld_events", "int_repeated_events",
    "int_call_demand", "int_demand",
    "int_window", "int_left_out", "int_demand_history", "int_demand_survival",
    "int_counted_replays", "int_prediction_ratios", "int_shrunk_medians",
    "int_multiplier_cells", "int_cell_medians", "int_calls_so_far", "int_so_far",
    "int_so_far_quantiles", "int_online_rates", "int_cell_quantiles", "int_budget_quantiles",
    "int_run_calls",
    "int_run_stage_1", "int_run_stage_2", "int_run_stage_3", "int_run_factors",
    "multipliers", "learned_coefficients", "coefficients",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refit:
    """A scratch database in `folder`, filled from the one that the settings name."""

    settings: Settings
    folder: Path
    plan: Plan

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
        self._run(self.plan.only(MODELS, exports=True), exports)
        return exports / "coefficients.ndjson"

    def score(self) -> None:
        """Build backtest.backtest_scores from backtest.scored_calls."""
        self._run(self.plan.only(["backtest_scores"]), self.folder)

    @contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a connection to the scratch database."""
        import duckdb

        with duckdb.connect(str(self.database)) as connection:
            yield connection

    def _copy(self, before: datetime) -> None:
        with self.connect() as connection:
            connection.execute(f"attach {_quoted(self.settings.database)} as source (read_only)")
            seeds = [
                f"seeds.{name}"
                for (name,) in connection.execute(
                    "select table_name from duckdb_tables()"
                    " where database_name = 'source' and schema_name = 'seeds'"
                ).fetchall()
            ]
            for schema in ("events", "marts", "intermediate", "seeds"):
                connection.execute(f"create schema if not exists {schema}")
            for table in seeds:
                connection.execute(f"create or replace table {table} as from source.{table}")
            for table, key in EVENT_TABLES.items():
                earlier = (
                    "where occurred_at < $before"
                    if key == "occurred_at"
                    else "where event_id in (select event_id from events.int_events)"
                )
                connection.execute(
                    f"create or replace table {table} as from source.{table} {earlier}",
                    {"before": before} if key == "occurred_at" else {},
                )

    def _run(self, plan: Plan, exports: Path) -> None:
        from tokenest_py.pipeline.plan.run import run_plan

        settings = self.settings.replaced(TOKENEST_EXPORTS=str(exports))
        try:
            with self.connect() as connection:
                run_plan(plan, settings, connection, full_refresh=True)
        except BuildError as error:
            raise BuildError(f"back-test: {error}") from error


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
