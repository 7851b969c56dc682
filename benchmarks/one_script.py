"""The yardstick of the build: every model's SELECT in one DuckDB session, in order.

    python benchmarks/one_script.py TARGET BUILT [MODEL ...]

TARGET is dbt's target folder after a build, BUILT the database that it built, whose seeds are
taken over. With MODELs only those are computed, in BUILT itself and for nobody to keep.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import duckdb


def compiled_models(target: Path) -> dict[str, str]:
    """Return the SELECT of each model that the last build ran, in its order."""
    done = json.loads((target / "run_results.json").read_text())["results"]
    return {
        result["unique_id"]: result["compiled_code"]
        for result in done
        if result["unique_id"].startswith("model.")
    }


def compute(connection: duckdb.DuckDBPyConnection, target: Path, names: tuple[str, ...]) -> None:
    """Compute some models from what is built."""
    for model, select in compiled_models(target).items():
        name = model.rpartition(".")[2]
        if name in names:
            connection.execute(f"create temp table {name} as {select}")


def build(connection: duckdb.DuckDBPyConnection, target: Path, built: Path) -> None:
    """Build every model, with the seeds of the built database."""
    connection.execute(f"attach '{built}' as built (read_only)")
    for schema in ("seeds", "staging", "intermediate", "marts", "exports", "semantic"):
        connection.execute(f"create schema if not exists {schema}")
    seeds = connection.execute(
        "select table_name from duckdb_tables()"
        " where database_name = 'built' and schema_name = 'seeds'"
    ).fetchall()
    for (seed,) in seeds:
        connection.execute(f"create table seeds.{seed} as from built.seeds.{seed}")
    connection.execute("detach built")
    nodes = json.loads((target / "manifest.json").read_text())["nodes"]
    for model, select in compiled_models(target).items():
        node = nodes[model]
        kind = "view" if node["config"]["materialized"] == "view" else "table"
        connection.execute(f"create {kind} {node['schema']}.{node['alias']} as {select}")


def main(target: Path, built: Path, *names: str) -> None:
    """Run the script, with the settings of the profile."""
    with duckdb.connect(os.environ["TOKENEST_DB"]) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set preserve_insertion_order = false")
        connection.execute(f"set memory_limit = '{os.environ['TOKENEST_MEMORY_LIMIT']}'")
        if names:
            compute(connection, target, names)
        else:
            build(connection, target, built)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
