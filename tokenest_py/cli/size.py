"""`tokenest size`: the ceilings of a file of requests."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tokenest_py.cli.options import OutputOption
from tokenest_py.clients.batch import Batch
from tokenest_py.clients.sizer import Sizer
from tokenest_py.errors import TokenestError
from tokenest_py.runtime.estimator import Estimator
from tokenest_py.runtime.recorder import Recorder

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
        estimator=Estimator.load(strict=True),
        recorder=Recorder(enabled=False),
        max_truncation=max_truncation,
    )
    batch = Batch(sizer, category)
    try:
        with file.open(encoding="utf-8-sig") as lines:
            if output_file is None:
                sys.stdout.writelines(batch.lines(lines))
            else:
                temporary = output_file.with_name(f".{output_file.name}.{os.getpid()}.tmp")
                try:
                    with temporary.open("w", encoding="utf-8") as sized:
                        sized.writelines(batch.lines(lines))
                    temporary.replace(output_file)
                finally:
                    temporary.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise TokenestError(f"{file}: {error}; give a file of requests, one a line") from error
    except TokenestError as error:
        raise TokenestError(f"{file}: {error}") from error
    print(
        f"{batch.requests} requests, {batch.sized} sized: {batch.before} tokens reserved before,"
        f" {batch.after} now; {batch.unlimited} without a ceiling",
        file=sys.stderr,
    )
