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
