"""The yardstick of the build: every model's SELECT in one DuckDB session, in order.

    python benchmarks/one_script.py PLAN [MODEL ...]

No test, no contract, no key, nothing kept from before. With MODELs only those are computed, in a
database that was built, and for nobody to keep.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from tokenest_py.pipeline.plan.landing import Files
from tokenest_py.pipeline.plan.plan import FILES, FOLLOWING, Plan
from tokenest_py.pipeline.plan.session import Session
from tokenest_py.pipeline.settings import Settings

if TYPE_CHECKING:
    from tokenest_py.pipeline.plan.plan import Step


class Script:
    """The statements, and what they ask first."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
        """Open the session of a run."""
        self.plan = plan
        self.session = Session(connection, plan, Settings.read())
        self.files = Files(self.session, plan, print)
        self.landings = 0

    def build(self) -> None:
        """Build every seed and every model."""
        for schema in self.plan.schemas:
            self.session.run(f"create schema if not exists {schema}")
        for step in self.plan.steps:
            if step.kind == "seed":
                self.session.run(f"create table {step.relation} as {step.sql}")
            elif step.kind == "model":
                kind = "view" if step.materialized == "view" else "table"
                with self.files.recognised(step.recognises):
                    self.session.run(f"create {kind} {step.relation} as {self.select(step)}")
                if step.recognises:
                    self.files.note_sources(step.relation)

    def compute(self, names: tuple[str, ...]) -> None:
        """Compute some models from what is built."""
        for step in self.plan.steps:
            if step.kind == "model" and step.name in names:
                self.session.run(f"create temp table {step.name} as {self.select(step)}")

    def select(self, step: Step) -> str:
        """The SELECT of a model that is built as a whole."""
        answers = {FOLLOWING: False}
        words = {"@landed_before@": "0", "@landing_no@": str(self.landings + 1)}
        self.session.words.update(words)
        if step.landing:
            answers |= self.files.to_land(step.landing, answers)
            self.landings += answers[FILES]
        for hook in step.pre_hooks:
            if text := self.session.decided(hook, answers):
                self.session.run(text)
        return self.session.decided(step.sql, answers)


def main(path: Path, *names: str) -> None:
    """Run the script."""
    with duckdb.connect(str(Settings.read().database)) as connection:
        script = Script(connection, Plan.read(path, {}))
        if names:
            script.compute(names)
        else:
            script.build()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
