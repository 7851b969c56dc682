"""Labels and numbers that no honest caller sends: they cost nobody else anything."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from dbt_project import ROOT, Project, line
from tokenest_py.runtime.table import file, kinds

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

LABELS = [
    "a", "b", "c", "a|b", "b|c", "|", "a|", "%7C", "a / b", "b / c", "/", "a /", "a b", "b c", " ",
    "all", "overall", "unknown", "none", "null", "o'x", "x\0", "\x1b[31m", "long" * 200,
]  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Three thousand events and a thousand attempts with labels drawn at random, built whole."""
    draw = random.Random(3)

    def labels(*names: str) -> dict[str, str]:
        return {name: draw.choice(LABELS) for name in names}

    events = [
        line(
            **labels("run_id", "phase_id", "category", "complexity"),
            model=draw.choice([*LABELS, None]),
            **labels("coefficients_id", "estimator_version"),
            event_id=f"e-{n}",
            occurred_at=f"2026-0{1 + n % 9}-{1 + n % 27:02}T00:00:00Z",
            attempt=1 + n % 2,
            deliverables=[draw.choice(LABELS) for _ in range(n % 4)],
            breakdown=[draw.choice(LABELS)],
            actual_max_tokens=[100, 400, 2000][n % 3],
            actual_output_tokens=draw.choice([1, 60, 400, 2**53 - 1]),
            truncated=n % 3 == 0,
            stop_reason=draw.choice(["end_turn", "a"]),
        )
        for n in range(3000)
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
    project.build()
    return project


def test_no_two_strata_are_one(built: Project) -> None:
    """The build passed, so every key is unique; and every stratum has the events of its columns."""
    assert built.rows(
        """
        select category, complexity, n
        from marts.scores
        where slice = 'category / complexity' and period = 'all' and scope = 'all'
        order by all
        """
    ) == built.rows(
        """
        select coalesce(category, 'unknown'), coalesce(complexity, 'unknown'), count(*)
        from events.int_events
        group by all
        order by all
        """
    )


def test_calls_without_a_model_are_those_of_the_unknown_one(built: Project) -> None:
    """The build failed, as both had one key."""
    ((n,),) = built.rows(
        "select count(*) from events.int_events where coalesce(model, 'unknown') = 'unknown'"
    )
    assert built.rows("select n_calls from marts.source_quality where model = 'unknown'") == [(n,)]
    assert built.rows(
        "select max(n) from (select count(*) as n from intermediate.int_ceiling_outcomes"
        " group by labels, model)"
    ) == [(1,)]


def test_the_runtime_reads_what_was_exported(built: Project) -> None:
    """Values beyond its bounds are cut to them, and what has a label too long has no row."""
    path = str(built.coefficients)
    _, _, rows = file.decode(file.read(path), path, check_hash=True)
    assert max(row["value"] for row in rows if row["kind"] == "budget") == 1e8
    assert built.rows(
        "select count(*) > 0 from intermediate.int_budget_quantiles"
        " where is_exported and budget_tokens > 1e8 and length(category) > 512"
    ) == [(True,)]


def test_the_export_keeps_the_bounds_of_the_runtime() -> None:
    """SQL cannot read them from Python: where they stand twice, they are the same."""
    rows = (ROOT / "tests/dbt/singular/the_runtime_reads_every_coefficient.sql").read_text()
    labels = (ROOT / "macros/export/coefficient_rows.sql").read_text()
    assert f"count(*) > {file.MAX_ROWS}\n" in rows
    assert f"<= {kinds.MAX_TEXT}," in labels


def test_only_the_cells_with_the_most_calls_are_exported(built: Project, tmp_path: Path) -> None:
    """With all their rates; so the table never grows beyond what the runtime reads."""
    project = Project(tmp_path)
    project.database.write_bytes(built.database.read_bytes())
    project.build("coefficients", max_exported_cells=2)
    assert project.rows(
        "select count(*) <= 2 and count(*) > 0 from (select distinct category, complexity, model,"
        " input_bin from exports.coefficients where kind = 'budget')"
    ) == [(True,)]


def test_the_report_shows_labels_without_control_characters(built: Project) -> None:
    """They would stop the drawing of the charts, or drive a terminal."""
    done = built.tokenest("report", "--output", "report.html")
    assert done.returncode == 0, done.stderr
    page = (built.folder / "report.html").read_text()
    assert "\N{REPLACEMENT CHARACTER}" in page
    assert not {c for c in page if ord(c) < 32} - {"\n"}


def test_a_blank_label_is_none(built: Project) -> None:
    """And counts as unknown, as a label does that is not there."""
    assert built.rows(
        "select count(*) from marts.calls where category = '' or complexity = ''"
    ) == [(0,)]
    assert built.rows(
        "select count(*) > 0 from events.int_events"
        " where recorded_category = ' ' and category is null"
    ) == [(True,)]


def test_records_that_differ_by_where_a_bar_stands_are_in_conflict(tmp_path: Path) -> None:
    """And no duplicates: what they say is compared value by value."""
    project = Project(tmp_path)
    project.telemetry().write_bytes(
        line(provider="a|b", model="c") + line(provider="a", model="b|c")
    )
    project.land()
    assert project.rows("select line_no, reject_reason from marts.rejected_lines") == [
        (2, "id_conflict"),
    ]
