"""Options that several commands share."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from tokenest_py.cli.output import Format

__all__ = [
    "AllowEmptyOption",
    "FormatOption",
    "LockTimeoutOption",
    "OutputOption",
    "RoundsOption",
    "ShareOption",
    "SinceOption",
    "TargetOption",
    "UntilOption",
    "YesOption",
]

AllowEmptyOption = Annotated[
    bool, typer.Option("--allow-empty-db", help="Accept a database without any event.")
]
FormatOption = Annotated[
    Format, typer.Option("--format", help="How to print the result.", case_sensitive=False)
]
LockTimeoutOption = Annotated[
    float, typer.Option("--lock-timeout", min=0, help="Seconds to wait for a busy database.")
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", help="Write the result to this file, not the terminal.")
]
RoundsOption = Annotated[
    int, typer.Option(min=1, max=100, help="How often to calibrate again on the way.")
]
ShareOption = Annotated[
    float, typer.Option(min=0.05, max=0.95, help="Newest share of the calls that is scored.")
]
SinceOption = Annotated[datetime | None, typer.Option(help="From this time on, UTC.")]
TargetOption = Annotated[
    Path | None,
    typer.Option("--to", help="The file that the runtime reads; over TOKENEST_COEFFICIENTS."),
]
UntilOption = Annotated[datetime | None, typer.Option(help="Before this time, UTC.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
