"""`tokenest promote`: a person decides what the runtime reads."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenest_py.cli import output
from tokenest_py.cli.backtest import scores_of
from tokenest_py.cli.options import (
    FormatOption,
    LockTimeoutOption,
    OutputOption,
    RoundsOption,
    ShareOption,
    TargetOption,
    YesOption,
)
from tokenest_py.cli.output import Format
from tokenest_py.cli.publishing import chosen_target, confirm
from tokenest_py.cli.say import say
from tokenest_py.errors import GateError
from tokenest_py.pipeline.calibration.gates import (
    Gate,
    backtest_gates,
    change_gate,
    drift_gate,
    source_gate,
)
from tokenest_py.pipeline.calibration.promotion import changes, publish, read_table
from tokenest_py.pipeline.database import open_database, read, read_view
from tokenest_py.pipeline.settings import Settings
from tokenest_py.runtime.table import PACKAGED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenest_py.pipeline.calibration.promotion import Change, Table

__all__ = ["promote"]

SHOWN_CHANGES = 20


def promote(
    *,
    candidate: Annotated[
        Path | None, typer.Option(help="The table to promote; without it the last build's.")
    ] = None,
    target: TargetOption = None,
    yes: YesOption = False,
    rate: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Rate of truncation that is promised.")
    ] = 0.02,
    max_increase: Annotated[float, typer.Option(min=1, help="Largest step up, a factor.")] = 2.0,
    max_decrease: Annotated[
        float, typer.Option(min=0.01, max=1, help="Largest step down, a factor.")
    ] = 0.7,
    rounds: RoundsOption = 5,
    share: ShareOption = 0.4,
    form: FormatOption = Format.TABLE,
    output_file: OutputOption = None,
    lock_timeout: LockTimeoutOption = 30.0,
) -> None:
    """Publish a table of coefficients when every gate passes.

    First it shows what would change, and back-tests it.
    """
    settings = Settings.read()
    path = chosen_target(target, settings)
    proposed = read_table(candidate or settings.exported_table)
    current = read_table(path if path.exists() else PACKAGED)
    found = changes(current, proposed)
    say(f"{current.coefficients_id} -> {proposed.coefficients_id} at {path}")
    if not found:
        say("nothing differs, nothing to promote")
        return
    if form is Format.TABLE:
        output.write(_shown_changes(found))
    gates = [change_gate(found, most_up=max_increase, most_down=max_decrease)]
    gates += _measured(settings, proposed, path, rate, rounds, share, lock_timeout)
    output.write(
        output.render([asdict(gate) for gate in gates], form)
        if form is Format.TABLE
        else output.render(_records(found, gates), form),
        output_file,
    )
    failed = [gate.name for gate in gates if not gate.passes]
    if failed:
        reason = f"not promoted: {', '.join(failed)} failed; {path} is as it was"
        raise GateError(reason)
    confirm(f"publish {proposed.coefficients_id} to {path}?", yes=yes)
    kept = publish(proposed, path)
    say(f"published {proposed.coefficients_id} to {path}; the one before is {kept}")


def _measured(
    settings: Settings,
    proposed: Table,
    path: Path,
    rate: float,
    rounds: int,
    share: float,
    lock_timeout: float,
) -> list[Gate]:
    """The gates that need the database it was exported from."""
    with open_database(settings.database, lock_timeout=lock_timeout) as connection:
        exported = read_view(connection, "cmd_promote_exported")
        signals = read(connection, "select * from marts.drift_signals")
    scores = scores_of(
        settings,
        table=path if path.exists() else Path(PACKAGED),
        rates=[rate],
        rounds=rounds,
        share=share,
        lock_timeout=lock_timeout,
    )
    return [
        source_gate(proposed, exported),
        drift_gate(signals),
        *backtest_gates(scores, rate=rate, proposed="refitted", current="given table"),
    ]


def _shown_changes(found: Sequence[Change]) -> str:
    """A count by kind, and the widest changes in full."""
    kinds = sorted({change.key["kind"] for change in found})
    counts = [
        {"kind": kind}
        | {
            action: sum(c.action == action and c.key["kind"] == kind for c in found)
            for action in ("add", "change", "remove")
        }
        for kind in kinds
    ]
    widest = sorted(found, key=_width, reverse=True)[:SHOWN_CHANGES]
    more = len(found) - len(widest)
    tail = f"and {more} more; --format json shows all\n" if more else ""
    return (
        output.render(counts, Format.TABLE)
        + "\n"
        + output.render([_as_row(change) for change in widest], Format.TABLE)
        + tail
        + "\n"
    )


def _width(change: Change) -> float:
    factor = change.factor
    return 0.0 if factor is None else max(factor, 1 / factor)


def _as_row(change: Change) -> dict[str, Any]:
    return {
        "action": change.action,
        "what": change.name,
        "current": None if change.current is None else change.current.get("value"),
        "proposed": None if change.proposed is None else change.proposed.get("value"),
        "factor": change.factor,
    }


def _records(found: Sequence[Change], gates: Sequence[Gate]) -> list[dict[str, Any]]:
    """Gates and changes as records of one shape, for machines."""
    names = (
        "record",
        "name",
        "passes",
        "figure",
        "limit",
        "about",
        "action",
        "current",
        "proposed",
    )
    blank = dict.fromkeys(names)
    return [blank | {"record": "gate", **asdict(gate)} for gate in gates] + [
        blank
        | {
            "record": "change",
            "name": row["what"],
            "action": row["action"],
            "current": row["current"],
            "proposed": row["proposed"],
        }
        for row in map(_as_row, found)
    ]
