"""Results as an aligned table in a terminal, or as JSON, NDJSON or CSV for machines."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tokenest_py.cli.frame import Output
from tokenest_py.errors import TokenestError
from tokenest_py.pipeline.access import keep_access
from tokenest_py.pipeline.printable import plain, printable

__all__ = ["Format", "Row", "render", "write", "write_lines"]

Row = Mapping[str, Any]


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


def render(rows: Sequence[Row], form: Format, *, columns: Sequence[str] | None = None) -> str:
    """Return the rows as text in the given form; columns chooses and orders them."""
    names = list(columns or (rows[0] if rows else []))
    chosen = [{name: row.get(name) for name in names} for row in rows]
    match form:
        case Format.JSON:
            return json.dumps(chosen, indent=2, default=plain, ensure_ascii=False) + "\n"
        case Format.NDJSON:
            return "".join(
                json.dumps(row, default=plain, ensure_ascii=False) + "\n" for row in chosen
            )
        case Format.CSV:
            return _as_csv(chosen, names)
        case Format.TABLE:
            return _as_table(chosen, names)


def write(text: str, output: Path | None = None) -> None:
    """Print the text, or replace the file as a whole."""
    write_lines([text], output)


def write_lines(lines: Iterable[str], output: Path | None = None) -> int:
    """Print the lines, or replace the file as a whole; return how many.

    A device or a pipe is written to: a file in its place would take /dev/null from everybody.
    """
    if output is None:
        written = _write_each(lines, sys.stdout)
        sys.stdout.flush()  # what is said afterwards comes afterwards
        return written
    try:
        if output.exists() and not output.is_file():
            with output.open("w", encoding="utf-8") as file:
                return _write_each(lines, file)
        return _replace(Path(os.path.realpath(output)), lines)  # a link goes on leading there
    except OSError as error:
        message = f"{output} cannot be written: {error.strerror}; choose another --output"
        raise TokenestError(message) from error


def _replace(output: Path, lines: Iterable[str]) -> int:
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            written = _write_each(lines, file)
        keep_access(temporary, output)
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    return written


def _write_each(lines: Iterable[str], file: TextIO) -> int:
    written = 0
    for line in lines:
        file.write(line)
        written += 1
        if file is sys.stdout and Output.reader_has_gone:
            break
    return written


def _as_table(rows: Sequence[Row], names: Sequence[str]) -> str:
    console = Console(
        file=io.StringIO(),
        force_terminal=sys.stdout.isatty(),
        width=None if sys.stdout.isatty() else 200,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        is_number = any(_is_number(row[name]) for row in rows)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(_shown(row[name])) for name in names))
    if names:  # Rich makes an empty line of a table without columns
        console.print(table)
    file = console.file
    assert isinstance(file, io.StringIO)
    return "".join(line.rstrip() + "\n" for line in file.getvalue().splitlines())


def _as_csv(rows: Sequence[Row], names: Sequence[str]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_csv_cell(row[name]) for name in names] for row in rows)
    return buffer.getvalue()


def _csv_cell(value: object) -> object:
    """Return the value; text that a spreadsheet would run as a formula gets a quote in front."""
    if isinstance(value, dict | list):  # labels: JSON, as in the other formats
        return json.dumps(value, default=plain, ensure_ascii=False)
    shown = plain(value)
    if isinstance(shown, str) and shown[:1] in {"=", "+", "-", "@", "\t", "\r", "\n"}:
        return f"'{shown}"
    return shown


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float | Decimal):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return printable(str(plain(value)))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
