"""Runs dbt within this process: the one place that knows how it is called and how it fails."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenest_py.pipeline.failures import explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from dbt.artifacts.schemas.results import NodeResult
    from dbt_common.events.base_types import EventMsg

    from tokenest_py.pipeline.settings import Settings

__all__ = ["DbtRun", "environment", "first_sentence", "run"]

_FAILED = {"error", "fail", "runtime error"}


@dataclass(frozen=True, slots=True)
class DbtRun:
    """What became of each node, and the first failure in one line, or None."""

    results: Sequence[NodeResult]
    failure: str | None


def run(
    settings: Settings,
    arguments: Sequence[str],
    *,
    scratch: Path | None = None,
    on_event: Callable[[EventMsg], None] | None = None,
) -> DbtRun:
    """Run one dbt command on this project and close its database again.

    Args:
        settings: What the run finds in its environment, and in no other.
        arguments: The command and what follows it.
        scratch: Where dbt keeps its parsed project and its log; else where dbt would.
        on_event: Called with each event of the run.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    project = str(settings.project)
    places = ["--project-dir", project, "--profiles-dir", project]
    if scratch is not None:
        places += ["--target-path", str(scratch / "target"), "--log-path", str(scratch / "logs")]
    with environment(settings):
        outcome = dbtRunner(callbacks=[on_event] if on_event else []).invoke(
            ["--log-level", "none", *arguments, *places]
        )
    if outcome.result is not None:
        # dbt keeps the file open, and DuckDB lets nobody else read it until it is closed.
        DuckDBConnectionManager.env().close()
        DuckDBConnectionManager.close_all_connections()
    if isinstance(outcome.exception, KeyboardInterrupt):
        raise outcome.exception
    results = list(getattr(outcome.result, "results", []))
    failures = [_failure(result) for result in results if str(result.status) in _FAILED]
    if not failures and outcome.exception is not None:
        failures = [first_sentence(str(outcome.exception))]
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    return DbtRun(results, f"{failures[0]}{more}" if failures else None)


def first_sentence(text: str) -> str:
    """Return dbt's message without its frame: the line that says what happened."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not re.match(r"(Compilation|Runtime|Database) Error", line)]
    return lines[0] if lines else text.strip()


def _failure(result: NodeResult) -> str:
    name = getattr(result.node, "name", "dbt")
    return explained(name, first_sentence(result.message or "failed"))


@contextmanager
def environment(settings: Settings) -> Iterator[None]:
    """Dbt runs within this process: it finds these variables, None not set, and then they go."""
    variables = settings.of_dbt() | {"DO_NOT_TRACK": "1"}
    before = {name: os.environ.get(name) for name in variables}
    _set(variables)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
