"""tokenest as a dbt package in somebody else's project: it harms nothing there, and works.

The project is integration_tests/: it has models, macros, tests, seeds and vars that are named as
those of tokenest are, schemas of its own, a model that reads a file, and calls in a table.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from dbt_project import DBT, ROOT, apart

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

HOST = ["dev_ana.lake", "dev_ana.llm_calls", "dev_ana_marts.calls", "dev_ana_marts.costs"]
# without a time, the tokens are texts, and the labels no JSON
NO_CALLS = """
    select
        'call-1' as event_id, '12' as actual_output_tokens, date '2026-03-01' as day,
        {'tenant': 'north'} as labels, [1, 2] as deliverables, '3'::json as attempt
"""
# ten rows of which three are calls, in the types and spellings of a warehouse
ODD_CALLS = """
    select *, '"length"'::json as stop_reason, 'azure' as provider from (select
        'a' as "Event_ID",
        timestamptz '2026-03-01 14:00:00+02' as occurred_at,
        cast(120.0 as decimal(10, 2)) as actual_output_tokens,
        'acme, inc.' as tenant,
        '["src/a.py", "src/b.py"]' as deliverables
    union all select 'a', timestamptz '2026-03-01 15:00:00+02', 130, 'north', null
    union all select 'b', null, 140, 'north', null
    union all select 'h', timestamptz '-infinity', 140, 'north', null
    union all select 'c', timestamptz '2026-03-01 16:00:00+02', -1, 'north', null
    union all select null, timestamptz '2026-03-01 17:00:00+02', 150, null, null
    union all select 'd', timestamptz '2026-03-01 18:00:00+02', null, 'north', null
    union all select 'd', timestamptz '2026-03-01 18:00:09+02', 160, 'north', 'null'
    union all select 'e', timestamptz '2026-03-01 19:00:00+02', 1e30, 'north', null
    union all select 'f', timestamptz '2026-03-01 20:00:00+02', cast('nan' as double), 'north', null
    union all select 'g', timestamptz '2026-03-01 21:00:00+02', 170, 'north', 'src/a.py')
"""
EQUAL_CALLS = """
    select timestamp '2026-03-01 00:00:00' as occurred_at, 100 as actual_output_tokens
    from range(3)
"""


@dataclass(frozen=True, slots=True)
class Host:
    """A copy of the project in a folder of its own."""

    folder: Path

    def dbt(self, *arguments: str, code: int = 0) -> str:
        """Run dbt, which has to end with the exit code; return what it printed."""
        done = DBT.run(arguments, self.folder, apart())
        assert done.returncode == code, done.stdout[-6000:]
        return done.stdout

    def build_of(self, rows: str, *selected: str, code: int = 0) -> str:
        """Build some models over these rows: a source that dbt does not build."""
        with duckdb.connect(str(self.folder / "acme.duckdb")) as connection:
            connection.execute(f"create or replace table main.spend as {rows}")
        # one label is a column of the event record, too
        variables = json.dumps(
            {
                "tokenest__events": "{{ source('llm', 'spend') }}",
                "tokenest__labels": ["tenant", "provider", "category"],
            }
        )
        return self.dbt("build", "-s", *selected, "--vars", variables, code=code)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with duckdb.connect(str(self.folder / "acme.duckdb"), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(query).fetchall()

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of the tables of the host."""
        return {table: self.rows(f"select * from {table} order by all") for table in HOST}

    def manifest(self) -> dict[str, Any]:
        """What dbt parsed last."""
        found: dict[str, Any] = json.loads((self.folder / "target/manifest.json").read_text())
        return found


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> tuple[Host, dict[str, Any]]:
    """The project without tokenest, built, and what its tables held."""
    host = Host(tmp_path_factory.mktemp("host") / "acme")
    ignored = shutil.ignore_patterns("target", "logs", "dbt_packages", "*.duckdb*")
    shutil.copytree(ROOT / "integration_tests", host.folder, ignore=ignored)
    (host.folder / "packages.yml").unlink()
    host.dbt("build")
    return host, host.content()


@pytest.fixture(scope="module")
def host(before: tuple[Host, dict[str, Any]]) -> Host:
    """The project after tokenest was added, built again."""
    host, _ = before
    packages = json.dumps({"packages": [{"local": str(ROOT)}]})
    (host.folder / "packages.yml").write_text(packages, encoding="utf-8")
    host.dbt("deps")
    said = host.dbt("build")
    assert "WARN=0 ERROR=0 SKIP=0" in said
    assert "WARNING" not in said
    return host


@pytest.fixture(scope="module")
def built(host: Host) -> dict[str, Any]:
    """Its manifest."""
    return host.manifest()


def own(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The nodes of tokenest that are no operations."""
    return {
        name: node
        for name, node in manifest["nodes"].items()
        if node["package_name"] == "tokenest" and node["resource_type"] != "operation"
    }


def schemas(manifest: dict[str, Any]) -> set[str]:
    """The schemas of the models and seeds of tokenest."""
    nodes = own(manifest).values()
    return {node["schema"] for node in nodes if node["resource_type"] in {"model", "seed"}}


def test_the_host_is_as_it_was(
    before: tuple[Host, dict[str, Any]], host: Host, built: dict[str, Any]
) -> None:
    """Its tables hold what they held, its vars are its own, its file is read, its tests pass."""
    assert host.content() == before[1]
    assert [node["name"] for node in built["nodes"].values() if node["package_name"] == "acme"]


def test_what_tokenest_reads_is_its_own(built: dict[str, Any]) -> None:
    """Every model and test of it, but for the one that reads the calls of the host."""
    foreign = {
        (name, read)
        for name, node in own(built).items()
        for read in node.get("depends_on", {}).get("nodes", [])
        if read.split(".")[1] != "tokenest"
    }
    assert foreign == {("model.tokenest.base_relation__calls", "model.acme.llm_calls")}
    assert not [
        (name, macro)
        for name, node in own(built).items()
        for macro in node["depends_on"]["macros"]
        if macro.startswith("macro.acme.")
    ]


def test_tokenest_writes_to_one_schema(host: Host, built: dict[str, Any]) -> None:
    """As the host names its own, so that targets do not overwrite each other."""
    assert schemas(built) == {"dev_ana_tokenest"}
    found = {schema for (schema,) in host.rows("select distinct schema_name from duckdb_tables()")}
    assert found == {"dev_ana", "dev_ana_marts", "dev_ana_tokenest"}


def test_the_page_counts_what_comes_along(built: dict[str, Any]) -> None:
    """docs/package.md says how many models and seeds a host gets."""
    kinds = Counter(node["resource_type"] for node in own(built).values())
    page = (ROOT / "docs/package.md").read_text(encoding="utf-8")
    assert f"{kinds['model']} models and {kinds['seed']} small seeds" in page


def test_what_is_for_the_checkout_stays_there(built: dict[str, Any]) -> None:
    """No unit test, metric, exposure or report of ours, no file, nothing that reads files."""
    for kind in ("unit_tests", "metrics", "exposures", "semantic_models", "saved_queries"):
        assert not [n for n in built[kind].values() if n["package_name"] == "tokenest"], kind
    for source in built["sources"].values():
        if source["package_name"] == "tokenest" and (freshness := source["freshness"]):
            assert {freshness[at]["count"] for at in ("warn_after", "error_after")} == {None}
    folders = {node["fqn"][1] for node in own(built).values() if node["resource_type"] == "model"}
    assert folders == {"staging", "events", "intermediate", "marts", "exports"}
    staging = {n["name"] for n in own(built).values() if n["fqn"][1] == "staging"
               and n["resource_type"] == "model"}  # fmt: skip
    assert staging == {"base_relation__calls", "stg_relation__events"}


def test_the_calls_of_the_relation_reach_the_marts(host: Host) -> None:
    """Counted, judged, grouped by a column of the host, and answered for."""
    marts = "dev_ana_tokenest"
    assert host.rows(
        f"select count(*), sum(cast(is_truncated as int)), min(occurred_at)::varchar"
        f" from {marts}.calls"
    ) == host.rows(
        "select count(*), sum(cast(stop_reason = 'length' as int)),"
        " min(occurred_at at time zone 'UTC')::varchar from dev_ana.llm_calls"
    )
    groups = host.rows(
        f"select subject, n, n_truncated from {marts}.advice where figure = 'ceiling' order by all"
    )
    assert groups == host.rows(
        "select tenant || ' / ' || category, count(*), count(*) filter (stop_reason = 'length')"
        " from dev_ana.llm_calls group by all order by all"
    )
    assert host.rows(f"select count(*) from {marts}.coefficients where kind = 'budget'") != [(0,)]
    assert host.rows(f"select count(command) from {marts}.advice") == [(0,)]
    assert not (host.folder / "exports").exists()


def test_a_relation_that_is_none_is_named_in_words(host: Host) -> None:
    """All that is wrong with it in one sentence, before anything reads it."""
    said = host.build_of(NO_CALLS, "base_relation__calls", code=1)
    sentence = " ".join(said.split())
    assert "it has no column occurred_at, when a call ended" in sentence
    assert "actual_output_tokens is text and has to be a whole number" in sentence
    assert "labels is struct(tenant varchar) and has to be an object of texts" in sentence
    assert "deliverables is integer[] and has to be a list of texts" in sentence
    assert "attempt is json and has to be a whole number" in sentence
    assert "It has event_id, actual_output_tokens, day" in sentence


def test_rows_that_are_no_calls_are_counted(host: Host) -> None:
    """Each reason in words; what is a call is taken as it was meant."""
    said = host.build_of(ODD_CALLS, "base_relation__calls", "stg_relation__events")
    for count, reason in ((1, "event_id came before"), (1, "occurred_at is missing"),
                          (1, "occurred_at is before 2000"),
                          (1, "actual_output_tokens is missing"),
                          (3, "actual_output_tokens is out of range"),
                          (1, "deliverables is no list of texts")):  # fmt: skip
        assert f"tokenest left out {count} row(s) of acme.main.spend: {reason}" in said
    found = host.rows(
        "select event_id[:4], has_event_id, occurred_at::varchar, actual_output_tokens, labels,"
        " deliverables, stop_class, is_truncated, phase_id = event_id"
        " from dev_ana_tokenest.stg_relation__events order by occurred_at"
    )
    assert found == [
        ("a", True, "2026-03-01 12:00:00", 120, '{"provider":"azure","tenant":"acme, inc."}',
         ["src/a.py", "src/b.py"], "truncated", True, True),
        ("md5:", False, "2026-03-01 15:00:00", 150, '{"provider":"azure"}', None, "truncated", True,
         True),
        # the row that was there before the answer takes its id from nobody
        ("d", True, "2026-03-01 16:00:09", 160, '{"provider":"azure","tenant":"north"}', None,
         "truncated", True, True),
    ]  # fmt: skip


def test_a_time_and_the_output_tokens_are_enough(host: Host) -> None:
    """Equal rows without an id are calls of their own."""
    said = host.build_of(EQUAL_CALLS, "base_relation__calls", "stg_relation__events")
    assert 'tokenest__labels has tenant, and "acme"."main"."spend" has neither' in said
    assert host.rows(
        "select count(*), count(distinct event_id), count(distinct phase_id)"
        " from dev_ana_tokenest.stg_relation__events"
    ) == [(3, 3, 3)]


def test_a_seed_of_an_older_version(host: Host) -> None:
    """Its table lacks a column that the seed has by now, and is made anew."""
    table, columns = "dev_ana_tokenest.alert_rules", "select column_name from (describe {})"
    now = host.rows(columns.format(table))
    with duckdb.connect(str(host.folder / "acme.duckdb")) as connection:
        connection.execute(f"alter table {table} drop column {now[-1][0]}")
    host.dbt("seed", "-s", "alert_rules")
    assert host.rows(columns.format(table)) == now


def test_a_sample_of_the_calls(host: Host) -> None:
    """With --sample and --empty dbt puts a query in the place of the relation."""
    read = ["-s", "base_relation__calls", "stg_relation__events"]
    of = "select count(*), min(source_file) from dev_ana_tokenest.stg_relation__events"
    host.dbt("run", *read, "--sample", "{'start': '2026-03-01', 'end': '2026-03-03'}")
    assert host.rows(of) == [(47, "acme.dev_ana.llm_calls")]
    assert "north" in host.dbt("show", "-s", "base_relation__calls", "--output", "json")
    host.dbt("run", *read, "--empty")
    assert host.rows(of) == [(0, None)]


def test_what_a_host_may_name(host: Host) -> None:
    """A version of a model, a name that tokenest has too, and nothing that is no relation.

    No setting makes views of tables, and a run without any calls says so.
    """
    models, project = host.folder / "models", host.folder / "dbt_project.yml"
    (models / "few_v2.sql").write_text("{{ config(materialized='view') }} " + EQUAL_CALLS)
    (models / "scores.sql").write_text("{{ config(materialized='ephemeral') }} " + EQUAL_CALLS)
    (models / "few.yml").write_text(
        json.dumps({"models": [{"name": "few", "versions": [{"v": 2}]}]})
    )
    read = ["run", "-s", "few", "base_relation__calls", "--vars"]
    host.dbt(*read, json.dumps({"tokenest__events": "{{ ref('few', v=2) }}"}))
    assert host.rows("select count(*) from dev_ana_tokenest.base_relation__calls") == [(3,)]
    said = host.dbt(*read, json.dumps({"tokenest__events": "{{ ref('scores') }}"}), code=1)
    assert "the var tokenest__events names an ephemeral model; it has to name a table" in said
    said = host.dbt(*read, json.dumps({"tokenest__events": None}), code=1)
    assert "the var tokenest__events names no relation; it has to name a table" in said
    kept = project.read_text(encoding="utf-8")
    views = kept.replace("models:\n", "models:\n  +materialized: view\n", 1)
    project.write_text(views.replace("tokenest__events", "tokenest__event"))
    said = host.dbt("run", "-s", "int_call_demand", code=2)
    assert "tokenest has no calls to read, and its tables stay empty" in said
    assert "var tokenest__event is none of tokenest" in said
    assert "is tokenest__events meant?" in said
    project.write_text(kept)
    assert (
        "makes int_call_demand of tokenest, and 0 more, a view, and they have to be tables" in said
    )


def test_a_name_that_dbt_would_mistake_is_named(host: Host) -> None:
    """Without the flag a test of ours would look at a model of theirs: nothing runs before.

    It is the target prod, which has the schema that the host gives it.
    """
    path = host.folder / "dbt_project.yml"
    text = path.read_text(encoding="utf-8")
    flag = "require_ref_searches_node_package_before_root: "
    path.write_text(text.replace(f"{flag}true", f"{flag}false"), encoding="utf-8")
    said = " ".join(host.dbt("build", "--target", "prod", code=2).split())
    assert "tokenest and acme both have " in said
    assert flag in said
    assert "The node 'base_relation__calls'" not in said
    models = own(host.manifest())
    assert schemas(host.manifest()) == {"tokenest"}
    assert {
        read
        for node in models.values()
        if node["resource_type"] == "model"
        for read in node["depends_on"]["nodes"]
        if read.split(".")[1] != "tokenest"
    } == {"model.acme.llm_calls"}
    # the other way out that the sentence names, which older dbt has too
    without = "data_tests: {tokenest: {+enabled: false}}"
    assert without in said
    path.write_text(f"{text.replace('true', 'false')}\n{without}\n", encoding="utf-8")
    host.dbt("build", "-s", "package:acme", "+calls")
