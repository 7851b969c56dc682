"""What a drain came to: one row a run and one for all, as the command prints it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tokenest_py.pipeline.collection.triage import verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tokenest_py.pipeline.collection.journal import Attempt
    from tokenest_py.pipeline.collection.phases import Phase

__all__ = ["summarize", "summary_rows"]


def summarize(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Return the figures of some attempts.

    `events_per_minute` leaves out attempts that the time limit ended; null without any other.
    `zero_yield` and `failure_patterns` count attempts by reason and by pattern.
    """
    in_time = [item for item in attempts if not item.timed_out]
    minutes = sum(item.duration_seconds for item in in_time) / 60
    events = sum(item.events for item in in_time)
    return {
        "attempts": len(attempts),
        "phases": len({(item.run_id, item.phase_id) for item in attempts}),
        "succeeded": sum(item.success for item in attempts),
        "failed": sum(not item.success and not item.timed_out for item in attempts),
        "timeouts": sum(item.timed_out for item in attempts),
        "with_events": sum(item.events > 0 for item in attempts),
        "events": sum(item.events for item in attempts),
        "minutes": round(sum(item.duration_seconds for item in attempts) / 60, 3),
        "events_per_minute": round(events / minutes, 3) if minutes > 0 else None,
        "zero_yield": _counted(item.zero_yield_reason for item in attempts),
        "failure_patterns": _counted(item.failure_pattern for item in attempts),
    }


def summary_rows(
    runs: Sequence[tuple[Sequence[Phase], Sequence[Attempt]]], made: Sequence[Attempt]
) -> list[dict[str, Any]]:
    """Return one row for each run, and a last one for all, of the attempts `made`.

    `queued` counts the phases without any attempt; `verdict` is what all attempts say.
    """
    rows = []
    for phases, attempts in runs:
        run_id = phases[0].run_id
        attempted = {item.phase_id for item in attempts}
        row: dict[str, Any] = {"run_id": run_id, "verdict": verdict(attempts)}
        row["queued"] = sum(phase.phase_id not in attempted for phase in phases)
        rows.append(row | summarize([item for item in made if item.run_id == run_id]))
    total: dict[str, Any] = {"run_id": "all runs", "verdict": None}
    total["queued"] = sum(row["queued"] for row in rows)
    return [*rows, total | summarize(made)]


def _counted(names: Iterable[str | None]) -> dict[str, int]:
    return dict(Counter(name for name in names if name is not None).most_common())
