"""The plan gives what `dbt build` gives: every table, build by build, over random histories."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import duckdb
import pytest

from dbt_project import Project, plan_of
from histories import History
from planned import run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

CHANGED = {"stub_max_tokens": 900}


def differences(project: Project) -> dict[str, object]:
    """The tables of which dbt and the plan have other columns or rows."""
    different: dict[str, object] = {}
    with duckdb.connect() as connection:
        connection.execute(f"attach '{project.database}' as by_dbt (read_only)")
        connection.execute(f"attach '{project.folder / 'plan.duckdb'}' as by_plan (read_only)")
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where database_name = 'by_dbt' order by 1"
        ).fetchall()
        assert len(tables) > 80
        for (table,) in tables:
            described = [
                connection.execute(f"describe {name}.{table}").fetchall()
                for name in ("by_dbt", "by_plan")
            ]
            # a sum of doubles depends on the order of its rows in the last digit
            columns = ", ".join(
                f"round({column}, 9)" if kind == "DOUBLE" else column
                for column, kind, *_ in described[0]
            )
            query = "select {0} from {1}.{3} except all select {0} from {2}.{3}"
            rows = [
                connection.execute(query.format(columns, *pair, table)).fetchall()
                for pair in (("by_dbt", "by_plan"), ("by_plan", "by_dbt"))
            ]
            if described[0] != described[1] or rows != [[], []]:
                different[table] = rows
    return different


@pytest.mark.parametrize("seed", [1])
def test_every_table_is_equal_build_by_build(tmp_path: Path, seed: int) -> None:
    """Two builds that follow, and one with another var, which builds what follows anew."""
    project = Project(tmp_path)
    history = History(random.Random(seed))
    for step, variables in enumerate(({}, {}, CHANGED)):
        history.grow(step)
        history.write(project.telemetry().parent, step)
        given = ["--vars", json.dumps(variables)] if variables else []
        # tables are compared: what only reads them is left out, and so are the tests
        given += ["--exclude-resource-type", "test", "--exclude", "path:models/report"]
        said = project.dbt_build(*given, telemetry="telemetry/**/*.ndjson*")
        outcome = run(project, plan_of(variables))
        assert differences(project) == {}, step
        assert ("was set aside" in said) == outcome.has_left_out == (step > 0)
    how_far = (
        "select schema_name, table_name, regexp_extract(comment, 'landings to [0-9]+')"
        " from duckdb_tables() where comment like 'rules%' order by all"
    )
    with duckdb.connect(str(tmp_path / "plan.duckdb"), read_only=True) as connection:
        found = connection.execute(how_far).fetchall()
    assert found == project.rows(how_far)
    states = {state for (state,) in project.rows("select distinct state from marts.files")}
    assert states >= {"landed", "rotated", "rewritten", "growing"}
    assert len(found) > 20
