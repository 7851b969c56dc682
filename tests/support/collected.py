"""What the tests of planning and draining share: attempts, phases, and small real workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dbt_project import ROOT
from tokenest_py.pipeline.collection.journal import Attempt
from tokenest_py.pipeline.collection.phases import Phase
from tokenest_py.pipeline.collection.reasons import read_patterns
from tokenest_py.pipeline.collection.runs import Run, create_run, find_run

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = ROOT / "seeds" / "collection"
PATTERNS = read_patterns(SEEDS / "failure_patterns.csv")

# A worker that does what its phase's goal says; the goal is a Python statement.
WORKER = """
import json, os, subprocess, sys, time
from pathlib import Path

phase = json.loads(Path(sys.argv[1]).read_text())
folder = Path(os.environ["TOKENEST_TELEMETRY_DIR"])

def event(**fields):
    record = {"run_id": os.environ["TOKENEST_RUN_ID"], "phase_id": os.environ["TOKENEST_PHASE_ID"],
              "occurred_at": "2026-01-02T03:04:05Z", "actual_output_tokens": 10} | fields
    with open(folder / f"events-{os.getpid()}.ndjson", "a") as file:
        file.write(json.dumps(record) + "\\n")

def note(text):
    with open(folder.parent / "notes", "a") as file:
        file.write(text + "\\n")

exec(phase["goal"])
"""

ATTEMPT = Attempt(
    event_id="a1",
    occurred_at="2026-01-02T03:04:05.000Z",
    run_id="r",
    phase_id="p1",
    attempt=1,
    session_id="s1",
    category="implementation",
    complexity="low",
    deliverable_count=1,
    selected_budget=8192,
    success=False,
    truncated=False,
    duration_seconds=60.0,
    exit_code=1,
    events=0,
    zero_yield_reason="execution_error",
    failure_pattern=None,
    fingerprint="f1",
)


def attempt(phase_id: str = "p1", **changes: object) -> Attempt:
    """An attempt that failed without events, but for the changes."""
    return replace(ATTEMPT, phase_id=phase_id, **changes)


def succeeded(phase_id: str = "p1", **changes: object) -> Attempt:
    """An attempt that succeeded with one event."""
    values = {"success": True, "events": 1, "exit_code": 0, "zero_yield_reason": None}
    return attempt(phase_id, **values | {"fingerprint": None} | changes)


def timed_out(phase_id: str = "p1", **changes: object) -> Attempt:
    """An attempt that the time limit ended."""
    return attempt(phase_id, exit_code=None, zero_yield_reason="timeout", **changes)


def phase(phase_id: str, goal: str = "pass", index: int = 1, **changes: object) -> Phase:
    """A phase of run r."""
    fields = {"category": "implementation", "complexity": "low", "deliverables": ("a.py",)}
    return Phase(
        **{"run_id": "r", "phase_id": phase_id, "phase_index": index, "goal": goal}
        | fields
        | changes
    )


def make_run(folder: Path, goals: dict[str, str], run_id: str = "r", **changes: object) -> Run:
    """A run in folder/run_id whose phases do what their goals say."""
    phases = [
        phase(name, goal, index, run_id=run_id, **changes)
        for index, (name, goal) in enumerate(goals.items(), start=1)
    ]
    create_run(folder / run_id, phases)
    return find_run(str(folder / run_id))


def worker_words(folder: Path) -> tuple[str, ...]:
    """The command of the worker above, with its placeholder."""
    script = folder / "worker.py"
    script.write_text(WORKER)
    return (sys.executable, str(script), "{phase_file}")


def environment(folder: Path) -> dict[str, str]:
    """An environment in which nothing of the project's own is touched."""
    return os.environ | {
        "TOKENEST_DB": str(folder / "t.duckdb"),
        "TOKENEST_TELEMETRY_DIR": str(folder / "telemetry"),
        "TOKENEST_TELEMETRY": str(folder / "telemetry" / "**" / "*.ndjson"),
    }


def tokenest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One call of the real command, in the checkout."""
    return subprocess.run(
        [sys.executable, "-m", "tokenest_py", *arguments],
        cwd=ROOT,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )


def journal_lines(folder: Path) -> list[dict[str, Any]]:
    """The records of the journal of run r; a line that is none fails."""
    text = (folder / "telemetry" / "attempts-r.ndjson").read_text()
    return [json.loads(line) for line in text.splitlines()]
