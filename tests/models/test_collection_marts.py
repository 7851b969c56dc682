"""Attempts land like telemetry: accepted, counted, quarantined; and the pages' code runs."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from collected import SEEDS, attempt, make_run, succeeded, worker_words
from dbt_project import ROOT, Project, line
from tokenest_py.pipeline.collection.journal import RECORD_TYPE, Journal
from tokenest_py.pipeline.collection.reasons import REASONS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

GOOD: dict[str, Any] = {
    "record_type": RECORD_TYPE,
    "event_id": "good",
    "occurred_at": "2026-01-02T03:04:05Z",
    "run_id": "r",
    "phase_id": "p1",
    "attempt": 1,
    "session_id": "s",
    "duration_seconds": 1.5,
    "success": False,
    "events": 0,
    "zero_yield_reason": "timeout",
}
BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"session_id": None}, "missing_field", "session_id"),
    ({"success": None, "attempt": None}, "missing_field", "attempt, success"),
    ({"events": None}, "missing_field", "events"),
    ({"events": "2"}, "wrong_type", "events"),
    ({"events": -1}, "out_of_range", "events"),
    ({"exit_code": 1.5}, "wrong_type", "exit_code"),
    ({"duration_seconds": "1"}, "wrong_type", "duration_seconds"),
    ({"occurred_at": "yesterday"}, "not_a_time", "occurred_at"),
    ({"record_type": "prediction"}, "wrong_type", "record_type"),
    ({"record_type": ""}, "wrong_type", "record_type"),
    ({"record_type": "event"}, "missing_field", "actual_output_tokens"),
]


def as_line(record: dict[str, Any]) -> bytes:
    """The record as a line; None leaves a member out."""
    return json.dumps({k: v for k, v in record.items() if v is not None}).encode() + b"\n"


@pytest.fixture(scope="module")
def drained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A run drained by the real command, and beside its journal good and bad records, built."""
    project = Project(tmp_path_factory.mktemp("collected"))
    goals = {
        "p1": "event()",
        "p2": "sys.exit('prompt is too long')",
        "p3": "c = int(os.environ['TOKENEST_MAX_TOKENS']); "
        "event(actual_output_tokens=c, actual_max_tokens=c, truncated=c < 9000); "
        "sys.exit(c < 9000)",
        "p4": "time.sleep(60)",
    }
    make_run(project.folder / "runs", goals)
    words = " ".join(worker_words(project.folder))
    done = subprocess.run(
        [sys.executable, "-m", "tokenest_py", "drain", "r", "--worker", words,
         "--phase-timeout-seconds", "5"],
        cwd=project.folder,
        env=project.environment() | {"TOKENEST_TELEMETRY_DIR": "telemetry"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [as_line(GOOD), as_line(GOOD), line()]
    lines += [
        as_line(GOOD | {"event_id": f"bad-{n}"} | fields) for n, (fields, *_) in enumerate(BAD)
    ]
    project.telemetry("more.ndjson").write_bytes(b"".join(lines))
    other = Journal(project.telemetry("attempts-old.ndjson"), "old")
    for item in (attempt("p1"), attempt("p2"), succeeded("p3", events=0)):
        other.append(replace(item, run_id="old", event_id=f"old-{item.phase_id}"))
    project.build("collection_runs", "calls", "files", "rejected_lines")
    return project


def test_every_line_is_accounted_for(drained: Project) -> None:
    """The journal's lines are accepted, the repeated one is a duplicate, the bad in quarantine."""
    rows = drained.rows(
        "select parse_filename(source_file), lines, accepted, duplicate, quarantined"
        " from marts.files order by all"
    )
    counts = {row[0]: row[1:] for row in rows}
    assert counts["attempts-r.ndjson"] == (5, 5, 0, 0)
    assert counts["attempts-old.ndjson"] == (3, 3, 0, 0)
    assert counts["more.ndjson"] == (len(BAD) + 3, 2, 1, len(BAD))


def test_bad_attempts_are_quarantined_with_their_reason(drained: Project) -> None:
    """Each by the rule that it breaks, naming the field."""
    rows = drained.rows(
        "select reject_reason, reject_fields from marts.rejected_lines order by line_no"
    )
    assert rows == [(reason, field) for _, reason, field in BAD]


def test_attempts_are_not_scored_as_events(drained: Project) -> None:
    """The estimates hold the three events of the run and the one beside it."""
    assert drained.rows("select count(*) from marts.calls") == [(4,)]


def test_the_drain_s_own_figures_come_back(drained: Project) -> None:
    """What the journal says, the marts say; counted and landed events agree."""
    assert drained.rows(
        "select phase_id, attempt, is_success, is_timeout, is_truncated, is_escalated, events,"
        " zero_yield_reason, failure_pattern from intermediate.int_attempts where run_id = 'r'"
        " and session_id <> 's' order by all"
    ) == [
        ("p1", 1, True, False, False, False, 1, None, None),
        ("p2", 1, False, False, False, False, 0, "limit_hit", "prompt_too_long"),
        ("p3", 1, False, False, True, False, 1, None, None),
        ("p3", 2, True, False, True, True, 1, None, None),
        ("p4", 1, False, True, False, False, 0, "timeout", None),
    ]
    assert drained.rows(
        "select run_id, run_verdict, events, landed_events, phases, phases_sampled"
        " from marts.collection_runs where slice = 'run' and run_id = 'r'"
    ) == [("r", "promising", 3, 3, 4, 2)]


def test_the_yield_by_run_and_reason(drained: Project) -> None:
    """The run of another drain counts by itself; escalation succeeded once of once."""
    assert drained.rows(
        "select run_id, attempts, phases, phases_sampled, success_after_escalation"
        " from marts.collection_runs where slice = 'run' order by all"
    ) == [("old", 3, 3, 0, None), ("r", 6, 4, 2, 1.0)]
    assert drained.rows(
        "select run_id, reason, blocker, attempts from marts.collection_runs"
        " where slice = 'run / reason / blocker' and reason <> 'sampled' order by all"
    ) == [
        ("old", "execution_error", "execution_error", 2),
        ("old", "unknown", "unknown", 1),
        ("r", "limit_hit", "prompt_too_long", 1),
        ("r", "timeout", "timeout", 2),
    ]


def test_the_query_on_the_page_runs(drained: Project) -> None:
    """docs/collection.md, the first block."""
    page = (ROOT / "docs" / "collection.md").read_text(encoding="utf-8")
    query = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)[0]
    assert {row[0] for row in drained.rows(query)} >= {"sampled", "timeout", "limit_hit"}


def test_the_reasons_are_one_vocabulary() -> None:
    """What the drain may write is what the seed explains."""
    with (SEEDS / "zero_yield_reasons.csv").open(newline="") as file:
        assert {row["name"] for row in csv.DictReader(file)} == set(REASONS)


# The code of docs/agent.md, with a library that answers without a network.

ANTHROPIC = """
from types import SimpleNamespace as N

class Anthropic:
    messages = N()

def create(model, max_tokens, messages):
    assert "string_helper.py" in messages[0]["content"]
    needed = 1218
    return N(model=model, stop_reason="end_turn" if needed < max_tokens else "max_tokens",
             usage=N(input_tokens=90, output_tokens=min(needed, max_tokens)))

Anthropic.messages.create = create
"""


def blocks() -> list[str]:
    """The Python on the page."""
    page = (ROOT / "docs" / "agent.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)


def test_the_ten_lines_work(project: Project) -> None:
    """Planned, drained through the page's own script: the event lands with all that it should."""
    script = blocks()[0]
    assert len([text for text in script.splitlines() if text]) <= 10
    (project.folder / "call.py").write_text(script)
    (project.folder / "anthropic.py").write_text(ANTHROPIC)
    environment = project.environment() | {"TOKENEST_TELEMETRY_DIR": "telemetry"}
    worker = f"{sys.executable} call.py {{phase_file}}"
    for arguments in (
        ["plan", "--run", "first"],
        ["drain", "runs/first", "--worker", worker, "--phase", "string-helper", "--force"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "tokenest_py", *arguments],
            cwd=project.folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    (file,) = (project.folder / "telemetry").glob("events-*.ndjson")
    event = json.loads(file.read_text())
    expected = {
        "run_id": "first", "phase_id": "string-helper", "attempt": 1, "category": "implementation",
        "complexity": "low", "provider": "anthropic", "predicted_output_tokens": 5200,
        "actual_max_tokens": 8192, "actual_output_tokens": 1218, "stop_reason": "end_turn",
        "truncated": False, "success": True,
    }  # fmt: skip
    assert {name: event.get(name) for name in expected} == expected


def test_the_agent_s_lines_work(tmp_path: Path) -> None:
    """The page's wrapper records each call under the drain's ids."""
    program = blocks()[1] + (
        "\nfrom anthropic import Anthropic\nfrom tokenest_py import Estimator\n"
        "est = Estimator.load()\ne = est.estimate(['string_helper.py'])\n"
        "call_model(Anthropic(), e, est.budget(e), model='m',"
        " messages=[{'content': 'string_helper.py'}])\n"
    )
    (tmp_path / "anthropic.py").write_text(ANTHROPIC)
    (tmp_path / "agent.py").write_text(program)
    environment = os.environ | {
        "TELEMETRY_DB_ENABLED": "1",
        "TOKENEST_TELEMETRY_DIR": str(tmp_path / "telemetry"),
        "TOKENEST_RUN_ID": "r",
        "TOKENEST_PHASE_ID": "p",
    }
    subprocess.run([sys.executable, "agent.py"], cwd=tmp_path, env=environment, check=True)
    (file,) = (tmp_path / "telemetry").iterdir()
    event = json.loads(file.read_text())
    assert (event["run_id"], event["phase_id"], event["actual_max_tokens"]) == ("r", "p", 8192)


def test_the_stand_in_agent_shows_every_ending(project: Project) -> None:
    """What `make demo` drains: answers, a truncation and its retry, a limit, a crash, a hang."""
    environment = project.environment() | {"TOKENEST_TELEMETRY_DIR": "telemetry"}
    worker = f"{sys.executable} {ROOT / 'examples' / 'agent.py'} {{phase_file}}"
    for arguments in (
        ["plan", "--run", "first"],
        ["drain", "first", "--worker", worker, "--batch-size", "12", "--format", "json",
         "--phase-timeout-seconds", "6"],
    ):  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "tokenest_py", *arguments],
            cwd=project.folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    total = json.loads(done.stdout)[-1]
    assert (total["attempts"], total["phases"], total["events"]) == (11, 10, 7)
    assert total["zero_yield"] == {
        "limit_hit": 1, "timeout": 1, "failed_before_call": 1, "success_without_calls": 1,
    }  # fmt: skip
    assert total["failure_patterns"]["output_truncated"] == 1
    assert total["succeeded"] == 7
