"""`tokenest export`: events as lines, ceilings as a gateway takes them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from tokenest_py.cli import output
from tokenest_py.cli.frame import Output
from tokenest_py.cli.options import LockTimeoutOption, OutputOption, SinceOption, UntilOption
from tokenest_py.cli.say import say
from tokenest_py.errors import NoDataError
from tokenest_py.pipeline.database import open_database
from tokenest_py.pipeline.exporting.ceilings import Form, as_form, read_ceilings
from tokenest_py.pipeline.exporting.events import Filters, event_lines, origin_lines
from tokenest_py.pipeline.rates import USUAL_RATE
from tokenest_py.pipeline.report.words import count
from tokenest_py.pipeline.settings import Settings

__all__ = ["export"]

export = typer.Typer(help="Write events, or ceilings by group and model.")


class EventForm(StrEnum):
    """Who reads the events."""

    RECORD = "record"
    ORIGIN = "origin"


@export.command()
def events(
    *,
    form: Annotated[
        EventForm,
        typer.Option("--for", help="record: the event record; origin: the origin's export."),
    ] = EventForm.RECORD,
    label: Annotated[
        list[str] | None,
        typer.Option(help="Only calls with this label: category=chat, project=web; repeatable."),
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    output_file: OutputOption = None,
    lock_timeout: LockTimeoutOption = 30.0,
) -> None:
    """Write the events as NDJSON."""
    filters = Filters.read(label or [], since, until)
    lines = event_lines if form is EventForm.RECORD else origin_lines
    with open_database(Settings.read().database, lock_timeout=lock_timeout) as connection:
        written = output.write_lines(lines(connection, filters), output_file)
    if not written:
        raise NoDataError("no event to export; look at --label, --since and --until")
    if not Output.reader_has_gone:
        say(f"{count(written, 'event')}{f' in {output_file}' if output_file else ''}")


@export.command()
def ceilings(
    *,
    form: Annotated[
        Form,
        typer.Option(
            "--for",
            help="litellm: model_list of a proxy's config.yaml; openai: arguments of a request by"
            " group; json: tokens by group.",
        ),
    ] = Form.JSON,
    max_truncation: Annotated[
        float, typer.Option(min=0, max=1, help="Accepted share of answers that are cut off.")
    ] = USUAL_RATE,
    output_file: OutputOption = None,
    lock_timeout: LockTimeoutOption = 30.0,
) -> None:
    """Write the ceilings to set, by model or by group."""
    with open_database(Settings.read().database, lock_timeout=lock_timeout) as connection:
        rate, rows = read_ceilings(connection, max_truncation)
    if not rows:
        raise NoDataError("no ceiling yet: too few calls show what they need (tokenest advise)")
    text, at_least = as_form(rows, form)
    output.write(text, output_file)
    if rate != max_truncation:
        say(f"the build has no ceilings for {max_truncation:g}; these are for {rate:g}")
    if at_least:
        say(f"{count(at_least, 'ceiling')} may have to be higher: too many answers were cut off")
