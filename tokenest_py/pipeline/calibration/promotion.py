"""Publishes a coefficients file in place of another, whole or not at all, and takes it back.

The new file is written beside the old one, flushed to the disk, read again by the runtime's own
loader, and moved over the old one in one step: a reader sees the one or the other. Before that the
old one goes into `<file>.history/`, numbered; `roll_back` publishes the newest sound one again.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenest_py.errors import CoefficientsError, NoDataError, TokenestError
from tokenest_py.pipeline.access import keep_access
from tokenest_py.pipeline.calibration.history import (
    folder_of,
    history,
    next_number,
    note,
    sound_entries,
    sweep,
)
from tokenest_py.runtime.table import PACKAGED, load, parse
from tokenest_py.runtime.table.file import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tokenest_py.pipeline.calibration.tables import Table

__all__ = ["RolledBack", "publish", "put", "roll_back", "unsafe_place"]


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The ids of the table that was taken back and of the one restored; what was passed over."""

    taken: str
    restored: str
    passed_over: tuple[str, ...]


def publish(
    proposed: Table,
    target: Path,
    about: Mapping[str, Any] | None = None,
    *,
    compared_with: str | None = None,
) -> Path:
    """Put a table in place of `target`; return where the one before it is kept.

    A target that does not exist counts as the packaged defaults, which the runtime uses then.
    `about` is kept in the history's log. Raises TokenestError, and leaves the target as it is,
    when a step fails, anyone may write there, or another table is there than it was compared with.
    """
    target = target.resolve()
    danger = unsafe_place(target)
    if danger:
        raise TokenestError(f"{danger}; the table there is as it was")
    with _locked(target) as folder:
        previous = _current_data(target)
        identity = parse(previous, str(target)).coefficients_id
        if compared_with not in {None, identity}:
            reason = f"{target} became {identity} while it was judged as {compared_with}"
            raise TokenestError(f"not promoted: {reason}; promote again")
        kept = folder / f"{next_number(folder):06}-{identity}.ndjson"
        put(kept, previous)
        put(target, proposed.data)
        record = {"action": "promote", "from": identity, "to": proposed.coefficients_id}
        note(folder, record | {"kept": kept.name} | dict(about or {}))
    return kept


def roll_back(target: Path) -> RolledBack:
    """Publish the newest sound table of the history; what cannot be read is passed over.

    What is taken back is kept as `rolled-back-<id>.ndjson`. Raises NoDataError without a history
    or a sound table in it.
    """
    target = target.resolve()
    if not history(target):  # before a folder is made for the lock
        folder = folder_of(target)
        why = f"nothing was promoted to {target}, or all of it is taken back"
        raise NoDataError(f"{folder} holds no earlier table: {why}")
    with _locked(target) as folder:
        taken, identity = _present(target)
        found, passed_over = sound_entries(folder)
        sound = [pair for pair in found if pair[1].coefficients_id != identity]
        if not sound:
            reason = "; ".join(passed_over) or "the present one is the only one"
            raise NoDataError(f"{folder} holds no sound table to go back to: {reason}")
        entry, restored = sound[0]
        put(folder / f"rolled-back-{identity}.ndjson", taken, check=identity != "unreadable")
        put(target, restored.data)
        for path, _ in found[: found.index(sound[0]) + 1]:  # those before it are the present one
            path.unlink()
        _flush_folder(folder)
        record = {"action": "rollback", "from": identity, "to": restored.coefficients_id}
        note(folder, record | {"restored": entry.name, "passed_over": passed_over})
    return RolledBack(identity, restored.coefficients_id, tuple(passed_over))


def unsafe_place(target: Path) -> str:
    """Who but its owner and group may replace the table at a path; empty when nobody may."""
    target = target.resolve()
    for path in (target, target.parent):
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        is_shared_folder = stat.S_ISDIR(mode) and mode & stat.S_ISVTX  # as /tmp: own files only
        if mode & stat.S_IWOTH and not is_shared_folder:
            kind = "folder" if stat.S_ISDIR(mode) else "file"
            return (
                f"{path} may be written by anyone ({kind} of mode {mode & 0o7777:04o});"
                f" run `chmod o-w {path}`"
            )
    return ""


def put(path: Path, data: bytes, *, check: bool = True) -> None:
    """Put data at a path in one step, flushed, and only after the runtime's loader has read it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _write(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if read(str(temporary)) != data:
            raise CoefficientsError(str(temporary), "was not written as it was given")
        if check:
            load(str(temporary))
        keep_access(temporary, path)
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        reason = f"{path} cannot be written: {error.strerror}; the old file is in place"
        raise TokenestError(reason) from error
    finally:
        temporary.unlink(missing_ok=True)


def _present(target: Path) -> tuple[bytes, str]:
    """The bytes that are in use and their id; a damaged file can be taken back too."""
    data = b""
    try:
        data = _current_data(target)
        return data, parse(data, str(target)).coefficients_id
    except CoefficientsError:
        return data, "unreadable"


def _current_data(target: Path) -> bytes:
    if not target.exists():
        return read(PACKAGED)
    return read(str(target))


@contextmanager
def _locked(target: Path) -> Iterator[Path]:
    """Yield the history folder while no other process publishes to the target."""
    folder = folder_of(target)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_WRONLY | os.O_CREAT, 0o600)
    except OSError as error:
        reason = f"{folder} cannot be written: {error.strerror}; choose another target"
        raise TokenestError(reason) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        sweep(target)
        yield folder
    finally:
        os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
