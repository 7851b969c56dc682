"""The real pipeline, many times in one process, and the sets of calls that go through it.

Records become a file of telemetry, dbt builds every model that the export stands on (landing
included) with the export's tests, and the runtime loads the file that was written. What nobody
downstream of the export reads is left out of these builds.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import generated_calls
from dbt_project import Project, seeded_database
from generated_calls import Call, record
from tokenest_py import Estimator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

TRAIN_SHARE = 0.6
GENERATED_CALLS = 5000
FILE_CALLS = 12_000  # a quarter of them has to show 5 % within a point or two
BUILD = (
    "build", "--full-refresh", "--no-write-json", "--log-level-file", "none",
    "--exclude-resource-type", "unit_test", "--indirect-selection", "empty",
    "--select", "+coefficients,resource_type:model", "coefficients+1,resource_type:test",
)  # fmt: skip


class Pipeline:
    """A scratch database and export in a folder, for one set of dbt variables."""

    def __init__(self, folder: Path, variables: Mapping[str, Any] | None = None) -> None:
        """Start from a database that holds the seeds."""
        folder.mkdir(parents=True)
        self._project = Project(folder)
        self._variables = ["--vars", json.dumps(variables)] if variables else []
        shutil.copy(seeded_database(), self._project.database)

    def calibrate(self, records: Iterable[Mapping[str, Any]]) -> Estimator:
        """The runtime with the table that these records give."""
        with self._project.telemetry().open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(found) + "\n" for found in records)
        done = self._project.dbt(*BUILD, *self._variables)
        if done.returncode:
            raise SystemExit(f"dbt build failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
        return self.estimator()

    def estimator(self) -> Estimator:
        """The runtime anew, with the table of the last calibration."""
        return Estimator.load(self._project.coefficients, strict=True)


@dataclass(frozen=True, slots=True)
class CallSet:
    """Calls in order of time, and what telemetry has of each: the first 60 % calibrate."""

    name: str
    calls: Sequence[Call]
    records: Sequence[Mapping[str, Any]]
    variables: Mapping[str, Any] = field(default_factory=dict)

    @property
    def split(self) -> int:
        """The first call that judges."""
        return round(TRAIN_SHARE * len(self.calls))

    def judges(self) -> list[Call]:
        """The calls of the last 40 % whose need is known: those that nothing cut off."""
        pairs = zip(self.calls[self.split :], self.records[self.split :], strict=True)
        return [call for call, found in pairs if not found.get("truncated")]

    @classmethod
    def made(cls, name: str, calls: Sequence[Call], **variables: object) -> CallSet:
        """A set of generated calls, which ran under no ceiling."""
        return cls(name, calls, [record(call) for call in calls], variables)


def generated_sets() -> list[CallSet]:
    """Generated calls: one law, files, new tenants, new models, drift."""
    made = CallSet.made
    files = generated_calls.by_files(FILE_CALLS)
    return [
        made("steady", generated_calls.steady(GENERATED_CALLS)),
        made("files", [replace(call, labels={}) for call in files]),
        made("files by project", files, labels=["category", "complexity", "project"]),
        made("new tenants", generated_calls.new_tenants(GENERATED_CALLS)),
        made("new models", generated_calls.new_models(GENERATED_CALLS)),
        made("drift", generated_calls.drift(GENERATED_CALLS)),
    ]


def public_sets(folder: Path) -> list[CallSet]:
    """The public traces of a folder, each in order of time; none where there is no folder."""
    return [_public_set(path) for path in sorted(folder.glob("*.ndjson"))]


def _public_set(path: Path) -> CallSet:
    lines = path.read_text(encoding="utf-8").splitlines()
    records = sorted(map(json.loads, lines), key=lambda r: (r["occurred_at"], r["event_id"]))
    calls = [
        Call(
            number,
            run_id=found["run_id"],
            category=found.get("category"),
            need=found["actual_output_tokens"],
            complexity=found.get("complexity"),
            model=found.get("model"),
            input_tokens=found.get("input_tokens"),
            attempt=found.get("attempt"),
            deliverables=tuple(found.get("deliverables") or ()),
            labels=found.get("labels") or {},
            occurred_at=found["occurred_at"],
        )
        for number, found in enumerate(records)
    ]
    return CallSet(path.stem.replace("_", " "), calls, records)
