"""Parts of a stream of answers are no calls: each counts what came so far."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from dbt_project import Project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def chat(key: str, tokens: int, **fields: object) -> dict[str, Any]:
    """An answer of OpenAI, whole or, as vLLM counts each of them, a part of it."""
    choice = {"index": 0, "finish_reason": "stop"}
    usage = {"completion_tokens": tokens}
    return {
        "id": key, "object": "chat.completion", "created": 1780300801, "choices": [choice],
        "usage": usage,
    } | fields  # fmt: skip


def gemini(tokens: int, **ended: str) -> dict[str, Any]:
    """A part of a stream of Gemini."""
    usage = {"candidatesTokenCount": tokens, "promptTokenCount": 9}
    return {"responseId": "g", "candidates": [{"index": 0, **ended}], "usageMetadata": usage}


def test_parts_of_a_stream(tmp_path: Path) -> None:
    """Left out by what they say they are; of Gemini, whose parts say nothing, the last counts."""
    part = {"object": "chat.completion.chunk"}
    lines = [
        chat("whole", 40),
        chat("s", 3, **part),
        chat("s", 60, choices=[], **part),
        {"timestamp": 1780300801, "type": "llm", "response": chat("w", 61, **part)},
        {"timestamp": 1780300801, "type": "llm", "response": chat("x", 62)},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"},
         "usage": {"output_tokens": 15}},
        gemini(4),
        gemini(25),
        gemini(90, finishReason="STOP"),
    ]  # fmt: skip
    project = Project(tmp_path)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    project.telemetry().write_text(text, encoding="utf-8")
    project.build("stg_answers__events", "files")
    assert project.rows(
        "select event_id, actual_output_tokens, stop_reason from staging.stg_answers__events"
        " order by all"
    ) == [
        ("answers:g", 90, "STOP"),
        ("answers:whole@1780300801", 40, "stop"),
        ("answers:x@1780300801", 62, "stop"),
    ]
    reasons = "select left_out, count(*) from staging.base_answers__lines group by all order by all"
    assert ("part of a stream", 4) in project.rows(reasons)


def test_a_message_of_anthropic_that_has_only_begun(tmp_path: Path) -> None:
    """It does not say why it ended; a log of one's own, which says nothing of that, counts."""
    begun = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
        "stop_reason": None, "usage": {"input_tokens": 9, "output_tokens": 1},
    }  # fmt: skip
    whole = begun | {"id": "msg_2", "stop_reason": "end_turn"}
    own = {"id": "msg_3", "type": "message", "model": "claude-x", "usage": {"output_tokens": 7}}
    project = Project(tmp_path)
    lines = [begun, {"timestamp": 1780300801, "response": begun | {"id": "msg_4"}}, whole, own]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    project.telemetry().write_text(text, encoding="utf-8")
    project.build("stg_answers__events", tests=False)
    assert project.rows("select event_id from staging.stg_answers__events order by event_id") == [
        ("answers:msg_2",),
        ("answers:msg_3",),
    ]


def test_what_claude_prints_of_a_run(tmp_path: Path) -> None:
    """A run of one turn is a call; one of several adds them up, and its messages are parts."""
    usage = {"input_tokens": 3, "cache_read_input_tokens": 900, "output_tokens": 210}
    run = {
        "type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": "a",
        "stop_reason": "max_tokens", "session_id": "s", "usage": usage, "uuid": "run-1",
        "modelUsage": {"claude-x": {"outputTokens": 210}},
    }  # fmt: skip
    message = {"id": "msg_1", "type": "message", "role": "assistant", "usage": usage}
    two = {"claude-x": {"outputTokens": 200}, "claude-y": {"outputTokens": 10}}
    lines = [
        {"type": "system", "subtype": "init", "session_id": "s", "permissionMode": "default"},
        {"type": "assistant", "message": message, "session_id": "s", "parent_tool_use_id": None},
        run,
        run | {"uuid": "run-2", "num_turns": 2},
        run | {"uuid": "run-3", "is_error": True},
        run | {"uuid": "run-4", "modelUsage": two, "stop_reason": None},
    ]
    project = Project(tmp_path)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    project.telemetry("stream.jsonl").write_text(text, encoding="utf-8")
    project.telemetry("all.json").write_text(json.dumps(lines[:4]), encoding="utf-8")
    project.build("stg_answers__events", telemetry="telemetry/*", tests=False)
    assert project.rows(
        "select event_id, run_id, model, input_tokens, actual_output_tokens, is_truncated"
        " from staging.stg_answers__events order by event_id"
    ) == [
        ("answers:run-1", "s", "claude-x", 903, 210, True),
        ("answers:run-4", "s", None, 903, 210, None),
    ]
