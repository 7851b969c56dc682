"""What promote and rollback share: the file to replace, and the question before."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from tokenest_py.errors import ConsentError

if TYPE_CHECKING:
    from pathlib import Path

    from tokenest_py.pipeline.settings import Settings

__all__ = ["chosen_target", "confirm"]


def chosen_target(given: Path | None, settings: Settings) -> Path:
    """The file that the runtime reads, absolute; raises BadParameter without one."""
    path = given or settings.coefficients
    if path is None:
        reason = "nothing says which file the runtime reads; give it, or set TOKENEST_COEFFICIENTS"
        raise typer.BadParameter(reason, param_hint="--to")
    return path.absolute()


def confirm(question: str, *, yes: bool) -> None:
    """Ask unless --yes was given; raises ConsentError where nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        reason = "nobody can be asked here, so nothing was changed; say --yes"
        raise ConsentError(reason)
    if not typer.confirm(question):
        raise typer.Abort
