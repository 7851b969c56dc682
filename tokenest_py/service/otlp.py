"""`POST /v1/traces` and `/v1/logs`: OTLP over HTTP, written as the Collector writes it in JSON."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tokenest_py.service.bounds import MAX_RECORDS, TOO_MANY_RECORDS
from tokenest_py.service.otlp_kept import event_name
from tokenest_py.service.otlp_read import LOGS, TRACES, read_json, read_protobuf
from tokenest_py.service.recording import OTLP
from tokenest_py.service.requests import JSON, PROTOBUF, RefusedError, answer, reading, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from tokenest_py.service.otlp_kept import Kept
    from tokenest_py.service.otlp_read import Signal
    from tokenest_py.service.recording import Recording

__all__ = ["post_logs", "post_traces"]

LINE_BYTES = 256 * 1024  # after which a line ends: landing takes four times as many

_NANOSECONDS = re.compile(r"[0-9]{1,20}")
_HEX = re.compile(r"[0-9a-fA-F]+")
_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


async def post_traces(request: Request) -> Response:
    """Take spans."""
    return await _post(request, TRACES)


async def post_logs(request: Request) -> Response:
    """Take log records."""
    return await _post(request, LOGS)


async def _post(request: Request, signal: Signal) -> Response:
    async with reading(request, PROTOBUF, JSON) as (media_type, body):
        encoding = request.headers.get("content-encoding", "")
        state = request.app.state
        is_json = media_type == JSON
        rejected = await run_in_threadpool(
            _take, state.recording, state.kept, signal, body, encoding, is_json=is_json
        )
    message = "a record needs ids and a time" if rejected else ""
    if is_json:
        partial = {signal.rejected: str(rejected), "errorMessage": message}
        return answer({"partialSuccess": partial} if rejected else {})
    response = signal.response()
    if rejected:
        response.partial_success.error_message = message
        # in protobuf a member has the same name, in small letters
        name = re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", signal.rejected)
        setattr(response.partial_success, name, rejected)
    return Response(response.SerializeToString(), media_type=PROTOBUF)


def _take(
    recording: Recording, kept: Kept, signal: Signal, body: bytes, encoding: str, *, is_json: bool
) -> int:
    """Write the calls, and the agents above them; return how many records are rejected.

    Raises:
        RefusedError: It is no such request, there are too many, or the file takes nothing.
    """
    read = read_json if is_json else read_protobuf
    members: Callable[[dict[str, Any]], dict[str, Any] | None]
    members = _span if signal is TRACES else _log_record
    rejected = 0
    lines = Lines(signal)
    found = read(unpacked(body, encoding), signal, kept)
    for number, (resource, record, attributes) in enumerate(found, start=1):
        if number > MAX_RECORDS:
            raise RefusedError(413, TOO_MANY_RECORDS)
        sound = members(record)
        if sound is None:
            rejected += 1
        elif kept.counts(attributes):
            lines.add(resource, sound | {"attributes": attributes})
    recording.append(OTLP, lines.text(), lines.count)
    return rejected


class Lines:
    """Collects records into lines, one resource a line, none of which is too long to land."""

    def __init__(self, signal: Signal) -> None:
        """Begin with none."""
        self.count = 0
        self._signal = signal
        self._lines: list[str] = []
        self._resource: list[dict[str, Any]] = []
        self._records: list[str] = []
        self._bytes = 0

    def add(self, resource: list[dict[str, Any]], record: dict[str, Any]) -> None:
        """Add a record of a resource."""
        text = _to_json(record)
        if resource is not self._resource or self._bytes + len(text) > LINE_BYTES:
            self._end()
            self._resource = resource
        self._records.append(text)
        self._bytes += len(text)
        self.count += 1

    def text(self) -> bytes:
        """Return the lines."""
        self._end()
        return "".join(self._lines).encode("ascii")

    def _end(self) -> None:
        if self._records:
            resources, scopes, records = self._signal[:3]
            inner = f'[{{"{records}":[{",".join(self._records)}]}}]'
            resource = _to_json({"attributes": self._resource})
            self._lines.append(
                f'{{"{resources}":[{{"resource":{resource},"{scopes}":{inner}}}]}}\n'
            )
        self._records, self._bytes = [], 0


def _span(span: dict[str, Any]) -> dict[str, Any] | None:
    """Return what is kept of a span; None for one without ids and an end."""
    trace, own = _id(span.get("traceId"), 32), _id(span.get("spanId"), 16)
    ended = _time(span.get("endTimeUnixNano"))
    if not (trace and own and ended):
        return None
    status = span.get("status")
    code = status.get("code") if isinstance(status, dict) else None
    kept = {
        "traceId": trace,
        "spanId": own,
        "parentSpanId": _id(span.get("parentSpanId"), 16) or "",
        "endTimeUnixNano": ended,
        "name": event_name(span.get("name")),
        "status": {"code": code} if code in (1, 2, "STATUS_CODE_OK", "STATUS_CODE_ERROR") else None,
    }
    return {name: value for name, value in kept.items() if value is not None}


def _log_record(record: dict[str, Any]) -> dict[str, Any] | None:
    """Return what is kept of a log record; None for one without a time."""
    time = _time(record.get("timeUnixNano")) or _time(record.get("observedTimeUnixNano"))
    if not time:
        return None
    body = record.get("body")
    text = event_name(body.get("stringValue")) if isinstance(body, dict) else None
    kept = {
        "timeUnixNano": time,
        "traceId": _id(record.get("traceId"), 32) or None,
        "spanId": _id(record.get("spanId"), 16) or None,
        "eventName": event_name(record.get("eventName")),
        "body": None if text is None else {"stringValue": text},
    }
    return {name: value for name, value in kept.items() if value is not None}


def _id(value: object, digits: int) -> str:
    """Return an id of so many hexadecimal digits; empty for what is none, or all zero."""
    is_id = isinstance(value, str) and len(value) == digits and _HEX.fullmatch(value)
    return str(value) if is_id and str(value).strip("0") else ""


def _time(value: object) -> str:
    """Return nanoseconds as text; empty for what is none, or zero."""
    text = str(value) if isinstance(value, (str, int)) else ""
    return text if _NANOSECONDS.fullmatch(text) and text.strip("0") else ""
