"""Kills of builds and writers, and what the trial itself can see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

COMMAND = Path(__file__).parents[2] / "benchmarks" / "landing_kill_trials.py"


def test_no_kill_loses_or_repeats_an_event(tmp_path: Path) -> None:
    """Six landings and a whole build, killed; a landing without a transaction is caught."""
    done = subprocess.run(
        [sys.executable, str(COMMAND), "--landing", "6", "--whole", "1", "--directory", tmp_path],
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    header, landing, whole, control, verdict = done.stdout.splitlines()
    assert header.split() == ["build", "kills", "statements", "events", "faults"]
    for row, name, kills in ((landing, "landing", "6"), (whole, "whole", "1")):
        cells = row.split()
        assert (cells[0], cells[1], cells[4]) == (name, kills, "0")
        assert int(cells[3].replace(",", "")) > 500
    assert int(control.split()[1]) > 0
    assert verdict.startswith("kept")
