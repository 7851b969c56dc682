"""A word that says cut off says so in each spelling, wherever a source writes it."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest

from dbt_project import ROOT, Project
from tokenest_py.runtime.stop_reasons import is_truncated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

with (ROOT / "seeds/vocabulary/stop_reasons.csv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))
CUT = sorted(row["name"] for row in ROWS if row["label"] == "truncated")
SPELLINGS: list[Callable[[str], str]] = [
    str,
    str.upper,
    lambda word: word.replace("_", "-"),
    lambda word: f"FinishReason.{word.upper()}",
]


def payload(key: str, response: object, **fields: object) -> dict[str, Any]:
    """A call as LiteLLM logs it."""
    return {
        "id": key, "trace_id": key, "call_type": "aresponses", "status": "success",
        "completion_tokens": 9, "endTime": 1780272000.5, "model_parameters": {},
        "response": response,
    } | fields  # fmt: skip


def spans(key: str, value: object) -> dict[str, Any]:
    """A span whose attribute of stop words has this value."""
    members = {
        "gen_ai.operation.name": {"stringValue": "chat"},
        "gen_ai.usage.output_tokens": {"intValue": "9"},
        "gen_ai.response.finish_reasons": value,
    }
    attributes = [{"key": name, "value": said} for name, said in members.items()]
    span = {
        "traceId": "t", "spanId": key, "endTimeUnixNano": "1780272000000000000",
        "attributes": attributes,
    }  # fmt: skip
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def batch(key: str, body: dict[str, Any]) -> dict[str, Any]:
    """A result of OpenAI's batches."""
    response = {"status_code": 200, "body": {"created": 1780272000} | body}
    return {"id": key, "custom_id": key, "response": response, "error": None}


def invocation(key: str, body: object) -> dict[str, Any]:
    """A call as Bedrock logs it."""
    return {
        "schemaType": "ModelInvocationLog", "modelId": "m", "requestId": key,
        "timestamp": "2026-06-01T00:00:00Z", "input": {},
        "output": {"outputTokenCount": 9, "outputBodyJson": body},
    }  # fmt: skip


def listed(*words: str) -> dict[str, Any]:
    """A list of stop words as OpenTelemetry writes it."""
    return {"arrayValue": {"values": [{"stringValue": word} for word in words]}}


def answer(key: str, **fields: object) -> dict[str, Any]:
    """What the API of a provider returned."""
    return {"id": key, "time": 1780272000} | fields


# where a stop word stands: its source, and a line that says it there
PLACES: dict[str, tuple[str, Callable[[str, str], dict[str, Any]]]] = {
    "chat": ("litellm", lambda k, w: payload(k, {"choices": [{"finish_reason": w}]})),
    "responses": ("litellm", lambda k, w: payload(
        k, {"status": "incomplete", "incomplete_details": {"reason": w}})),
    "messages": ("litellm", lambda k, w: payload(k, {"stop_reason": w})),
    "no token of messages": ("litellm", lambda k, w: payload(
        k, {"stop_reason": w}, completion_tokens=0, model_parameters={"max_tokens": 5})),
    "list": ("otel", lambda k, w: spans(k, listed(w))),
    "second of a list": ("otel", lambda k, w: spans(k, listed("stop", w))),
    "list in a text": ("otel", lambda k, w: spans(k, {"stringValue": json.dumps([w])})),
    "second in a text": ("otel", lambda k, w: spans(k, {"stringValue": json.dumps(["stop", w])})),
    "joined": ("otel", lambda k, w: spans(k, {"stringValue": f"stop,{w}"})),
    "text": ("otel", lambda k, w: spans(k, {"stringValue": w})),
    "batch of chats": ("openai_batch", lambda k, w: batch(
        k, {"usage": {"completion_tokens": 9}, "choices": [{"finish_reason": w}]})),
    "batch of responses": ("openai_batch", lambda k, w: batch(
        k, {"usage": {"output_tokens": 9}, "status": "incomplete",
            "incomplete_details": {"reason": w}})),
    "answer of a chat": ("answers", lambda k, w: answer(
        k, choices=[{"finish_reason": w}], usage={"completion_tokens": 9})),
    "answer of a response": ("answers", lambda k, w: answer(
        k, output=[], incomplete_details={"reason": w}, usage={"output_tokens": 9})),
    "answer of messages": ("answers", lambda k, w: answer(
        k, stop_reason=w, usage={"output_tokens": 9})),
    "answer of Gemini": ("answers", lambda k, w: answer(
        k, candidates=[{"finishReason": w}], usageMetadata={"candidatesTokenCount": 9})),
    "answer of Gemini in Python": ("answers", lambda k, w: answer(
        k, candidates=[{"finish_reason": w}], usage_metadata={"candidates_token_count": 9})),
    "answer of Ollama": ("answers", lambda k, w: answer(
        k, done_reason=w, done=True, created_at="2026-06-01T00:00:00Z", eval_count=9)),
    "answer as text": ("answers", lambda k, w: {"time": 1780272000, "response": json.dumps(answer(
        k, choices=[{"finish_reason": w}], usage={"completion_tokens": 9}))}),
    "Bedrock's Converse": ("bedrock", lambda k, w: invocation(k, {"stopReason": w})),
    "Bedrock's Titan": ("bedrock", lambda k, w: invocation(
        k, {"results": [{"completionReason": w}]})),
    "Bedrock's Cohere": ("bedrock", lambda k, w: invocation(k, {"finish_reason": w})),
    "Bedrock's older Cohere": ("bedrock", lambda k, w: invocation(
        k, {"generations": [{"finish_reason": w}]})),
    "Bedrock's Mistral": ("bedrock", lambda k, w: invocation(k, {"outputs": [{"stop_reason": w}]})),
    "Bedrock's chats of Mistral": ("bedrock", lambda k, w: invocation(
        k, {"choices": [{"stop_reason": w}]})),
    "Bedrock's Llama": ("bedrock", lambda k, w: invocation(k, {"stop_reason": w})),
    "Bedrock's Jamba": ("bedrock", lambda k, w: invocation(k, {"choices": [{"finish_reason": w}]})),
    "Bedrock's Jurassic": ("bedrock", lambda k, w: invocation(
        k, {"completions": [{"finishReason": {"reason": w}}]})),
    "Bedrock's streams of Titan": ("bedrock", lambda k, w: invocation(
        k, [{"completionReason": None}, {"completionReason": w}])),
    "flat answer": ("answers", lambda k, w: answer(k, finish_reason=w, completion_tokens=9)),
}  # fmt: skip


def test_a_cut_answer_is_cut_wherever_a_source_says_so(tmp_path: Path) -> None:
    """Each word of the vocabulary, in each spelling, in each place; a stop beside it is none."""
    project = Project(tmp_path)
    lines: dict[str, list[str]] = {}
    cases: dict[str, str] = {}
    for place, (source, said) in PLACES.items():
        words = [spelling(word) for word in CUT for spelling in SPELLINGS]
        for number, word in enumerate([*words, "stop", "end_turn"]):
            key = f"c{list(PLACES).index(place):02x}{number:04x}"  # an id of digits alone is none
            if place.startswith("no token") and word not in words:
                continue
            cases[key] = f"{place}: {word}"
            lines.setdefault(source, []).append(json.dumps(said(key, word)))
            assert is_truncated(word) == (word in words)
    for source, texts in lines.items():
        path = project.telemetry(f"{source}.ndjson")
        path.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    project.build("int_events", telemetry="telemetry/*", tests=False)
    verdicts = {
        event_id.partition("@")[0].rpartition(":")[2]: is_cut
        for event_id, is_cut in project.rows("select event_id, is_truncated from events.int_events")
    }
    wrong = {
        case: verdicts.get(key, "no call")
        for key, case in cases.items()
        if verdicts.get(key) is not (not case.endswith((": stop", ": end_turn")))
    }
    assert wrong == {}


def test_a_retry_after_a_cut_answer_is_the_second_attempt_of_its_call(tmp_path: Path) -> None:
    """In one trace of LiteLLM, whatever interface said that the first was cut off."""
    project = Project(tmp_path)
    first = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    calls = [
        payload("a", first, trace_id="t", proxy_server_request={"max_output_tokens": 9}),
        payload("b", {"status": "completed"}, trace_id="t", endTime=1780272009),
    ]
    text = "".join(json.dumps(call) + "\n" for call in calls)
    project.telemetry("litellm.ndjson").write_text(text, encoding="utf-8")
    project.build("int_events", telemetry="telemetry/*", tests=False)
    assert project.rows(
        "select phase_id, attempt, actual_max_tokens, is_truncated from events.int_events"
        " order by event_id"
    ) == [("t", 1, 9, True), ("t", 2, None, False)]
