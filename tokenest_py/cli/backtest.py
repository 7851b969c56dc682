"""`tokenest backtest`: would the budgets have held, had they been made from earlier calls only?"""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenest_py.cli import output
from tokenest_py.cli.options import (
    FormatOption,
    LockTimeoutOption,
    OutputOption,
    RoundsOption,
    ShareOption,
)
from tokenest_py.cli.output import Format
from tokenest_py.cli.say import say
from tokenest_py.pipeline.calibration.backtest import GIVEN_TABLE, read_calls, rounds_of
from tokenest_py.pipeline.calibration.backtest import backtest as run_backtest
from tokenest_py.pipeline.calibration.gates import HELD_BACK
from tokenest_py.pipeline.calibration.refit import Refit
from tokenest_py.pipeline.database import open_database
from tokenest_py.pipeline.plan.store import current_plan
from tokenest_py.pipeline.scratch import scratch_folder
from tokenest_py.pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["backtest", "scores_of"]

# Short heads, so that a line fits a terminal: head, then column.
TABLE = {
    "rate": "max_truncation",
    "stratum": "stratum",
    "budgets": "subject",
    "n": "n",
    "cut off": "n_truncated",
    "open": "n_undecidable",
    "truncation": "truncation",
    "interval": "interval",
    "pinball": "pinball_loss",
    "P50": "p50_ceiling_ratio",
    "P90": "p90_ceiling_ratio",
    "reserved": "reserved_ratio",
}


def backtest(
    *,
    coefficients: Annotated[
        Path | None,
        typer.Option(help="A table to score as it is; without it TOKENEST_COEFFICIENTS."),
    ] = None,
    rate: Annotated[
        list[float] | None,
        typer.Option("--rate", min=0.001, max=0.5, help="Rate of truncation; may be repeated."),
    ] = None,
    rounds: RoundsOption = 5,
    share: ShareOption = HELD_BACK,
    strata: Annotated[
        bool, typer.Option("--strata", help="Also by category, and by category and complexity.")
    ] = False,
    form: FormatOption = Format.TABLE,
    output_file: OutputOption = None,
    lock_timeout: LockTimeoutOption = 30.0,
) -> None:
    """Size past calls with what earlier calls alone had taught."""
    settings = Settings.read()
    scores = scores_of(
        settings,
        table=coefficients or settings.published_table,
        rates=sorted(set(rate or [0.02, 0.05])),
        rounds=rounds,
        share=share,
        lock_timeout=lock_timeout,
    )
    shown = [row for row in scores if strata or row["stratification"] == "overall"]
    if form is Format.TABLE:
        output.write(output.render(as_table(shown), form, columns=list(TABLE)), output_file)
        return
    output.write(output.render(shown, form), output_file)


def scores_of(
    settings: Settings,
    *,
    table: Path | None,
    rates: Sequence[float],
    rounds: int,
    share: float,
    lock_timeout: float,
) -> list[dict[str, Any]]:
    """Back-test the built database; a given table is scored beside as `given table`."""
    with open_database(settings.database, lock_timeout=lock_timeout) as connection:
        calls = read_calls(connection)
    parts = rounds_of(calls, share=share, rounds=rounds)
    with scratch_folder() as folder:
        refit = Refit(settings, folder, current_plan(settings, {}, say))
        tables = {} if table is None else {GIVEN_TABLE: table}
        return run_backtest(refit, parts, rates, tables, _progress())


def _progress() -> Callable[[str], None]:
    return say if sys.stderr.isatty() else lambda _: None


def as_table(scores: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows as they are shown in a terminal."""
    return [{head: _shown(row, column) for head, column in TABLE.items()} for row in scores]


def _shown(row: dict[str, Any], column: str) -> object:
    match column:
        case "stratum":
            parts = [row["category"], row["complexity"]]
            return " / ".join(part for part in parts if part != "all") or "all"
        case "truncation":
            low, high = row["truncation_low"], row["truncation_high"]
            return f"{low:.1%}" if low == high else f"{low:.1%} to {high:.1%}"
        case "interval":
            return f"{row['wilson_low']:.1%} to {row['wilson_high']:.1%}"
        case _:
            return row[column]
