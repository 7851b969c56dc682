"""`tokenest estimate`: which table answers, and what of the call counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import vintages

if TYPE_CHECKING:
    from pathlib import Path


def estimate(table: Path | None, *options: str) -> tuple[dict[str, Any], str]:
    """The answer, and what was said beside it."""
    done = subprocess.run(
        [sys.executable, "-m", "tokenest_py", "estimate", "--format", "ndjson", *options],
        env=os.environ | {"TOKENEST_COEFFICIENTS": str(table or "")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout), done.stderr


def test_without_a_table_of_ones_own_it_is_said(tmp_path: Path) -> None:
    """The floors of the package answer, and look like an answer."""
    row = vintages.budget(0.02, 700, n=60, method="budget_blend", category="triage")
    own = vintages.write(tmp_path, lambda packaged: [*packaged, row])
    answer, said = estimate(own, "--category", "triage")
    assert (answer["max_tokens"], said) == (700, "")
    answer, said = estimate(None, "--category", "triage")
    assert answer["source"] == "cold-start floor"
    assert said.startswith("no table of your own: ")
    assert "TOKENEST_COEFFICIENTS" in said


def test_the_model_counts_in_the_estimate(tmp_path: Path) -> None:
    """Without deliverables it is the median of the calls that are most alike."""
    rows: list[dict[str, Any]] = [
        {"kind": kind, "labels": {}, "value": value * factor, "n": 1000, **of}
        for value, of in ((100, {}), (800, {"model": "m"}))
        for kind, factor in (("median", 1), ("median_low", 0.5), ("median_high", 2))
    ]
    own = vintages.write(tmp_path, lambda packaged: [*packaged, *rows])
    for options, expected in (((), 100), (("--model", "m"), 800), (("--model", "other"), 100)):
        answer, _ = estimate(own, *options)
        assert answer["estimated_tokens"] == expected
