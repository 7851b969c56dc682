"""Runs a plan: every table, every test of the data, and the export, in one transaction."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from tokenest_py.errors import BuildError, FileGoneError
from tokenest_py.pipeline.failures import failure
from tokenest_py.pipeline.plan.landing import Files
from tokenest_py.pipeline.plan.plan import FILES, FOLLOWING, LARGE
from tokenest_py.pipeline.plan.session import Session
from tokenest_py.pipeline.plan.tables import Tables
from tokenest_py.pipeline.schema import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tokenest_py.pipeline.plan.plan import Plan, Step
    from tokenest_py.pipeline.settings import Settings

# A word that only ends so has its table made anew in vain; to look for words takes far longer.
_OF_THE_MOMENT = (
    "now(", "random(", "uuid(", "get_current_timestamp(", "current_date", "current_time",
)  # fmt: skip

__all__ = ["Outcome", "failing_tests", "passes", "run_plan"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a build that came to its end has to say.

    Attributes:
        warnings: Of files, and of tests that warn, each once.
        has_left_out: Files were set aside; the rest landed.
        kept: How many tables and views are as they were: what they are made of did not change.
    """

    warnings: tuple[str, ...]
    has_left_out: bool
    kept: int


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
        FileGoneError: A file went away while it was read; the same again, on a new connection.
    """
    session = Session(connection, plan, settings)
    connection.execute("begin")
    try:
        with _named("an older database"):
            migrate(connection)
        run = _Run(plan, session, full_refresh=full_refresh)
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
    finally:
        with contextlib.suppress(duckdb.Error):
            session.end()
    if plan.export:
        with _named("export"):
            run.session.run(plan.export)
    return Outcome(tuple(dict.fromkeys(run.warnings)), run.files.left_out, len(run.kept))


class _Run:
    def __init__(self, plan: Plan, session: Session, *, full_refresh: bool) -> None:
        self.session = session
        self.warnings: list[str] = []
        self.failures: list[str] = []
        self.files = Files(session, plan, self.warnings.append)
        self.invocation = str(uuid.uuid4())
        self.tables = Tables(session, plan, self.invocation, anew=full_refresh)
        self.keys: dict[str, str] = {}  # of what each table was made
        self.kept: set[str] = set()  # those that are as they were when their tests passed

    def step(self, step: Step) -> None:
        """Run a step; a test of what is as it was when it passed is left out."""
        if step.kind == "test":
            if not (step.is_settled or (step.needs and self.kept.issuperset(step.needs))):
                self._test(step)
            return
        with _named(step.name):
            if step.kind == "seed":
                self._seed(step)
            else:
                self._model(step)

    def end(self) -> None:
        """Raise BuildError where a test found the data wrong."""
        if self.failures:
            more = f" (and {len(self.failures) - 1} more)" if len(self.failures) > 1 else ""
            raise BuildError(f"{self.failures[0]}{more}")

    def _seed(self, step: Step) -> None:
        key, before = self._key(step, step.sql), self.tables.key(step)
        self.tables.seed(step)
        self.tables.mark(step, key)
        self._note(step, key, is_kept=key == before)

    def _model(self, step: Step) -> None:
        follows = self.tables.is_following(step)
        self.session.words.update(self.tables.words(step))
        answers = {FOLLOWING: follows}
        if step.recognises or (step.landing and self.files.has_some(step.landing)):
            self.tables.landed_places()
        if step.landing:
            answers |= self.files.to_land(step.landing, answers)
        sql = self.session.decided(step.sql, answers)
        goes_on = follows and step.remembers  # as it was where nothing has landed since
        is_whole = step.materialized == "table" and not step.recognises
        key = self._state_key(step) if goes_on else self._key(step, sql)
        before = self.tables.key(step)
        if key == before and (goes_on or is_whole):
            self._note(step, key, is_kept=True)
            return
        for hook in step.pre_hooks:
            if text := self.session.decided(hook, answers):
                self.session.run(text)
        self._make(step, sql, answers, follows=follows)
        self._keep(step, key, before, follows=follows, has_landed=answers.get(FILES, False))
        if step.unread:
            self.files.name_unread(step.unread)

    def _make(self, step: Step, sql: str, answers: dict[str, bool], *, follows: bool) -> None:
        """Make the table at once, or part by part where a part has to fit into memory."""
        first, *others = self._parts(step, answers)
        self.session.words["@part_no@"] = first
        with self.files.recognised(step.recognises):
            self.tables.build(step, sql, follows=follows)
        for part in others:
            self.session.words["@part_no@"] = part
            self.tables.follow(step, self.session.decided(step.sql, answers | {FOLLOWING: True}))
        if step.recognises:
            self.files.note_sources(step.relation)
        if step.landing:
            with contextlib.closing(self.files.in_parts()) as opened:
                for _ in opened:
                    text = self.session.decided(step.sql, answers | {LARGE: False})
                    self.tables.add_part(step, text)

    def _parts(self, step: Step, answers: Mapping[str, bool]) -> list[str]:
        """The numbers of the parts of the periods that are new."""
        if not step.parts:
            return [""]
        found = self.session.run(self.session.decided(step.parts, answers)).fetchall()
        return [str(part) for (part,) in found] or ["-1"]  # none is

    def _keep(self, step: Step, key: str, before: str, *, follows: bool, has_landed: bool) -> None:
        """Note of what the table was made, in its comment, and whether it is as it was."""
        if step.materialized == "view":
            self._note(step, key, is_kept=self.kept.issuperset(self._own(step)))
        elif step.landing:
            key = self.tables.landing(step, follows=follows)
            self._note(step, key, is_kept=follows and not has_landed)
        else:
            if step.remembers:
                key = self._state_key(step)
            elif step.recognises:
                key = self._key(step, self.tables.content(step))
            self.tables.mark(step, key)
            self._note(step, key, is_kept=key == before)

    def _state_key(self, step: Step) -> str:
        """Of what a table that follows the landing is made, and how far it has come."""
        state = self.tables.state(step)
        return f"{state}, {self._key(step, state + str(step.sql))}"

    def _own(self, step: Step) -> list[str]:
        """The seeds and models that a model is made of."""
        return [name for name in step.needs if name in self.keys]

    def _key(self, step: Step, text: str) -> str:
        """The same for the same SQL over the same tables; what asks for the time never is."""
        if any(word in text for word in _OF_THE_MOMENT):
            text = self.invocation
        made_of = [self.keys[name] for name in self._own(step)]
        return f"made {hashlib.md5('|'.join([text, *made_of]).encode()).hexdigest()}"

    def _note(self, step: Step, key: str, *, is_kept: bool) -> None:
        self.keys[step.id] = key
        if is_kept:
            self.kept.add(step.id)

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


def passes(step: Step, connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a test finds nothing to say; BuildError where its SQL cannot run."""
    _, warns, fails = _tested(step, connection.execute)
    return not (warns or fails)


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
        raise failure(name, lines[0] if lines else "failed") from error
    except FileGoneError:
        raise
    except BuildError as error:
        raise failure(name, str(error)) from error
