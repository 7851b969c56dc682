"""OTLP in protobuf and in JSON, as resources with records: what both forms have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tokenest_py.service.requests import RefusedError, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tokenest_py.service.otlp_kept import Kept

__all__ = ["LOGS", "TRACES", "Signal", "read_json", "read_protobuf"]


class Signal(NamedTuple):
    """What the two kinds of OTLP requests call their parts.

    Attributes:
        resources: The list of a request.
        scopes: The list of a resource.
        records: The list of a scope.
        rejected: The count of a partial success.
        request: The message of protobuf.
        response: The message of its answer.
    """

    resources: str
    scopes: str
    records: str
    rejected: str
    request: Any
    response: Any


TRACES = Signal(
    "resourceSpans", "scopeSpans", "spans", "rejectedSpans",
    ExportTraceServiceRequest, ExportTraceServiceResponse,
)  # fmt: skip
LOGS = Signal(
    "resourceLogs", "scopeLogs", "logRecords", "rejectedLogRecords",
    ExportLogsServiceRequest, ExportLogsServiceResponse,
)  # fmt: skip


class Found(NamedTuple):
    """A record as it came: its own members in JSON, and its attributes.

    Both are those of OTLP in JSON; of the members only those that the `otel` source reads.
    """

    resource: list[dict[str, Any]]
    members: dict[str, Any]
    attributes: list[dict[str, Any]]


def read_json(body: bytes, signal: Signal, kept: Kept) -> Iterator[Found]:
    """Yield the records of a request in JSON.

    Raises:
        RefusedError: It is no such request.
    """
    try:
        request = parsed(body)
    except ValueError as error:
        raise RefusedError(400, f"the body is no JSON object: {error}") from None
    if not isinstance(request, dict):
        raise RefusedError(400, "the body is no JSON object: not_an_object")
    for resource in _list(request, signal.resources):
        own = resource.get("resource")
        of_resource = kept.of_resource(_json_pairs(own if isinstance(own, dict) else {}))
        for scope in _list(resource, signal.scopes):
            for record in _list(scope, signal.records):
                yield Found(of_resource, record, kept.attributes(_json_pairs(record)))


def read_protobuf(body: bytes, signal: Signal, kept: Kept) -> Iterator[Found]:
    """Yield the records of a request in protobuf.

    Raises:
        RefusedError: It is no such request.
    """
    try:
        request = signal.request.FromString(body)
    except DecodeError:
        raise RefusedError(400, "the body is no OTLP request in protobuf") from None
    members = _span if signal is TRACES else _log_record
    for resource in getattr(request, _snake(signal.resources)):
        of_resource = kept.of_resource(_pairs(resource.resource, kept.resource))
        for scope in getattr(resource, _snake(signal.scopes)):
            for record in getattr(scope, _snake(signal.records)):
                yield Found(of_resource, members(record), kept.attributes(_pairs(record, kept)))


def _list(holder: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = holder.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise RefusedError(400, f"{name} is no list of objects")
    return found


def _json_pairs(holder: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for attribute in _list(holder, "attributes"):
        name = attribute.get("key")
        if isinstance(name, str):
            yield name, attribute.get("value")


def _pairs(message: Any, names: Any) -> Iterator[tuple[str, object]]:  # noqa: ANN401 - protobuf
    """Yield the attributes of these names alone: the others are not even turned into text."""
    for attribute in message.attributes:
        if attribute.key in names:
            yield attribute.key, _value(attribute.value)


def _value(value: Any) -> dict[str, Any] | None:  # noqa: ANN401 - protobuf
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return {"arrayValue": {"values": [_value(item) for item in value.array_value.values[:100]]}}
    read = _SCALARS.get(kind)
    return None if read is None else {read[0]: read[1](getattr(value, kind))}


# how JSON names the values of protobuf, and writes them
_SCALARS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "string_value": ("stringValue", str),
    "int_value": ("intValue", str),
    "double_value": ("doubleValue", float),
    "bool_value": ("boolValue", bool),
}


def _span(span: Any) -> dict[str, Any]:  # noqa: ANN401 - protobuf
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": span.parent_span_id.hex(),
        "name": span.name,
        "endTimeUnixNano": str(span.end_time_unix_nano),
        "status": {"code": span.status.code},
    }


def _log_record(record: Any) -> dict[str, Any]:  # noqa: ANN401 - protobuf
    is_text = record.body.WhichOneof("value") == "string_value"
    return {
        "traceId": record.trace_id.hex(),
        "spanId": record.span_id.hex(),
        "timeUnixNano": str(record.time_unix_nano),
        "observedTimeUnixNano": str(record.observed_time_unix_nano),
        "eventName": record.event_name,
        "body": {"stringValue": record.body.string_value} if is_text else None,
    }


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
