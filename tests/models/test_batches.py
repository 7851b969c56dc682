"""Batches: where a ceiling comes from, whichever file lands first; packed logs; forks."""

from __future__ import annotations

import gzip
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from dbt_project import OTHER_VARS, ROOT, Project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

STAGING = ROOT / "models" / "staging"


def result(number: int, custom_id: str) -> str:
    """A result of 40 tokens that stopped by itself."""
    body = {
        "id": f"c-{number}", "created": 1780300800, "model": "m",
        "choices": [{"finish_reason": "stop"}], "usage": {"completion_tokens": 40},
    }  # fmt: skip
    response = {"status_code": 200, "body": body}
    return json.dumps(
        {"id": f"r-{number}", "custom_id": custom_id, "response": response, "error": None}
    )


def request(custom_id: str, ceiling: int) -> str:
    """A request with a ceiling."""
    return json.dumps(
        {"custom_id": custom_id, "method": "POST", "url": "/v1", "body": {"max_tokens": ceiling}}
    )


def write(path: Path, *lines: str) -> None:
    """A file of lines, in a folder that exists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def build(project: Project) -> None:
    """All files below telemetry, as far as the events."""
    project.build("int_events", "files", telemetry="telemetry/**/*")


def test_a_ceiling_joins_in_its_folder_whenever_its_request_lands(tmp_path: Path) -> None:
    """Late requests complete calls; the id of another folder's batch is another call."""
    project = Project(tmp_path)
    query = (
        "select event_id, phase_id, actual_max_tokens, recorded_quality_flags"
        " from events.int_events order by event_id"
    )
    write(project.telemetry("one/out.jsonl"), result(1, "a-1"), result(2, "a-2"))
    build(project)
    assert project.rows(query) == [
        ("openai_batch:r-1", "a-1", None, None),
        ("openai_batch:r-2", "a-2", None, None),
    ]
    write(project.telemetry("one/in.jsonl"), request("a-1", 100), request("a-2", 100))
    write(project.telemetry("two/in.jsonl"), request("a-2", 700))
    write(project.telemetry("two/out.jsonl"), result(3, "a-2"))
    build(project)
    assert project.rows(query) == [
        ("openai_batch:r-1", "a-1", 100, None),
        ("openai_batch:r-2", "openai_batch:r-2", 100, None),
        ("openai_batch:r-3", "openai_batch:r-3", 700, None),
    ]
    # a second batch of the same ids in one folder: nobody knows whose request is whose
    write(project.telemetry("one/in_2.jsonl"), request("a-1", 200))
    build(project)
    assert project.rows(query)[0] == ("openai_batch:r-1", "a-1", None, ["ambiguous_request"])


def test_packed_invocation_logs_and_a_fork_that_lands_later(tmp_path: Path) -> None:
    """Read where they lie; what a fork repeats is no call, and the calls before it stay."""
    project = Project(tmp_path)
    packed = project.telemetry("log.json.gz")
    packed.write_bytes(gzip.compress((STAGING / "bedrock" / "sample.ndjson").read_bytes()))
    folder = STAGING / "codex"
    shutil.copy(folder / "sample_fork.jsonl", project.telemetry("fork.jsonl"))
    build(project)
    query = "select count(*), min(run_id) from events.int_events where source_name = ?"
    expected = (STAGING / "bedrock" / "expected.csv").read_text(encoding="utf-8").splitlines()
    assert project.rows(query, "bedrock") == [(len(expected) - 1, "bedrock")]
    # without the file of its root the fork is where its calls are known from
    assert project.rows(query, "codex") == [(3, "bb")]
    shutil.copy(folder / "sample.jsonl", project.telemetry("root.jsonl"))
    shutil.copy(folder / "sample.jsonl", project.telemetry("root_again.jsonl"))
    build(project)
    assert project.rows(
        "select run_id, count(*) from events.int_events where source_name = 'codex'"
        " group by run_id order by run_id"
    ) == [("aa", 2), ("bb", 1)]


def test_a_declared_ceiling_stands_apart(tmp_path: Path) -> None:
    """It says what was cut off, and no call is told to have had it."""
    project = Project(tmp_path)
    write(project.telemetry("out.jsonl"), result(1, "a-1"), result(2, "b-1"))
    write(project.telemetry("in.jsonl"), request("b-1", 900))
    project.build("int_events", telemetry="telemetry/*", **OTHER_VARS)
    assert project.rows(
        "select phase_id, actual_max_tokens, assumed_max_tokens, truncation_evidence, is_truncated"
        " from events.int_events order by phase_id"
    ) == [("a-1", None, 40, "assumed", True), ("b-1", 900, 40, None, False)]


def test_a_part_of_a_sum_that_no_count_holds_is_no_zero(project: Project) -> None:
    """The record is out of range, as it is where the count stands alone."""
    usage = {"candidatesTokenCount": 2**63, "thoughtsTokenCount": 12}
    response = {"responseId": "r", "modelVersion": "m", "usageMetadata": usage}
    record = {"processed_time": "2026-05-01T00:00:00Z", "request": {}, "response": response}
    project.telemetry().write_text(json.dumps(record) + "\n", encoding="utf-8")
    project.land("vertex_batch:telemetry/*")
    assert project.rows("select reject_reason from marts.rejected_lines") == [("out_of_range",)]
