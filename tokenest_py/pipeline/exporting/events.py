"""Events as lines: the event record, or the export of the project that tokenest comes from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tokenest_py.errors import UsageError
from tokenest_py.pipeline.database import checked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

__all__ = ["Filters", "event_lines", "origin_lines"]

# what the view has beside the fields of the record, which stand in their order
BESIDE = {"canonical_category", "canonical_complexity", "is_truncated", "row_no"}
BATCH = 1000

_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_as_origin = json.JSONEncoder(allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Filters:
    """Which events: all of these hold.

    Attributes:
        labels: Name and value, in any spelling of letters, as the groups have them; category and
            complexity in canonical words.
        since: From this time on; UTC where it names no offset.
        until: Up to this time, and not at it; UTC where it names no offset.
    """

    labels: tuple[tuple[str, str], ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def read(cls, labels: Sequence[str], since: datetime | None, until: datetime | None) -> Filters:
        """Return the filters of a command's options, labels written name=value."""
        pairs = []
        for text in labels:
            name, equals, value = text.partition("=")
            if not equals or not name.isidentifier():
                raise UsageError("label", text, "name=value")
            pairs.append((name, value))
        return cls(tuple(pairs), since, until)

    def where(self) -> tuple[str, list[Any]]:
        """Return the condition as SQL, and the values of its parameters."""
        conditions, values = ["true"], list[Any]()
        for name, value in self.labels:
            if name in {"category", "complexity"}:
                conditions.append(f"canonical_{name} = lower(trim(?))")
            else:
                conditions.append("lower(trim(json_extract_string(labels, ?))) = lower(trim(?))")
                values.append(f"$.{name}")
            values.append(value)
        for time, holds in ((self.since, "occurred_at >= ?"), (self.until, "occurred_at < ?")):
            if time is not None:
                conditions.append(holds)
                values.append(_utc(time))
        return " and ".join(conditions), values


def _utc(time: datetime) -> datetime:
    """The time as the database has it; DuckDB reads one with an offset by the machine's zone."""
    return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)


def event_lines(connection: duckdb.DuckDBPyConnection, filters: Filters) -> Iterator[str]:
    """Yield the events as the recorder writes them, the oldest first, a line each.

    Landed again, they are the same events.
    """
    for row in _rows(connection, filters, "asc"):
        event = {
            name: value for name, value in row.items() if name not in BESIDE and value is not None
        }
        event["occurred_at"] = f"{row['occurred_at'].isoformat(timespec='microseconds')}Z"
        if "labels" in event:
            event["labels"] = json.loads(event["labels"])
        if not event["is_control"]:
            del event["is_control"]
        yield f"{_to_json(event)}\n"


def origin_lines(connection: duckdb.DuckDBPyConnection, filters: Filters) -> Iterator[str]:
    """Yield the events with a prediction as the origin's export writes them, the newest first."""
    for row in _rows(connection, filters, "desc"):
        if row["predicted_output_tokens"] is not None:
            yield f"{_as_origin(_of_origin(row))}\n"


def _of_origin(row: dict[str, Any]) -> dict[str, Any]:
    predicted, actual = row["predicted_output_tokens"], row["actual_output_tokens"]
    figures: dict[str, Any] = {"smape_percent": None, "waste_ratio": None, "underestimated": None}
    if predicted > 0 and actual > 0:
        figures["smape_percent"] = abs(actual - predicted) / max(1, (actual + predicted) / 2) * 100
        figures["waste_ratio"] = predicted / actual
        figures["underestimated"] = actual > predicted
    # what the origin stored stays, right or wrong
    figures |= {name: row[name] for name in figures if row[name] is not None}
    return {
        "run_id": row["run_id"],
        "phase_id": row["phase_id"],
        "timestamp": row["occurred_at"].isoformat(),
        "category": row["category"],
        "complexity": row["complexity"],
        "deliverable_count": row["deliverable_count"],
        "deliverables": row["deliverables"] or [],
        "predicted_output_tokens": predicted,
        "actual_output_tokens": actual,
        "selected_budget": row["selected_budget"],
        "success": row["success"],
        "truncated": row["is_truncated"] if row["truncated"] is None else row["truncated"],
        "stop_reason": row["stop_reason"],
        "model": row["model"],
        **figures,
    }


def _rows(
    connection: duckdb.DuckDBPyConnection, filters: Filters, order: str
) -> Iterator[dict[str, Any]]:
    condition, values = filters.where()
    query = f"select * from report.cmd_export_events where {condition} order by row_no {order}"
    with checked():
        cursor = connection.execute(query, values)
    names = [column[0] for column in cursor.description or []]
    while batch := cursor.fetchmany(BATCH):
        for row in batch:
            yield dict(zip(names, row, strict=True))
