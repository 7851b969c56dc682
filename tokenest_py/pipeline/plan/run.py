"""Runs a plan: every table, every test of the data, and the export, in one transaction."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from tokenest_py.errors import BuildError
from tokenest_py.pipeline.failures import explained
from tokenest_py.pipeline.plan.landing import Files
from tokenest_py.pipeline.plan.plan import FILES, FOLLOWING
from tokenest_py.pipeline.plan.session import Session
from tokenest_py.pipeline.plan.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tokenest_py.pipeline.plan.plan import Plan, Sql, Step
    from tokenest_py.pipeline.settings import Settings

__all__ = ["Outcome", "failing_tests", "run_plan"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a build that came to its end has to say.

    Attributes:
        warnings: Of files, and of tests that warn, each once.
        has_left_out: Files were set aside; the rest landed.
    """

    warnings: tuple[str, ...]
    has_left_out: bool


def run_plan(
    plan: Plan,
    settings: Settings,
    connection: duckdb.DuckDBPyConnection,
    *,
    full_refresh: bool = False,
    on_step: Callable[[str], None] = lambda _name: None,
) -> Outcome:
    """Run all steps in one transaction, and write the export once it is kept.

    Args:
        plan: What dbt compiled.
        settings: The telemetry, the exports, and what is set aside.
        connection: The database, for this run alone: it is confined to these files for good.
        full_refresh: Forget what landed.
        on_step: Called with the name of each step before it runs.

    Raises:
        BuildError: A step failed, or a test of the data; the database is as it was before.
    """
    run = _Run(plan, Session(connection, plan, settings), full_refresh=full_refresh)
    connection.execute("begin")
    try:
        for step in plan.steps:
            on_step(step.name)
            run.step(step)
        run.end()
        with _named("commit"):
            connection.execute("commit")
    except BaseException:
        with contextlib.suppress(duckdb.Error):
            connection.execute("rollback")
        raise
    if plan.export:
        with _named("export"):
            run.session.run(plan.export)
    return Outcome(tuple(dict.fromkeys(run.warnings)), run.files.left_out)


class _Run:
    def __init__(self, plan: Plan, session: Session, *, full_refresh: bool) -> None:
        self.session = session
        self.warnings: list[str] = []
        self.failures: list[str] = []
        self.files = Files(session, plan, self.warnings.append)
        self.tables = Tables(session, plan, str(uuid.uuid4()), anew=full_refresh)

    def step(self, step: Step) -> None:
        """Run a step."""
        if step.kind == "test":
            self._test(step)
        elif step.kind == "seed":
            with _named(step.name):
                self.tables.seed(step)
        else:
            with _named(step.name):
                self._model(step)

    def end(self) -> None:
        """Raise BuildError where a test found the data wrong."""
        if self.failures:
            more = f" (and {len(self.failures) - 1} more)" if len(self.failures) > 1 else ""
            raise BuildError(f"{self.failures[0]}{more}")

    def _model(self, step: Step) -> None:
        follows = self.tables.is_following(step)
        self.session.words.update(self.tables.words(step))
        answers = {FOLLOWING: follows}
        if step.recognises:
            self.tables.landed_sources()
            self.files.recognise(step.recognises)
        if step.landing:
            landing = step.landing
            files = self._decided(landing.files, answers)
            answers[FILES] = self.files.to_land(files, landing.first_lines)
        sql = self._decided(step.sql, answers)
        for hook in step.pre_hooks:
            if text := self._decided(hook, answers):
                self.session.run(text)
        self.tables.build(step, sql, follows=follows)
        self.tables.comment(step, follows=follows)
        if step.unread:
            self.files.name_unread(step.unread)

    def _decided(self, sql: Sql, answers: dict[str, bool]) -> str:
        """The text for what the database answers."""
        while not isinstance(sql, str):
            question = sql["ask"]
            if question not in answers:
                answers[question] = self.session.run(question).fetchone() is not None
            sql = sql["yes" if answers[question] else "no"]
        return sql

    def _test(self, step: Step) -> None:
        number, warns, fails = _tested(step, self.session.run)
        if step.severity == "error" and fails:
            self.failures.append(_failure(step, number))
        elif warns:
            self.warnings.append(f"{step.about or step.name} ({step.name}: {number} found)")


def failing_tests(plan: Plan, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """What the tests of a plan find wrong in a database, a line each."""
    found = []
    for step in plan.steps:
        if step.kind == "test":
            number, _, fails = _tested(step, connection.execute)
            if step.severity == "error" and fails:
                found.append(_failure(step, number))
    return found


def _tested(
    step: Step, execute: Callable[[str], duckdb.DuckDBPyConnection]
) -> tuple[int, bool, bool]:
    """How many rows are wrong, and whether they are enough to warn, and to fail."""
    with _named(step.name):
        found = execute(
            f"select {step.fail_calc}, {step.fail_calc} {step.warn_if},"
            f" {step.fail_calc} {step.error_if} from (\n{step.sql}\n) as failing"
        ).fetchone()
    return found or (0, False, False)


def _failure(step: Step, number: int) -> str:
    results = "1 result" if number == 1 else f"{number} results"
    return f"{step.name}: Got {results}, configured to fail if {step.error_if}"


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """A failure in here says which step it was."""
    try:
        yield
    except duckdb.Error as error:
        lines = str(error).strip().splitlines()
        raise BuildError(explained(name, lines[0] if lines else "failed")) from error
    except BuildError as error:
        raise BuildError(explained(name, str(error))) from error
