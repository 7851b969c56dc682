"""Planning a run: the ten achievable phases, the thinnest cells, and what a phase may hold."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from collected import SEEDS, make_run, phase, tokenest
from dbt_project import ROOT, Project, line
from tokenest_py.errors import CollectionError
from tokenest_py.pipeline.collection.phases import parse_phase, read_phases, schema
from tokenest_py.pipeline.collection.plan import Cell, achievable_phases, plan_phases, share_out
from tokenest_py.pipeline.collection.runs import create_run
from tokenest_py.runtime.estimator import Estimator

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def plan(project: Project, *arguments: str) -> tuple[int, str, str]:
    """One call of the command in the project's folder, with the checkout's seeds."""
    done = project.tokenest("plan", *arguments)
    return done.returncode, done.stdout, done.stderr


def records(path: Path) -> list[dict[str, Any]]:
    """The phases of a run as they stand in its file."""
    return [json.loads(text) for text in path.read_text().splitlines()]


# The ten achievable phases.


def test_ten_achievable_phases() -> None:
    """Six of implementation (two low, four medium), three of tests, one of documentation."""
    phases = achievable_phases(SEEDS, "r")
    assert Counter((item.category, item.complexity) for item in phases) == {
        ("implementation", "low"): 2,
        ("implementation", "medium"): 4,
        ("testing", "low"): 1,
        ("testing", "medium"): 2,
        ("documentation", "low"): 1,
    }
    assert [item.phase_index for item in phases] == list(range(1, 11))
    assert [len(item.deliverables) for item in phases] == [1, 1, 1, 1, 1, 2, 1, 1, 1, 1]


def test_documentation_is_capped_as_its_guide_asks() -> None:
    """A README of at most 150 lines from at most ten files, within 4,096 to 8,192 tokens."""
    readme = next(
        item for item in achievable_phases(SEEDS, "r") if item.category == "documentation"
    )
    assert dict(readme.limits) == {"max_lines": 150, "max_context_files": 10, "max_tokens": 8192}
    estimator = Estimator.load()
    estimate = estimator.estimate(readme.deliverables, "documentation", "low", task=readme.goal)
    assert 4096 <= estimator.budget(estimate, max_tokens=8192).max_tokens <= 8192


TRIGGERS = r"comprehensive|from scratch|investigate|example|endpoint|tutorial|getting started"


def test_goals_avoid_the_words_that_change_an_estimate() -> None:
    """No phase of documentation becomes a synthesis by accident of wording."""
    estimator = Estimator.load()
    cells = [
        Cell(category, "low", bucket, 0, 2)
        for category in ("implementation", "testing", "documentation", "frontend", "no such")
        for bucket in ("1", "2-5", "16+")
    ]
    planned = plan_phases(SEEDS, "r", share_out(cells, 1000))
    assert len(planned) == 30
    for item in (*achievable_phases(SEEDS, "r"), *planned):
        assert not re.search(TRIGGERS, item.goal.lower()), item.goal
        found = estimator.estimate(
            item.deliverables, item.category, item.complexity, task=item.goal
        )
        assert found.category in {item.category, "no such"}
        assert all(path in item.goal for path in item.deliverables)


@pytest.mark.parametrize("category", ["documentation", "doc_synthesis", "doc_sot_update"])
def test_a_planned_phase_lands_in_its_own_category(category: str) -> None:
    """The estimator takes planned files for what they are meant to be."""
    (item,) = plan_phases(SEEDS, "r", share_out([Cell(category, "medium", "1", 0, 1)], 1))
    found = Estimator.load().estimate(item.deliverables, category, "medium", task=item.goal)
    assert found.category == category


# From the gaps.


def test_cells_are_filled_one_after_the_other() -> None:
    """Each to its target, in the order of the gaps, until the phases run out."""
    cells = [Cell("a", "low", "1", 2, 3), Cell("b", "low", "1", 0, 5), Cell("c", "low", "1", 0, 5)]
    assert [(item.cell.category, item.phases) for item in share_out(cells, 5)] == [
        ("a", 3),
        ("b", 2),
    ]


@pytest.mark.parametrize(
    ("bucket", "count"), [("1", 1), ("2-5", 3), ("6-7", 6), ("8-15", 10), ("16+", 16)]
)
def test_planned_phases_fall_into_their_bucket(bucket: str, count: int) -> None:
    """With as many new files, each named once."""
    phases = plan_phases(SEEDS, "r", share_out([Cell("testing", "high", bucket, 0, 3)], 3))
    paths = [path for item in phases for path in item.deliverables]
    assert [len(item.deliverables) for item in phases] == [count] * 3
    assert len(set(paths)) == len(paths)
    assert len({item.phase_id for item in phases}) == 3


def test_a_bucket_without_a_size_is_refused() -> None:
    """Rather than planned as something else."""
    with pytest.raises(CollectionError, match=r"planned_deliverables.csv has no row for .* 0"):
        plan_phases(SEEDS, "r", share_out([Cell("testing", "low", "0", 0, 1)], 1))


# The schema.


def test_the_schema_is_one() -> None:
    """It is valid, and takes what is planned."""
    Draft202012Validator.check_schema(schema())
    for item in achievable_phases(SEEDS, "r"):
        assert parse_phase(json.loads(json.dumps(item.as_dict())), ROOT, 1) == item


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"run_id": "../up"}, "run_id"),
        ({"phase_id": "a/b"}, "phase_id"),
        ({"phase_id": "a\n"}, "phase_id"),
        ({"phase_id": ""}, "phase_id"),
        ({"phase_index": 0}, "phase_index"),
        ({"phase_index": 1.5}, "phase_index"),
        ({"complexity": "tiny"}, "complexity"),
        ({"deliverables": []}, "deliverables"),
        ({"deliverables": ["a", "a"]}, "deliverables"),
        ({"deliverables": "a.py"}, "deliverables"),
        ({"goal": ""}, "goal"),
        ({"state": "done"}, "state"),
        ({"limits": {"max_token": 1}}, "limits"),
        ({"limits": {"max_tokens": 0}}, "max_tokens"),
        ({"extra": 1}, "extra"),
    ],
)
def test_phases_that_follow_no_schema(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    """Refused with file, line and the member that is wrong."""
    path = tmp_path / "phases.ndjson"
    lines = [phase("ok").as_dict(), phase("p", index=2).as_dict() | changes]
    path.write_text("".join(json.dumps(item) + "\n" for item in lines))
    with pytest.raises(CollectionError, match=re.escape(f"{path}:2: is no phase: ")) as caught:
        read_phases(path)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no phases"),
        (b"\n\n", "holds no phases"),
        (b"not json\n", ":1: is not JSON"),
        (b"\xff\xfe\n", ":1: is not JSON"),
        (b"[" * 100_000 + b"\n", ":1: is not JSON"),
        (b"null\n", ":1: is no phase"),
        (b"{}\n", ":1: is no phase"),
    ],
)
def test_files_that_hold_no_phases(tmp_path: Path, content: bytes, message: str) -> None:
    """Empty, foreign, hostile: one line, no traceback."""
    path = tmp_path / "phases.ndjson"
    path.write_bytes(content)
    with pytest.raises(CollectionError, match=re.escape(message)) as caught:
        read_phases(path)
    assert "\n" not in str(caught.value)


def test_a_file_of_an_editor_on_windows_is_read(tmp_path: Path) -> None:
    """It begins with a mark of its encoding, and its lines end in two characters."""
    path = tmp_path / "phases.ndjson"
    path.write_text(json.dumps(phase("a").as_dict()) + "\r\n", encoding="utf-8-sig", newline="")
    assert read_phases(path) == (phase("a"),)


def test_a_phase_of_one_s_own_needs_no_state(tmp_path: Path) -> None:
    """There is one that it may have, so it need not be written."""
    written = phase("a").as_dict()
    del written["state"]
    assert parse_phase(written, tmp_path / "phases.ndjson", 1) == phase("a")


def test_a_run_is_one_run(tmp_path: Path) -> None:
    """Neither two runs in a folder nor a phase twice."""
    for second, message in (
        (phase("b", run_id="q"), "belongs to run q, the first line to r"),
        (phase("a"), "repeats phase_id a"),
    ):
        path = tmp_path / "phases.ndjson"
        path.write_text("".join(json.dumps(p.as_dict()) + "\n" for p in (phase("a"), second)))
        with pytest.raises(CollectionError, match=message):
            read_phases(path)


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    """Not even by an equal one; the file stays as it was and nothing is left beside it."""
    run = make_run(tmp_path, {"p1": "event()"})
    before = (run.folder / "phases.ndjson").read_bytes()
    with pytest.raises(CollectionError, match="is there already; choose another --run"):
        create_run(run.folder, [phase("other")])
    assert (run.folder / "phases.ndjson").read_bytes() == before
    assert [path.name for path in run.folder.iterdir()] == ["phases.ndjson"]


# The command.


def test_without_a_database_the_ten_are_planned(project: Project) -> None:
    """It says which database it looked at, and what comes next; a second time is refused."""
    code, out, said = plan(project, "--run", "first", "--format", "json")
    assert code == 0, said
    assert f"database: none yet at {project.database}" in said
    assert "planning the ten achievable phases" in said
    assert len(json.loads(out)) == 10
    path = project.folder / "runs" / "first" / "phases.ndjson"
    assert {item["state"] for item in records(path)} == {"queued"}
    assert {item["run_id"] for item in records(path)} == {"first"}
    code, _, said = plan(project, "--run", "first")
    assert (code, "is there already" in said.splitlines()[-1]) == (1, True)


def test_of_the_ten_those_that_are_asked_for(project: Project) -> None:
    """A filter and a limit hold without telemetry, too."""
    asked = ("--category", "testing", "--complexity", "medium", "--format", "json")
    code, out, said = plan(project, "--run", "tests", *asked, "--max-phases", "1")
    assert code == 0, said
    assert [row["phase_id"] for row in json.loads(out)] == ["string-helper-tests"]
    code, _, said = plan(project, "--run", "none", "--category", "frontend")
    assert (code, "of that kind; leave out --category or --complexity" in said) == (4, True)


def test_from_telemetry_the_thinnest_cells_are_planned(samples: Project, tmp_path: Path) -> None:
    """As marts.collection_plan ranks them, as many as the cell lacks."""
    runs = str(tmp_path / "runs")
    code, out, said = plan(
        samples, "--run", "gaps", "--runs", runs, "--max-phases", "12", "--format", "json"
    )
    assert code == 0, said
    gaps = samples.rows(
        "select category, complexity, deliverable_bucket, n_clean, needed_for_minimum"
        " from marts.collection_plan where needed_for_minimum > 0 order by gap_rank limit 3"
    )
    columns = ("category", "complexity", "deliverable_bucket", "has", "needs")
    planned = [tuple(row[name] for name in columns) for row in json.loads(out)]
    assert planned == gaps
    assert [row["phases"] for row in json.loads(out)] == [5, 5, 2]
    phases = records(tmp_path / "runs" / "gaps" / "phases.ndjson")
    assert len(phases) == 12
    assert phases[0]["category"] == gaps[0][0]


def test_the_target_and_the_filters(samples: Project, tmp_path: Path) -> None:
    """The production target needs 20; a filter that matches nothing is said, with exit 4."""
    common = ("--runs", str(tmp_path / "runs"), "--max-phases", "100", "--format", "json")
    code, out, said = plan(
        samples, "--run", "more", "--target", "production", "--category", "testing",
        "--complexity", "high", *common,
    )  # fmt: skip
    assert code == 0, said
    rows = json.loads(out)
    assert {(row["category"], row["complexity"]) for row in rows} == {("testing", "high")}
    assert all(row["has"] + row["needs"] == 20 for row in rows)
    code, _, said = plan(samples, "--run", "none", "--category", "nonsense", *common)
    assert (code, "nothing to plan" in said) == (4, True)
    assert "made up of the category 'nonsense'; there are backend, bugfix, " in said
    assert not (tmp_path / "runs" / "none").exists()


def test_an_empty_database_is_refused_unless_allowed(project: Project) -> None:
    """Allowed, it plans the ten."""
    project.telemetry().write_bytes(line(run_id=7))  # quarantined: no event lands
    project.build("cmd_plan_gaps")
    code, _, said = plan(project, "--run", "first")
    assert (code, "--allow-empty-db" in said.splitlines()[-1]) == (4, True), said
    code, _, said = plan(project, "--run", "first", "--allow-empty-db")
    assert (code, "planning the ten" in said) == (0, True), said


@pytest.mark.parametrize("name", ["../up", "a/b", "", " ", "-x", "a\nb"])
def test_a_run_s_name_is_no_path(project: Project, name: str) -> None:
    """It becomes the name of a folder, and nothing else."""
    code, _, said = plan(project, f"--run={name}")
    assert (code != 0) or name == "", said
    assert not (project.folder / "up").exists()


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    """In one line."""
    (tmp_path / "t.duckdb").write_text("not a database, but long enough to have a header")
    done = tokenest(tmp_path, "plan", "--run", "x", "--runs", str(tmp_path / "runs"))
    assert (done.returncode, "is not a DuckDB database" in done.stderr) == (1, True)
