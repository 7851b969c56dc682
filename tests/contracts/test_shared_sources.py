"""The sources on files of other hands, where they lie beside the checkout: nothing is copied."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dbt_project import ROOT, Project

if TYPE_CHECKING:
    from pathlib import Path

# The samples that an expected file is about, and the source that reads them.
SAMPLES = {
    "anthropic_batch": (["anthropic_batch.ndjson"], "anthropic_batch"),
    "claude_code": (["claude_code.ndjson"], "claude_code"),
    "codex": (["codex.ndjson", "codex_fork.ndjson"], "codex"),
    "gemini_batch": (["gemini_batch.ndjson"], "gemini_batch"),
    "gemini_cli": (["gemini_cli.json", "gemini_cli.ndjson"], "gemini_cli"),
    "inspect_ai": (["inspect_ai.json"], "inspect_ai"),
    "langfuse": (["langfuse.ndjson"], "langfuse"),
    "langfuse_blob": (["langfuse_blob.ndjson"], "langfuse"),
    "litellm_payload": (["litellm_payload.ndjson"], "litellm"),
    "litellm_spend_logs": (["litellm_spend_logs.json"], "litellm"),
    "llm_logs": (["llm_logs.sql"], "llm"),
    "openai_batch": (["openai_batch.ndjson"], "openai_batch"),
    "opencode": (["opencode.ndjson"], "opencode"),
    "openinference": (["openinference.ndjson"], "openinference"),
    "otlp_logs": (["otlp_logs.ndjson"], "otel"),
    "otlp_spans": (["otlp_spans.ndjson"], "otel"),
    "vertex_batch": (["vertex_batch.ndjson"], "vertex_batch"),
}
# The files that know the ceilings of a sample's calls.
BESIDE = ("openai_batch_requests.ndjson", "anthropic_batch_requests.json")
# Where the expected file leaves truncation open although the ceiling is known: a call without a
# stop word was cut off at it, and not below it.
BY_CEILING = {"langfuse:o1": "false", "langfuse:b1": "false", "langfuse:b3": "true"}
# By file: assistant calls, the sum of their output, and those whose own text refutes the count.
REAL = {"short": (1, 13, 1), "subagent": (12, 1586, 6), "tool_heavy": (4, 212, 2)}


@pytest.fixture(scope="module")
def shared() -> Path:
    """The folder of samples beside the checkout."""
    folder = ROOT.parent / "shared" / "sources"
    if not folder.exists():
        pytest.skip("no shared samples beside the checkout")
    return folder


def put(path: Path, project: Project) -> None:
    """The file as telemetry; of a database the rows of its tables, as an import writes them."""
    if path.suffix != ".sql":
        shutil.copy(path, project.telemetry(path.name))
        return
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(path.read_text(encoding="utf-8"))
        connection.row_factory = sqlite3.Row
        rows = [
            json.dumps(dict(row))
            for table in ("responses", "turns")
            for row in connection.execute(f"select * from {table}")
        ]
    project.telemetry(path.name).write_text("\n".join([*rows, ""]), encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Project:
    """All samples and the real files, in one build."""
    project = Project(tmp_path_factory.mktemp("shared"))
    for name in [*(name for names, _ in SAMPLES.values() for name in names), *BESIDE]:
        put(shared / "samples" / name, project)
    for path in (shared / "real").iterdir():
        shutil.copy(path, project.telemetry(path.name))
    project.build("int_events", "files", telemetry="telemetry/*")
    return project


def test_every_sample_is_compared(shared: Path) -> None:
    """Each file that is there, by a source that there is."""
    variables = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    assert {source for _, source in SAMPLES.values()} <= set(variables["sources"])
    named = {name for names, _ in SAMPLES.values() for name in names} | set(BESIDE)
    assert {path.name for path in (shared / "samples").iterdir()} == named
    assert {path.stem for path in (shared / "expected").iterdir()} == set(SAMPLES)


def told(row: dict[str, str], file: Path) -> dict[str, Any]:
    """An expected event, in the types of int_events; labels are those that have to be there."""
    labels = dict(pair.split("=", 1) for pair in row["labels"].split(";") if pair)
    if row["occurred_at"] == "(file modified_at)":
        time = datetime.fromtimestamp(int(file.stat().st_mtime), UTC)
    else:
        time = datetime.fromisoformat(row["occurred_at"])
    return {name: value or None for name, value in row.items()} | {
        "labels": labels, "occurred_at": time.replace(tzinfo=None),
        "truncated": row["truncated"] or BY_CEILING.get(row["event_id"]),
    }  # fmt: skip


@pytest.mark.parametrize("about", sorted(SAMPLES))
def test_a_sample_gives_the_events_that_it_means(built: Project, shared: Path, about: str) -> None:
    """Every column of the expected file, of every event."""
    files, source = SAMPLES[about]
    with (shared / "expected" / f"{about}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = {row["event_id"]: told(row, built.telemetry(files[0])) for row in rows}
    columns = {
        "truncated": "is_truncated", "success": "is_success", "category": "recorded_category",
        "quality_flags": "array_to_string(recorded_quality_flags, ';')",
    }  # fmt: skip
    apart = {"labels", "occurred_at"}
    names = [name for name in next(iter(expected.values())) if name not in apart]
    found = {}
    for labels, time, *values in built.rows(
        "select labels, occurred_at, "
        + ", ".join(f"cast({columns.get(name, name)} as varchar)" for name in names)
        + " from events.int_events where source_name = ?"
        " and list_contains(?::varchar[], parse_filename(source_file))",
        source,
        files,
    ):
        event = dict(zip(names, values, strict=True))
        wanted = expected.get(event["event_id"], {"labels": {}})["labels"]
        has = json.loads(labels or "{}")
        found[event["event_id"]] = event | {
            "labels": {k: has.get(k) for k in wanted}, "occurred_at": time,
        }  # fmt: skip
    assert found == expected


def test_real_sessions_give_their_calls(built: Project) -> None:
    """Counted by hand: calls, their output, and how many are stream snapshots."""
    for name, expected in REAL.items():
        assert built.rows(
            "select count(*), sum(actual_output_tokens)::bigint,"
            " count(case when list_contains(recorded_quality_flags, 'partial_usage') then 1 end)"
            " from events.int_events where parse_filename(source_file) = ?",
            f"claude_code_2.1.39__{name}.jsonl",
        ) == [expected]
