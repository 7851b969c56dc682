"""A build into a database that the profile attaches follows the landing, as at home."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest
import yaml

from dbt_project import DBT, ROOT, Project, all_sources_but, line
from same_rows import compared

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

# What follows the landing, first and last; a row that was changed by hand is as it was built again.
FOLLOWING = ("staging.stg_tokenest__events", "marts.calls")


def dbt_build(project: Project, *words: str) -> None:
    """Build tables of the checkout into the attached database: those that the words leave."""
    profile = yaml.safe_load((ROOT / "profiles.yml").read_text(encoding="utf-8"))
    profile["tokenest"]["outputs"]["duckdb"] |= {
        "attach": [{"path": "lake.duckdb", "alias": "lake"}],
        "database": "lake",
    }
    (project.folder / "profiles.yml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    done = DBT.run(
        ["build", "--project-dir", str(ROOT), "--profiles-dir", ".", "--exclude-resource-type",
         "test", "unit_test", "--exclude", "path:models/report", *words],
        project.folder,
        project.environment() | {"DBT_TARGET_PATH": str(project.folder / "target")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def rows(database: Path, query: str) -> list[tuple[object, ...]]:
    """The rows of a query, or what a change says."""
    with duckdb.connect(str(database)) as connection:
        return connection.execute(query).fetchall()


def test_a_second_build_writes_what_is_new(tmp_path: Path) -> None:
    """Five lines, then three more: eight in all, of which the second build writes three."""
    attached, home = Project(tmp_path / "attached"), Project(tmp_path / "home")
    databases = (attached.folder / "lake.duckdb", home.database)
    first = ["--select", "+config.materialized:incremental"]
    second = all_sources_but("tokenest", "origin")  # origin has a table that leads to none of those
    for name, count, words in (("a", 5, first), ("b", 3, second)):
        content = b"".join(
            line(event_id=f"{name}-{number}", phase_id=f"{name}-{number}")
            for number in range(count)
        )
        for project in (attached, home):
            project.telemetry(f"{name}.ndjson").write_bytes(content)
        dbt_build(attached, *words)
        home.build(tests=False)
        if name == "a":
            for database in databases:
                for table in FOLLOWING:
                    rows(database, f"update {table} set complexity = 'by hand'")
    for database in databases:
        for table in FOLLOWING:
            written = f"select count(*) from {table} where complexity <> 'by hand'"
            assert rows(database, f"select count(*) from {table}") == [(8,)], (database, table)
            assert rows(database, written) == [(3,)], (database, table)
    assert rows(attached.database, "select count(*) from duckdb_tables()") == [(0,)]
    with duckdb.connect() as connection:
        for name, database in zip(("lake", "home"), databases, strict=True):
            connection.execute(f"attach '{database}' as {name} (read_only)")
        tables = connection.execute(
            'select format(\'"{}"."{}"\', schema_name, table_name) from duckdb_tables()'
            " where database_name = 'home' order by all"
        ).fetchall()
        different = {
            table: found
            for (table,) in tables
            if (found := compared(connection, f"home.{table}", f"lake.{table}", "lake").found)
        }
    assert len(tables) > 80
    assert different == {}
