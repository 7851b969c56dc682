"""`POST /v1/events`: one record or NDJSON, each answered; what is accepted is in the file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from tokenest_py.errors import DroppedEventError
from tokenest_py.runtime.recorder.record import encode_event
from tokenest_py.service.bounds import MAX_RECORDS, TOO_MANY_RECORDS
from tokenest_py.service.recording import EVENTS
from tokenest_py.service.requests import (
    JSON,
    NDJSON,
    RefusedError,
    answer,
    parsed,
    reading,
    unpacked,
)

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tokenest_py.service.recording import Recording
    from tokenest_py.service.sizing import Sizing

__all__ = ["post_events"]


async def post_events(request: Request) -> Response:
    """Answer each record with `accepted` or with its reason."""
    async with reading(request, JSON, NDJSON) as (media_type, body):
        encoding = request.headers.get("content-encoding", "")
        state = request.app.state
        results = await run_in_threadpool(
            _take, state.recording, state.sizing, body, encoding, is_lines=media_type == NDJSON
        )
    accepted = sum(result["accepted"] for result in results)
    content = {"accepted": accepted, "rejected": len(results) - accepted, "records": results}
    return answer(content, 200 if accepted or not results else 400)


def _take(
    recording: Recording, sizing: Sizing, body: bytes, encoding: str, *, is_lines: bool
) -> list[dict[str, Any]]:
    """Write what can be written, in one write, and return what became of each record.

    Raises:
        RefusedError: There are too many, or the file takes nothing.
    """
    body = unpacked(body, encoding)
    if is_lines and body.count(b"\n") > MAX_RECORDS:
        raise RefusedError(413, TOO_MANY_RECORDS)
    results: list[dict[str, Any]] = []
    lines: list[bytes] = []
    seen: list[dict[str, Any]] = []
    for number, text in enumerate(body.split(b"\n") if is_lines else [body], start=1):
        if is_lines and not text.strip():
            continue
        result: dict[str, Any] = {"line": number, "accepted": False}
        results.append(result)
        try:
            record = _record(parsed(text))
            line, unknown = encode_event(record, record["event_id"], recording.path_privacy)
        except (DroppedEventError, ValueError) as error:
            result["reason"] = str(error)
            continue
        result |= {"accepted": True, "event_id": record["event_id"]}
        if unknown:
            result["unknown_fields"] = unknown
        lines.append(line)
        seen.append(record)
    recording.append(EVENTS, b"".join(lines), len(lines))
    for record in seen:
        sizing.observe(record)
    return results


def _record(value: object) -> dict[str, Any]:
    """Return the record as the recorder takes it, with an identity.

    Raises:
        DroppedEventError: It is none, or could not be sent twice and land once.
    """
    if not isinstance(value, dict):
        raise DroppedEventError("not_an_object")
    record_type = value.pop("record_type", None)
    if record_type is not None and record_type != "event":
        raise DroppedEventError("invalid_record_type")  # the journal of a drain is written here
    written = value.pop("timestamp", None)
    if value.get("occurred_at") is None:
        value["occurred_at"] = written
    event_id = value.get("event_id")
    if event_id is None:
        value["event_id"] = os.urandom(16).hex()
    elif not isinstance(event_id, str) or not event_id:
        raise DroppedEventError("invalid_event_id")
    elif value["occurred_at"] is None:
        # Filled in anew at each try, the time would make two records of one.
        raise DroppedEventError("missing_occurred_at")
    return value
