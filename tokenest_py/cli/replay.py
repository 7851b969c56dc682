"""`tokenest replay`: recorded predictions beside those of the current estimator rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenest_py.cli import output
from tokenest_py.cli.options import AllowEmptyOption, FormatOption, LockTimeoutOption, OutputOption
from tokenest_py.cli.output import Format
from tokenest_py.cli.say import say
from tokenest_py.errors import NoDataError
from tokenest_py.pipeline.database import open_database, read_view
from tokenest_py.pipeline.report.words import count
from tokenest_py.pipeline.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["replay"]

SAMPLE_COLUMNS = [
    "event_id", "occurred_at", "run_id", "phase_id", "category", "complexity",
    "deliverable_count", "estimator_version", "actual_output_tokens", "is_truncated",
    "predicted_output_tokens", "replayed_output_tokens", "smape", "replayed_smape",
    "estimate_ratio", "replayed_estimate_ratio", "underestimated", "replayed_underestimated",
    "replay_basis", "replay_model", "assumed_new_count", "is_analysed",
]  # fmt: skip
SUMMARY_COLUMNS = [
    "prediction", "n", "n_scored", "mean_smape", "median_smape", "p50_estimate_ratio",
    "n_decided", "underestimation_rate", "assumed_new_count",
]  # fmt: skip
# Short heads, so that a line fits a terminal: head, then column.
TABLE = {
    "phase": "phase_id",
    "category": "category",
    "complexity": "complexity",
    "actual": "actual_output_tokens",
    "old": "predicted_output_tokens",
    "new": "replayed_output_tokens",
    "smape old": "smape",
    "smape new": "replayed_smape",
    "ratio old": "estimate_ratio",
    "ratio new": "replayed_estimate_ratio",
    "replayed from": "replay_basis",
}
REPLAYED = ("breakdown", "deliverables")
REASONS = {
    "no_deliverables": "have no recorded deliverables",
    "deliverables_cut": "record fewer deliverables than they had",
    "deliverables_hidden": "record hashes instead of paths",
}


def replay(
    *,
    summary: Annotated[
        bool, typer.Option("--summary", help="Print the sums alone, not each event.")
    ] = False,
    form: FormatOption = Format.TABLE,
    output_file: OutputOption = None,
    allow_empty_db: AllowEmptyOption = False,
    lock_timeout: LockTimeoutOption = 30.0,
) -> None:
    """Set recorded predictions beside those of the current rules."""
    database = Settings.read().database
    samples, sums, bases = _results(database, lock_timeout, allow_empty=allow_empty_db)
    replayed = sum(bases.get(basis, 0) for basis in REPLAYED)
    if not replayed:
        raise NoDataError(
            f"none of {count(sum(bases.values()), 'event')} can be replayed: {_not(bases)}"
        )
    if summary:
        text = output.render(sums, form, columns=SUMMARY_COLUMNS)
    elif form is Format.TABLE:
        short = [{head: row[name] for head, name in TABLE.items()} for row in samples]
        text = output.render(short, form, columns=list(TABLE)) + "\n"
        text += output.render(sums, form, columns=SUMMARY_COLUMNS)
    else:
        text = output.render(samples, form, columns=SAMPLE_COLUMNS)
    output.write(text, output_file)
    assumed = sum(row["assumed_new_count"] for row in samples)
    say(
        f"{replayed} of {sum(bases.values())} events replayed; {_not(bases)};"
        f" {assumed} deliverables were taken as new because the record does not say;"
        f" {sum(not row['is_analysed'] for row in samples)} of the events shown are test rows or"
        " copies, which the sums leave out"
    )


def _results(
    path: Path, lock_timeout: float, *, allow_empty: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, int]]:
    """Events, sums by side, and how many events rest on which basis."""
    with open_database(path, lock_timeout=lock_timeout, allow_empty=allow_empty) as connection:
        bases = read_view(connection, "cmd_replay_bases")
        return (
            read_view(connection, "cmd_replay_samples"),
            read_view(connection, "cmd_replay_sums"),
            {row["replay_basis"]: row["n"] for row in bases},
        )


def _not(bases: dict[str, int]) -> str:
    """Say how many events were not replayed and why."""
    told = [f"{n} {REASONS[basis]}" for basis, n in bases.items() if basis in REASONS]
    return ", ".join(told) or "none was left out"
