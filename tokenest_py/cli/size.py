"""`tokenest size`: the ceilings of a file of requests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokenest_py.cli import output
from tokenest_py.cli.options import OutputOption
from tokenest_py.cli.own_table import own_estimator
from tokenest_py.clients.batch import Batch
from tokenest_py.clients.sizer import Sizer
from tokenest_py.errors import TokenestError
from tokenest_py.runtime.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["size"]

FileArgument = Annotated[Path, typer.Argument(help="A batch of OpenAI or Anthropic, or NDJSON.")]


def size(
    file: FileArgument,
    *,
    category: Annotated[str | None, typer.Option(help="Of requests that name none.")] = None,
    max_truncation: Annotated[
        float, typer.Option(help="Accepted share of answers that are cut off.")
    ] = 0.02,
    output_file: OutputOption = None,
) -> None:
    """Give the requests of a file their ceilings."""
    sizer = Sizer(
        estimator=own_estimator(),
        recorder=Recorder(enabled=False),
        max_truncation=max_truncation,
    )
    batch = Batch(sizer, category)
    output.write_lines(_sized(batch, file), output_file)
    print(
        f"{batch.requests} requests, {batch.sized} sized: {batch.before} tokens reserved before,"
        f" {batch.after} now; {batch.unlimited} without a ceiling",
        file=sys.stderr,
    )


def _sized(batch: Batch, file: Path) -> Iterator[str]:
    """The lines with their ceilings; what is wrong with them says whose they are."""
    try:
        yield from batch.lines(_read(file))
    except TokenestError as error:
        raise TokenestError(f"{file}: {error}") from error


def _read(file: Path) -> Iterator[str]:
    try:
        with file.open(encoding="utf-8-sig") as lines:  # Windows puts a mark in front
            yield from lines
    except UnicodeDecodeError as error:
        message = "it is no UTF-8; give a file of requests in UTF-8, unpacked, one a line"
        raise TokenestError(message) from error
    except OSError as error:
        message = f"{error.strerror}; give a file of requests, one a line"
        raise TokenestError(message) from error
