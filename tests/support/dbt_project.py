"""The dbt project under test, driven from outside as its users drive it."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from tokenest_py.pipeline.plan.run import Outcome, run_plan
from tokenest_py.pipeline.plan.store import current_plan
from tokenest_py.pipeline.settings import Settings
from warm_dbt import PLACES, ROOT, WarmDbt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenest_py.pipeline.plan.plan import Plan

__all__ = [
    "BIN", "DBT", "OTHER_VARS", "PLANS", "REAL_DATA", "ROOT", "Project", "all_sources_but", "apart",
    "event", "line", "plan_of", "seeded_database",
]  # fmt: skip

BIN = Path(sys.executable).parent
DBT = WarmDbt()
PLANS = ROOT / "target"  # where `make setup` leaves one; each is of its checksum, whoever made it
# dbt takes 15 s for a plan, so what needs one of these vars sets all: the day may be any other
OTHER_VARS = {
    "labels": ["project", "category", "complexity"],
    "assumed_max_tokens": {"openai_batch": {"m": 40, "all": 8}},
    "as_of": "2026-03-03",
}
REAL_DATA = ROOT.parent / "shared" / "data"  # beside the checkout, where there is any


@dataclass(frozen=True, slots=True)
class Project:
    """The checkout's models with a database, exports and telemetry of their own."""

    folder: Path

    @property
    def database(self) -> Path:
        """The DuckDB file that builds write to."""
        return self.folder / "tokenest.duckdb"

    @property
    def coefficients(self) -> Path:
        """The exported table."""
        return self.folder / "exports" / "coefficients.ndjson"

    def telemetry(self, name: str = "events.ndjson") -> Path:
        """Path of a telemetry file, in a folder that exists."""
        path = self.folder / "telemetry" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def environment(self, telemetry: str | None = None) -> dict[str, str]:
        """The environment variables that point every command at this project.

        Paths are relative to its folder, where commands are started: dbt reads the project again
        whenever one of them changes, which costs seconds a build.
        """
        (self.folder / "exports").mkdir(exist_ok=True)
        return apart(
            DBT_TARGET_PATH=str(PLANS),
            DBT_LOG_PATH=str(DBT.folder / "logs"),
            TOKENEST_DB="tokenest.duckdb",
            TOKENEST_EXPORTS="exports",
            TOKENEST_TELEMETRY=telemetry or "telemetry/**/*.ndjson",
        )

    def dbt(
        self, *arguments: str, telemetry: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run dbt on the checkout's project; its scratch is shared by the tests of a session."""
        return DBT.of_checkout(arguments, self.folder, self.environment(telemetry))

    def unit_tests(self) -> None:
        """Run every unit test of the models, in a new process; the tables have to be there."""
        done = subprocess.run(
            [BIN / "dbt", "--no-use-colors", "test", "--resource-type", "unit_test", "--selector",
             "deep", *PLACES],
            cwd=self.folder,
            env=self.environment() | {"DBT_TARGET_PATH": str(DBT.target())},
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]

    def build(
        self,
        *names: str,
        telemetry: str | None = None,
        tests: bool = True,
        full_refresh: bool = False,
        **variables: object,
    ) -> Outcome:
        """Run the plan of a build in this process, or the part of it that makes these models.

        A tenth of the time of dbt; tests/pipeline/plan/test_equality.py holds both equal.

        Args:
            names: Models; all of them without any.
            telemetry: The globs, relative to the project's folder.
            tests: Run the tests of the data that look at these tables alone.
            full_refresh: Forget what landed.
            variables: Vars that differ from those of dbt_project.yml.
        """
        plan = plan_of(variables)
        if names:
            part = plan.leading_to(names)
            made = {step.id for step in part.steps}
            steps = tuple(
                step
                for step in plan.steps
                if step.id in made or (step.kind == "test" and made.issuperset(step.needs))
            )
            exports = any(step.name == "coefficients" for step in steps)
            plan = replace(part, steps=steps, export=plan.export if exports else "")
        if not tests:
            plan = replace(plan, steps=tuple(step for step in plan.steps if step.kind != "test"))
        settings = Settings.read(self.environment(telemetry))
        with contextlib.chdir(self.folder), duckdb.connect(str(self.database)) as connection:
            return run_plan(plan, settings, connection, full_refresh=full_refresh)

    def dbt_build(self, *arguments: str, telemetry: str | None = None) -> str:
        """Run `dbt build`, which has to succeed; return what it printed.

        The seeds are there before it, and their tests and the unit tests are left out: they try
        what is the same in every build, and the samples are built with them all.
        """
        if not self.database.exists():
            shutil.copy(seeded_database(), self.database)
        options = ["--no-write-json", "--log-level-file", "none", "--indirect-selection",
                   "cautious", "--exclude", "path:seeds", "--exclude-resource-type",
                   "unit_test"]  # fmt: skip
        done = self.dbt("build", *options, *arguments, telemetry=telemetry)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        return done.stdout

    def land(self, telemetry: str | None = None, **variables: object) -> None:
        """Run only what landing needs: the lines, their repetitions and their account."""
        self.build("files", "rejected_lines", telemetry=telemetry, **variables)

    def tokenest(
        self, *arguments: str, telemetry: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line in the project's folder."""
        return subprocess.run(
            [BIN / "tokenest", *arguments],
            cwd=self.folder,
            env=self.environment(telemetry),
            capture_output=True,
            text=True,
            check=False,
        )

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a query on the built database."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(query, parameters).fetchall()


def all_sources_but(*names: str) -> list[str]:
    """What dbt calls the folders of all other sources, to leave them out where no file is theirs.

    Their tables have to be there: an earlier build made them.
    """
    folders = sorted(path.name for path in ROOT.glob("models/staging/*/"))
    return [f"path:models/staging/{name}" for name in folders if name not in names]


def apart(**variables: str) -> dict[str, str]:
    """The environment of this process without what tokenest and dbt read, and these variables."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TOKENEST", "DBT_"))}
    return kept | {"DO_NOT_TRACK": "1"} | variables


def plan_of(variables: Mapping[str, object], words: Mapping[str, str] | None = None) -> Plan:
    """The plan of the checkout and these vars, read once a session; compiled where there is none.

    Args:
        variables: Vars that differ from those of dbt_project.yml.
        words: What takes the place of vars that were left open.
    """
    return _plan_of(*(json.dumps(given or {}, sort_keys=True) for given in (variables, words)))


@functools.cache
def _plan_of(variables: str, words: str) -> Plan:
    with contextlib.chdir(ROOT):
        settings = Settings.read({"DBT_TARGET_PATH": str(PLANS)})
        return current_plan(settings, json.loads(variables), lambda _: None, json.loads(words))


@functools.cache
def seeded_database() -> Path:
    """A database that holds the seeds alone."""
    project = Project(DBT.folder / "seeds")
    project.folder.mkdir()
    done = project.dbt("seed")
    assert done.returncode == 0, done.stdout
    return project.database


def event(**fields: object) -> dict[str, Any]:
    """A complete record of an event, with the given fields changed; None leaves a field out."""
    record: dict[str, Any] = {
        "event_id": "e-1",
        "occurred_at": "2026-01-02T03:04:05Z",
        "run_id": "run",
        "phase_id": "phase",
        "category": "implementation",
        "complexity": "low",
        "deliverables": ["src/a.py"],
        "model": "some-model",
        "predicted_output_tokens": 1200,
        "actual_max_tokens": 4096,
        "actual_output_tokens": 800,
        "stop_reason": "end_turn",
        "truncated": False,
        "success": True,
    }
    record.update(fields)
    return {name: value for name, value in record.items() if value is not None}


def line(**fields: object) -> bytes:
    """The record of event() as one line of NDJSON."""
    return json.dumps(event(**fields)).encode() + b"\n"
