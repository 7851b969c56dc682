"""Vars of one run on the command line of `tokenest build`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from dbt_project import ROOT, Project, line

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_gates_of_what_is_exported(tmp_path: Path) -> None:
    """Six and four calls of the sample pass lower gates; five calls and 0.7 let nothing out."""
    project = Project(tmp_path)
    for path in (ROOT / "telemetry").rglob("*.ndjson"):
        shutil.copy(path, project.telemetry(path.name))
    project.telemetry("torn.ndjson").write_bytes(line()[:40] + b"\n")
    options = ("--min-samples", "4", "--vars", "{confidence_threshold: 0.4, under_multiplier: 1.1}")
    done = project.tokenest("build", *options)
    assert done.returncode == 0, done.stderr
    assert "marts.rejected_lines says why a line is quarantined" in done.stderr
    multipliers = project.rows(
        "select distinct category, complexity from report.cmd_build_multipliers"
        " where is_exported order by all"
    )
    assert multipliers == [("implementation", "low"), ("implementation", "medium")]


def test_success_only_leaves_out_what_nobody_judged(tmp_path: Path) -> None:
    """Of 30 successes and 100 longer calls of unknown success the first alone size a budget.

    Two cells are gone then, which the guard of the exported table says with a 3.
    """
    project = Project(tmp_path)
    judged = [(100, True)] * 30 + [(900, None)] * 100
    project.telemetry().write_bytes(
        b"".join(
            line(event_id=f"e-{n}", phase_id=f"p-{n}", actual_output_tokens=tokens, success=success)
            for n, (tokens, success) in enumerate(judged)
        )
    )
    seen = []
    for options, code in (((), 0), (("--success-only",), 3), ((), 0)):
        done = project.tokenest("build", *options)
        assert done.returncode == code, done.stderr
        seen += project.rows(
            "select n_observed, own_quantile_tokens from marts.max_tokens_evidence"
            " where max_truncation = 0.05 and cell_level = 0"
        )
    assert seen == [(130, 900), (30, 100), (130, 900)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--vars", "nonsense"), "--vars='nonsense' will not do"),
        (("--vars", "{"), "--vars='{' will not do"),
        (("--min-samples", "0"), "var min_samples is 0; it must be a whole number of at least 1"),
        (("--vars", "{unheard_of: 1}"), "var unheard_of is none of tokenest"),
        # YAML makes a time of its own of it, which is one that SQL is told
        (("--vars", "{as_of: 2026-01-31 00:00:00, un: 1}"), "tokenest: var un is none of tokenest"),
        (("--vars", "{as_of: 2026-13-31}"), "--vars='{as_of: 2026-13-31}' will not do"),
    ],
)
def test_what_will_not_do_is_one_line(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    """Before anything is landed."""
    project = Project(tmp_path)
    project.telemetry().write_bytes(line())
    done = project.tokenest("build", *options)
    assert done.returncode in {1, 2}
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert "compiling the plan" not in done.stderr
