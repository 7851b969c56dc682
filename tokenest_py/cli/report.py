"""`tokenest report`: what the telemetry says, as a page, as Markdown, as JSON or in a terminal."""

from __future__ import annotations

import io
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tokenest_py.cli import output
from tokenest_py.cli.options import AllowEmptyOption, LockTimeoutOption, OutputOption
from tokenest_py.cli.say import say
from tokenest_py.errors import GateError
from tokenest_py.pipeline.database import open_database
from tokenest_py.pipeline.files import make_folder
from tokenest_py.pipeline.report.words import count
from tokenest_py.pipeline.settings import Settings

if TYPE_CHECKING:
    from tokenest_py.pipeline.report.content import Report

__all__ = ["report"]


class ReportFormat(StrEnum):
    """How the report is written."""

    HTML = "html"
    MARKDOWN = "md"
    JSON = "json"
    TABLE = "table"
    NDJSON = "ndjson"
    CSV = "csv"


def report(
    *,
    form: Annotated[
        ReportFormat,
        typer.Option(
            "--format",
            case_sensitive=False,
            help="html: one page, written to exports/report.html unless --output is given;"
            " md, json: the same content; table, ndjson, csv: the four answers.",
        ),
    ] = ReportFormat.HTML,
    output_file: OutputOption = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Exit with 3 when an alert is open."),
    ] = False,
    allow_empty: AllowEmptyOption = False,
    lock_timeout: LockTimeoutOption = 30.0,
) -> None:
    """Write one page: what is safe, what it costs, what changed."""
    from tokenest_py.pipeline.report.content import read_report

    settings = Settings.read()
    with open_database(
        settings.database, lock_timeout=lock_timeout, allow_empty=allow_empty
    ) as connection:
        content = read_report(connection)
    if form is ReportFormat.HTML and output_file is None:
        output_file = settings.exports / "report.html"
        make_folder(settings.exports, "choose an --output, or set TOKENEST_EXPORTS")
    output.write(_render(content, form), output_file)
    if output_file is not None:
        say(f"wrote {output_file}")
    if check:
        _check(content)


def _render(content: Report, form: ReportFormat) -> str:
    from tokenest_py.pipeline.report.render import as_html, as_json, as_markdown

    match form:
        case ReportFormat.HTML:
            return as_html(content)
        case ReportFormat.MARKDOWN:
            return as_markdown(content)
        case ReportFormat.JSON:
            return as_json(content)
        case ReportFormat.TABLE:
            return _as_summary(content)
        case ReportFormat.NDJSON | ReportFormat.CSV:
            answers = [
                {
                    "question": a.question,
                    "answer": a.figure,
                    "state": a.state,
                    "lines": "; ".join(a.lines),
                }
                for a in content.answers
            ]
            return output.render(answers, output.Format(form.value))


def _as_summary(content: Report) -> str:
    from rich.console import Console

    from tokenest_py.cli.summary import print_summary

    is_terminal = sys.stdout.isatty()
    text = io.StringIO()
    console = Console(file=text, force_terminal=is_terminal, width=None if is_terminal else 120)
    print_summary(content, console)
    return text.getvalue()


def _check(content: Report) -> None:
    if content.open_alerts:
        message = (
            f"gate failed: {count(content.open_alerts, 'open alert')};"
            " see tokenest report --format table"
        )
        raise GateError(message)
