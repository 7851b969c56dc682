"""Publishes a coefficients file in place of another, whole or not at all, and takes it back.

The new file is written beside the old one, flushed to the disk, read again by the runtime's own
loader, and moved over the old one in one step: a reader sees the one or the other. Before that the
old one goes into `<file>.history/`, numbered; `roll_back` publishes the newest of them again.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenest_py.errors import CoefficientsError, NoDataError, TokenestError
from tokenest_py.runtime.table import PACKAGED, load, parse
from tokenest_py.runtime.table.file import decode, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "Change", "Table", "changes", "history", "label_text", "publish", "read_table", "roll_back",
]  # fmt: skip

# What tells one row from another; the label of a budget is what it says, not what it is about.
KEY_COLUMNS = (
    "kind", "position", "name", "category", "complexity", "labels", "model", "input_bin",
    "max_truncation", "label",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """A checked coefficients file: its id, its bytes, and its rows by key."""

    coefficients_id: str
    data: bytes
    rows: dict[tuple[object, ...], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """One row that differs: `action` is add, remove or change."""

    action: str
    key: dict[str, Any]
    current: dict[str, Any] | None
    proposed: dict[str, Any] | None

    @property
    def name(self) -> str:
        """The key in one line."""
        return " / ".join(str(part) for part in self.key.values())

    @property
    def factor(self) -> float | None:
        """Proposed value / current value; None where there are not both, or from 0."""
        if self.current is None or self.proposed is None or not self.current.get("value"):
            return None
        return float(self.proposed["value"]) / float(self.current["value"])


def read_table(path: Path | str) -> Table:
    """The file, checked as the runtime checks it; raises CoefficientsError."""
    return _table(read(str(path)), str(path))


def changes(current: Table, proposed: Table) -> list[Change]:
    """The rows that differ, in the order of the files."""
    found = []
    for key in sorted(current.rows.keys() | proposed.rows.keys(), key=_order):
        old, new = current.rows.get(key), proposed.rows.get(key)
        if old == new:
            continue
        action = "add" if old is None else "remove" if new is None else "change"
        named = {
            name: part for name, part in zip(KEY_COLUMNS, key, strict=True) if part is not None
        }
        found.append(Change(action, named, old, new))
    return found


def publish(proposed: Table, target: Path) -> Path:
    """Put a table in place of `target`; return where the one before it is kept.

    A target that does not exist counts as the packaged defaults, which the runtime uses then.
    Raises TokenestError, and leaves the target as it is, when a step fails.
    """
    target = target.resolve()
    with _locked(target) as folder:
        previous = _current_data(target)
        entries = history(target)
        number = int(entries[-1].name.partition("-")[0]) + 1 if entries else 1
        identity = parse(previous, str(target)).coefficients_id
        kept = folder / f"{number:06}-{identity}.ndjson"
        _put(kept, previous)
        _put(target, proposed.data)
    return kept


def roll_back(target: Path) -> tuple[str, str]:
    """Publish the table before the present one; return the ids taken back and restored.

    What is taken back is kept as `rolled-back-<id>.ndjson`. Raises NoDataError without a history.
    """
    target = target.resolve()
    if not history(target):  # before a folder is made for the lock
        raise _nothing_earlier(target)
    with _locked(target) as folder:
        entries = history(target)
        if not entries:
            raise _nothing_earlier(target)
        restored = read_table(entries[-1])
        taken = _table(_current_data(target), str(target))
        _put(folder / f"rolled-back-{taken.coefficients_id}.ndjson", taken.data)
        _put(target, restored.data)
        entries[-1].unlink()
        _flush_folder(folder)
    return taken.coefficients_id, restored.coefficients_id


def _nothing_earlier(target: Path) -> NoDataError:
    folder = _history_folder(target)
    return NoDataError(f"{folder} holds no earlier table; nothing was promoted to {target} yet")


def history(target: Path) -> list[Path]:
    """The earlier tables of a target, oldest first."""
    folder = _history_folder(target.resolve())
    return sorted(folder.glob("[0-9]*-*.ndjson")) if folder.is_dir() else []


def _table(data: bytes, path: str) -> Table:
    parse(data, path)  # also what rows say of each other, as the runtime checks it
    identity, _, rows = decode(data, path, check_hash=True)
    return Table(identity, data, {_key(row): row for row in rows})


def label_text(labels: dict[str, str] | str | None) -> str | None:
    """The labels of a budget as one text, whoever wrote them; None where a row has none."""
    given = json.loads(labels) if isinstance(labels, str) else labels
    return json.dumps(given, ensure_ascii=False, sort_keys=True) if given else None


def _key(row: dict[str, Any]) -> tuple[object, ...]:
    found = row | {"labels": label_text(row.get("labels"))}
    if row["kind"] == "budget":
        del found["label"]
    return tuple(map(found.get, KEY_COLUMNS))


def _order(key: tuple[object, ...]) -> tuple[tuple[bool, Any], ...]:
    return tuple((part is not None, part if part is not None else 0) for part in key)


def _current_data(target: Path) -> bytes:
    if not target.exists():
        return read(PACKAGED)
    return read(str(target))


def _history_folder(target: Path) -> Path:
    return target.with_name(f"{target.name}.history")


@contextmanager
def _locked(target: Path) -> Iterator[Path]:
    """Yield the history folder while no other process publishes to the target."""
    folder = _history_folder(target)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_WRONLY | os.O_CREAT, 0o600)
    except OSError as error:
        reason = f"{folder} cannot be written: {error.strerror}; choose another target"
        raise TokenestError(reason) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(descriptor)


def _put(path: Path, data: bytes) -> None:
    """Put data at a path in one step, flushed, and only after the runtime's loader has read it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        try:
            _write(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if read(str(temporary)) != data:
            raise CoefficientsError(str(temporary), "was not written as it was given")
        load(str(temporary))
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        reason = f"{path} cannot be written: {error.strerror}; the old file is in place"
        raise TokenestError(reason) from error
    finally:
        temporary.unlink(missing_ok=True)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
