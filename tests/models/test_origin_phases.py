"""The origin's 456 phases, where its table lies beside the checkout."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from dbt_project import ROOT, Project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_why_phases_failed_is_a_query(tmp_path: Path, real_data: Path) -> None:
    """docs/collection.md: the SQL runs as it stands there; nothing is made up for 179 of 207."""
    page = (ROOT / "docs" / "collection.md").read_text(encoding="utf-8")
    [query] = [sql for sql in re.findall(r"```sql\n(.*?)```", page, re.DOTALL) if "origin." in sql]
    project = Project(tmp_path)
    origin = real_data / "autopack"
    variables = {"origin_phases": str(origin / "phases.ndjson"), "sources": ["tokenest", "origin"]}
    project.dbt_build(
        "-s", "+phases", "--vars", json.dumps(variables), telemetry=f"{origin}/events.ndjson"
    )
    rows = {(state, blocker): (n, events) for state, blocker, n, events in project.rows(query)}
    assert sum(n for n, _ in rows.values()) == 456
    assert sum(events for _, events in rows.values()) == 44
    failed = {blocker: n for (state, blocker), (n, _) in rows.items() if state == "failed"}
    assert failed == {
        "no reason recorded": 179, "attempts_exhausted": 25, "unknown": 2, "patch_failed": 1,
    }  # fmt: skip


def test_without_the_table_there_is_no_phase(samples: Project) -> None:
    """A fresh clone has none of the origin's table, and says so by an empty one."""
    assert samples.rows("select count(*) from origin.phases") == [(0,)]
