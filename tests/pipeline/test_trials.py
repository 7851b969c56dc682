"""A small part of `make soak`: calls that write fail, and readers look on while builds write."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from dbt_project import ROOT

pytestmark = pytest.mark.slow


def told(name: str, *arguments: str) -> list[str]:
    """What trials say that found no fault, and whose control did."""
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / name, *arguments],
        env=os.environ | {"DO_NOT_TRACK": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    return done.stdout.splitlines()


@pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("cc"), reason="compiles what it preloads"
)
def test_a_call_that_fails_costs_no_landing_and_no_export() -> None:
    """Full and broken disks at random calls, once or from then on."""
    landing, export, control = told("io_error_trials.py", "--landing", "8", "--export", "5")
    assert landing.endswith(", 0 went wrong")
    assert export.endswith(", 0 went wrong")
    assert int(control.split(" seen in ")[1].split()[0]) > 0


def test_a_reader_meets_the_state_before_or_after() -> None:
    """Each look is of one build."""
    looks, _ = told("reader_trials.py", "--builds", "3")
    assert looks.startswith("3 builds, ")
    assert looks.endswith(", 0 faults")
    assert int(looks.split()[2].replace(",", "")) > 3
