"""Kills of builds and writers, and what the trial itself can see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

COMMAND = Path(__file__).parents[2] / "benchmarks" / "landing_kill_trials.py"
KILLS = {"dbt": 1, "plan": 4}
STATEMENTS = {"dbt": 150, "plan": 500}  # a build has more


def test_no_kill_loses_or_repeats_an_event(tmp_path: Path) -> None:
    """Each was killed by a signal; a landing without a transaction is caught."""
    words = [word for name, n in KILLS.items() for word in (f"--{name}", str(n))]
    done = subprocess.run(
        [sys.executable, COMMAND, *words, "--directory", tmp_path],
        capture_output=True,
        text=True,
        timeout=1600,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    header, *rows, control, verdict = done.stdout.splitlines()
    assert header.split() == ["build", "kills", "statements", "events", "faults"]
    found = {name: list(map(_number, counted)) for name, *counted in map(str.split, rows)}
    assert found.keys() == KILLS.keys()
    for name, (killed, statements, events, faults) in found.items():
        assert (killed, faults) == (KILLS[name], 0)
        assert statements > STATEMENTS[name]
        assert events > 50  # one each 50 ms: a fast machine builds in the time of fewer
    assert int(control.split()[1]) > 0
    assert verdict.startswith("kept")


def _number(text: str) -> int:
    return int(text.replace(",", ""))
