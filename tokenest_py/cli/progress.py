"""A run of the plan, or of dbt, with a progress display on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tokenest_py.errors import BuildError
from tokenest_py.pipeline import dbt
from tokenest_py.pipeline.database import busy, wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dbt.artifacts.schemas.results import NodeResult
    from dbt_common.events.base_types import EventMsg
    from rich.console import Console

    from tokenest_py.pipeline.plan.plan import Plan
    from tokenest_py.pipeline.settings import Settings

__all__ = ["run_dbt", "run_with_progress"]


def run_with_progress(
    plan: Plan,
    settings: Settings,
    console: Console,
    *,
    lock_timeout: float,
    full_refresh: bool,
) -> bool:
    """Run a plan, print its warnings, and return whether files were set aside.

    Raises:
        BuildError: A step failed; the message is its first line.
        DatabaseBusyError: Another process holds the database for longer than lock_timeout seconds.
    """
    from tokenest_py.pipeline.plan.run import run_plan  # DuckDB, which not every command needs

    progress = _progress(console)
    task = progress.add_task("opening the database", total=len(plan.steps))

    def show(name: str) -> None:
        progress.update(task, description=name[:40].ljust(40), advance=1)

    connection = wait_for(settings.database, lock_timeout, read_only=False)
    try:
        with progress:
            outcome = run_plan(plan, settings, connection, full_refresh=full_refresh, on_step=show)
    finally:
        connection.close()
    _warn(outcome.warnings, console)
    return outcome.has_left_out


def run_dbt(
    settings: Settings,
    arguments: Sequence[str],
    console: Console,
    *,
    scratch: Path | None,
    warn: bool = True,
) -> bool:
    """Run dbt, and return whether files were set aside.

    Its warnings, the models' own and of tests, are printed unless `warn` is false.

    Raises:
        BuildError: A step failed; the message is its first line.
        DatabaseBusyError: Another process was quicker after the wait for the database was over.
    """
    progress = _progress(console)
    task = progress.add_task("reading the project", total=None)
    warnings: list[str] = []

    def show(event: EventMsg) -> None:
        data = event.data
        if event.info.name == "ConcurrencyLine":
            progress.update(task, total=data.node_count)
        elif event.info.name == "NodeStart":
            progress.update(task, description=data.node_info.node_name[:40].ljust(40))
        elif event.info.name == "NodeFinished":
            progress.advance(task)
        elif event.info.name == "JinjaLogWarning":
            warnings.append(data.msg)

    with progress:
        run = dbt.run(settings, arguments, scratch=scratch, on_event=show)
    warnings += [_warning(result) for result in run.results if str(result.status) == "warn"]
    warnings = list(dict.fromkeys(warnings))  # dbt may write a model's SQL twice
    if warn:
        _warn(warnings, console)
    if run.failure and "Could not set lock" in run.failure:
        raise busy(settings.database, run.failure, 0)
    if run.failure:
        raise BuildError(run.failure)
    return any(" was set aside: " in warning for warning in warnings)


def _warning(result: NodeResult) -> str:
    node = result.node
    about = " ".join((node.description or "").split()).rstrip(".")
    return f"{about or node.name} ({node.name}: {result.failures} found)"


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _warn(warnings: Sequence[str], console: Console) -> None:
    for warning in warnings:
        console.print(f"warning: {warning}", style="yellow", highlight=False, soft_wrap=True)
