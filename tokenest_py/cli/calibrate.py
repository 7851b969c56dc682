"""`tokenest calibrate`: the calibration as a report for people and a patch for machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from tokenest_py.cli import output
from tokenest_py.cli.options import AllowEmptyOption, FormatOption, LockTimeoutOption, OutputOption
from tokenest_py.cli.output import Format
from tokenest_py.errors import NoDataError
from tokenest_py.pipeline.calibration.promotion import changes, read_table
from tokenest_py.pipeline.calibration.report import Facts, as_markdown, as_patch
from tokenest_py.pipeline.database import open_database, rows
from tokenest_py.pipeline.settings import coefficients_path, database_path, exports_folder
from tokenest_py.runtime.table import PACKAGED

if TYPE_CHECKING:
    import duckdb

__all__ = ["calibrate"]

COLUMNS = [
    "method", "estimator_version", "category", "complexity", "n", "multiplier", "interval_low",
    "interval_high", "confidence", "own_weight", "action", "vetoes", "is_exported",
]  # fmt: skip

OutputDirOption = Annotated[
    Path | None, typer.Option(help="Folder for calibration.md and calibration.json.")
]


def calibrate(
    *,
    output_dir: OutputDirOption = None,
    form: FormatOption = Format.TABLE,
    output_file: OutputOption = None,
    allow_empty_db: AllowEmptyOption = False,
    lock_timeout: LockTimeoutOption = 30.0,
) -> None:
    """Write what the last build proposes: calibration.md to read, calibration.json to check."""
    folder = output_dir or exports_folder()
    with open_database(
        database_path(), lock_timeout=lock_timeout, allow_empty=allow_empty_db
    ) as connection:
        facts = _facts(connection)
    in_use = coefficients_path()
    current = read_table(in_use if in_use is not None and in_use.exists() else PACKAGED)
    proposed = read_table(exports_folder() / "coefficients.ndjson")
    found = changes(current, proposed)
    folder.mkdir(parents=True, exist_ok=True)
    output.write(as_markdown(current, proposed, found, facts), folder / "calibration.md")
    patch = as_patch(current, proposed, found, facts)
    output.write(
        json.dumps(patch, indent=2, ensure_ascii=False, default=float) + "\n",
        folder / "calibration.json",
    )
    shown = [row for row in facts.multipliers if row["max_truncation"] is None]
    output.write(output.render(shown, form, columns=COLUMNS), output_file)
    Console(stderr=True).print(
        f"{len(found)} row(s) differ from {current.coefficients_id}; see"
        f" {folder / 'calibration.md'} and calibration.json",
        highlight=False,
        soft_wrap=True,
        markup=False,
    )
    if not facts.calls("observed") + facts.calls("censored"):
        reason = "no call can be used to calibrate; marts.demand_accounting says why"
        raise NoDataError(reason)


def _facts(connection: duckdb.DuckDBPyConnection) -> Facts:
    def read(query: str) -> list[dict[str, Any]]:
        return rows(connection, query)

    newest = read("select max(occurred_at) as newest from events.int_events")[0]["newest"]
    return Facts(
        as_of=None if newest is None else newest.isoformat(timespec="seconds") + "Z",
        demand=read(
            "select category, demand_state, excluded_reason, n_calls, n_events"
            " from marts.demand_accounting order by category, demand_state, excluded_reason"
        ),
        multipliers=read(
            "select * exclude (multiplier_key) from marts.calibration_multipliers"
            " order by category, complexity, method, estimator_version, max_truncation"
        ),
        budgets=read(
            "select * exclude (budget_key) from marts.budget_quantiles"
            " order by cell_level, category, complexity, model, input_bin, max_truncation"
        ),
        drift=read(
            "select category, signal_name, n_now, figure, threshold, verdict"
            " from marts.drift_signals order by category, signal_name"
        ),
        costs=read("select * from marts.alpha_by_cost order by category, max_truncation"),
    )
