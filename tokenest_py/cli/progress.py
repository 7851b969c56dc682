"""A run of the plan, with a progress display on standard error."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tokenest_py.errors import FileGoneError
from tokenest_py.pipeline.database import wait_for

if TYPE_CHECKING:
    from rich.console import Console

    from tokenest_py.pipeline.plan.plan import Plan
    from tokenest_py.pipeline.plan.run import Outcome
    from tokenest_py.pipeline.settings import Settings

__all__ = ["run_with_progress"]

_TIMES = 3  # to list the files anew, of which one went away as it was read


def run_with_progress(
    plan: Plan,
    settings: Settings,
    console: Console,
    *,
    lock_timeout: float,
    full_refresh: bool = False,
) -> Outcome:
    """Run a plan and return what it has to say; again where a file went away as it was read.

    Raises:
        BuildError: A step failed; the message is its first line.
        FileGoneError: A file went away each time.
        DatabaseBusyError: Another process holds the database for longer than lock_timeout seconds.
    """
    from tokenest_py.pipeline.plan.run import run_plan  # DuckDB, which not every command needs

    def run() -> Outcome:
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

    for _ in range(_TIMES - 1):
        with suppress(FileGoneError):
            return run()
    return run()


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
