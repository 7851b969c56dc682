"""`tokenest backup` and `tokenest restore`: the database as one file, there and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tokenest_py.cli.options import LockTimeoutOption, YesOption
from tokenest_py.cli.publishing import confirm
from tokenest_py.cli.say import say
from tokenest_py.pipeline.backup import back_up
from tokenest_py.pipeline.backup import restore as put_back
from tokenest_py.pipeline.settings import Settings

__all__ = ["backup", "restore"]

TargetArgument = Annotated[Path, typer.Argument(help="The file to write; it may not exist yet.")]
SourceArgument = Annotated[Path, typer.Argument(help="A file that `tokenest backup` wrote.")]


def backup(target: TargetArgument, *, lock_timeout: LockTimeoutOption = 30.0) -> None:
    """Copy the database, whole and checked, to a file."""
    done = back_up(Settings.read().database, target, lock_timeout=lock_timeout)
    say(f"wrote {done.path}: {done.size} bytes, {done.rows} rows read back, {done.events} calls")


def restore(
    source: SourceArgument, *, yes: YesOption = False, lock_timeout: LockTimeoutOption = 30.0
) -> None:
    """Put a backup in the place of the database.

    What was there is kept beside it as *.replaced.
    """
    database = Settings.read().database
    confirm(f"replace {database} by {source}?", yes=yes)
    done = put_back(source, database, lock_timeout=lock_timeout)
    say(f"{database} is {source} again: {done.rows} rows read back, {done.events} calls")
