"""What to collect next: coverage gaps, or the ten achievable phases, as the phases of a run.

What a phase is made of stands in seeds/collection. All files of a phase are new, and its text
avoids the words in which the document models look for features.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenest_py.errors import CollectionError
from tokenest_py.pipeline.collection.phases import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Cell", "Share", "achievable_phases", "plan_phases", "share_out"]

_LIMITS = ("max_lines", "max_context_files", "max_tokens")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of marts.collection_plan: how many clean samples it has, and how many it needs."""

    category: str
    complexity: str
    deliverable_bucket: str
    has: int
    needs: int


@dataclass(frozen=True, slots=True)
class Share:
    """A cell and how many phases are planned for it."""

    cell: Cell
    phases: int


def achievable_phases(seeds: Path, run_id: str) -> tuple[Phase, ...]:
    """Return the ten phases to begin with, where nothing is known yet.

    Raises:
        CollectionError: The seed cannot be read.
    """
    return tuple(
        Phase(
            run_id=run_id,
            phase_id=row["phase_id"],
            phase_index=int(row["phase_index"]),
            category=row["category"],
            complexity=row["complexity"],
            deliverables=tuple(row["deliverables"].split(";")),
            goal=row["goal"],
            limits=_limits(row),
        )
        for row in _rows(seeds / "achievable_phases.csv")
    )


def share_out(cells: Iterable[Cell], max_phases: int) -> tuple[Share, ...]:
    """Return the cells to fill, each to its target, in the order given, until phases run out."""
    shares = []
    for cell in cells:
        phases = min(cell.needs, max_phases)
        if phases > 0:
            shares.append(Share(cell, phases))
            max_phases -= phases
    return tuple(shares)


def plan_phases(seeds: Path, run_id: str, shares: Iterable[Share]) -> tuple[Phase, ...]:
    """Return the phases that fill the cells.

    Raises:
        CollectionError: A seed cannot be read, or does not know the cell's bucket.
    """
    templates = {row["category"]: row for row in _rows(seeds / "phase_templates.csv")}
    efforts = {row["complexity"]: row["effort"] for row in _rows(seeds / "phase_efforts.csv")}
    counts = {
        row["deliverable_bucket"]: int(row["deliverables"])
        for row in _rows(seeds / "planned_deliverables.csv")
    }
    topics = [(row["topic"], row["subject"]) for row in _rows(seeds / "phase_topics.csv")]
    phases: list[Phase] = []
    for share in shares:
        cell = share.cell
        if cell.deliverable_bucket not in counts:
            reason = f"has no row for the bucket {cell.deliverable_bucket}"
            raise CollectionError(seeds / "planned_deliverables.csv", reason)
        template = templates.get(cell.category, templates[""])
        for number in range(1, share.phases + 1):
            phase_id = _phase_id(cell, number)
            work = _work(
                template["path"],
                f"collected/{run_id}/{phase_id}",
                _next_topics(topics, len(phases), counts[cell.deliverable_bucket]),
            )
            goal = template["goal"].format(
                work="; ".join(f"{path} ({subject})" for path, subject in work.items()),
                effort=efforts.get(cell.complexity, ""),
            )
            phases.append(
                Phase(
                    run_id=run_id,
                    phase_id=phase_id,
                    phase_index=len(phases) + 1,
                    category=cell.category,
                    complexity=cell.complexity,
                    deliverables=tuple(work),
                    goal=goal.strip(),
                    limits=_limits(template),
                )
            )
    return tuple(phases)


def _phase_id(cell: Cell, number: int) -> str:
    bucket = cell.deliverable_bucket.replace("+", "-up")
    return f"{cell.category}-{cell.complexity}-{bucket}-{number:02d}"


def _next_topics(
    topics: Sequence[tuple[str, str]], start: int, count: int
) -> list[tuple[str, str]]:
    return [topics[(start + offset) % len(topics)] for offset in range(count)]


def _work(path: str, folder: str, topics: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the subject of each file."""
    return {path.format(folder=folder, topic=topic): subject for topic, subject in topics}


def _limits(row: Mapping[str, str]) -> dict[str, int]:
    return {name: int(row[name]) for name in _LIMITS if row.get(name)}


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        reason = f"cannot be read: {error.strerror}; run in the project's folder"
        raise CollectionError(path, reason) from error
    if not rows:
        raise CollectionError(path, "is empty; restore the project's seeds")
    return rows
