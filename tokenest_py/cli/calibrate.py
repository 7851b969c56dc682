"""`tokenest calibrate`: the calibration as a report for people and a patch for machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokenest_py.cli import output
from tokenest_py.cli.options import AllowEmptyOption, FormatOption, LockTimeoutOption, OutputOption
from tokenest_py.cli.output import Format
from tokenest_py.cli.say import say
from tokenest_py.errors import NoDataError
from tokenest_py.pipeline.calibration.report import Facts, as_markdown, as_patch, report_name
from tokenest_py.pipeline.calibration.tables import changes, read_table
from tokenest_py.pipeline.database import open_database, read, read_view
from tokenest_py.pipeline.files import make_folder
from tokenest_py.pipeline.report.words import count
from tokenest_py.pipeline.settings import Settings
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
    """Write what the last build proposes, as a report and a patch.

    calibration.md is for people, calibration.json for machines; calibrations/ keeps both by date.
    """
    settings = Settings.read()
    folder = output_dir or settings.exports
    with open_database(
        settings.database, lock_timeout=lock_timeout, allow_empty=allow_empty_db
    ) as connection:
        facts = _facts(connection)
    current = read_table(settings.published_table or PACKAGED)
    proposed = read_table(settings.exported_table)
    found = changes(current, proposed)
    patch = as_patch(current, proposed, found, facts)
    texts = {
        ".md": as_markdown(current, proposed, found, facts),
        ".json": json.dumps(patch, indent=2, ensure_ascii=False, default=float) + "\n",
    }
    kept = folder / "calibrations" / report_name(facts.as_of, proposed.coefficients_id)
    make_folder(kept.parent, "choose another --output-dir")
    for suffix, text in texts.items():
        output.write(text, folder / f"calibration{suffix}")
        output.write(text, kept.with_name(kept.name + suffix))
    shown = [row for row in facts.multipliers if row["max_truncation"] is None]
    output.write(output.render(shown, form, columns=COLUMNS), output_file)
    say(
        f"{count(len(found), 'row differs', 'rows differ')} from {current.coefficients_id}; see"
        f" {folder / 'calibration.md'} and calibration.json"
    )
    if not facts.calls("observed") + facts.calls("censored"):
        reason = "no call can be used to calibrate; marts.max_tokens_evidence says why"
        raise NoDataError(reason)


def _facts(connection: duckdb.DuckDBPyConnection) -> Facts:
    newest = read_view(connection, "rpt_landing")[0]["last_seen"]
    return Facts(
        as_of=None if newest is None else newest.isoformat(timespec="seconds") + "Z",
        demand=read(
            connection,
            "select * exclude (cell) from intermediate.int_left_out order by cell_level, cell",
        ),
        multipliers=read(
            connection,
            "select * exclude (multiplier_key) from marts.multipliers"
            " order by category, complexity, method, estimator_version, max_truncation",
        ),
        budgets=read(
            connection,
            "select * exclude (budget_key) from intermediate.int_budget_quantiles"
            " order by cell_level, category, complexity, model, input_bin, max_truncation",
        ),
        drift=read(
            connection,
            "select * from intermediate.int_drift_signals order by category, signal_name",
        ),
        costs=read(
            connection,
            "select * from intermediate.int_rate_costs order by top_label, max_truncation",
        ),
    )
