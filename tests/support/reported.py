"""Calls that a report tells of, and what has to be built for it."""

from __future__ import annotations

from dbt_project import line

__all__ = ["HOSTILE", "cut_off", "events"]

HOSTILE = "</script><script>alert(1)</script>"


def events(n: int, **fields: object) -> list[bytes]:
    """Lines of n calls that differ in their ids and times."""
    name = fields.pop("name", "call")
    start = fields.pop("month", 1)
    return [
        line(
            event_id=f"{name}-{number}",
            phase_id=f"{fields.get('phase_id', name)}-{number}",
            run_id=f"run-{number % 7}",
            occurred_at=f"2026-{start:02}-{1 + number // 24:02}T{number % 24:02}:00:00Z",
            **{key: value for key, value in fields.items() if key != "phase_id"},
        )
        for number in range(n)
    ]


def cut_off(n: int, **fields: object) -> list[bytes]:
    """Lines of n calls that were truncated at 4,096 tokens."""
    return events(n, truncated=True, stop_reason="max_tokens", success=False,
                  actual_output_tokens=4096, **fields)  # fmt: skip
