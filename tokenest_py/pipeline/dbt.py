"""Runs dbt within this process: the one place that knows how it is called and how it fails."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenest_py.pipeline.settings import project_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from dbt.artifacts.schemas.results import NodeResult
    from dbt_common.events.base_types import EventMsg

__all__ = ["DbtRun", "run_dbt"]

_FAILED = {"error", "fail", "runtime error"}


@dataclass(frozen=True, slots=True)
class DbtRun:
    """What became of each node, and the first failure in one line, or None."""

    results: Sequence[NodeResult]
    failure: str | None


def run_dbt(
    arguments: Sequence[str],
    *,
    settings: dict[str, str],
    scratch: Path | None = None,
    on_event: Callable[[EventMsg], None] | None = None,
) -> DbtRun:
    """Run one dbt command on this project and close its database again.

    Args:
        arguments: The command and what follows it.
        settings: Environment variables for the time of the run.
        scratch: Where dbt keeps its parsed project and its log; else where dbt would.
        on_event: Called with each event of the run.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    project = str(project_folder())
    places = ["--project-dir", project, "--profiles-dir", project]
    if scratch is not None:
        places += ["--target-path", str(scratch / "target"), "--log-path", str(scratch / "logs")]
    with _environment(settings | {"DO_NOT_TRACK": "1"}):
        outcome = dbtRunner(callbacks=[on_event] if on_event else []).invoke(
            ["--log-level", "none", *arguments, *places]
        )
    if outcome.result is not None:
        # dbt keeps the file open, and DuckDB lets nobody else read it until it is closed.
        DuckDBConnectionManager.env().close()
        DuckDBConnectionManager.close_all_connections()
    results = list(getattr(outcome.result, "results", []))
    failures = [_failure(result) for result in results if str(result.status) in _FAILED]
    if not failures and outcome.exception is not None:
        failures = [_first_sentence(str(outcome.exception))]
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    return DbtRun(results, f"{failures[0]}{more}" if failures else None)


def _first_sentence(text: str) -> str:
    """Return dbt's message without its frame: the line that says what happened."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not re.match(r"(Compilation|Runtime|Database) Error", line)]
    return lines[0] if lines else text.strip()


def _failure(result: NodeResult) -> str:
    name = getattr(result.node, "name", "dbt")
    message = _first_sentence(result.message or "failed")
    if outside := re.match(r'Permission Error: Cannot access file "(.+)"', message):
        return (
            f"telemetry file {outside[1]} is a link that leads out of the folders of"
            " TOKENEST_TELEMETRY; name its target's folder there, or put the file in its place"
        )
    if "source and target schemas" in message:
        return (
            f"{name}: the database was made by another version of tokenest; nothing was changed."
            " Run `tokenest build --full-refresh` with every raw file within the globs"
        )
    if re.search("No space left on device|File too large", message):
        return f"{name}: {message}; make room, then build again: what had landed is kept"
    return message if message.startswith("telemetry file") else f"{name}: {message}"


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
