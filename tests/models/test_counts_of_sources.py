"""What other tools write of tokens: a part of a count is never added to it a second time."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from dbt_project import Project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_the_total_of_langfuse_says_what_its_buckets_hold(tmp_path: Path) -> None:
    """Caches within the input or beside it, reasoning within the output or beside it."""
    project = Project(tmp_path)
    lines = []
    expected = {}
    for caches, reasoning, is_in, is_out in itertools.product(
        (0, 30), (0, 7), (False, True), (False, True)
    ):
        key = f"{caches}-{reasoning}-{is_in}-{is_out}"
        usage = {
            "input": 100 if is_in else 100 - caches,
            "input_cached_tokens": caches,
            "output": 50 if is_out else 50 - reasoning,
            "output_reasoning_tokens": reasoning,
            "total": 150,
        }
        times = {"startTime": "2026-06-01T09:00:00Z", "endTime": "2026-06-01T09:00:01Z"}
        lines.append(
            {"id": key, "traceId": key, "type": "GENERATION", "usageDetails": usage} | times
        )
        expected[f"langfuse:{key}"] = (100, 50)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    project.telemetry("langfuse.ndjson").write_text(text, encoding="utf-8")
    project.build("int_events", telemetry="telemetry/*", tests=False)
    found = project.rows(
        "select event_id, input_tokens, actual_output_tokens from events.int_events"
    )
    assert {key: tuple(counts) for key, *counts in found} == expected


def test_a_call_of_the_ai_sdk_is_its_innermost_span(tmp_path: Path) -> None:
    """It names its operation in a word of its own; the span above it sums up its calls."""
    project = Project(tmp_path)
    usage = {
        "ai.telemetry.functionId": "summary", "gen_ai.request.model": "gpt-6",
        "gen_ai.usage.input_tokens": "900", "gen_ai.usage.output_tokens": "80",
        "ai.usage.reasoningTokens": "50", "gen_ai.request.max_tokens": "80",
    }  # fmt: skip
    kinds = ("ai.generateText", "ai.streamText", "ai.generateObject", "ai.streamObject")
    spans = []
    for number, kind in enumerate(kinds):
        inner = ".doGenerate" if "generate" in kind else ".doStream"
        for part, name in enumerate((kind, kind + inner, "ai.toolCall")):
            members = usage | {"ai.operationId": name}
            attributes = [{"key": k, "value": {"stringValue": v}} for k, v in members.items()]
            reasons = {"arrayValue": {"values": [{"stringValue": "length"}]}}
            attributes.append({"key": "gen_ai.response.finish_reasons", "value": reasons})
            spans.append({
                "traceId": "t", "spanId": f"{number}{part}", "name": f"{name} summary",
                "endTimeUnixNano": "1780272000000000000", "attributes": attributes,
            })  # fmt: skip
    line = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
    project.telemetry("otel.ndjson").write_text(line + "\n", encoding="utf-8")
    project.build("int_events", telemetry="telemetry/*", tests=False)
    assert project.rows(
        "select phase_id, category, input_tokens, actual_output_tokens, reasoning_tokens,"
        " actual_max_tokens, is_truncated from events.int_events order by phase_id"
    ) == [(f"{number}1", "summary", 900, 80, 50, 80, True) for number in range(4)]


def test_a_ceiling_has_many_names(tmp_path: Path) -> None:
    """Whichever the client that was traced gave it; one that asks for no end is none."""
    project = Project(tmp_path)
    runs, spans = [], []
    names = ("max_completion_tokens", "max_tokens", "max_output_tokens", "maxTokens",
             "maxOutputTokens", "num_predict")  # fmt: skip
    for number, name in enumerate(names):
        runs.append({
            "id": f"r-{number}", "trace_id": "t", "run_type": "llm", "completion_tokens": 40,
            "start_time": "2026-06-01T08:00:01", "end_time": "2026-06-01T08:00:11", "outputs": {},
            "extra": {"invocation_params": {name: 300 + number}},
        })  # fmt: skip
    told = {
        "llm.invocation_parameters": '{"maxTokens": 80}',
        "ai.settings.maxOutputTokens": "80",
        "ai.settings.maxTokens": "80",
        "gen_ai.request.max_tokens": "-1",
    }
    for number, (name, value) in enumerate(told.items()):
        members = {"gen_ai.operation.name": "chat", "gen_ai.usage.output_tokens": "40", name: value}
        attributes = [{"key": k, "value": {"stringValue": v}} for k, v in members.items()]
        end = "1780272000000000000"
        spans.append({
            "traceId": "t", "spanId": f"s-{number}", "name": "chat m", "endTimeUnixNano": end,
            "attributes": attributes,
        })  # fmt: skip
    lines = [*runs, {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}]
    for name, records in (("runs", lines[:-1]), ("spans", lines[-1:])):
        text = "".join(json.dumps(record) + "\n" for record in records)
        project.telemetry(f"{name}.ndjson").write_text(text, encoding="utf-8")
    project.build("int_events", telemetry="telemetry/*", tests=False)
    assert project.rows(
        "select source_name, actual_max_tokens from events.int_events order by phase_id"
    ) == [("langsmith", 300 + n) for n in range(6)] + [("otel", n) for n in (80, 80, 80, None)]


@pytest.mark.parametrize(
    "row",
    [
        {"model": "m", "input_tokens": 9, "output_tokens": 70, "num_model_requests": 12},
        {"model": "m", "completion_tokens": 70, "api_requests": 12},
        {"model": "m", "completion_tokens": 70, "requests": 12},
        {"model": "m", "usage": {"output_tokens": 70}, "request_count": 12},
        {"model": "m", "usage": {"output_tokens": 70, "requests": 12}},
        {"model": "m", "completion_tokens": 70, "successful_requests": 12},
        {"model": "m", "token_usage": {"completion_tokens": 70, "successful_requests": 12}},
    ],
    ids=[
        "OpenAI",
        "LiteLLM",
        "OpenRouter",
        "somebody",
        "an SDK of agents",
        "a callback of LangChain",
        "a crew",
    ],
)
def test_a_sum_of_many_calls_is_no_answer(tmp_path: Path, row: dict[str, object]) -> None:
    """What a gateway tells of a day has the columns of a call, and how many there were."""
    text = re.sub(r', "[a-z_]*requests?[a-z_]*": 12', "", json.dumps(row))
    one_call = json.loads(text)
    for name, record, expected in (("sum", row, []), ("call", one_call, [(70,)])):
        (tmp_path / name).mkdir()
        project = Project(tmp_path / name)
        project.telemetry("log.ndjson").write_text(json.dumps(record) + "\n", encoding="utf-8")
        project.build("int_events", telemetry="telemetry/*", tests=False)
        assert project.rows("select actual_output_tokens from events.int_events") == expected


def test_what_agents_log_of_a_call(tmp_path: Path) -> None:
    """Codex, the Gemini CLI and Qwen Code in OpenTelemetry: thoughts are output, 0 is no time."""
    project = Project(tmp_path)
    codex = {"event.name": "codex.sse_event", "conversation.id": "c", "model": "gpt-6"}
    gemini = {"event.name": "gemini_cli.api_response", "session.id": "s", "model": "gemini-x"}
    qwen = {"event.name": "qwen-code.api_response", "session.id": "q", "model": "qwen-x"}
    counted = {"input_token_count": "900", "output_token_count": "80"}
    told = [
        codex | counted | {"reasoning_token_count": "30"},
        codex | counted,
        codex | {"event.kind": "response.output_item.done"},
        codex | counted | {"event.name": "codex.user_prompt"},
        gemini | counted | {"thoughts_token_count": "50", "total_token_count": "1030"},
        gemini | counted | {"thoughts_token_count": "50", "total_token_count": "980"},
        qwen | counted | {"thoughts_token_count": "50", "total_token_count": "980"},
        # the same call once more, in the words of the conventions
        qwen | {"event.name": "gen_ai.client.inference.operation.details",
                "gen_ai.operation.name": "generate_content", "gen_ai.usage.output_tokens": "80"},
    ]  # fmt: skip
    records = []
    for number, members in enumerate(told):
        attributes = [{"key": k, "value": {"stringValue": v}} for k, v in members.items()]
        reasons = {"arrayValue": {"values": [{"stringValue": "MAX_TOKENS"}]}}
        if "session.id" in members:
            attributes.append({"key": "finish_reasons", "value": reasons})
        records.append({
            "timeUnixNano": "0", "observedTimeUnixNano": f"178027200{number}000000000",
            "body": {"stringValue": "it answered"}, "attributes": attributes,
        })  # fmt: skip
    del records[1]["timeUnixNano"]
    service = {"key": "service.name", "value": {"stringValue": "qwen-code"}}
    line = json.dumps({"resourceLogs": [
        {"resource": {"attributes": [service]}, "scopeLogs": [{"logRecords": records}]},
    ]})  # fmt: skip
    project.telemetry("otel.ndjson").write_text(line + "\n", encoding="utf-8")
    project.build("int_events", telemetry="telemetry/*", tests=False)
    assert project.rows(
        "select extract(second from occurred_at), run_id, provider, input_tokens,"
        " actual_output_tokens, reasoning_tokens, is_truncated from events.int_events"
        " order by occurred_at"
    ) == [
        (0, "c", None, 900, 80, 30, None),
        (1, "c", None, 900, 80, None, None),
        (4, "s", "google", 900, 130, 50, True),
        (5, "s", "google", 900, 80, 50, True),
        (6, "q", None, 900, 80, 50, True),
    ]


def test_several_choices_share_one_count(tmp_path: Path) -> None:
    """So it is the count of none; one choice that is asked for by name is a call."""
    project = Project(tmp_path)
    told: list[dict[str, object]] = [
        {"gen_ai.request.choice.count": 3},
        {"llm.invocation_parameters": '{"n": 2, "max_tokens": 90}'},
        {"gen_ai.request.choice.count": 1, "gen_ai.usage.details.reasoning_tokens": 8},
    ]
    call = {"gen_ai.operation.name": "chat", "gen_ai.usage.output_tokens": 40}
    spans: list[dict[str, Any]] = []
    plain: list[dict[str, Any]] = []
    for number, members in enumerate(told):
        attributes = [
            {"key": k, "value": {"stringValue": str(v)}} for k, v in (call | members).items()
        ]
        spans.append({
            "traceId": "t", "spanId": f"o-{number}", "endTimeUnixNano": "1780272000000000000",
            "attributes": attributes,
        })  # fmt: skip
        plain.append({
            "context": {"trace_id": "t", "span_id": f"p-{number}"}, "span_kind": "LLM",
            "end_time": "2026-06-01T00:00:00Z", "attributes": call | members,
        })  # fmt: skip
    lines = {"otel": [{"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}], "plain": plain}
    for name, records in lines.items():
        text = "".join(json.dumps(record) + "\n" for record in records)
        project.telemetry(f"{name}.ndjson").write_text(text, encoding="utf-8")
    project.build("int_events", "int_lines", telemetry="telemetry/*", tests=False)
    assert project.rows(
        "select phase_id, reasoning_tokens from events.int_events order by phase_id"
    ) == [("o-2", 8), ("p-2", 8)]
    assert project.rows(
        "select count(*) from events.int_lines where left_out = 'several choices'"
    ) == [(4,)]
