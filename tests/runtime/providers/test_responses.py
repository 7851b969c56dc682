"""Responses as the providers return them, as objects and as dictionaries."""

from __future__ import annotations

import csv
import enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import vintages
from recorded import events, lines
from tokenest_py import Estimator
from tokenest_py.runtime.providers import APIS, said_limit
from tokenest_py.runtime.recorder import Recorder
from tokenest_py.runtime.stop_reasons import is_cut_off

PROJECT = Path(__file__).parents[3]
CALL = {"run_id": "run-1", "phase_id": "phase-1"}


class FinishReason(enum.Enum):
    """As Gemini's library has it."""

    STOP = "STOP"
    MAX_TOKENS = "MAX_TOKENS"


ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "the secret answer"}],
    "stop_reason": "max_tokens",
    "usage": {
        "input_tokens": 100,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 3,
        "output_tokens": 4096,
        "output_tokens_details": {"thinking_tokens": 1000},
    },
}
OPENAI_CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-5",
    "choices": [
        {"index": 0, "message": {"content": "the secret answer"}, "finish_reason": "length"}
    ],
    "usage": {
        "prompt_tokens": 123,
        "completion_tokens": 4096,
        "total_tokens": 4219,
        "prompt_tokens_details": {"cached_tokens": 100},
        "completion_tokens_details": {"reasoning_tokens": 1000},
    },
}
OPENAI_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "model": "gpt-5",
    "status": "incomplete",
    "incomplete_details": {"reason": "max_output_tokens"},
    "max_output_tokens": 4096,
    "output": [{"type": "message", "content": [{"text": "the secret answer"}]}],
    "usage": {
        "input_tokens": 123,
        "input_tokens_details": {"cached_tokens": 100},
        "output_tokens": 4096,
        "output_tokens_details": {"reasoning_tokens": 1000},
    },
}
GEMINI = {
    "candidates": [
        {"content": {"parts": [{"text": "the secret answer"}]}, "finishReason": "MAX_TOKENS"}
    ],
    "modelVersion": "gemini-3-pro",
    "usageMetadata": {
        "promptTokenCount": 120,
        "toolUsePromptTokenCount": 3,
        "cachedContentTokenCount": 100,
        "candidatesTokenCount": 3096,
        "thoughtsTokenCount": 1000,
        "totalTokenCount": 4219,
    },
}
GEMINI_OBJECT = SimpleNamespace(
    candidates=[
        SimpleNamespace(
            content=SimpleNamespace(text="the secret answer"),
            finish_reason=FinishReason.MAX_TOKENS,
        )
    ],
    model_version="gemini-3-pro",
    usage_metadata=SimpleNamespace(
        prompt_token_count=120,
        tool_use_prompt_token_count=3,
        cached_content_token_count=100,
        candidates_token_count=3096,
        thoughts_token_count=1000,
        total_token_count=4219,
    ),
    text="the secret answer",
)
# What every one of the calls above used: 123 tokens in; 4,096 out, of which 1,000 reasoning.
USED = {"input_tokens": 123, "actual_output_tokens": 4096, "reasoning_tokens": 1000}


def as_object(value: object) -> object:
    """The dictionary as an object with attributes, as the providers' libraries return it."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: as_object(member) for name, member in value.items()})
    return [as_object(member) for member in value] if isinstance(value, list) else value


RESPONSES: dict[str, tuple[object, dict[str, object]]] = {
    "anthropic": (
        ANTHROPIC,
        {"provider": "anthropic", "model": "claude-sonnet-4-5", "stop_reason": "max_tokens"},
    ),
    "openai chat": (
        OPENAI_CHAT,
        {"provider": "openai", "model": "gpt-5", "stop_reason": "length"},
    ),
    "openai responses": (
        OPENAI_RESPONSE,
        {"provider": "openai", "model": "gpt-5", "stop_reason": "max_output_tokens"},
    ),
    "gemini": (
        GEMINI,
        {"provider": "gemini", "model": "gemini-3-pro", "stop_reason": "MAX_TOKENS"},
    ),
}
RESPONSES |= {
    f"{name} object": (as_object(response), said)
    for name, (response, said) in RESPONSES.items()
    if name != "gemini"
} | {"gemini object": (GEMINI_OBJECT, RESPONSES["gemini"][1])}


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    """A recorder that is on."""
    return Recorder(tmp_path, enabled=True)


def test_stop_reasons_that_cut_off_are_those_of_the_seed() -> None:
    """The runtime and SQL call the same stop reasons truncated."""
    with (PROJECT / "seeds/vocabulary/stop_reasons.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    cut_off = {row["name"] for row in rows if row["label"] in ("truncated", "context_window")}
    assert cut_off == {row["name"] for row in rows if is_cut_off(row["name"].upper())}


@pytest.mark.parametrize("name", RESPONSES)
def test_usage_and_stop_reason_are_taken(name: str, recorder: Recorder, tmp_path: Path) -> None:
    """Input includes the cache, output includes reasoning, and no text is read."""
    response, said = RESPONSES[name]
    assert recorder.record_response(None, response, **CALL)
    (event,) = events(tmp_path)
    assert {name: event[name] for name in USED | said} == USED | said
    assert event["truncated"] is True
    assert "secret" not in lines(tmp_path)[0]


@pytest.mark.parametrize(
    ("response", "changes", "stop_reason"),
    [
        (ANTHROPIC, {"stop_reason": "end_turn"}, "end_turn"),
        (OPENAI_CHAT, {"choices": [{"finish_reason": "tool_calls"}]}, "tool_calls"),
        (OPENAI_RESPONSE, {"status": "completed", "incomplete_details": None}, "completed"),
        (GEMINI, {"candidates": [{"finishReason": "STOP"}]}, "STOP"),
    ],
)
def test_complete_answers_are_not_truncated(
    response: dict[str, object],
    changes: dict[str, object],
    stop_reason: str,
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    """The stop reason is kept as the provider gave it."""
    assert recorder.record_response(None, response | changes, **CALL)
    (event,) = events(tmp_path)
    assert (event["stop_reason"], event["truncated"]) == (stop_reason, False)


def test_no_answer_yet_says_nothing_about_truncation(recorder: Recorder, tmp_path: Path) -> None:
    """The last part of a stream has usage and no choice."""
    assert recorder.record_response(None, OPENAI_CHAT | {"choices": []}, **CALL)
    (event,) = events(tmp_path)
    assert "stop_reason" not in event
    assert "truncated" not in event


def test_gemini_that_only_thought(recorder: Recorder, tmp_path: Path) -> None:
    """A ceiling spent on thoughts alone leaves no count of candidates."""
    usage = {"promptTokenCount": 5, "thoughtsTokenCount": 4096}
    assert recorder.record_response(None, GEMINI | {"usageMetadata": usage}, **CALL)
    (event,) = events(tmp_path)
    assert (event["actual_output_tokens"], event["reasoning_tokens"]) == (4096, 4096)


@pytest.mark.parametrize("said", ["m" * 201, ["gpt-5"]])
def test_a_name_that_is_none_costs_no_event(
    said: object, recorder: Recorder, tmp_path: Path
) -> None:
    """A local server serves a file, and says its path."""
    assert recorder.record_response(None, OPENAI_CHAT | {"model": said, "id": said}, **CALL)
    (event,) = events(tmp_path)
    assert event["actual_output_tokens"] == 4096
    assert not {"model", "model_served", "response_id"} & event.keys()


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (None, "response_without_usage"),
        ("text", "response_without_usage"),
        ({"usage": {"total_tokens": 5}}, "unknown_response"),
        (OPENAI_CHAT | {"object": "chat.completion.chunk"}, "part_of_a_stream"),
        (GEMINI | {"candidates": [{"content": {}}]}, "part_of_a_stream"),
        ({"type": "message_start", "message": ANTHROPIC}, "part_of_a_stream"),
        (ANTHROPIC | {"stop_reason": None}, "unknown_response"),
        (SimpleNamespace(usage=SimpleNamespace(output_tokens=5, requests=1)), "unknown_response"),
        (ANTHROPIC | {"usage": {"output_tokens": "many"}}, "invalid_actual_output_tokens"),
        (
            ANTHROPIC | {"usage": {"output_tokens": 1, "input_tokens": "many"}},
            "unknown_response",
        ),
        (GEMINI | {"usageMetadata": {"promptTokenCount": 5}}, "missing_actual_output_tokens"),
    ],
)
def test_unreadable_responses_are_counted(
    response: object, reason: str, recorder: Recorder, tmp_path: Path
) -> None:
    """What has not ended, or only looks alike, is none."""
    assert not recorder.record_response(None, response, **CALL)
    assert recorder.status().dropped == {reason: 1}
    assert not lines(tmp_path)


def test_estimate_and_budget_fill_the_prediction(recorder: Recorder, tmp_path: Path) -> None:
    """The loop closes: what was predicted, what was sent and what came back are one record."""
    estimator = Estimator.load()
    estimate = estimator.estimate(
        ["src/api.py", "tests/test_api.py"], category="implementation", complexity="low"
    )
    budget = estimator.budget(estimate, model="claude-sonnet-4-5", input_tokens=123)
    assert recorder.record_response(estimate, ANTHROPIC, budget=budget, **CALL, attempt=1)
    (event,) = events(tmp_path)
    assert event["predicted_output_tokens"] == estimate.estimated_tokens
    assert event["selected_budget"] == event["actual_max_tokens"] == budget.max_tokens
    assert event["coefficients_id"] == estimate.coefficients_id
    assert event["estimator_version"] == estimate.estimator_version
    assert (event["category"], event["complexity"]) == ("implementation", "low")
    assert event["deliverables"] == ["src/api.py", "tests/test_api.py"]
    assert (event["deliverable_count"], event["attempt"]) == (2, 1)
    assert event["breakdown"] == ["backend_new:1:assumed", "test_new:1:assumed"]


@pytest.mark.parametrize("enabled", [True, False])
def test_the_estimator_is_told_of_the_outcome(tmp_path: Path, *, enabled: bool) -> None:
    """Whether anything is recorded or not, and only once a whole answer was read."""
    path = vintages.write(
        tmp_path, lambda packaged: vintages.still(packaged) + vintages.learned(0.02)
    )
    estimator = Estimator.load(path, strict=True)
    recorder = Recorder(tmp_path / "events", enabled=enabled)
    estimate = estimator.estimate(None, "new")
    budget = estimator.budget(estimate)
    options: dict[str, Any] = {"budget": budget, "estimator": estimator, **CALL}
    assert not recorder.record_response(estimate, object(), **options)
    assert estimator.budget(estimate) == budget
    part = {"quality_flags": ["partial_usage"]}
    assert recorder.record_response(estimate, ANTHROPIC, **options, **part) is enabled
    assert estimator.budget(estimate) == budget
    assert recorder.record_response(estimate, ANTHROPIC, **options) is enabled
    assert estimator.budget(estimate).seen_factor != 1
    assert len(lines(tmp_path / "events")) == 2 * enabled


def test_a_ceiling_that_a_limit_lowered_is_of_no_rate(recorder: Recorder, tmp_path: Path) -> None:
    """It was not made for the rate that was asked for, so no build judges it by that."""
    estimator = Estimator.load()
    estimate = estimator.estimate(["src/a.py"] * 20, "implementation", "high")
    for model in ("gpt-5-mini", "gpt-4o-mini"):
        budget = estimator.budget(estimate, model=model, max_truncation=0.05)
        assert recorder.record_response(estimate, ANTHROPIC, budget=budget, **CALL)
    whole, lowered = events(tmp_path)
    assert (whole["selected_budget"], whole["max_truncation"]) == (93600, 0.05)
    assert (lowered["selected_budget"], lowered.get("max_truncation")) == (16384, None)


def test_given_fields_win(recorder: Recorder, tmp_path: Path) -> None:
    """A gateway's caller knows better which provider answered, and under which ceiling."""
    assert recorder.record_response(
        None, OPENAI_RESPONSE, **CALL, provider="glm", actual_max_tokens=5000, success=True
    )
    (event,) = events(tmp_path)
    assert (event["provider"], event["actual_max_tokens"]) == ("glm", 5000)
    assert event["success"] is True


# 40 tokens in, 300 out, in the words of each provider, and the fields that follow.
OTHERS: dict[str, tuple[object, dict[str, object]]] = {
    "bedrock": (
        {
            "stopReason": "max_tokens",
            "usage": {
                "inputTokens": 30,
                "outputTokens": 300,
                "cacheReadInputTokens": 8,
                "cacheWriteInputTokens": 2,
            },
            "ResponseMetadata": {"RequestId": "id-1"},
        },
        {"provider": "bedrock", "stop_reason": "max_tokens", "truncated": True},
    ),
    "cohere": (
        {
            "id": "id-1",
            "finish_reason": "MAX_TOKENS",
            "usage": {
                "billed_units": {"input_tokens": 12, "output_tokens": 299},
                "tokens": {"input_tokens": 40, "output_tokens": 300},
            },
        },
        {"provider": "cohere", "stop_reason": "MAX_TOKENS", "truncated": True},
    ),
    "ollama": (
        {
            "model": "qwen3",
            "done": True,
            "done_reason": "length",
            "prompt_eval_count": 40,
            "eval_count": 300,
        },
        {"provider": "ollama", "model": "qwen3", "stop_reason": "length", "truncated": True},
    ),
    "langchain": (
        SimpleNamespace(
            id="id-1",
            usage_metadata={"input_tokens": 40, "output_tokens": 300},
            response_metadata={"model_name": "gpt-5", "finish_reason": "stop"},
        ),
        {"model": "gpt-5", "stop_reason": "stop", "truncated": False},
    ),
    "langchain result": (
        SimpleNamespace(
            generations=[
                [
                    SimpleNamespace(
                        message=SimpleNamespace(
                            usage_metadata={"input_tokens": 40, "output_tokens": 300},
                            response_metadata={"model": "claude", "stop_reason": "max_tokens"},
                        )
                    )
                ]
            ]
        ),
        {"model": "claude", "stop_reason": "max_tokens", "truncated": True},
    ),
    "chat chunks": (
        [
            {"object": "chat.completion.chunk", "id": "id-1", "model": "m"}
            | {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": None}
            for reason in (None, "length")
        ]
        + [
            {
                "object": "chat.completion.chunk",
                "choices": [],
                "usage": {"prompt_tokens": 40, "completion_tokens": 300},
            }
        ],
        {"provider": "openai", "model": "m", "stop_reason": "length", "truncated": True},
    ),
    "chat chunks of a server that does not say so": (
        [
            {"id": "id-1", "model": "m", "choices": [{"delta": {}, "finish_reason": reason}]}
            for reason in (None, "length")
        ]
        + [{"choices": [], "usage": {"prompt_tokens": 40, "completion_tokens": 300}}],
        {"provider": "openai", "model": "m", "stop_reason": "length", "truncated": True},
    ),
    "anthropic events": (
        [
            {
                "type": "message_start",
                "message": ANTHROPIC
                | {"stop_reason": None, "usage": {"input_tokens": 40, "output_tokens": 1}},
            },
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "secret"}},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {"output_tokens": 300},
            },
        ],
        {"provider": "anthropic", "stop_reason": "end_turn", "truncated": False},
    ),
    "last event of responses": (
        {
            "type": "response.incomplete",
            "response": OPENAI_RESPONSE | {"usage": {"input_tokens": 40, "output_tokens": 300}},
        },
        {"provider": "openai", "stop_reason": "max_output_tokens", "truncated": True},
    ),
    "gemini parts": (
        [
            {
                "candidates": [{"content": {"parts": [{"text": "secret"}]}}],
                "usageMetadata": {"promptTokenCount": 40, "candidatesTokenCount": 2},
            },
            {
                "candidates": [{"finishReason": "STOP"}],
                "usageMetadata": {"promptTokenCount": 40, "candidatesTokenCount": 300},
            },
        ],
        {"provider": "gemini", "stop_reason": "STOP", "truncated": False},
    ),
    "converse events": (
        [
            {"contentBlockDelta": {"delta": {"text": "secret"}}},
            {"messageStop": {"stopReason": "end_turn"}},
            {"metadata": {"usage": {"inputTokens": 40, "outputTokens": 300}}},
        ],
        {"provider": "bedrock", "stop_reason": "end_turn", "truncated": False},
    ),
    "cohere events": (
        [
            {"type": "message-start", "id": "id-1"},
            {"type": "content-delta", "delta": {"message": {"content": {"text": "secret"}}}},
            {
                "type": "message-end",
                "delta": {
                    "finish_reason": "COMPLETE",
                    "usage": {"tokens": {"input_tokens": 40, "output_tokens": 300}},
                },
            },
        ],
        {"provider": "cohere", "stop_reason": "COMPLETE", "truncated": False},
    ),
    "ollama parts": (
        [
            {"model": "qwen3", "done": False, "message": {"content": "secret"}},
            {"model": "qwen3", "done": True, "done_reason": "stop"}
            | {"prompt_eval_count": 40, "eval_count": 300},
        ],
        {"provider": "ollama", "stop_reason": "stop", "truncated": False},
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_responses_and_streams(name: str, recorder: Recorder, tmp_path: Path) -> None:
    """One call each, a stream given as the list of its events."""
    response, said = OTHERS[name]
    assert recorder.record_response(None, response, **CALL)
    (event,) = events(tmp_path)
    said = said | {"input_tokens": 40, "actual_output_tokens": 300}
    assert {name: event.get(name) for name in said} == said
    assert "secret" not in lines(tmp_path)[0]


@pytest.mark.parametrize(
    ("response", "bound", "truncated"),
    [
        (OPENAI_CHAT | {"choices": [{"finish_reason": "stop"}] * 3}, 1366, None),
        (OPENAI_CHAT | {"choices": [{"finish_reason": r} for r in ("stop", "length")]}, 2048, True),
        (GEMINI | {"candidates": [{"finishReason": "STOP"}] * 2}, 2048, None),
        (
            [
                GEMINI | {"candidates": [{"index": index, "finishReason": reason}]}
                for index, reason in ((0, None), (1, "MAX_TOKENS"), (0, "STOP"))
            ],
            2048,
            True,
        ),
    ],
)
def test_several_answers_are_an_interval(
    response: object, bound: int, truncated: object, recorder: Recorder, tmp_path: Path
) -> None:
    """4,096 tokens in all: the longest has at least their mean, rounded up."""
    assert recorder.record_response(None, response, **CALL)
    (event,) = events(tmp_path)
    assert event["actual_output_tokens"] == bound
    assert event.get("truncated") is truncated
    assert event["quality_flags"] == ["several_answers"]


@pytest.mark.parametrize(
    ("model", "usage", "output", "reasoning"),
    [
        ("grok-4", {"total_tokens": 14428, "reasoning": 2809}, 4308, 2809),
        ("gpt-5", {"total_tokens": 11619, "reasoning": 900}, 1499, 900),
        ("gemini-3-pro", {"total_tokens": 14428}, 4308, 2809),
        ("another", {"total_tokens": 14428}, 1499, None),
        ("another", {"total_tokens": 20000, "reasoning": 900}, 1499, 900),
        ("grok-4", {"total_tokens": "14428", "reasoning": 2809}, 1499, 2809),
    ],
)
def test_reasoning_beside_the_completion(
    model: str,
    usage: dict[str, Any],
    output: int,
    reasoning: int | None,
    recorder: Recorder,
    tmp_path: Path,
) -> None:
    """Those of xAI and Gemini leave it out of `completion_tokens`; their total has it."""
    counts: dict[str, Any] = {"prompt_tokens": 10120, "completion_tokens": 1499, **usage}
    counts["completion_tokens_details"] = {"reasoning_tokens": counts.pop("reasoning", None)}
    response = OPENAI_CHAT | {"model": model, "usage": counts}
    assert recorder.record_response(None, response, **CALL)
    (event,) = events(tmp_path)
    assert (event["actual_output_tokens"], event.get("reasoning_tokens")) == (output, reasoning)


LENGTH = "This model's maximum context length is"
ABOVE = "integer above maximum value. Expected a value <="
RANGE = "the supported range is from 1 (inclusive)"


@pytest.mark.parametrize(
    ("message", "limit"),
    [
        ("This model supports at most 16384 completion tokens, not 9.", (16384, True)),
        (f"Invalid 'max_tokens': {ABOVE} 16384, but got 50000 instead.", (16384, True)),
        (f"Invalid 'max_output_tokens': {ABOVE} 128000, but got 9.", (128000, True)),
        (f"{LENGTH} 8192 tokens, not 9000 (5000 in the messages, ...).", (3192, False)),
        ("max_tokens: 64000 > 32000, which is the maximum allowed", (32000, True)),
        ("exceed context limit: 190000 + 20000 > 200000, decrease", (10000, False)),
        (f"a maxOutputTokens of 9 but {RANGE} to 8193 (exclusive).", (8192, True)),
        ("requested exceeds the model limit of 4096.", None),
        ("maximum tokens you requested exceeds the model limit of 4096.", (4096, True)),
        ("quota", None),
    ],
)
def test_a_refusal_says_the_limit(message: str, limit: tuple[int, bool] | None) -> None:
    """In each provider's own words; what is left of a window is for this call only."""
    assert said_limit(message) == limit


def test_every_provider_says_all() -> None:
    """A module that lacks a part of the protocol would fail in the middle of a call."""
    for api in APIS:
        for name in ("PARAMETERS", "CEILINGS", "IS_REQUIRED", "EFFORTS", "GRANTS", "TOO_LARGE"):
            assert hasattr(api, name), (api, name)
        assert {path[-1] for path in api.CEILINGS} >= set(api.PARAMETERS.values())


def test_after_response() -> None:
    """The stop reason and the tokens come from the response."""
    estimator = Estimator.load()
    budget = estimator.budget(estimator.estimate(["a.py"], "implementation", "low"))
    budget = budget._replace(max_tokens=4096)
    raised = estimator.after_response(budget, ANTHROPIC)
    assert raised.budget is not None
    assert raised.budget.max_tokens == 8192
    assert estimator.after_response(budget, ANTHROPIC | {"stop_reason": "end_turn"}).budget
    done = ANTHROPIC | {"stop_reason": "end_turn", "usage": {"output_tokens": 5}}
    assert estimator.after_response(budget, done).budget is None
    assert "cannot be read: response_without_usage" in estimator.after_response(budget, {}).reason
