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


def models(target: Path) -> list[tuple[str, str, str]]:
    """Return (schema.name, kind, SELECT) of each model that the last build ran, in its order."""
    manifest = json.loads((target / "manifest.json").read_text())
    done = json.loads((target / "run_results.json").read_text())["results"]
    ran = [r["unique_id"] for r in done if r["unique_id"].startswith("model.")]
    nodes = [manifest["nodes"][name] for name in ran]
    compiled = {r["unique_id"]: r["compiled_code"] for r in done}
    return [
        (
            f"{node['schema']}.{node['alias']}",
            "view" if node["config"]["materialized"] == "view" else "table",
            compiled[node["unique_id"]],
        )
        for node in nodes
    ]


def main(target: Path, built: Path, *only: str) -> None:
    """Run the script."""
    with duckdb.connect(os.environ["TOKENEST_DB"]) as connection:
        connection.execute("set TimeZone = 'UTC'")
        if only:
            for name, _, select in models(target):
                if name.partition(".")[2] in only:
                    connection.execute(f"create temp table {name.partition('.')[2]} as {select}")
            return
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
        for name, kind, select in models(target):
            connection.execute(f"create {kind} {name} as {select}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
