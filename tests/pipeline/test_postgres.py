"""tokenest in a project over Postgres: the same tables as on DuckDB, from the same calls.

The project is integration_tests/warehouse/. The server is the tests' own, on loopback.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pytest

import warehouse
from dbt_project import DBT, ROOT, apart
from same_rows import Comparison, compared

if warehouse.programs() is None or find_spec("dbt.adapters.postgres") is None:
    pytest.skip(
        "needs PostgreSQL (Debian: apt-get install postgresql) and dbt-postgres (extra dev)",
        allow_module_level=True,
    )

import psycopg2

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from psycopg2 import extensions

pytestmark = pytest.mark.slow

CALLS = 1500
SCHEMA = "analytics_tokenest"


class Host(NamedTuple):
    """A copy of the project, and the server that it builds on."""

    folder: Path
    port: int
    connection: extensions.connection

    def dbt(self, *arguments: str, code: int = 0, **variables: object) -> str:
        """Run dbt, which has to end with the exit code; return what it printed in one line."""
        named = {f"tokenest__{name}": value for name, value in variables.items()}
        words = [*arguments, "--vars", json.dumps(named)]
        done = DBT.run(words, self.folder, apart(WAREHOUSE_PORT=str(self.port)))
        assert done.returncode == code, done.stdout[-6000:]
        return " ".join(done.stdout.split())

    def compared(self, calls: str) -> dict[str, Comparison]:
        """Build the calls of a table on DuckDB too, and compare every table of tokenest.

        The database has the name of the server's, so that the relation has one name on both.
        """
        path = self.folder / "postgres.duckdb"
        path.unlink(missing_ok=True)
        with duckdb.connect(str(path)) as database:
            database.execute("set TimeZone = 'UTC'")
            database.execute(f"create schema {calls.split('.')[0]}")
            warehouse.copy(self.connection, calls, database, calls)
        self.dbt("build", "-s", "package:tokenest", "--exclude-resource-type", "test",
                 "--target", "duckdb", "--target-path", "target-duckdb",
                 events=f"postgres.{calls}")  # fmt: skip
        with self.connection.cursor() as cursor:
            cursor.execute("select tablename from pg_tables where schemaname = %s", [SCHEMA])
            tables = [name for (name,) in cursor.fetchall()]
        with duckdb.connect(str(path)) as database:
            database.execute("set TimeZone = 'UTC'")
            database.execute("attach ':memory:' as server")
            for name in tables:
                warehouse.copy(self.connection, f"{SCHEMA}.{name}", database, f"server.{name}")
            return {
                name: compared(database, f"{SCHEMA}.{name}", f"server.{name}", "Postgres")
                for name in sorted(tables)
            }


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The project on a server of its own, whose two tables hold calls."""
    folder = tmp_path_factory.mktemp("warehouse")
    ignored = shutil.ignore_patterns("target", "logs", "dbt_packages", "*.duckdb*")
    shutil.copytree(ROOT / "integration_tests/warehouse", folder / "host", ignore=ignored)
    packages = json.dumps({"packages": [{"local": str(ROOT)}]})
    (folder / "host/packages.yml").write_text(packages, encoding="utf-8")
    with warehouse.server() as port:
        connection = psycopg2.connect(
            host="127.0.0.1",
            port=port,
            user="tokenest",
            dbname="postgres",
            options="-c timezone=UTC",
        )
        connection.autocommit = True
        logs = 'litellm."LiteLLM_SpendLogs"'
        warehouse.fill(connection, warehouse.SPEND_LOGS, logs, warehouse.spend_logs(CALLS))
        warehouse.fill(connection, warehouse.CALLS, "llm.calls", warehouse.calls(CALLS))
        found = Host(folder / "host", port, connection)
        found.dbt("deps")
        yield found
        connection.close()


def same(found: dict[str, Comparison]) -> None:
    """All tables are equal; those that have to hold rows of the calls do."""
    assert {name: table.found[:3] for name, table in found.items() if table.found} == {}
    empty = {name for name, table in found.items() if not table.rows}
    assert not empty & {
        "calls",
        "scores",
        "max_tokens",
        "advice",
        "costs",
        "alerts",
        "coefficients",
    }
    assert sum(table.doubles > 0 and table.rows > 0 for table in found.values()) > 20


def cut_off() -> list[tuple[str, int]]:
    """How many rows of the spend logs say that their ceiling cut them off, of each kind of call."""
    found = Counter(
        row["call_type"]
        for row in warehouse.spend_logs(CALLS)
        if any(word in row["response"] for word in ("length", "incomplete", "max_tokens"))
        and row["call_type"] != "aembedding"
        and row["cache_hit"] == "False"
    )
    return sorted(found.items())


def test_the_spend_logs_of_litellm(host: Host) -> None:
    """A model of the host names their columns; all models and tests of tokenest stand behind it."""
    said = host.dbt("build")
    assert "ERROR=0 SKIP=0" in said
    assert "PASS engine_macros_agree" in said
    found = host.compared("analytics.llm_calls")
    same(found)
    with host.connection.cursor() as cursor:
        cursor.execute(
            'select count(*) from litellm."LiteLLM_SpendLogs"'
            " where call_type <> 'aembedding' and cache_hit = 'False'"
        )
        assert cursor.fetchall() == [(found["calls"].rows,)]
        cursor.execute(
            "select logs.call_type, count(*) from analytics_tokenest.calls"
            ' inner join litellm."LiteLLM_SpendLogs" as logs on logs.request_id = calls.event_id'
            " where calls.is_truncated and calls.actual_max_tokens = calls.actual_output_tokens"
            " group by logs.call_type order by logs.call_type"
        )
        assert cursor.fetchall() == cut_off()
        cursor.execute("select category from analytics.llm_calls group by 1 order by 1")
        assert [found for (found,) in cursor.fetchall()] == [
            "claude-opus-6", "code", "extraction", "gpt-6", "gpt-6-mini", "summary",
        ]  # fmt: skip


def test_a_table_of_calls(host: Host) -> None:
    """With labels as JSON, lists, retries, predictions, and rows without an identity."""
    said = host.dbt("build", "-s", "package:tokenest", "--exclude-resource-type", "test",
                    events="{{ source('llm', 'calls') }}")  # fmt: skip
    assert "left out 2 row(s) of postgres.llm.calls: actual_output_tokens is out of range" in said
    assert 'tokenest does not read the column team of "postgres"."llm"."calls"' in said
    found = host.compared("llm.calls")
    same(found)
    assert found["calls"].rows == CALLS - 2
    with host.connection.cursor() as cursor:
        cursor.execute("select distinct stop_class from analytics_tokenest.calls order by 1")
        assert cursor.fetchall() == [("complete",), ("tool",), ("truncated",), ("unrecorded",)]
    for name in ("multipliers", "int_deliverables", "int_breakdown_parts"):
        assert found[name].rows, name


def test_the_planner_gets_what_it_needs(host: Host) -> None:
    """Each table is analysed by the build itself, and made with the settings of its transaction."""
    path = host.folder / "logs/dbt.log"
    path.unlink(missing_ok=True)
    host.dbt("build", "-s", "+int_counted_calls", "--exclude-resource-type", "test",
             events="{{ source('llm', 'calls') }}")  # fmt: skip
    with host.connection.cursor() as cursor:
        cursor.execute(
            "select relname, analyze_count > 0, n_live_tup > 0 from pg_stat_user_tables"
            " where schemaname = %s and relname like 'int%%'", [SCHEMA],
        )  # fmt: skip
        analysed = {name: found for name, *found in cursor.fetchall()}
    assert analysed["int_counted_calls"] == [True, True]
    assert [name for name, (is_analysed, _) in analysed.items() if not is_analysed] == []
    log = path.read_text(encoding="utf-8")
    made = r'create\s+(?:unlogged\s+)?table\s+"postgres"\."analytics_tokenest"\."int_'
    settings = r"set local enable_nestloop = off;\s+set local jit = off;\s+"
    assert len(re.findall(made, log)) == len(re.findall(settings + made, log)) > 0
    assert 'create unlogged table "postgres"."analytics_tokenest"."int_counted_calls' in log


def test_a_table_that_is_none_is_named_in_words(host: Host) -> None:
    """What is missing, and the types as the server calls them."""
    with host.connection.cursor() as cursor:
        cursor.execute("alter table llm.calls rename to kept")
        cursor.execute("create table llm.calls as select '1' as actual_output_tokens, 2 as attempt")
    said = host.dbt("build", "-s", "base_relation__calls", code=1,
                    events="{{ source('llm', 'calls') }}")  # fmt: skip
    with host.connection.cursor() as cursor:
        cursor.execute("drop table llm.calls")
        cursor.execute("alter table llm.kept rename to calls")
    assert "it has no column occurred_at, when a call ended" in said
    assert "actual_output_tokens is text and has to be a whole number" in said


def test_files_are_not_read_there(host: Host) -> None:
    """Who names a source of files is told which engines read them."""
    said = host.dbt("parse", code=2, sources=["litellm"])
    assert (
        "tokenest reads files on DuckDB and Spark, and this is postgres: take litellm out" in said
    )


def test_no_row_at_all(host: Host) -> None:
    """With --empty each relation is a query that has an alias of its own."""
    host.dbt("build", "--empty", "-s", "+int_demand_history", "--indirect-selection", "cautious",
             events="{{ source('llm', 'calls') }}")  # fmt: skip


def test_another_value_is_a_difference() -> None:
    """The comparison sees one double that is off by a millionth, and one row too many."""
    with duckdb.connect() as database:
        database.execute(
            "create table one as select range as k, sqrt(range + 1) as v from range(9)"
        )
        database.execute(
            "create table two as select k, v * (1 + 1e-6 * (k = 5)::int) as v from one"
        )
        database.execute("create table three as select * from one union all select 9, 1.0")
        assert not compared(database, "one", "one", "other").found
        assert len(compared(database, "one", "two", "other").found) == 1
        assert compared(database, "one", "three", "other").found
