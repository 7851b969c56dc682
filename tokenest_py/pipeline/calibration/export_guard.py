"""Keeps the last export when a new one has lost too much: an emptied table is no calibration.

A build replaces `coefficients.ndjson`. The file before it waits beside until the new one has been
compared with it, also over a build that was killed.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenest_py.errors import CoefficientsError
from tokenest_py.pipeline.access import keep_access
from tokenest_py.pipeline.calibration.promotion import put
from tokenest_py.pipeline.calibration.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["MOST_LOST_CELLS", "ExportGuard", "guarded"]

MOST_LOST_CELLS = 0.2


@dataclass(slots=True)
class ExportGuard:
    """What became of an export: `fault` says in a line why it is no new file, or is empty."""

    path: Path
    fault: str = ""

    @property
    def before(self) -> Path:
        """Where the old file waits."""
        return self.path.with_name(f".{self.path.name}.before")

    @property
    def refused(self) -> Path:
        """Where a refused export is kept, to be looked at or to be taken after all."""
        return self.path.with_name(f"{self.path.stem}.refused{self.path.suffix}")


@contextmanager
def guarded(path: Path) -> Iterator[ExportGuard]:
    """Guard the file of an export while a build runs; look at `fault` afterwards.

    A file that is not there, or that the runtime could not read, is nothing to lose.
    """
    guard = ExportGuard(path)
    if not (guard.before.exists() and _is_readable(guard.before)):
        with suppress(OSError, CoefficientsError):  # put() reads what it wrote
            put(guard.before, path.read_bytes())
            keep_access(guard.before, path)
    # else a build was killed, and its old file is still the measure
    try:
        yield guard
    finally:
        if guard.before.exists():
            keep_access(guard.path, guard.before)
            _judge(guard)
            guard.before.unlink()
        elif guard.path.is_file():
            _judge_first(guard)


def _is_readable(path: Path) -> bool:
    try:
        read_table(path)
    except CoefficientsError:
        return False
    return True


def _judge_first(guard: ExportGuard) -> None:
    """Set a table aside that no runtime could read, where there is no old one to put back."""
    try:
        read_table(guard.path)
    except CoefficientsError as error:
        guard.path.replace(guard.refused)
        guard.fault = f"there is no table: the new one cannot be read ({error}); report this"


def _judge(guard: ExportGuard) -> None:
    """Put the old file back where the new one lacks more than a fifth of its cells."""
    if guard.path.is_file() and guard.path.read_bytes() == guard.before.read_bytes():
        guard.refused.unlink(missing_ok=True)  # as most builds leave it: to read it takes seconds
        return
    old = read_table(guard.before)
    try:
        new = read_table(guard.path)
    except CoefficientsError as error:
        put(guard.path, old.data)
        guard.fault = f"{guard.path} is as it was: the new table cannot be read ({error})"
        return
    had = old.cells()
    lost = had - new.cells()
    if len(lost) <= MOST_LOST_CELLS * len(had):
        guard.refused.unlink(missing_ok=True)
        return
    put(guard.refused, new.data)
    put(guard.path, old.data)
    first = " / ".join(str(part) for part in min(lost, key=str) if part is not None)
    guard.fault = (
        f"{guard.path} is as it was: the new table lacks {len(lost)} of its {len(had)} cells"
        f" (at most {MOST_LOST_CELLS:.0%}), such as {first}; look at {guard.refused}, and move it"
        f" over the old file to take it"
    )
