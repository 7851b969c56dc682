"""`tokenest plan`: a run of phases that fills the coverage gaps."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenest_py.cli import output
from tokenest_py.cli.guard import show_database, show_folder
from tokenest_py.cli.options import AllowEmptyOption, FormatOption, LockTimeoutOption, OutputOption
from tokenest_py.cli.output import Format
from tokenest_py.cli.say import say
from tokenest_py.errors import NoDataError
from tokenest_py.pipeline.database import open_database, read_view
from tokenest_py.pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenest_py.pipeline.collection.phases import Phase
    from tokenest_py.pipeline.collection.plan import Cell, Share

__all__ = ["plan"]

CELL_COLUMNS = ["category", "complexity", "deliverable_bucket", "has", "needs", "phases"]
PHASE_COLUMNS = ["phase_index", "phase_id", "category", "complexity", "deliverables"]


class Target(StrEnum):
    """A collection target: how many clean samples a cell shall have."""

    MINIMUM = "minimum"
    PRODUCTION = "production"
    OPTIMAL = "optimal"


def plan(
    *,
    run: Annotated[
        str | None, typer.Option("--run", help="Name of the run; collection-<time> without one.")
    ] = None,
    runs_folder: Annotated[
        Path, typer.Option("--runs", help="The folder in which runs are made.")
    ] = Path("runs"),
    target: Annotated[
        Target, typer.Option(help="5, 20 or 50 clean samples in each cell.")
    ] = Target.MINIMUM,
    max_phases: Annotated[int, typer.Option(min=1, help="Most phases to plan.")] = 20,
    category: Annotated[
        list[str] | None, typer.Option(help="Only this category; may be repeated.")
    ] = None,
    complexity: Annotated[
        list[str] | None, typer.Option(help="Only this complexity; may be repeated.")
    ] = None,
    achievable: Annotated[
        bool, typer.Option("--achievable", help="Plan the ten achievable phases in any case.")
    ] = False,
    form: FormatOption = Format.TABLE,
    output_file: OutputOption = None,
    allow_empty_db: AllowEmptyOption = False,
    lock_timeout: LockTimeoutOption = 30.0,
) -> None:
    """Plan a run that fills the thinnest cells of the telemetry.

    Without telemetry it is the ten achievable phases: six of implementation, three of tests, one
    of documentation.
    """
    from tokenest_py.pipeline.collection.phases import parse_phase
    from tokenest_py.pipeline.collection.plan import achievable_phases, plan_phases, share_out
    from tokenest_py.pipeline.collection.runs import create_run

    settings = Settings.read()
    seeds = settings.project / "seeds" / "collection"
    name = run or f"collection-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    events = show_database(settings.database, allow_empty=allow_empty_db, lock_timeout=lock_timeout)
    show_folder(settings, to_write=False)
    if achievable or not events:
        say("planning the ten achievable phases")
        phases = tuple(
            phase
            for phase in achievable_phases(seeds, name)
            if phase.category in (category or [phase.category])
            and phase.complexity in (complexity or [phase.complexity])
        )[:max_phases]
        if not phases:
            raise NoDataError(
                "nothing to plan: none of the ten achievable phases is of that kind;"
                " leave out --category or --complexity"
            )
        result = output.render([_phase_row(p) for p in phases], form, columns=PHASE_COLUMNS)
    else:
        cells = _gaps(settings.database, target, category or [], complexity or [], lock_timeout)
        shares = share_out(cells, max_phases)
        if not shares:
            raise NoDataError(
                f"nothing to plan: no such cell lacks samples for the {target} target"
            )
        phases = plan_phases(seeds, name, shares)
        result = output.render([_share_row(s) for s in shares], form, columns=CELL_COLUMNS)
    folder = runs_folder / name
    for number, phase in enumerate(phases, start=1):
        parse_phase(phase.as_dict(), folder / "phases.ndjson", number)
    path = create_run(folder, phases)
    output.write(result, output_file)
    say(f"{len(phases)} phases in {path}; next: tokenest drain {folder} --worker '...'")


def _gaps(
    database: Path,
    target: Target,
    categories: Sequence[str],
    complexities: Sequence[str],
    lock_timeout: float,
) -> list[Cell]:
    """Return the cells that lack samples, the thinnest first."""
    from tokenest_py.pipeline.collection.plan import Cell

    needs = f"needed_for_{target}"
    with open_database(database, lock_timeout=lock_timeout) as connection:
        found = read_view(connection, "cmd_plan_gaps")
    for name, asked in (("category", categories), ("complexity", complexities)):
        known = {row[name] for row in found}
        unknown = next((value for value in asked if value not in known), None)
        if unknown is not None:
            reason = f"nothing to plan: no phase can be made up of the {name} {unknown!r}"
            raise NoDataError(f"{reason}; there are {', '.join(sorted(known))}")
    return [
        Cell(
            category=row["category"],
            complexity=row["complexity"],
            deliverable_bucket=row["deliverable_bucket"],
            has=row["n_clean"],
            needs=row[needs],
        )
        for row in found
        if row[needs] > 0
        and (not categories or row["category"] in categories)
        and (not complexities or row["complexity"] in complexities)
    ]


def _share_row(share: Share) -> dict[str, Any]:
    return asdict(share.cell) | {"phases": share.phases}


def _phase_row(phase: Phase) -> dict[str, Any]:
    return phase.as_dict() | {"deliverables": len(phase.deliverables)}
