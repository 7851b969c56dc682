"""Labels that contain what keys and names are joined by: each stays what it is."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from dbt_project import Project, line

if TYPE_CHECKING:
    from pathlib import Path

LABELS = [
    "a", "b", "c", "a|b", "b|c", "|", "a|", "%7C", "a / b", "b / c", "/", "a /", "a b", "b c", " ",
    "all", "overall", "unknown", "none", "null", "o'x",
]  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two thousand events and a thousand attempts with labels drawn at random, built whole."""
    draw = random.Random(3)

    def labels(*names: str) -> dict[str, str]:
        return {name: draw.choice(LABELS) for name in names}

    events = [
        line(
            **labels("run_id", "phase_id", "category", "complexity", "model", "stop_reason"),
            **labels("coefficients_id", "estimator_version"),
            event_id=f"e-{n}",
            occurred_at=f"2026-0{1 + n % 9}-{1 + n % 27:02}T00:00:00Z",
            attempt=1 + n % 2,
            deliverables=[draw.choice(LABELS) for _ in range(n % 4)],
            breakdown=[draw.choice(LABELS)],
            actual_max_tokens=[100, 400, 2000][n % 3],
            actual_output_tokens=draw.randint(1, 400),
            truncated=n % 3 == 0,
        )
        for n in range(2000)
    ]
    attempts = [
        line(
            **labels("run_id", "phase_id", "category", "complexity", "stop_reason"),
            record_type="attempt",
            event_id=f"a-{n}",
            attempt=1,
            success=n % 2 == 0,
        )
        for n in range(1000)
    ]
    project = Project(tmp_path_factory.mktemp("labels"))
    project.telemetry().write_bytes(b"".join(events + attempts))
    project.dbt_build()
    return project


def test_no_two_strata_are_one(built: Project) -> None:
    """The build passed, so every key is unique; and every stratum has the events of its columns."""
    assert built.rows(
        """
        select category, complexity, n
        from marts.accuracy
        where stratification = 'category_complexity'
        order by all
        """
    ) == built.rows(
        """
        select coalesce(category, 'unknown'), coalesce(complexity, 'unknown'), count(*)
        from staging.stg_telemetry__events
        group by all
        order by all
        """
    )


def test_a_blank_label_is_none(built: Project) -> None:
    """And counts as unknown, as a label does that is not there."""
    assert built.rows(
        "select count(*) from marts.estimates where category = '' or complexity = ''"
    ) == [(0,)]
    assert built.rows(
        "select count(*) > 0 from staging.stg_telemetry__events"
        " where recorded_category = ' ' and category is null"
    ) == [(True,)]


def test_records_that_differ_by_where_a_bar_stands_are_in_conflict(tmp_path: Path) -> None:
    """And no duplicates: what they say is compared value by value."""
    project = Project(tmp_path)
    project.telemetry().write_bytes(
        line(provider="a|b", model="c") + line(provider="a", model="b|c")
    )
    project.land()
    assert project.rows("select reject_reason from marts.rejected_lines") == [
        ("id_conflict",),
        ("id_conflict",),
    ]
