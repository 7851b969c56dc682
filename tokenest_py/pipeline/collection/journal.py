"""The journal of a run: one line an attempt, append-only. It is the state of a drain, and lands.

It lies in the telemetry folder and holds facts only: no goal, no output, no error text.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from tokenest_py.errors import CollectionError

if TYPE_CHECKING:
    from pathlib import Path

# The values that a field of each annotation may hold.
_TYPES: dict[object, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "float": (int, float),
    "int | None": (int, type(None)),
    "str | None": (str, type(None)),
}

__all__ = ["RECORD_TYPE", "Attempt", "Journal", "journal_path", "parse_attempt"]

RECORD_TYPE = "attempt"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a phase. docs/event_record.md lists the fields.

    `exit_code` is None when the time limit ended it, and 128 plus the number when a signal did.
    """

    event_id: str
    occurred_at: str
    run_id: str
    phase_id: str
    attempt: int
    session_id: str
    category: str
    complexity: str
    deliverable_count: int
    selected_budget: int
    success: bool
    truncated: bool
    duration_seconds: float
    exit_code: int | None
    events: int
    zero_yield_reason: str | None
    failure_pattern: str | None
    fingerprint: str | None
    run_verdict: str | None = None

    @property
    def timed_out(self) -> bool:
        """Whether the time limit ended it."""
        return self.exit_code is None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object that a line of the journal holds."""
        values = {key: value for key, value in asdict(self).items() if value is not None}
        return {"record_type": RECORD_TYPE} | values


def journal_path(telemetry_folder: Path, run_id: str) -> Path:
    """Return where the journal of a run lies."""
    return telemetry_folder / f"attempts-{run_id}.ndjson"


class Journal:
    """The attempts of one run, in order. Only the process that holds the run's lock may append."""

    def __init__(self, path: Path, run_id: str) -> None:
        """Read the journal.

        Raises:
            CollectionError: It cannot be read, or a line is no attempt at this run.
        """
        self.path = path
        self.attempts: list[Attempt] = []
        try:
            content = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise CollectionError(path, f"cannot be read: {error.strerror}") from error
        # a last line that lacks its newline alone is whole: the next attempt gives it one
        lines = content.split(b"\n")
        self._is_torn = bool(lines[-1])
        for line_no, line in enumerate(lines, start=1):
            record = _json(line)
            if record is not None:  # else what a killed controller left of a line
                self.attempts.append(parse_attempt(record, run_id, path, line_no))

    def append(self, attempt: Attempt) -> None:
        """Write the attempt. Once this returns it survives a kill and a power cut.

        Raises:
            CollectionError: It cannot be written.
        """
        line = json.dumps(attempt.as_dict()).encode("ascii") + b"\n"
        if self._is_torn:
            line = b"\n" + line
        try:
            fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                written = os.write(fd, line)
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise CollectionError(self.path, f"cannot be written: {error.strerror}") from error
        if written != len(line):
            raise CollectionError(self.path, "took only a part of a line: the disk is full")
        self._is_torn = False
        self.attempts.append(attempt)


def parse_attempt(record: object, run_id: str, path: object, line_no: int | None = None) -> Attempt:
    """Return the attempt at a run that a JSON value describes.

    Raises:
        CollectionError: It describes none; path and line_no say where it stands.
    """
    if not isinstance(record, dict) or record.get("record_type") != RECORD_TYPE:
        raise CollectionError(path, "is no attempt record", line_no)
    values: dict[str, Any] = {}
    for item in fields(Attempt):
        value = values[item.name] = record.get(item.name)
        if type(value) not in _TYPES[item.type]:
            raise CollectionError(
                path, f"{item.name} is {value!r:.100}, not of type {item.type}", line_no
            )
    if values["run_id"] != run_id:
        reason = f"is an attempt at run {values['run_id']}, not {run_id}"
        raise CollectionError(path, reason, line_no)
    return Attempt(**values)


def _json(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
