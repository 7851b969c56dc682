"""A phase: one piece of work for an agent. phase.schema.json says what one may hold."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenest_py.errors import CollectionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Phase", "parse_phase", "read_phases", "schema"]

MAX_PLAN_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Phase:
    """One piece of work. `limits` holds whole numbers by name; phase.schema.json lists them."""

    run_id: str
    phase_id: str
    phase_index: int
    category: str
    complexity: str
    deliverables: tuple[str, ...]
    goal: str
    limits: Mapping[str, int] = field(default_factory=dict)
    state: str = "queued"

    def as_dict(self) -> dict[str, Any]:
        """Return the phase as the JSON object that a line of phases.ndjson holds."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return values | {"deliverables": list(self.deliverables), "limits": dict(self.limits)}


def schema() -> dict[str, Any]:
    """Return the JSON schema of a phase."""
    text = Path(__file__).with_name("phase.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def parse_phase(record: object, path: Path, line_no: int) -> Phase:
    """Return the phase that a JSON value describes.

    Raises:
        CollectionError: It does not follow the schema; path and line_no say where it stands.
    """
    fault = _first_fault()(record)
    if fault:
        raise CollectionError(path, f"is no phase: {fault}", line_no)
    assert isinstance(record, dict)  # by the schema
    values = {key: value for key, value in record.items() if value is not None}
    return Phase(**values | {"deliverables": tuple(record["deliverables"])})


def read_phases(path: Path) -> tuple[Phase, ...]:
    """Return the phases of one run, by phase_index.

    Raises:
        CollectionError: The file cannot be read, holds something else, or mixes runs.
    """
    try:
        if path.stat().st_size > MAX_PLAN_BYTES:
            raise CollectionError(path, f"is larger than {MAX_PLAN_BYTES} bytes")
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        reason = f"cannot be read: {error.strerror}; run `tokenest plan` or give a run's folder"
        raise CollectionError(path, reason) from error
    phases: dict[str, Phase] = {}
    run_id = None
    for line_no, line in enumerate(lines, start=1):
        if line.strip():
            phase = parse_phase(_json(line, path, line_no), path, line_no)
            run_id = run_id or phase.run_id
            if phase.run_id != run_id:
                reason = f"belongs to run {phase.run_id}, the first line to {run_id}"
                raise CollectionError(path, f"{reason}; one run a folder", line_no)
            if phase.phase_id in phases:
                raise CollectionError(path, f"repeats phase_id {phase.phase_id}", line_no)
            phases[phase.phase_id] = phase
    if not phases:
        raise CollectionError(path, "holds no phases; run `tokenest plan` again")
    return tuple(sorted(phases.values(), key=lambda phase: phase.phase_index))


@functools.cache
def _first_fault() -> Callable[[object], str]:
    """Return a function that says what the schema finds wrong with a value, or nothing."""
    # jsonschema comes without types
    validator = import_module("jsonschema").Draft202012Validator(schema())

    def first_fault(record: object) -> str:
        for error in sorted(validator.iter_errors(record), key=str):
            where = error.json_path.removeprefix("$").lstrip(".")
            return f"{where}: {error.message}"[:300] if where else error.message[:300]
        return ""

    return first_fault


def _json(line: bytes, path: Path, line_no: int) -> object:
    try:
        return json.loads(line.decode("utf-8-sig"))  # as PowerShell writes it
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise CollectionError(path, "is not JSON; each line is one phase", line_no) from error
