"""The report in a few aligned lines, for the end of `tokenest build` and for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from tokenest_py.pipeline.report.content import Report

__all__ = ["print_summary"]

STYLES = {"good": "green", "bad": "red", "unclear": "yellow", "plain": "bold"}
MOST_LINES = 5


def print_summary(report: Report, console: Console, *, most_lines: int = MOST_LINES) -> None:
    """Print the sentence and the four answers with their first lines; coloured in a terminal."""
    from rich.table import Table
    from rich.text import Text

    if report.lead:
        console.file.write(f"{report.lead.sentence}\n\n")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for answer in report.answers:
        table.add_row(
            Text(answer.question, style="dim"),
            Text(answer.figure, style=STYLES[answer.state]),
        )
        for line in answer.lines[:most_lines]:
            table.add_row("", Text(f"- {line}"))
        if len(answer.lines) > most_lines > 0:
            table.add_row("", Text(f"and {len(answer.lines) - most_lines} more", style="dim"))
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        console.file.write(f"{line.rstrip()}\n")
