"""`tokenest promote`: a person decides what the runtime reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path  # noqa: TC003 - typer reads it
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
from tokenest_py.errors import CoefficientsError, GateError, TokenestError
from tokenest_py.pipeline.calibration.backtest import read_calls, rounds_of
from tokenest_py.pipeline.calibration.gates import (
    HELD_BACK,
    PROMISED_RATE,
    Gate,
    backtest_gates,
    change_gate,
    drift_gate,
    evidence_gate,
    mended_categories,
    replay_gates,
    rules_gate,
    source_gate,
)
from tokenest_py.pipeline.calibration.promotion import publish, unsafe_place
from tokenest_py.pipeline.calibration.provenance import account, provenance
from tokenest_py.pipeline.calibration.scoring import MOST_CALLS, replay
from tokenest_py.pipeline.calibration.tables import changes, read_table, stamped
from tokenest_py.pipeline.database import open_database, read, read_view
from tokenest_py.pipeline.scratch import scratch_folder
from tokenest_py.pipeline.settings import Settings
from tokenest_py.runtime.table import PACKAGED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenest_py.pipeline.calibration.backtest import Call
    from tokenest_py.pipeline.calibration.tables import Change, Table

__all__ = ["promote"]

SHOWN_CHANGES = 20


def promote(
    *,
    candidate: Annotated[
        Path | None, typer.Option(help="The table to promote; without it the last build's.")
    ] = None,
    target: TargetOption = None,
    yes: YesOption = False,
    reason: Annotated[
        str | None, typer.Option(help="Why, in a sentence; it is kept in the history.")
    ] = None,
    allow_rules: Annotated[
        bool, typer.Option("--allow-rules", help="Also rows that nobody measured may differ.")
    ] = False,
    rate: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Rate of truncation that is promised.")
    ] = PROMISED_RATE,
    max_increase: Annotated[float, typer.Option(min=1, help="Largest step up, a factor.")] = 2.0,
    max_decrease: Annotated[
        float, typer.Option(min=0.01, max=1, help="Largest step down, a factor.")
    ] = 0.7,
    rounds: RoundsOption = 5,
    share: ShareOption = HELD_BACK,
    form: FormatOption = Format.TABLE,
    output_file: OutputOption = None,
    lock_timeout: LockTimeoutOption = 30.0,
) -> None:
    """Publish a table of coefficients when every gate passes.

    First it shows what would change, and what the file itself would have answered recent calls.
    """
    settings = Settings.read()
    path = chosen_target(target, settings)
    danger = unsafe_place(path)
    if danger:
        raise TokenestError(f"{danger}, then promote")
    proposed = read_table(candidate or settings.exported_table)
    try:
        current = read_table(path if path.exists() else PACKAGED)
    except CoefficientsError as error:
        fix = "that table is in use; run `tokenest rollback`, or move it away and promote"
        raise TokenestError(f"{error}: {fix}") from error
    found = changes(current, proposed)
    say(f"{current.coefficients_id} -> {proposed.coefficients_id} at {path}")
    if not found:
        say("nothing differs, nothing to promote; reports follow when calls sized by it land")
        return
    if form is Format.TABLE:
        output.write(_shown_changes(found))
    recorded = _recorded(settings, share, rounds, lock_timeout)
    proposed = stamped(proposed, recorded.provenance)  # these bytes are judged, and published
    rates = sorted(current.rates() | proposed.rates() | {rate})
    present, ours = (replay(table, recorded.recent, rates) for table in (current, proposed))
    gates = [
        change_gate(found, most_up=max_increase, most_down=max_decrease),
        rules_gate(proposed, current, read_table(PACKAGED), allowed=allow_rules),
        source_gate(proposed, recorded.exported),
        drift_gate(recorded.signals, mended_categories(present, ours)),
        evidence_gate(recorded.held_back, rate=rate, share=share),
        *replay_gates(present, ours, most_up=max_increase),
    ]
    if all(gate.passes for gate in gates):
        gates += _of_the_method(settings, current, rate, rounds, share, lock_timeout)
    else:
        say("the back-test of the method was left out: another gate failed already")
    output.write(
        output.render([asdict(gate) for gate in gates], form)
        if form is Format.TABLE
        else output.render(_records(found, gates), form),
        output_file,
    )
    failed = [gate.name for gate in gates if not gate.passes]
    if failed:
        message = f"not promoted: {', '.join(failed)} failed; {path} is as it was"
        raise GateError(message)
    confirm(f"publish {proposed.coefficients_id} to {path}?", yes=yes)
    about = {
        "reason": reason,
        "rate": rate,
        "before": account(current, present, rate),
        "after": account(proposed, ours, rate),
        "changes": _evidence(found),
        "provenance": recorded.provenance,
    }
    kept = publish(proposed, path, about, compared_with=current.coefficients_id)
    say(f"published {proposed.coefficients_id} to {path}; the one before is {kept}")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the database says: its export, its signals, the newest calls, and which one it is."""

    exported: list[dict[str, Any]]
    signals: list[dict[str, Any]]
    recent: list[Call]
    held_back: int
    provenance: dict[str, str]


def _recorded(settings: Settings, share: float, rounds: int, lock_timeout: float) -> Recorded:
    with open_database(settings.database, lock_timeout=lock_timeout) as connection:
        parts = rounds_of(read_calls(connection), share=share, rounds=rounds)
        held_back = [call for part in parts for call in part]
        return Recorded(
            exported=read_view(connection, "cmd_promote_exported"),
            signals=read(connection, "select * from intermediate.int_drift_signals"),
            recent=held_back[-MOST_CALLS:],
            held_back=len(held_back),
            provenance=provenance(settings.database, connection),
        )


def _of_the_method(
    settings: Settings,
    current: Table,
    rate: float,
    rounds: int,
    share: float,
    lock_timeout: float,
) -> list[Gate]:
    """The gates that calibrate again on the past: what the method gives calls it has not seen."""
    with scratch_folder() as folder:
        table = folder / "current.ndjson"
        table.write_bytes(current.data)
        scores = scores_of(
            settings,
            table=table,
            rates=[rate],
            rounds=rounds,
            share=share,
            lock_timeout=lock_timeout,
        )
    return backtest_gates(scores, rate=rate)


def _evidence(found: Sequence[Change]) -> list[dict[str, Any]]:
    """The widest changes of measured values, with what both sides rest on."""
    names = ("value", "n", "confidence")
    measured = [c for c in found if "n" in (c.current or {}) or "n" in (c.proposed or {})]
    return [
        {
            "what": change.name,
            "before": change.current and {name: change.current.get(name) for name in names},
            "after": change.proposed and {name: change.proposed.get(name) for name in names},
        }
        for change in sorted(measured, key=_width, reverse=True)[:SHOWN_CHANGES]
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
