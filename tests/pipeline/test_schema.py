"""A database knows its version: an older one keeps what landed, without its raw files."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import duckdb
import pytest

from dbt_project import Project, line
from file_history_trials import landing_plan
from tokenest_py.errors import DatabaseError
from tokenest_py.pipeline.database import open_database
from tokenest_py.pipeline.plan.run import run_plan
from tokenest_py.pipeline.schema import SCHEMA_VERSION, refuse_newer
from tokenest_py.pipeline.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from tokenest_py.pipeline.plan.plan import Plan

pytestmark = pytest.mark.slow

LINES = "staging.base_tokenest__lines"
VERSION = "staging.base_telemetry__schema_version"
PLACES = ("file_path", "landed_bytes", "landed_md5")
RECORDS = ("record_no", "left_out")
SOURCES = ("is_other", "line_bytes", "line_md5")
NUMBERS = ("landing_no", "has_event_id")
# What the record has learned since version 1.
LEARNED = ("labels", "breakdown", "model_served", "response_id", "budget_source", "max_truncation")
CONTENT = (
    line(event_id="e-1")
    + b"\n{not json\n"
    + line(event_id="e-1", actual_output_tokens=1)
    + line(event_id=None, phase_id="of no id")
    + line(event_id="e-2")[:30]
)
FOREIGN = line(event_id="e-1") + line(event_id="e-3")
EVENTS = (
    "select event_id, occurred_at, run_id, phase_id, actual_output_tokens, has_event_id"
    " from staging.stg_tokenest__events order by all"
)
ACCOUNT = (
    "select parse_filename(file_path), lines, accepted, duplicate, quarantined, blank"
    " from marts.files order by all"
)


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The landing of one source."""
    return landing_plan()


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory, plan: Plan) -> Project:
    """A database of today. Copy it, do not change it."""
    project = Project(tmp_path_factory.mktemp("landed"))
    project.telemetry("a.ndjson").write_bytes(CONTENT)
    project.telemetry("b.ndjson").write_bytes(FOREIGN)
    build(project, plan)
    return project


def build(project: Project, plan: Plan) -> None:
    """Land what is there."""
    telemetry = Settings.read({}, TOKENEST_TELEMETRY=f"{project.folder}/telemetry/*.ndjson")
    with duckdb.connect(str(project.database)) as connection:
        run_plan(plan, telemetry, connection)


def without(connection: duckdb.DuckDBPyConnection, table: str, columns: tuple[str, ...]) -> None:
    """Take columns away that a version did not have."""
    for column in columns:
        connection.execute(f"alter table {table} drop column if exists {column}")


def as_last_release(connection: duckdb.DuckDBPyConnection) -> None:
    """It did not say its version."""
    connection.execute(f"drop table {VERSION}")


def as_without_places(connection: duckdb.DuckDBPyConnection) -> None:
    """A content was known by the path where it landed."""
    as_last_release(connection)
    without(connection, LINES, PLACES)


def as_without_records(connection: duckdb.DuckDBPyConnection) -> None:
    """A line was one record."""
    as_without_places(connection)
    without(connection, LINES, RECORDS)


def as_of_one_table(connection: duckdb.DuckDBPyConnection) -> None:
    """All lines stood in one table, and every other table is of another project."""
    as_without_records(connection)
    connection.execute(f"create temp table lines as from {LINES}")
    for schema, name, kind in connection.execute(
        "select table_schema, table_name, table_type from information_schema.tables"
        " where table_schema in ('staging', 'events', 'marts', 'intermediate')"
    ).fetchall():
        connection.execute(f"drop {'view' if kind == 'VIEW' else 'table'} {schema}.{name}")
    connection.execute("create table staging.base_telemetry__lines as from lines")
    without(connection, "staging.base_telemetry__lines", (*SOURCES, *LEARNED))
    connection.execute("create table marts.estimates as select 1 as a")


def as_of_version_1(connection: duckdb.DuckDBPyConnection) -> None:
    """The id of an event stood beside its key, no landing was numbered, and all text was kept."""
    as_of_one_table(connection)
    table = "staging.base_telemetry__lines"
    connection.execute(f"alter table {table} add column event_id varchar")
    connection.execute(f"update {table} set event_id = event_key where has_event_id")
    connection.execute(f"update {table} set line_text = 'a secret' where reject_reason is not null")
    without(connection, table, NUMBERS)


FORMATS = [as_last_release, as_without_places, as_without_records, as_of_one_table,
           as_of_version_1]  # fmt: skip


def older(landed: Project, project: Project, form: object) -> None:
    """A copy in an older form."""
    assert callable(form)
    shutil.copy(landed.database, project.database)
    with duckdb.connect(str(project.database)) as connection:
        form(connection)


@pytest.mark.parametrize("form", FORMATS)
def test_what_landed_stays_without_the_raw_files(
    landed: Project, project: Project, plan: Plan, form: object
) -> None:
    """Every event and every verdict; what comes later lands beside them, and nothing twice."""
    older(landed, project, form)
    telemetry = project.telemetry("a.ndjson")
    build(project, plan)
    assert project.rows(EVENTS) == landed.rows(EVENTS)
    assert project.rows(ACCOUNT) == landed.rows(ACCOUNT)
    assert project.rows(f"select schema_version from {VERSION}") == [(SCHEMA_VERSION,)]
    assert project.rows(f"select distinct record_no from {LINES}") == [(1,)]
    assert project.rows(f"select count(*) from {LINES} where line_text = 'a secret'") == [(0,)]
    tables = {name for (name,) in project.rows("select table_name from duckdb_tables()")}
    assert not tables & {"base_telemetry__lines", "estimates"}

    telemetry.write_bytes(FOREIGN + line(event_id="e-4"))
    build(project, plan)
    assert {name for name, *_ in project.rows(EVENTS)} == {
        *(name for name, *_ in landed.rows(EVENTS)), "e-4",
    }  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
def test_files_that_are_still_there_go_on(
    landed: Project, tmp_path: Path, plan: Plan, form: object
) -> None:
    """Their lines count where they did, and what they grew by lands."""
    project = Project(tmp_path)
    older(landed, project, form)
    with duckdb.connect(str(project.database)) as connection:
        for (name,) in connection.execute(
            "select table_name from duckdb_tables() where table_name like 'base_t%lines'"
            " and schema_name = 'staging' and table_name not like '%repeated%'"
        ).fetchall():
            connection.execute(
                f"update staging.{name} set source_file = replace(source_file,"
                f" '{landed.folder}', '{project.folder}')"
            )
            if form is as_last_release:
                connection.execute(
                    f"update staging.{name} set file_path = replace(file_path,"
                    f" '{landed.folder}', '{project.folder}')"
                )
    shutil.copytree(landed.folder / "telemetry", project.folder / "telemetry")
    with project.telemetry("a.ndjson").open("ab") as file:
        file.write(line(event_id="e-2")[30:])
    build(project, plan)
    before = landed.rows(ACCOUNT)
    assert project.rows(ACCOUNT) == [
        ("a.ndjson", before[0][1] + 1, before[0][2] + 1, *before[0][3:]), *before[1:]
    ]  # fmt: skip


def test_a_killed_migration_changes_nothing(landed: Project, project: Project, plan: Plan) -> None:
    """It is in the transaction of its build."""
    older(landed, project, as_of_version_1)
    before = project.rows("select schema_name || '.' || table_name from duckdb_tables() order by 1")

    def interrupt(_name: str) -> None:
        raise KeyboardInterrupt

    telemetry = Settings.read({}, TOKENEST_TELEMETRY=f"{project.folder}/none")
    with (
        duckdb.connect(str(project.database)) as connection,
        pytest.raises(KeyboardInterrupt),
    ):
        run_plan(plan, telemetry, connection, on_step=interrupt)
    after = project.rows("select schema_name || '.' || table_name from duckdb_tables() order by 1")
    assert after == before


def test_a_newer_database_is_refused_by_name(landed: Project, project: Project) -> None:
    """By the commands, by `tokenest build` and by dbt, which leave it as it is."""
    shutil.copy(landed.database, project.database)
    with duckdb.connect(str(project.database)) as connection:
        connection.execute(f"update {VERSION} set schema_version = 99")
        with pytest.raises(DatabaseError, match="by a newer tokenest"):
            refuse_newer(project.database, connection)
    project.telemetry().write_bytes(line())
    for command in ("build", "report", "identity", "backup x.duckdb"):
        done = project.tokenest(*command.split())
        assert done.returncode == 1, command
        [said] = done.stderr.splitlines()
        assert said.endswith("; upgrade tokenest, or set TOKENEST_DB")
    done_by_dbt = project.dbt("run", "-s", "base_telemetry__files")
    assert done_by_dbt.returncode != 0
    assert "upgrade tokenest, or set TOKENEST_DB" in done_by_dbt.stdout
    assert project.rows(f"select schema_version from {VERSION}") == [(99,)]


def test_version_1_names_the_build_that_brings_it_up(landed: Project, project: Project) -> None:
    """The commands, and plain dbt; after the build they read it."""
    older(landed, project, as_of_version_1)
    fix = "built by version 1; run `tokenest build`"
    with (
        pytest.raises(DatabaseError, match=fix),
        open_database(project.database),
    ):
        pass
    done = project.dbt("run", "-s", "base_telemetry__files")
    assert fix in done.stdout
    assert project.tokenest("build").returncode == 0
    assert project.tokenest("report", "--format", "md").returncode == 0
    assert {name for name, *_ in project.rows(EVENTS)} == {name for name, *_ in landed.rows(EVENTS)}
