"""`tokenest replay` on the published samples: old against new, per event and in sum."""

from __future__ import annotations

import json
from statistics import mean, median
from typing import Any

import pytest

from dbt_project import Project, line

pytestmark = pytest.mark.slow


def printed(project: Project, *arguments: str) -> list[dict[str, Any]]:
    """What `tokenest replay` prints as JSON."""
    done = project.tokenest("replay", "--format", "json", *arguments)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def smape(predicted: float, actual: float) -> float:
    """The error in percent, by the textbook."""
    return 200 * abs(predicted - actual) / (predicted + actual)


def test_every_sample_is_shown(samples: Project) -> None:
    """The origin's replay table on the real paths; harness rows had none and get no estimate."""
    rows = {row["event_id"]: row for row in printed(samples)}
    assert len(rows) == 26
    assert (rows["s1-1"]["predicted_output_tokens"], rows["s1-1"]["replayed_output_tokens"]) == (
        780,
        7800,
    )
    assert rows["s1-1"]["replayed_smape"] == pytest.approx(smape(7800, 7342))
    assert rows["s0-6"]["replay_model"] == "doc_synthesis"
    for number in range(1, 6):
        row = rows[f"s2-{number}"]
        assert row["replay_basis"] == "no_deliverables"
        assert row["replayed_output_tokens"] is None
        assert row["replayed_smape"] is None
    s1 = [row for name, row in rows.items() if name.startswith("s1-")]
    assert mean(row["smape"] for row in s1) == pytest.approx(143.42, abs=0.005)
    assert mean(row["replayed_smape"] for row in s1) == pytest.approx(36.04, abs=0.005)


def test_sums_follow_from_the_samples(samples: Project) -> None:
    """Mean and median smape, median ratio and rate of underestimates, on the same events."""
    both = [row for row in printed(samples) if row["is_analysed"] and row["replayed_output_tokens"]]
    sums = {row["prediction"]: row for row in printed(samples, "--summary")}
    assert set(sums) == {"recorded", "replayed"}
    for side, prediction in (
        ("recorded", "predicted_output_tokens"),
        ("replayed", "replayed_output_tokens"),
    ):
        pairs = [
            (row[prediction], row["actual_output_tokens"], row["is_truncated"]) for row in both
        ]
        errors = [smape(p, a) for p, a, truncated in pairs if not truncated]
        decided = [a > p for p, a, truncated in pairs if not truncated or a > p]
        assert sums[side]["n"] == len(both) == 20
        assert sums[side]["mean_smape"] == pytest.approx(mean(errors))
        assert sums[side]["median_smape"] == pytest.approx(median(errors))
        assert sums[side]["p50_estimate_ratio"] == pytest.approx(median(p / a for p, a, _ in pairs))
        assert sums[side]["underestimation_rate"] == pytest.approx(mean(decided))
    assert sums["replayed"]["assumed_new_count"] == sum(row["assumed_new_count"] for row in both)


def test_the_table_says_what_was_not_replayed(samples: Project) -> None:
    """Events, sums beneath, and on standard error what is missing and what was assumed."""
    done = samples.tokenest("replay")
    assert done.returncode == 0, done.stderr
    head, *body = done.stdout.splitlines()
    assert head.split()[:4] == ["phase", "category", "complexity", "actual"]
    [harness] = [text for text in body if text.startswith("telemetry-test-1 ")]
    assert harness.endswith("no_deliverables")
    assert [text.split()[0] for text in body[-2:]] == ["recorded", "replayed"]
    assert "21 of 26 events replayed; 5 have no recorded deliverables" in done.stderr
    assert "taken as new because the record does not say" in done.stderr


def test_nothing_to_replay_is_said(project: Project) -> None:
    """A database without the replay is an error, one without any deliverables exit code 4."""
    project.telemetry().write_bytes(
        line(event_id="e-1", deliverables=None) + line(event_id="e-2", deliverables=["ab" * 8])
    )
    project.build("int_events", tests=False)
    done = project.tokenest("replay")
    assert (done.returncode, done.stdout) == (1, "")
    [message] = done.stderr.splitlines()
    assert "the database needs a newer build" in message
    assert message.endswith("run `tokenest build`")
    views = ["cmd_replay_bases", "cmd_replay_samples", "cmd_replay_sums"]
    project.build("scores", *views, tests=False)
    done = project.tokenest("replay")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == (
        "tokenest: none of 2 events can be replayed:"
        " 1 record hashes instead of paths, 1 have no recorded deliverables\n"
    )
