"""`tokenest import`: files that SQL cannot open, as lines that a build lands."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tokenest_py.cli.guard import show_folder
from tokenest_py.cli.say import say
from tokenest_py.errors import GateError, NoDataError, TokenestError
from tokenest_py.pipeline.files import REQUIRED
from tokenest_py.pipeline.importing.importing import Imported, import_file
from tokenest_py.pipeline.importing.mapped import read_sources, sources
from tokenest_py.pipeline.importing.shipped import read_shippers
from tokenest_py.pipeline.report.words import count
from tokenest_py.pipeline.settings import Settings

__all__ = ["import_"]

FilesArgument = Annotated[
    list[Path], typer.Argument(help="JSON of any length, CSV, Parquet, SQLite, zip or tar.")
]


def import_(
    files: FilesArgument,
    *,
    into: Annotated[
        Path | None, typer.Option(help="The folder to write to; over TOKENEST_TELEMETRY_DIR.")
    ] = None,
) -> None:
    """Write what SQL cannot open as telemetry, without texts."""
    settings = Settings.read(TOKENEST_TELEMETRY_DIR=str(into) if into else None)
    is_read = show_folder(settings, to_write=True)
    known = read_sources(settings.project, sources(settings.project))
    shippers = read_shippers(settings.project)
    console = Console(stderr=True)
    lines, faults = 0, 0
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description} {task.completed} rows"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        for path in files:
            task = progress.add_task(path.name, total=None)
            tick = functools.partial(progress.advance, task)
            try:
                done = import_file(path, settings.telemetry_folder, known, shippers, tick)
            except TokenestError as error:
                if len(files) == 1:
                    raise
                faults += 1
                say(str(error))
                continue
            lines += sum(done.lines.values())
            for text in _said(done):
                say(text)
    if not lines:
        raise NoDataError(
            f"no call was imported; see above what was left out. Columns named {REQUIRED} make a"
            " table one of event records (docs/event_record.md)"
        )
    if faults:
        raise GateError(f"{count(faults, 'file')} of {len(files)} could not be imported; see above")
    say("next: tokenest build" if is_read else "next: set TOKENEST_TELEMETRY, then tokenest build")


def _said(done: Imported) -> list[str]:
    told = [f"{count(number, 'line')} of {source}" for source, number in done.lines.items()]
    said = [f"{done.path}: {', '.join(told) or 'nothing to import'}"]
    said += [f"  wrote {path}" for path in done.written]
    if told and not done.written:
        said.append("  all of it had been imported before")
    said += [f"  left out {count(number, 'row')} of {why}" if number > 1 else f"  left out {why}"
             for why, number in done.left_out.items()]  # fmt: skip
    return said + [f"  {text}" for text in done.said]
