"""The database of the origin: a ceiling only where the row tells it, totals beside it."""

from __future__ import annotations

import pytest

from tokenest_py.pipeline.importing.origin import event, totals

ROW = {
    "event_id": 1, "run_id": "r", "phase_id": "p", "timestamp": "2025-12-20 08:00:00.250000",
    "category": "tests", "complexity": "low", "deliverable_count": 2,
    "deliverables_json": '["a.py", "b.py"]', "predicted_output_tokens": 700,
    "actual_output_tokens": 650, "selected_budget": 8192, "actual_max_tokens": None, "success": 1,
    "truncated": 0, "stop_reason": "end_turn", "model": "m", "smape_percent": None,
    "waste_ratio": None, "underestimated": 0, "sot_file_name": "canary-8b2d",
}  # fmt: skip


def test_a_row_is_a_line_of_the_export() -> None:
    """In its names, with booleans and lists; nothing else is kept."""
    assert event(ROW) == {
        "run_id": "r", "phase_id": "p", "timestamp": "2025-12-20 08:00:00.250000",
        "category": "tests", "complexity": "low", "deliverable_count": 2,
        "predicted_output_tokens": 700, "actual_output_tokens": 650, "selected_budget": 8192,
        "stop_reason": "end_turn", "model": "m", "success": True, "truncated": False,
        "underestimated": False, "deliverables": ["a.py", "b.py"],
    }  # fmt: skip
    assert event(ROW | {"deliverables_json": "{broken"})["deliverables"] == []


@pytest.mark.parametrize(
    ("time", "recorded", "ceiling"),
    [
        ("2025-12-20 08:00:00", None, None),
        ("2025-12-20 08:00:00", 8192, None),  # the migration's copy of the intent
        ("2025-12-25 00:14:59", 8192, None),
        ("2025-12-25 00:15:00", None, 8192),  # the column held what was sent
        ("2025-12-29 23:00:00", 16384, 16384),
        ("2025-12-30 00:00:00", None, None),
        ("2026-01-05T00:00:00", 4096, 4096),
    ],
)
def test_a_ceiling_is_filled_in_within_its_window_alone(
    time: str, recorded: int | None, ceiling: int | None
) -> None:
    """Before and after it an absent one stays absent."""
    found = event(ROW | {"timestamp": time, "actual_max_tokens": recorded})
    assert found.get("actual_max_tokens") == ceiling


def test_usage_is_told_in_sums() -> None:
    """By model; a provider that gave no split counts with its total."""
    rows = [
        {"provider": "openai", "model": "m", "total_tokens": 30, "completion_tokens": 10},
        {"provider": "openai", "model": "m", "total_tokens": 5, "completion_tokens": None},
        {"provider": "glm", "model": "n", "total_tokens": 7, "completion_tokens": 7},
    ]
    first, second = totals(rows)
    assert first.startswith("llm_usage_events: glm n: 1 calls, 7 output tokens of 7 in all")
    assert second.startswith("llm_usage_events: openai m: 2 calls, 10 output tokens of 35 in all")
