"""Shared by the recorder's tests: an event with every field, and reading back what was written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

EVENT: dict[str, Any] = {
    "event_id": "event-1",
    "occurred_at": "2026-11-21T06:34:00.123456Z",
    "run_id": "run-1",
    "phase_id": "phase-1",
    "attempt": 1,
    "category": "implementation",
    "complexity": "low",
    "labels": {"project": "web", "tenant": "t-1"},
    "deliverables": ["src/api.py", "tests/test_api.py"],
    "deliverable_count": 2,
    "breakdown": ["backend_new:1", "test_modified:1:0.63"],
    "provider": "anthropic",
    "model": "claude-sonnet-4-5",
    "model_served": "claude-sonnet-4-5-20250929",
    "response_id": "msg-1",
    "input_tokens": 5000,
    "coefficients_id": "0123abcd",
    "estimator_version": "1",
    "predicted_output_tokens": 1200,
    "selected_budget": 8192,
    "budget_source": "quantile cell",
    "max_truncation": 0.02,
    "actual_max_tokens": 16384,
    "actual_output_tokens": 800,
    "reasoning_tokens": 100,
    "stop_reason": "end_turn",
    "truncated": False,
    "success": True,
    "is_control": False,
    "quality_flags": ["estimated_usage"],
}
REQUIRED = {"run_id": "run-1", "phase_id": "phase-1", "actual_output_tokens": 800}


def lines(folder: Path) -> list[str]:
    """Every line of every file under the folder, file by file."""
    return [
        line
        for file in sorted(folder.glob("**/*.ndjson"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]


def events(folder: Path) -> list[dict[str, Any]]:
    """Every event under the folder; fails on a line that is not one."""
    return [json.loads(line) for line in lines(folder)]
