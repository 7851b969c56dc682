"""The project's own tests of keys find a row that is lost, and one that is there twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb
import pytest

from dbt_project import Project, line, plan_of
from tokenest_py.pipeline.plan.run import failing_tests

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

LOST = "delete from {table} where {number} = 2"
TWICE = "insert into {table} select * from {table} where {number} = 2"
# as many rows as before: one is there in the place of another
TWICE_FOR_ANOTHER = f"{LOST}; insert into {{table}} select * from {{table}} where {{number}} = 3"
# what has the key of another table, and the lines of a file
TABLES = [
    "marts.calls",
    "intermediate.int_replayed_estimates",
    "staging.stg_tokenest__events",
    "staging.base_tokenest__lines",
]
KEY_TESTS = ("has_every_key_once", "counts_from_one")


def events(numbers: range) -> bytes:
    """Events of these numbers, each of a phase of its own."""
    return b"".join(line(event_id=f"e-{n}", phase_id=f"p-{n}") for n in numbers)


def failing(project: Project, model: str, *tests: str) -> list[str]:
    """What these generic tests of a model find wrong in the database as it stands."""
    plan = plan_of({})
    steps = tuple(
        step
        for step in plan.steps
        if step.kind == "test"
        and step.name.startswith(tests)
        and any(need.endswith(f".{model}") for need in step.needs)
    )
    assert steps
    with duckdb.connect(str(project.database), read_only=True) as connection:
        return failing_tests(replace(plan, steps=steps), connection)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Four events, e-1 to e-4, in one file."""
    project = Project(tmp_path_factory.mktemp("keys"))
    project.telemetry().write_bytes(events(range(1, 5)))
    project.build()
    return project


@pytest.mark.parametrize("number", [2, 5])
def test_an_id_that_lands_again_is_found(built: Project, tmp_path: Path, number: int) -> None:
    """Whether its first row is of an earlier landing or of the same."""
    project = Project(tmp_path)
    project.database.write_bytes(built.database.read_bytes())
    project.telemetry().write_bytes(events(range(1, 5)))
    project.telemetry("later.ndjson").write_bytes(events(range(5, 6)))
    project.build("int_events")
    assert failing(project, "int_events", "new_keys_are_unique") == []
    with duckdb.connect(str(project.database)) as connection:
        connection.execute(
            "insert into staging.stg_tokenest__events"
            " select * replace (2 as landing_no) from staging.stg_tokenest__events"
            f" where event_id = 'e-{number}'"
        )
    [found] = failing(project, "int_events", "new_keys_are_unique")
    assert "Got 1 result" in found


@pytest.mark.parametrize("change", [LOST, TWICE, TWICE_FOR_ANOTHER])
@pytest.mark.parametrize("table", TABLES)
def test_a_changed_row_is_found(built: Project, tmp_path: Path, table: str, change: str) -> None:
    """And without the change the same tests pass."""
    project = Project(tmp_path)
    project.database.write_bytes(built.database.read_bytes())
    # the events and lines of all sources are views: their tests read the table of this one
    model = table.rpartition(".")[2].replace("stg_tokenest__events", "int_events")
    model = model.replace("base_tokenest__lines", "int_lines")
    number = "line_no" if model == "int_lines" else "cast(right(event_id, 1) as integer)"
    assert failing(project, model, *KEY_TESTS) == []
    with duckdb.connect(str(project.database)) as connection:
        connection.execute(change.format(table=table, number=number))
    found = failing(project, model, *KEY_TESTS)
    assert found
    assert all("Got 1 result" in fault for fault in found)
