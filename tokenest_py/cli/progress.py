"""A run of the plan, with a progress display on standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tokenest_py.pipeline.database import wait_for

if TYPE_CHECKING:
    from rich.console import Console

    from tokenest_py.pipeline.plan.plan import Plan
    from tokenest_py.pipeline.plan.run import Outcome
    from tokenest_py.pipeline.settings import Settings

__all__ = ["run_with_progress"]


def run_with_progress(
    plan: Plan,
    settings: Settings,
    console: Console,
    *,
    lock_timeout: float,
    full_refresh: bool = False,
) -> Outcome:
    """Run a plan and return what it has to say.

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
            return run_plan(plan, settings, connection, full_refresh=full_refresh, on_step=show)
    finally:
        connection.close()


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
