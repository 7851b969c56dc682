"""Records of one call complete each other, whichever lands first, and the call stays one event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from dbt_project import Project, event

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.slow

HOUR = 3_600_000_000_000
START = 1_780_300_800_000_000_000  # 2026-06-01 08:00


def turn(number: int, output: int, characters: int, stop: str | None = None) -> dict[str, Any]:
    """An answer in a session, of so many characters."""
    return {
        "type": "assistant", "uuid": f"u{number}", "sessionId": "talk", "isSidechain": False,
        "timestamp": "2026-06-01T08:00:00Z", "requestId": f"req_{number}",
        "message": {
            "id": f"msg_{number}", "model": "m", "stop_reason": stop,
            "content": [{"type": "text", "text": "x" * characters}],
            "usage": {"input_tokens": 5, "output_tokens": output},
        },
    }  # fmt: skip


def attributes(**values: object) -> list[dict[str, Any]]:
    """Attributes as OpenTelemetry writes them; two underscores stand for a dot."""
    return [
        {"key": name.replace("__", "."), "value": {"stringValue": str(value)}}
        for name, value in values.items()
    ]


def logged(number: int, output: int) -> dict[str, Any]:
    """What Claude Code's telemetry says of the request: the final count."""
    record = {
        "timeUnixNano": str(START), "body": {"stringValue": "claude_code.api_request"},
        "attributes": attributes(session__id="talk", request_id=f"req_{number}",
                                 input_tokens=5, output_tokens=output),
    }  # fmt: skip
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}


def span(
    number: int, response_id: str, hours: int = 0, trace: str = "aa", **values: object
) -> dict[str, Any]:
    """A span of a call."""
    record = {
        "traceId": trace, "spanId": f"{number:016x}", "name": "chat",
        "endTimeUnixNano": str(START + hours * HOUR),
        "attributes": attributes(gen_ai__operation__name="chat",
                                 gen_ai__response__id=response_id, **values),
    }  # fmt: skip
    return {"resourceSpans": [{"scopeSpans": [{"spans": [record]}]}]}


def payload(number: int, response_id: str, ceiling: int, output: int) -> dict[str, Any]:
    """A payload of a gateway that does not say how the call ended."""
    return {
        "id": f"p-{number}", "call_type": "completion", "status": "success", "model": "m",
        "completion_tokens": output, "endTime": START / 1e9, "trace_id": f"t-{number}",
        "model_parameters": {"max_tokens": ceiling}, "response": {"id": response_id},
    }  # fmt: skip


def below(parent: int, record: dict[str, Any]) -> dict[str, Any]:
    """The span, within another one."""
    record["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["parentSpanId"] = f"{parent:016x}"
    return record


def detailed(number: int, **values: object) -> dict[str, Any]:
    """The event of the conventions, a log record within the span of the call."""
    record = {
        "timeUnixNano": str(START + number), "traceId": "cc", "spanId": f"{number:016x}",
        "eventName": "gen_ai.client.inference.operation.details",
        "attributes": attributes(gen_ai__operation__name="chat", **values),
    }  # fmt: skip
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}


def nameless(number: int, **values: object) -> dict[str, Any]:
    """A span of a call that does not know the provider's id, in a trace of its own."""
    record = span(number, "", trace="cc", **values)
    of_span = record["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"]
    of_span[:] = [each for each in of_span if each["key"] != "gen_ai.response.id"]
    return record


def as_object(number: int, parent: int | None, **values: object) -> dict[str, Any]:
    """A span whose attributes are an object, as a console prints it."""
    return {
        "name": "chat", "context": {"trace_id": "dd", "span_id": f"s{number}"}, "span_kind": "LLM",
        "parent_id": parent and f"s{parent}", "end_time": "2026-06-01T08:00:00Z",
        "attributes": {name.replace("__", "."): value for name, value in values.items()},
    }  # fmt: skip


COUNTS = "gen_ai__usage__output_tokens"
FILES: dict[str, Sequence[dict[str, Any]]] = {
    # 400 and 900 characters are no single token; the third count is whole, the fourth is nowhere
    "session.jsonl": [
        turn(1, 1, 400), turn(2, 1, 900), turn(3, 70, 200, "end_turn"), turn(4, 1, 400),
    ],
    "payloads.ndjson": [
        payload(1, "resp-1", 1000, 1000), payload(2, "resp-2", 500, 40),
        # two payloads of one response, and one of an id that comes again after days
        payload(3, "resp-3", 100, 9), payload(4, "resp-3", 200, 9), payload(5, "resp-5", 300, 9),
    ],
    "own.ndjson": [
        event(event_id="own", phase_id="own", occurred_at="2026-06-01T08:00:00Z",
              response_id="resp-9", actual_max_tokens=None, actual_output_tokens=50),
    ],
    "logs.ndjson": [logged(1, 812), logged(2, 1768), logged(3, 70)],
    "spans.ndjson": [
        span(1, "resp-1", gen_ai__response__finish_reason="length", **{COUNTS: 1000}),
        span(2, "resp-2", gen_ai__response__finish_reason="stop", **{COUNTS: 40}),
        span(3, "resp-3", **{COUNTS: 9}), span(5, "resp-5", hours=72, **{COUNTS: 9}),
        span(9, "resp-9", gen_ai__request__max_tokens=400, **{COUNTS: 50}),
        # a library and its client, both traced; and the same id in another trace
        span(6, "resp-6", gen_ai__request__max_tokens=90, **{COUNTS: 60}),
        span(7, "resp-6", gen_ai__response__finish_reason="stop", **{COUNTS: 60}),
        span(8, "resp-8", **{COUNTS: 80}), span(8, "resp-8", trace="bb", **{COUNTS: 80}),
        # a framework's span over its client's: one of them has the id, or neither; other counts are
        # of another call
        nameless(1, gen_ai__request__max_tokens=90, **{COUNTS: 70}),
        below(1, span(2, "resp-c", trace="cc", gen_ai__response__finish_reason="stop",
                      **{COUNTS: 70})),
        nameless(3, gen_ai__response__finish_reason="stop", **{COUNTS: 71}),
        below(3, nameless(4, gen_ai__request__max_tokens=75, **{COUNTS: 71})),
        nameless(5, **{COUNTS: 72}), below(5, nameless(6, **{COUNTS: 31})),
    ],
    # one of a span with an id, one of a span without, and one whose span is not exported
    "details.ndjson": [
        detailed(2, gen_ai__response__id="resp-c", gen_ai__response__finish_reason="stop",
                 **{COUNTS: 70}),
        detailed(5, gen_ai__request__max_tokens=95, gen_ai__response__finish_reason="stop",
                 **{COUNTS: 72}),
        detailed(77, gen_ai__response__id="resp-d", gen_ai__request__max_tokens=88,
                 gen_ai__response__finish_reason="length", **{COUNTS: 88}),
    ],
    "console.ndjson": [
        as_object(1, None, llm__finish_reason="stop", llm__token_count__completion=44),
        as_object(2, 1, gen_ai__request__max_tokens=60, llm__token_count__completion=44),
    ],
}  # fmt: skip
EVENTS = (
    "select event_id, actual_max_tokens, actual_output_tokens, stop_reason, truncation_evidence,"
    " is_truncated, recorded_quality_flags from events.int_events order by event_id"
)
ONE_EVENT_A_CALL = [
    ("claude_code:msg_1:req_1", None, 812, None, None, None, None),
    ("claude_code:msg_2:req_2", None, 1768, None, None, None, None),
    ("claude_code:msg_3:req_3", None, 70, "end_turn", None, False, None),
    ("claude_code:msg_4:req_4", None, 1, None, None, None, ["partial_usage"]),
    ("litellm:p-1", 1000, 1000, "length", "stop_reason", True, None),
    ("litellm:p-2", 500, 40, "stop", None, False, None),
    ("litellm:p-3", 100, 9, None, None, False, None),
    ("litellm:p-4", 200, 9, None, None, False, None),
    ("litellm:p-5", 300, 9, None, None, False, None),
    ("openinference:dd:s1", 60, 44, "stop", None, False, None),
    (f"otlp:aa:{3:016x}", None, 9, None, None, None, None),
    (f"otlp:aa:{5:016x}", None, 9, None, None, None, None),
    (f"otlp:aa:{6:016x}", 90, 60, "stop", None, False, None),
    (f"otlp:aa:{8:016x}", None, 80, None, None, None, None),
    (f"otlp:bb:{8:016x}", None, 80, None, None, None, None),
    (f"otlp:cc:{1:016x}", 90, 70, "stop", None, False, None),
    (f"otlp:cc:{3:016x}", 75, 71, "stop", None, False, None),
    (f"otlp:cc:{5:016x}", 95, 72, "stop", None, False, None),
    (f"otlp:cc:{6:016x}", None, 31, None, None, None, None),
    ("otlp_log::resp-d", 88, 88, "length", "stop_reason", True, None),
    ("own", 400, 50, "end_turn", None, False, None),
]
ACCOUNT = (
    "select parse_filename(source_file), lines, accepted, duplicate from marts.files order by 1"
)
DEMAND = (
    "select event_id, demand_state, excluded_reason, demand_tokens from intermediate.int_demand"
    " order by event_id"
)


def built(project: Project, *groups: Sequence[str]) -> Project:
    """One build after each group of files has come."""
    for names in groups:
        for name in names:
            lines = "".join(json.dumps(record) + "\n" for record in FILES[name])
            project.telemetry(name).write_text(lines, encoding="utf-8")
        project.build("calls", "int_demand", "files", telemetry="telemetry/*")
    return project


LOGS = ["session.jsonl", "payloads.ndjson", "own.ndjson"]
TELEMETRY = ["logs.ndjson", "spans.ndjson", "details.ndjson", "console.ndjson"]


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """All files in one build."""
    return built(Project(tmp_path_factory.mktemp("once")), [*LOGS, *TELEMETRY])


def test_a_call_is_one_event_that_knows_what_its_records_know(at_once: Project) -> None:
    """Ceilings, final counts and stop words; an id of several calls joins nothing."""
    assert at_once.rows(EVENTS) == ONE_EVENT_A_CALL


def test_a_repaired_count_is_demand(at_once: Project) -> None:
    """Placeholders of a session would be a budget of a few tokens."""
    found = {row[0]: row[1:] for row in at_once.rows(DEMAND)}
    assert found["claude_code:msg_2:req_2"] == ("censored", None, 1768)
    assert found["claude_code:msg_4:req_4"] == ("excluded", "partial_usage", None)
    assert found["litellm:p-1"] == ("censored", None, 1000)
    assert found["own"] == ("observed", None, 50)


def test_a_record_that_counts_elsewhere_is_a_duplicate(at_once: Project) -> None:
    """The lines of each file add up."""
    assert at_once.rows(ACCOUNT) == [
        ("console.ndjson", 2, 1, 1), ("details.ndjson", 3, 1, 2), ("logs.ndjson", 3, 0, 3),
        ("own.ndjson", 1, 1, 0),
        ("payloads.ndjson", 5, 5, 0),
        ("session.jsonl", 4, 4, 0), ("spans.ndjson", 15, 9, 6),
    ]  # fmt: skip


@pytest.mark.parametrize("order", [(LOGS, TELEMETRY), (TELEMETRY, LOGS)])
def test_the_order_of_landing_does_not_matter(
    at_once: Project, tmp_path: Path, order: Sequence[Sequence[str]]
) -> None:
    """What counted until its call was known better counts no more, downstream too."""
    stepwise = built(Project(tmp_path), *order)
    estimates = "select event_id, actual_output_tokens, is_truncated from marts.calls order by 1"
    for query in (EVENTS, ACCOUNT, DEMAND, estimates):
        assert stepwise.rows(query) == at_once.rows(query)
