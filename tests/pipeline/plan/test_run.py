"""A run of the plan is kept as a whole or not at all, and its tests are those of dbt."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
import re
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from dbt_project import Project, line, plan_of
from planned import run, settings
from tokenest_py.errors import BuildError
from tokenest_py.pipeline.plan import landing, session
from tokenest_py.pipeline.plan.compiling import settled
from tokenest_py.pipeline.plan.plan import READERS
from tokenest_py.pipeline.plan.run import failing_tests, run_plan

if TYPE_CHECKING:
    from pathlib import Path

    from tokenest_py.pipeline.plan.plan import Plan

pytestmark = pytest.mark.slow

# What a user's build does with the database, in a process that can be killed.
BUILD = """
import sys
from pathlib import Path
import duckdb
from tokenest_py.pipeline.plan.plan import Plan
from tokenest_py.pipeline.plan.run import run_plan
from tokenest_py.pipeline.settings import Settings
plan = Plan.read(Path(sys.argv[1]), {})
settings = Settings.read({}, TOKENEST_DB="plan.duckdb", TOKENEST_EXPORTS="planned")
with duckdb.connect("plan.duckdb") as connection:
    print("begins", flush=True)
    run_plan(plan, settings, connection)
"""


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The plan of the project with its own vars."""
    return plan_of({})


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, plan: Plan) -> Project:
    """Built once, on forty calls. Copy it, do not change it."""
    project = Project(tmp_path_factory.mktemp("first"))
    project.telemetry().write_bytes(b"".join(call(number) for number in range(40)))
    plan.write(project.folder / "plan.json")
    run(project, plan)
    return project


@pytest.fixture
def built(first: Project, tmp_path: Path) -> Project:
    """A copy of it."""
    shutil.copytree(first.folder, tmp_path, dirs_exist_ok=True)
    return Project(tmp_path)


def call(number: int) -> bytes:
    """One of different phases and categories."""
    return line(
        event_id=f"e-{number}",
        run_id=f"run-{number % 3}",
        phase_id=f"p-{number}",
        category=["implementation", "docs"][number % 2],
        occurred_at=f"2026-01-02T03:{number % 60:02}:00Z",
        actual_output_tokens=300 + 13 * number,
    )


def rows_of_all_tables(connection: duckdb.DuckDBPyConnection) -> tuple[int, ...]:
    """How many rows each table has, in one query."""
    [(query,)] = connection.execute(
        "select 'select ' || string_agg("
        "'(select count(*) from ' || schema_name || '.' || table_name || ')', ', '"
        " order by schema_name, table_name) from duckdb_tables()"
    ).fetchall()
    return connection.execute(query).fetchall()[0]


def state(project: Project) -> tuple[int, ...]:
    """What a reader sees, who waits until nobody writes."""
    for _ in range(600):
        with contextlib.suppress(duckdb.IOException):
            path = str(project.folder / "plan.duckdb")
            with duckdb.connect(path, read_only=True) as connection:
                return rows_of_all_tables(connection)
        time.sleep(0.05)
    raise AssertionError("the database was never free")


def start(project: Project) -> subprocess.Popen[str]:
    """A build in a process of its own, as soon as it holds the database."""
    process = subprocess.Popen(
        [sys.executable, "-c", BUILD, "plan.json"],
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    return process


def test_periods_are_scored_in_parts_as_at_once(tmp_path: Path, plan: Plan) -> None:
    """Two builds of calls of eight weeks: parts of 80 calls, and one of all, give the same rows."""
    scores = plan.leading_to(("int_week_scores", "int_run_block_scores"))
    small = [
        dataclasses.replace(step, sql=step.sql.replace("2000000", "80"))
        if step.name == "int_periods"
        else step
        for step in scores.steps
    ]
    at_once, in_parts = (
        scored(Project(tmp_path / name), dataclasses.replace(scores, steps=tuple(steps)))
        for name, steps in (("at once", scores.steps), ("in parts", small))
    )
    assert at_once.pop("int_periods") == [(1,)]
    assert in_parts.pop("int_periods")[0][0] > 3
    assert at_once == in_parts
    assert all(at_once.values())


def scored(project: Project, plan: Plan) -> dict[str, list[Any]]:
    """The scores of periods after two builds, and of how many parts the periods are."""
    for build in range(2):
        calls = [
            line(
                event_id=f"e-{number}",
                run_id=f"r-{number // 2}",
                phase_id=f"p-{number}",
                actual_output_tokens=100 + 37 * number % 700,
                occurred_at=f"2026-0{1 + number % 2}-{1 + number % 28:02}T00:00:00Z",
            )
            for number in range(200 * build, 200 * build + 200)
        ]
        project.telemetry(f"{build}.ndjson").write_bytes(b"".join(calls))
        run(project, plan)
    wanted = {
        "int_week_scores": "from intermediate.int_week_scores",
        "int_run_block_scores": "from intermediate.int_run_block_scores",
        "int_periods": "select count(distinct part_no) from intermediate.int_periods",
    }
    with duckdb.connect(str(project.folder / "plan.duckdb"), read_only=True) as connection:
        return {
            name: sorted(connection.execute(query).fetchall(), key=repr)
            for name, query in wanted.items()
        }


def test_a_reader_meets_no_half_of_a_build(built: Project) -> None:
    """Who polls while builds follow each other finds what one of them left, and nothing else."""
    states = [state(built)]
    met = set(states)
    for step in (1, 2):
        more = b"".join(call(100 * step + number) for number in range(5))
        built.telemetry(f"more-{step}.ndjson").write_bytes(more)
        with start(built) as process:
            while process.poll() is None:
                with contextlib.suppress(duckdb.IOException):
                    path = str(built.folder / "plan.duckdb")
                    with duckdb.connect(path, read_only=True) as connection:
                        met.add(rows_of_all_tables(connection))
                time.sleep(0.01)
        assert process.returncode == 0
        states.append(state(built))
        met.add(states[-1])
    assert met == set(states)
    assert len(met) == 3


def test_a_kill_leaves_the_state_before_or_after(built: Project) -> None:
    """At any moment of a build; the next one completes it."""
    draw = random.Random(21)
    before = state(built)
    built.telemetry("more.ndjson").write_bytes(call(77) + call(78))
    began = time.monotonic()
    whole = Project(built.folder / "whole")
    shutil.copytree(built.folder / "telemetry", whole.folder / "telemetry")
    (whole.folder / "planned").mkdir()
    for name in ("plan.duckdb", "plan.json"):
        shutil.copy(built.folder / name, whole.folder / name)
    with start(whole) as process:
        assert process.wait() == 0
    longest, after = time.monotonic() - began, state(whole)
    assert after != before
    for share in (0.2, 0.5, 0.8):
        with start(built) as process:
            time.sleep(longest * share * draw.uniform(0.7, 1.2))
            process.kill()
        assert state(built) in {before, after}
    with start(built) as process:
        assert process.wait() == 0
    assert state(built) == after


def test_what_a_test_finds_wrong_is_not_kept(built: Project, plan: Plan) -> None:
    """Neither what led to it, nor what a model that fails comes after; the export stays too."""
    before = state(built)
    exported = (built.folder / "planned" / "coefficients.ndjson").read_bytes()
    built.telemetry("more.ndjson").write_bytes(call(77))
    failing, broken = (
        next(step for step in reversed(plan.steps) if step.kind == kind)
        for kind in ("test", "model")
    )
    for step, sql, message in (
        (failing, "select 1 as found", ": Got 1 result, configured to fail if != 0"),
        (broken, "select * from marts.nowhere", ": Catalog Error: "),
    ):
        wrong = dataclasses.replace(step, sql=sql)
        steps = tuple(wrong if other is step else other for other in plan.steps)
        with pytest.raises(BuildError, match=f"^{step.name}{message}"):
            run(built, dataclasses.replace(plan, steps=steps))
    assert state(built) == before
    assert (built.folder / "planned" / "coefficients.ndjson").read_bytes() == exported


def test_what_did_not_change_is_left_as_it_is(built: Project, plan: Plan) -> None:
    """Nothing new keeps every table but one that somebody else made; a new line builds anew."""
    first, second = run(built, plan), run(built, plan)
    assert first.kept <= second.kept
    made = [step for step in plan.steps if step.kind != "test"]
    assert second.kept == len(made)
    changed = next(
        step
        for step in reversed(made)
        if step.materialized == "table" and "seed." not in str(step.needs)
    )
    with duckdb.connect(str(built.folder / "plan.duckdb")) as connection:
        connection.execute(f"create or replace table {changed.relation} as select 1 as of_others")
    anew = {changed.id}  # and the views over it
    for step in made:
        if step.materialized == "view" and not anew.isdisjoint(step.needs):
            anew.add(step.id)
    assert run(built, plan).kept == len(made) - len(anew)
    assert run(built, plan, full_refresh=True).kept == 0
    built.telemetry("more.ndjson").write_bytes(call(77))
    assert run(built, plan).kept < len(made) / 2


def test_nothing_new_is_not_looked_for_again(
    built: Project, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No table that follows the landing looks for rows, and no source without a file for files."""
    run(built, plan)
    said: list[str] = []
    as_before = session.Session.run

    def heard(self: session.Session, sql: str) -> duckdb.DuckDBPyConnection:
        said.append(sql)
        return as_before(self, sql)

    monkeypatch.setattr(session.Session, "run", heard)

    def asked() -> tuple[set[str], set[str]]:
        said.clear()
        run(built, plan)
        text = "\n".join(said)
        following = [step for step in plan.steps if step.remembers]
        landings = [step.landing for step in plan.steps if step.landing]
        return (
            {step.name for step in following if f"describe select * from {step.relation}" in said},
            {one.source for one in landings if f"files.source_name = '{one.source}'" in text},
        )

    assert asked() == (set(), {"tokenest"})
    built.telemetry("more.ndjson").write_bytes(call(77))
    followed, sources = asked()
    assert {"int_call_demand", "calls"} <= followed
    assert sources == {"tokenest"}


def test_a_union_reads_tables_that_have_rows(built: Project, plan: Plan) -> None:
    """A source that comes to have events is in it with the build that lands them."""

    def seen() -> tuple[set[str], set[str]]:
        with duckdb.connect(str(built.folder / "plan.duckdb")) as connection:
            [(text,)] = connection.execute(
                "select sql from duckdb_views() where view_name = 'int_events'"
            ).fetchall()
            names = connection.execute("select distinct source_name from events.int_events")
            found = {name for (name,) in names.fetchall()}
        return set(re.findall(r"stg_(\w+)__events", text)), found

    assert seen() == ({"tokenest"}, {"tokenest"})
    exported = {
        "run_id": "sprint", "phase_id": "p-1", "timestamp": "2026-01-03T04:05:06",
        "predicted_output_tokens": 900, "actual_output_tokens": 700,
    }  # fmt: skip
    built.telemetry("exported.ndjson").write_text(json.dumps(exported) + "\n")
    run(built, plan)
    assert seen() == ({"tokenest", "origin"}, {"tokenest", "origin"})


def test_many_readers_land_what_one_lands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reads few bytes, and as many as there can be read many."""
    run_sql, read, found = session.Session.run, list[int](), list[list[Any]]()

    def heard(self: session.Session, sql: str) -> duckdb.DuckDBPyConnection:
        if sql.startswith("create or replace table staging.base_tokenest__lines"):
            read.append(sql.count("read_blob("))
        return run_sql(self, sql)

    monkeypatch.setattr(session.Session, "run", heard)
    for name, large in (("few", 2**24), ("many", 0)):
        monkeypatch.setattr(landing, "_LARGE_BYTES", large)
        project = Project(tmp_path / name)
        for number in range(2 * READERS):
            path = project.telemetry(f"{number}.ndjson")
            path.write_bytes(call(number) + call(number + 100))
        project.land()
        found.append(
            project.rows(
                "select source_file, line_no, event_key, actual_output_tokens"
                " from staging.base_tokenest__lines order by all"
            )
        )
    assert read == [1, READERS]
    assert found[0] == found[1]
    assert len(found[0]) == 4 * READERS


def test_a_part_is_what_it_is_made_of(built: Project, plan: Plan) -> None:
    """What leads to a model is enough to make it, and nothing else is made."""
    part = plan.leading_to(["files"])
    assert {step.kind for step in part.steps} == {"seed", "model"}
    assert [step.name for step in part.steps][-1] == "files"
    expected = built.folder / "plan.duckdb"
    expected.rename(built.folder / "before.duckdb")
    run(built, part)
    with duckdb.connect(str(built.folder / "plan.duckdb")) as connection:
        made = connection.execute("select count(*) from duckdb_tables()").fetchone()
        assert connection.execute("select count(*) from marts.files").fetchone() == (1,)
    assert made is not None
    assert 0 < made[0] < len(plan.steps) / 4
    assert [step.name for step in plan.only(["files"]).steps if step.kind == "model"] == ["files"]


def test_the_clock_is_that_of_the_run(
    built: Project, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old plan takes a call of its day, and none of the day after next."""
    later = datetime(2098, 6, 1, 12, tzinfo=UTC)

    for name, when in (("of-its-day", "2098-06-01"), ("of-the-day-after-next", "2098-06-03")):
        content = line(event_id=name, occurred_at=f"{when}T11:00:00Z")
        built.telemetry(f"{name}.ndjson").write_bytes(content)
    monkeypatch.setattr(session, "datetime", SimpleNamespace(now=lambda _zone: later))
    run(built, plan.leading_to(["rejected_lines"]))
    with duckdb.connect(str(built.folder / "plan.duckdb")) as connection:
        found = connection.execute(
            "select source_file, reject_reason from marts.rejected_lines"
        ).fetchall()
    assert found == [("telemetry/of-the-day-after-next.ndjson", "in_the_future")]


FAULTS = {
    "a word that is none": "update seeds.alert_rules set severity = 'odd'",
    "a key twice in a seed": "insert into seeds.stop_reasons from seeds.stop_reasons",
    "a key twice": "insert into exports.coefficients from exports.coefficients limit 1",
    "no survival": "update intermediate.int_demand_survival set ln_survival = null",
    "a line lost": "delete from staging.base_tokenest__lines where line_no = 3",
    "a class that is none": "update seeds.stop_reasons set label = 'odd'",
    "no tokens": "update seeds.base_budgets set value = null",
    "a call twice": "insert into marts.calls from marts.calls limit 1",
    "a call lost": "delete from marts.calls where event_id = 'e-7'",
    "a line too many": "update marts.files set lines = lines + 1",
    "a state that is none": "update intermediate.int_call_demand set demand_state = 'odd'",
    "a demand of no call": "update intermediate.int_call_demand set event_id = null",
    "no demand": "update intermediate.int_demand_history set demand_tokens = null",
    "an estimate twice": "insert into intermediate.int_replayed_estimates"
    " from intermediate.int_replayed_estimates limit 1",
    "an estimate lost": "delete from intermediate.int_replayed_estimates where event_id = 'e-9'",
    "a budget twice": "insert into intermediate.int_budget_quantiles"
    " from intermediate.int_budget_quantiles limit 1",
    "an action that is none": "update marts.multipliers set action = 'odd'",
    "a score twice": "insert into marts.scores from marts.scores limit 1",
    "a ceiling twice": "insert into marts.max_tokens from marts.max_tokens limit 1",
    "a version twice": "insert into marts.coefficient_versions"
    " from marts.coefficient_versions limit 1",
}


def test_seeded_faults_fail_the_same_tests_as_in_dbt(built: Project, plan: Plan) -> None:
    """Each on its own fails tests, and all together those that `dbt test` names."""
    shutil.copy(built.folder / "plan.duckdb", built.database)
    with duckdb.connect(str(built.database)) as connection:
        assert failing_tests(plan, connection) == []
        for name, fault in FAULTS.items():
            connection.execute("begin")
            connection.execute(fault)
            found = failing_tests(plan, connection)
            connection.execute("rollback")
            assert found, name
        for fault in FAULTS.values():
            connection.execute(fault)
        by_plan = {message.partition(":")[0] for message in failing_tests(plan, connection)}
    done = built.dbt("test", "--exclude-resource-type", "unit_test", "--log-level-file", "none")
    by_dbt = set(re.findall(r"Failure in test (\w+)", done.stdout))
    assert by_plan == by_dbt
    assert len(FAULTS) == 20
    assert len(by_plan) > 15  # some fail the same test


def test_a_seed_that_is_wrong_fails_the_build(built: Project, plan: Plan) -> None:
    """Builds leave out the tests of no model that passed when the plan was compiled."""
    looks_at_seeds = {
        step.name
        for step in plan.steps
        if step.kind == "test" and all(name.startswith("seed.") for name in step.needs)
    }
    assert {step.name for step in plan.steps if step.is_settled} == looks_at_seeds
    wrong = settled(
        tuple(
            dataclasses.replace(step, sql=step.sql.replace('"truncated"', '"odd"'))
            if step.name == "stop_reasons"
            else step
            for step in plan.steps
        )
    )
    [failing] = looks_at_seeds - {step.name for step in wrong if step.is_settled}
    with pytest.raises(BuildError, match=f"{failing}: Got"):
        run(built, dataclasses.replace(plan, steps=wrong))


def test_engines_that_disagree_fail_the_build(built: Project, plan: Plan) -> None:
    """Their test looks at no table; the build runs it where it did not pass before."""
    steps = tuple(
        dataclasses.replace(step, sql="select 1", is_settled=False)
        if step.name == "engine_macros_agree"
        else step
        for step in plan.steps
    )
    with pytest.raises(BuildError, match="engine_macros_agree: Got 1 result"):
        run(built, dataclasses.replace(plan, steps=steps))


def test_a_null_under_a_contract_stops_both(built: Project, plan: Plan) -> None:
    """At its model, with the name of the column: DuckDB refuses the row, and no test looks."""
    shutil.copy(built.folder / "plan.duckdb", built.database)
    for path in (built.database, built.folder / "plan.duckdb"):
        with duckdb.connect(str(path)) as connection:
            for change in ("reject_reason = 'odd'", "line_no = null"):
                connection.execute(
                    f"update staging.base_tokenest__lines set {change} where event_key = 'e-7'"
                )
    refused = r"NOT NULL constraint failed: rejected_lines(__dbt_tmp)?\.line_no"
    with pytest.raises(BuildError, match=f"^rejected_lines: Constraint Error: {refused}"):
        run(built, plan.only(["rejected_lines"]))
    done = built.dbt("run", "--select", "rejected_lines", "--log-level-file", "none")
    assert re.search(
        rf"Error in model rejected_lines .*\n +Constraint Error: {refused}", done.stdout
    )


def test_a_source_that_is_none_is_refused(built: Project, plan: Plan) -> None:
    """With the words that dbt has for it, before anything is written."""
    before = state(built)
    with (
        contextlib.chdir(built.folder),
        duckdb.connect("plan.duckdb") as connection,
        pytest.raises(BuildError, match=r"'litelm:' before a path names no source; it is one"),
    ):
        run_plan(plan, settings(TOKENEST_TELEMETRY="litelm:telemetry/*"), connection)
    assert state(built) == before


def way(connection: duckdb.DuckDBPyConnection) -> tuple[int, bool]:
    """Threads, and whether the optimizer runs: it sees that no row can come."""
    [(threads,)] = connection.execute("select current_setting('threads')").fetchall()
    [(_, planned)] = connection.execute(
        "explain select i from range(3) as t(i) where false"
    ).fetchall()
    return threads, "Empty Result" in planned


@pytest.mark.parametrize("bound", ["_FEW_BYTES", "_FEW_LINES", None])
def test_few_lines_alone_run_simply(
    built: Project, plan: Plan, monkeypatch: pytest.MonkeyPatch, bound: str | None
) -> None:
    """Until the end; more bytes, or more lines that landed before, take what there is."""
    if bound:
        monkeypatch.setattr(landing, bound, 39)  # forty calls have landed
    seen: list[tuple[int, bool]] = []
    with contextlib.chdir(built.folder), duckdb.connect("plan.duckdb") as connection:
        connection.execute("set threads = 3")
        run_plan(plan, settings(), connection, on_step=lambda _name: seen.append(way(connection)))
        assert way(connection) == (3, True)
    assert seen[0] == (3, True)
    assert seen[-1] == ((3, True) if bound else (1, False))


def test_nothing_outside_the_folders_can_be_read(built: Project, plan: Plan) -> None:
    """The connection of a run is confined, and cannot be set free again."""
    outside = built.folder / "outside.csv"
    outside.write_text("a\n1\n")
    with contextlib.chdir(built.folder), duckdb.connect("plan.duckdb") as connection:
        run_plan(plan, settings(), connection)
        with pytest.raises(duckdb.PermissionException):
            connection.execute(f"select * from read_csv('{outside}')")
        with pytest.raises(duckdb.Error):
            connection.execute("set enable_external_access = true")
