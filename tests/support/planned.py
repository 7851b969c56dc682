"""Runs of the plan within the test process, on a database beside the one of dbt."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import duckdb

from dbt_project import PLANS, Project
from tokenest_py.pipeline.plan.run import Outcome, run_plan
from tokenest_py.pipeline.settings import Settings

if TYPE_CHECKING:
    from tokenest_py.pipeline.plan.plan import Plan

__all__ = ["run", "settings"]


def settings(**values: str) -> Settings:
    """Of a project whose folder is the working directory."""
    given = {
        "TOKENEST_DB": "plan.duckdb",
        "TOKENEST_EXPORTS": "planned",
        "TOKENEST_TELEMETRY": "telemetry/**/*.ndjson*",
    }
    return Settings.read({"DBT_TARGET_PATH": str(PLANS)}, **(given | values))


def run(project: Project, plan: Plan, *, full_refresh: bool = False) -> Outcome:
    """Run a plan on the project's files."""
    with contextlib.chdir(project.folder):
        given = settings()
        given.exports.mkdir(exist_ok=True)
        with duckdb.connect(str(given.database)) as connection:
            return run_plan(plan, given, connection, full_refresh=full_refresh)
