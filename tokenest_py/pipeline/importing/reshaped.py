"""Records in a shape of their own, as the shape that a source knows.

Traces of Jaeger, Zipkin, Tempo, MLflow, Mastra and Azure, log records as OpenTelemetry's console
prints them, results of promptfoo, requests of Cline, exchanges of HTTP, responses of Spring AI; the
words for a call in another spelling (`CompletionTokens`, `completion-tokens`), or within an object
of an application's own.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenest_py.pipeline.importing.cells import of_portal
from tokenest_py.pipeline.importing.streamed import answer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

__all__ = ["Reshaping", "folded"]

Record = dict[str, Any]
Found = tuple[str, Record]  # where it stands, and what it says
Rules = tuple["Callable[[Record], bool]", "Collection[str]"]

DEPTH = 5  # of objects within objects that are looked at
SAME = {
    "time_generated": "timestamp", "@t": "timestamp", "@timestamp": "@timestamp",
    "input_token_count": "input_tokens", "output_token_count": "output_tokens",
    # as Athena and Postgres write names that have humps
    "inputtokencount": "input_tokens", "outputtokencount": "output_tokens",
    "inputtokens": "input_tokens", "outputtokens": "output_tokens",
    "prompttokens": "prompt_tokens", "completiontokens": "completion_tokens",
    "modelid": "model_id", "modelname": "model_name", "maxtokens": "max_tokens",
    "stopreason": "stop_reason", "finishreason": "finish_reason",
}  # fmt: skip
MADE = ("created", "created_at", "createTime", "create_time")  # by which two answers are told apart
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
BETWEEN = re.compile(r"[\s_-]+")


@dataclass(slots=True)
class Reshaping:
    """Looks into the records of one table, none of which a source knows as it stands.

    Their calls stand at one place, the first that has some: those at another may be their sums.

    Attributes:
        is_known: Whether one source recognises a record.
        above: What an object may say of the calls within it: the names of those members.
        place: Where calls stand.
    """

    is_known: Callable[[Record], bool]
    above: Collection[str]
    place: str | None = None

    def records(self, record: Record) -> list[Record]:
        """The records within it; none where they stand in two places."""
        found = list(_within(record, (self.is_known, self.above), {}, "", DEPTH))
        places = {place for place, _ in found}
        if len(places) != 1 or self.place not in {None, *places}:
            return []
        [self.place] = places
        return [inner for _, inner in found]


def folded(name: str) -> str:
    """A name in small letters with `_` between its words: `MaxTokens` and `max-tokens` alike.

    Datadog's tables have `@` before the names of attributes.
    """
    plain = BETWEEN.sub("_", HUMP.sub("_", name.strip())).lower()
    return SAME.get(plain, plain.removeprefix("@"))


def _within(value: object, rules: Rules, above: Record, place: str, depth: int) -> Iterator[Found]:
    """The records in a value, each with the names that lead to it."""
    if isinstance(value, list):
        for item in value:
            yield from _within(item, rules, above, place, depth)
    if not isinstance(value, dict) or not depth:
        return
    is_known, names = rules
    shaped = _shaped(value, above)
    if shaped is not None:
        yield from ((place, record) for record in shaped if is_known(record))
        return
    plain = {folded(name): _folded(inner, depth) for name, inner in value.items()}
    for known in (value, plain):
        if is_known(known):
            yield place, {**above, **known}
            return
    above = above | _said({name: value.get(name, plain.get(name)) for name in names})
    for name, inner in value.items():
        if isinstance(inner, dict | list):
            yield from _within(inner, rules, above, f"{place}.{name}", depth - 1)


def _said(members: Record) -> Record:
    """What an object says of the calls within it: when it was made is not when they were."""
    said = {name: one for name, one in members.items() if isinstance(one, str | int | float)}
    made = [said.pop(name) for name in MADE if name in said]
    return {"timestamp": made[0], **said} if made else said


def _folded(value: object, depth: int) -> object:
    if not isinstance(value, dict) or not depth:
        return value
    return {folded(name): _folded(inner, depth - 1) for name, inner in value.items()}


def _shaped(value: Record, above: Record) -> list[Record] | None:
    """The records of one of the shapes that are known here; None for another."""
    spans = _spans(value)
    if spans is not None:
        return spans
    if isinstance(_object(value.get("response")).get("tokenUsage"), dict):
        return [_of_promptfoo(value, above)]
    if "usage" in _object(value.get("metadata")) and isinstance(value.get("results"), list):
        return _of_spring(value, above)
    if "request" in value and (answer := _body(value.get("response"))):
        return [_of_exchange(value, answer, above)]
    # `claude -p` prints counts of answers that go on; ccusage and analytics, the sums of days
    if value.keys() & {"parent_tool_use_id", "modelBreakdowns", "model_breakdown"}:
        return []
    if value.get("say") == "api_req_started":
        return [_of_cline(value)]
    return None


def _spans(value: Record) -> list[Record] | None:
    """The spans, or the log record, of a tool that has them in a shape of its own."""
    if isinstance(value.get("batches"), list):  # Tempo
        return [{"resourceSpans": value["batches"]}]
    spans = _objects(value.get("spans"))
    if "processes" in value and spans:
        return [_of_jaeger(span, value["processes"]) for span in spans]
    if "hrTime" in value and isinstance(value.get("attributes"), dict):
        return [_of_console(value)]
    if any("mlflow.spanType" in _object(span.get("attributes")) for span in spans):
        return _of_mlflow(spans)
    if any(span.get("spanType") == "model_step" for span in spans):
        return _of_mastra(spans)
    if {"traceId", "id", "timestamp", "tags"} <= value.keys():
        return [_of_zipkin(value)]
    if {"operation_Id", "customDimensions"} <= value.keys():
        return [_of_azure(value)]
    if {"OperationId", "Properties"} <= value.keys():  # the same in a workspace
        names = {"Id": "id", "OperationId": "operation_Id", "AppRoleName": "cloud_RoleName",
                 "Properties": "customDimensions", "Name": "name"}  # fmt: skip
        plain = {names.get(name, name): one for name, one in value.items()}
        return [_of_azure({"timestamp": value.get("TimeGenerated") or value.get("time"), **plain})]
    return None


def _of_jaeger(span: Record, processes: object) -> Record:
    attributes = {tag.get("key"): tag.get("value") for tag in _objects(span.get("tags"))}
    process = _object(_object(processes).get(str(span.get("processID"))))
    return {
        "trace_id": span.get("traceID"),
        "span_id": span.get("spanID"),
        "name": span.get("operationName"),
        "service_name": process.get("serviceName"),
        "end_time": _sum(span.get("startTime"), span.get("duration")),
        "status_code": attributes.get("otel.status_code"),
        "attributes": attributes,
    }


def _of_zipkin(span: Record) -> Record:
    tags = _object(span["tags"])
    return {
        "trace_id": span["traceId"],
        "span_id": span["id"],
        "name": span.get("name"),
        "service_name": _object(span.get("localEndpoint")).get("serviceName"),
        "end_time": _sum(span["timestamp"], span.get("duration")),
        "status_code": "ERROR" if "error" in tags else tags.get("otel.status_code"),
        "attributes": tags,
    }


def _of_azure(row: Record) -> Record:
    """A dependency of Application Insights."""
    return {
        "trace_id": row["operation_Id"],
        "span_id": row.get("id"),
        "name": row.get("name"),
        "service_name": row.get("cloud_RoleName"),
        "end_time": of_portal(row.get("timestamp")),
        "attributes": _object(_parsed(row["customDimensions"])),
    }


def _of_console(record: Record) -> Record:
    """A log record of the Gemini CLI's `outfile`, as OTLP has it."""
    resource = _pairs_of(_object(_object(record.get("resource")).get("attributes")))
    log = {
        "timeUnixNano": _nanoseconds(record["hrTime"]),
        "attributes": _pairs_of(record["attributes"]),
    }
    scopes = [{"logRecords": [log]}]
    return {"resourceLogs": [{"resource": {"attributes": resource}, "scopeLogs": scopes}]}


def _nanoseconds(time: object) -> str | None:
    """The time of a pair of seconds and nanoseconds."""
    if isinstance(time, list) and len(time) == 2 and all(isinstance(part, int) for part in time):
        return str(time[0] * 1_000_000_000 + time[1])
    return None


def _pairs_of(attributes: Record) -> list[Record]:
    """Attributes as a list of keys and values; a list of words is one of texts."""
    return [
        {"key": name, "value": {"arrayValue": {"values": [{"stringValue": str(v)} for v in value]}}}
        if isinstance(value, list)
        else {"key": name, "value": {"stringValue": str(value)}}
        for name, value in attributes.items()
    ]


def _of_mlflow(spans: list[Record]) -> list[Record]:
    """Calls of models, the innermost: a library's span may have that of its client within it."""
    calls = []
    for span in spans:
        attributes = {name: _parsed(text) for name, text in _object(span.get("attributes")).items()}
        if attributes.get("mlflow.spanType") in ("CHAT_MODEL", "LLM"):
            calls.append((span, attributes))
    parents = {span.get("parent_span_id") or span.get("parent_id") for span, _ in calls}
    records = []
    for span, attributes in calls:
        if span.get("span_id") in parents:
            continue
        asked = _object(attributes.get("mlflow.spanInputs"))
        answer = _object(attributes.get("mlflow.spanOutputs"))
        model = attributes.get("mlflow.llm.model") or answer.get("model") or asked.get("model")
        usage = answer.get("usage") or attributes.get("mlflow.chat.tokenUsage")
        status = _object(span.get("status")).get("code") or span.get("status_code")
        records.append({
            "timestamp": span.get("end_time_unix_nano") or span.get("end_time"),
            "trace_id": span.get("trace_id"),
            "model": model,
            "status": "error" if "ERROR" in str(status) else None,
            "request": asked,
            "response": {**answer, "usage": usage},
        })  # fmt: skip
    return records


def _of_mastra(spans: list[Record]) -> list[Record]:
    """Steps: the generation above sums them up, and has the request; what is below repeats one."""
    attributes = {span.get("spanId"): _object(span.get("attributes")) for span in spans}
    records = []
    for span in spans:
        if span.get("spanType") != "model_step":
            continue
        asked = attributes.get(span.get("parentSpanId"), {})
        answer = attributes[span.get("spanId")]
        usage = _object(answer.get("usage"))
        details = _object(usage.get("outputDetails"))
        records.append({
            "timestamp": span.get("endedAt"),
            "trace_id": span.get("traceId"),
            "model": asked.get("model"),
            "provider": asked.get("provider"),
            "parameters": asked.get("parameters"),
            "usage": {"reasoningTokens": details.get("reasoning"), **usage},
            "finishReason": answer.get("finishReason"),
        })  # fmt: skip
    return records


def _of_promptfoo(result: Record, above: Record) -> Record:
    response = result["response"]
    usage = response["tokenUsage"]
    model = _object(result.get("provider")).get("id")
    return {
        **above,
        "model": str(model).rpartition(":")[2] if model else None,
        "prompt_tokens": usage.get("prompt"),
        "completion_tokens": usage.get("completion"),
        "reasoning_tokens": _object(usage.get("completionDetails")).get("reasoning"),
        "finish_reason": response.get("finishReason"),
        "cached": response.get("cached"),
        "error": response.get("error"),
    }


def _of_spring(value: Record, above: Record) -> list[Record]:
    """The call of a response of Spring AI; none where several choices share its count."""
    results = _objects(value["results"])
    said = [_object(result.get("metadata")).get("finishReason") for result in results]
    return [{**above, **value["metadata"], "finishReason": said[0]}] if len(said) == 1 else []


def _of_exchange(value: Record, answer: Record, above: Record) -> Record:
    """A request of HTTP and what came back, as a HAR or a program's own log has them."""
    beside = {name: one for name, one in value.items() if isinstance(one, str | int | float)}
    return {
        **above,
        **beside,
        "timestamp": value.get("timestamp") or value.get("startedDateTime"),
        "request": _body(value["request"]),
        "response": answer,
    }


def _body(message: object) -> Record:
    """The JSON that a message of HTTP carries; {} without any."""
    said = _object(message)
    for name in ("body", "content", "postData", "data"):
        body = _parsed(said.get(name))
        text = body.get("text") if isinstance(body, dict) else body
        told = isinstance(text, str) and (_object(_parsed(text)) or answer_of(text))
        if found := told or _object(body):
            return found
    return {}


def _of_cline(message: Record) -> Record:
    said = _object(_parsed(message.get("text")))
    read = [said.get(name) or 0 for name in ("tokensIn", "cacheWrites", "cacheReads")]
    return {
        "timestamp": message.get("ts"),
        "model": _object(message.get("modelInfo")).get("modelId"),
        "input_tokens": _sum(*read),
        "output_tokens": said.get("tokensOut"),
        "cancelled": "true" if said.get("cancelReason") else None,
    }


def _sum(*numbers: object) -> int | None:
    whole = [number for number in numbers if isinstance(number, int)]
    return sum(whole) if whole else None


def _object(value: object) -> Record:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[Record]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _parsed(value: object) -> object:
    """What a text of JSON holds; another value as it is."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value
