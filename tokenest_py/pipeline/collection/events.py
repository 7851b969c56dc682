"""Which events an attempt left in the telemetry folder: counted by run and phase."""

from __future__ import annotations

import json
import stat
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from tokenest_py.runtime.stop_reasons import is_truncated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Yield", "count_events", "file_sizes", "is_writable"]

MAX_LINE_BYTES = 1024 * 1024  # longer lines do not land either


@dataclass(frozen=True, slots=True)
class Yield:
    """What an attempt left: how many events, and whether one of them was cut off."""

    events: int
    truncated: bool


def file_sizes(folder: Path) -> dict[Path, int]:
    """Return the size in bytes of every telemetry file under the folder."""
    sizes = {}
    for path in folder.rglob("*.ndjson"):
        try:
            status = path.stat()
        except OSError:
            continue  # gone again
        if stat.S_ISREG(status.st_mode):
            sizes[path] = status.st_size
    return sizes


def count_events(folder: Path, before: Mapping[Path, int], run_id: str, phase_id: str) -> Yield:
    """Return what was written for this phase since `before`, an earlier `file_sizes(folder)`."""
    events, truncated = 0, False
    for path, size in file_sizes(folder).items():
        if size > before.get(path, 0):
            for event in _events_after(path, before.get(path, 0)):
                if event.get("run_id") == run_id and event.get("phase_id") == phase_id:
                    events += 1
                    truncated = truncated or _is_cut_off(event)
    return Yield(events, truncated)


def is_writable(folder: Path) -> bool:
    """Return whether a file can be made in the folder, which is made where there is none."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\n")
    except OSError:
        return False
    return True


def _events_after(path: Path, offset: int) -> Iterator[dict[str, Any]]:
    """Yield the events of the lines that were completed after the offset."""
    try:
        with path.open("rb") as file:
            file.seek(_start_of_line(file, offset))
            while line := file.readline(MAX_LINE_BYTES):
                event = _event(line)
                if event is not None:
                    yield event
    except OSError:
        return  # gone, or not ours to read


def _start_of_line(file: BinaryIO, offset: int) -> int:
    """Return where the line begins in which the offset lies: it was not whole before."""
    begin = max(0, offset - MAX_LINE_BYTES)
    file.seek(begin)
    return begin + file.read(offset - begin).rfind(b"\n") + 1


def _event(line: bytes) -> dict[str, Any] | None:
    """Return the event of a whole line; None for a torn one and for other records."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_event = isinstance(record, dict) and record.get("record_type") in (None, "event")
    return record if is_event else None


def _is_cut_off(event: Mapping[str, Any]) -> bool:
    stop_reason = event.get("stop_reason")
    # A full context window is no reason for a larger ceiling, so it is another class.
    if isinstance(stop_reason, str) and is_truncated(stop_reason):
        return True
    output, ceiling = event.get("actual_output_tokens"), event.get("actual_max_tokens")
    reached = isinstance(output, int) and isinstance(ceiling, int) and output >= ceiling
    return reached or (event.get("truncated") is True and not isinstance(stop_reason, str))
