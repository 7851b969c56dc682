"""The database of the project that tokenest comes from, as lines of its own export."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["EVENTS", "TOTALS", "event", "totals"]

Row = dict[str, Any]

EVENTS = "token_estimation_v2_events"
TOTALS = "llm_usage_events"

# Between these times the column selected_budget held the ceiling that was sent; otherwise it held
# the intent of the estimator, which a migration copied into actual_max_tokens of the older rows.
CEILING_FROM, CEILING_UNTIL = "2025-12-25 00:15", "2025-12-30 00:00"
FIELDS = (
    "run_id", "phase_id", "timestamp", "category", "complexity", "deliverable_count",
    "predicted_output_tokens", "actual_output_tokens", "selected_budget", "actual_max_tokens",
    "stop_reason", "model", "smape_percent", "waste_ratio",
)  # fmt: skip


def event(row: Row) -> Row:
    """Return an event in the names of the export, with the ceiling where the row tells it."""
    record = {name: row.get(name) for name in FIELDS}
    time = str(row.get("timestamp")).replace("T", " ")
    record["timestamp"] = time
    if CEILING_FROM <= time < CEILING_UNTIL:
        record["actual_max_tokens"] = row.get("actual_max_tokens") or row.get("selected_budget")
    elif time < CEILING_FROM:
        record["actual_max_tokens"] = None
    for name in ("success", "truncated", "underestimated"):
        record[name] = None if row.get(name) is None else bool(row[name])
    record["deliverables"] = _list(row.get("deliverables_json"))
    return {name: value for name, value in record.items() if value is not None}


def totals(rows: Iterable[Row]) -> Iterator[str]:
    """Yield what the calls of each model used in all: they have no estimate, and no outcome."""
    sums: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        counts = sums.setdefault((str(row.get("provider")), str(row.get("model"))), [0, 0, 0])
        counts[0] += 1
        counts[1] += row.get("completion_tokens") or 0
        counts[2] += row.get("total_tokens") or 0
    for (provider, model), (calls, output, total) in sorted(sums.items()):
        yield (
            f"{TOTALS}: {provider} {model}: {calls:,} calls, {output:,} output tokens of"
            f" {total:,} in all; no outcome, so no events"
        )


def _list(text: object) -> list[str]:
    try:
        found = json.loads(str(text))
    except ValueError:
        return []
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []
