"""Who moves a budget by itself, and who sends ids again, is named in the alerts and the summary."""

from __future__ import annotations

import pytest

from dbt_project import Project, line

pytestmark = pytest.mark.slow

ALERTS = (
    "select rule_name, subject, n, n_breaches, is_open from marts.alerts"
    " where rule_name in ('id_conflicts', 'one_producer') order by all"
)


def calls(name: str, count: int, tokens: int) -> bytes:
    """Calls of fifty sizes, each an eighth larger than the one before."""
    return b"".join(
        line(event_id=f"{name}-{n}", phase_id=f"{name}-{n}", run_id=f"run-{n % 40}",
             actual_output_tokens=int(tokens * 1.125 ** (n % 50)) if tokens > 1 else 1,
             actual_max_tokens=100_000)
        for n in range(count)
    )  # fmt: skip


def test_a_flood_and_ids_that_come_again(project: Project) -> None:
    """300 calls of one token and 20 conflicts beside 100 good calls: both are said, none erased."""
    for number in (1, 2):
        path = project.telemetry(f"events-20260102T030405Z-{number}-ab-0001.ndjson")
        path.write_bytes(calls(f"good-{number}", 50, 100))
    done = project.tokenest("build")
    assert done.returncode == 0, done.stderr
    assert project.rows(ALERTS) == []
    project.telemetry("flood-0001.ndjson").write_bytes(calls("flood", 200, 1))
    project.telemetry("flood-0002.ndjson").write_bytes(calls("more", 100, 1))
    project.telemetry("sent-again.ndjson").write_bytes(calls("good-1", 20, 1))
    done = project.tokenest("build")
    assert done.returncode in {0, 3}, done.stderr  # what the flood empties is not exported
    assert project.rows(ALERTS) == [
        ("id_conflicts", "tokenest", 420, 20, True),
        ("one_producer", "implementation / low, telemetry/flood", 400, 300, True),
    ]
    assert "open alert" in done.stdout + done.stderr
    kept = "select count(*), min(actual_output_tokens) from events.int_events where event_id like ?"
    assert project.rows(kept, "good-%") == [(100, 100)]
