"""The earlier tables of a published file, and the log of who replaced which, when and why.

`<file>.history/` holds the tables, numbered, and `log.ndjson`, a line a publication.
"""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tokenest_py.errors import CoefficientsError, TokenestError
from tokenest_py.pipeline.calibration.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tokenest_py.pipeline.calibration.tables import Table

__all__ = ["entries", "folder_of", "history", "next_number", "note", "sound_entries", "sweep"]

_ENTRY = re.compile(r"([0-9]{6,})-([0-9a-f]{16})\.ndjson")
_OURS = re.compile(r"rolled-back-.+\.ndjson|log\.ndjson|\..*")


def folder_of(target: Path) -> Path:
    """The folder of a target's history; it need not exist."""
    return target.with_name(f"{target.name}.history")


def history(target: Path) -> list[Path]:
    """The earlier tables of a target, oldest first."""
    return entries(folder_of(target.resolve()))


def entries(folder: Path) -> list[Path]:
    """The files of a history that have the name of an earlier table, oldest first."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if _match(path)), key=_number)


def next_number(folder: Path) -> int:
    """The number of the table that is kept next: above all that were given."""
    return max(map(_number, entries(folder)), default=0) + 1


def sound_entries(folder: Path) -> tuple[list[tuple[Path, Table]], list[str]]:
    """The earlier tables that can be published again, newest first; and what cannot, and why."""
    sound, passed_over = [], []
    for path in reversed(entries(folder)):
        try:
            table = read_table(path)
        except CoefficientsError as error:
            passed_over.append(str(error))
            continue
        found = _ENTRY.fullmatch(path.name)
        if found is None or found[2] != table.coefficients_id:
            passed_over.append(
                f"{path}: holds {table.coefficients_id}, another table than its name"
            )
            continue
        sound.append((path, table))
    if folder.is_dir():
        foreign = [p for p in folder.iterdir() if not _match(p) and not _OURS.fullmatch(p.name)]
        passed_over += [f"{path}: no table of this history" for path in sorted(foreign)]
    return sound, passed_over


def note(folder: Path, record: Mapping[str, Any]) -> None:
    """Append a record to the log, on the disk before this returns."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    line = json.dumps({"at": now, **record}, ensure_ascii=False, default=str) + "\n"
    path = folder / "log.ndjson"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        reason = f"{path} cannot be written: {error.strerror}; the table itself is in place"
        raise TokenestError(reason) from error


def sweep(target: Path) -> None:
    """Remove what killed publications left half written; only while the target is locked."""
    left = [*target.parent.glob(f".{target.name}.*.tmp"), *folder_of(target).glob(".*.tmp")]
    for path in left:
        path.unlink(missing_ok=True)


def _match(path: Path) -> re.Match[str] | None:
    return _ENTRY.fullmatch(path.name)


def _number(path: Path) -> int:
    return int(path.name.partition("-")[0])
