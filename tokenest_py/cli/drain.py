"""`tokenest drain`: works through a run's phases with the user's own agent."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tokenest_py.cli import output
from tokenest_py.cli.guard import show_database, show_folder
from tokenest_py.cli.options import AllowEmptyOption, FormatOption, LockTimeoutOption, OutputOption
from tokenest_py.cli.output import Format
from tokenest_py.cli.say import say
from tokenest_py.errors import LeaseLostError, NoDataError
from tokenest_py.pipeline.report.words import count
from tokenest_py.pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tokenest_py.pipeline.collection.board import Board
    from tokenest_py.pipeline.collection.drain import Drain
    from tokenest_py.pipeline.collection.journal import Attempt
    from tokenest_py.pipeline.collection.triage import Candidate, Skipped

__all__ = ["drain"]

QUEUE_COLUMNS = [
    "run_id", "phase_id", "verdict", "attempt", "category", "complexity", "estimated_tokens",
    "max_tokens",
]  # fmt: skip
SUMMARY_COLUMNS = [
    "run_id", "verdict", "attempts", "succeeded", "failed", "timeouts", "events",
    "events_per_minute", "zero_yield", "queued",
]  # fmt: skip


def drain(
    runs: Annotated[
        list[str], typer.Argument(help="Folders of runs, or names in runs/ or at the service.")
    ],
    *,
    worker: Annotated[
        str,
        typer.Option(
            help="The agent's command. {phase_file}, {run_id}, {phase_id} and {max_tokens} in it"
            " are filled in; no shell reads it."
        ),
    ],
    phase: Annotated[
        str | None, typer.Option("--phase", help="Drain this phase of the one run, and no other.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --phase: although others are queued.")
    ] = False,
    api_url: Annotated[
        str | None,
        typer.Option(help="Drain through the `tokenest serve` that listens there, with others."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Most attempts in this call.")] = 10,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the last session, and its limits' counts.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be drained, in order; run nothing.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Attempt failed phases again.")
    ] = False,
    phase_timeout_seconds: Annotated[
        float, typer.Option(min=0.1, help="Time limit of one attempt.")
    ] = 900.0,
    max_total_minutes: Annotated[
        float | None, typer.Option(min=0, help="Begin no attempt after so many minutes.")
    ] = None,
    max_timeouts_per_run: Annotated[
        int, typer.Option(min=1, help="Timeouts after which a run is left alone.")
    ] = 2,
    max_attempts_per_phase: Annotated[
        int, typer.Option(min=1, help="Attempts after which a phase is left alone.")
    ] = 2,
    max_fingerprint_repeats: Annotated[
        int, typer.Option(min=1, help="Equal failures after which a run is left alone.")
    ] = 2,
    max_consecutive_zero_yield: Annotated[
        int | None, typer.Option(min=1, help="Attempts in a row without events that end the call.")
    ] = None,
    skip_run_prefix: Annotated[
        list[str] | None, typer.Option(help="Leave runs of this prefix alone; may be repeated.")
    ] = None,
    form: FormatOption = Format.TABLE,
    output_file: OutputOption = None,
    allow_empty_db: AllowEmptyOption = False,
    lock_timeout: LockTimeoutOption = 5.0,
) -> None:
    """Run each phase of a run through an agent, and journal it.

    Exits with 4 when no attempt gave an event.
    """
    from tokenest_py.pipeline.collection.board import LocalBoard
    from tokenest_py.pipeline.collection.drain import Drain, Stops, new_session, newest_session
    from tokenest_py.pipeline.collection.reasons import read_patterns
    from tokenest_py.pipeline.collection.runs import find_run
    from tokenest_py.pipeline.collection.triage import Limits
    from tokenest_py.pipeline.collection.worker import parse_command
    from tokenest_py.runtime.estimator import Estimator

    command = parse_command(worker)
    found = [] if api_url else [find_run(name) for name in runs]
    _refuse_unclear([run.run_id for run in found] or runs, phase, force=force)
    settings = Settings.read()
    folder = settings.telemetry_folder
    show_database(
        settings.database, allow_empty=allow_empty_db, lock_timeout=lock_timeout, may_be_busy=True
    )
    show_folder(settings, to_write=not dry_run)
    with ExitStack() as held:
        board: Board
        if api_url:
            from tokenest_py.pipeline.collection.remote import RemoteBoard
            from tokenest_py.pipeline.identity import Identity

            token = settings.values["TOKENEST_API_TOKEN"]
            board = held.enter_context(RemoteBoard(api_url, token, runs, Identity.of(settings)))
        elif dry_run:
            board = LocalBoard([(run, run.journal(folder)) for run in found])
        else:
            board = LocalBoard(
                [(run, held.enter_context(run.drained_into(folder, say))) for run in found]
            )
        session = newest_session(attempts for _, attempts in board.runs()) if resume else None
        drain = Drain(
            board,
            command=command,
            telemetry_folder=folder,
            patterns=read_patterns(settings.project / "seeds/collection/failure_patterns.csv"),
            estimator=Estimator.load(workspace=Path.cwd(), strict=True),
            session_id=session or new_session(),
            phase_timeout=phase_timeout_seconds,
            limits=Limits(
                attempts_per_phase=max_attempts_per_phase,
                timeouts_per_run=max_timeouts_per_run,
                fingerprint_repeats=max_fingerprint_repeats,
                skip_run_prefixes=tuple(skip_run_prefix or ()),
                retry_failed=retry_failed,
            ),
            stops=Stops(
                batch_size=batch_size,
                total_minutes=max_total_minutes,
                zero_yields_in_a_row=max_consecutive_zero_yield,
            ),
            umask=USER_UMASK,
        )
        only = drain.candidate(phase, force=force) if phase else None
        if dry_run:
            _show_queue(drain, only, form, output_file)
            return
        _work(drain, only)
        _show_summary(drain, board, form, output_file)
    if drain.made and not any(attempt.events for attempt in drain.made):
        reason = f"{count(len(drain.made), 'attempt')} gave no event; see the reasons above"
        if any(attempt.success for attempt in drain.made):
            reason += "; what succeeded is done, and --phase ID --force drains it again"
        raise NoDataError(reason)


def _umask() -> int:
    """Return the umask without changing it, which the system has no call for."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


# The command makes its own files private; an agent's files are for the user to decide about.
USER_UMASK = _umask()


def _refuse_unclear(names: Sequence[str], phase: str | None, *, force: bool) -> None:
    if len(set(names)) < len(names):
        raise typer.BadParameter("the same run is given twice")
    if phase and len(names) > 1:
        raise typer.BadParameter("--phase goes with one run")
    if force and not phase:
        raise typer.BadParameter("--force goes with --phase")


def _work(drain: Drain, only: Candidate | None) -> None:
    """Drain until nothing is left, a limit is reached, or the user interrupts."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[so_far]}", markup=False),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=1 if only else drain.planned(), so_far="")
        try:
            candidate = drain.next_candidate(only)
            while candidate is not None:
                phase = candidate.phase
                name = f"{phase.run_id} {phase.phase_id}"[:48].ljust(48)
                progress.update(task, description=name, refresh=True)
                try:
                    say(_line(drain.attempt(candidate), candidate))
                except LeaseLostError as error:
                    say(str(error))
                progress.update(task, advance=1, so_far=_so_far(drain), refresh=True)
                candidate = None if only else drain.next_candidate()
        except KeyboardInterrupt:
            say(f"interrupted after {count(len(drain.made), 'attempt')}; --resume goes on")
            raise


def _so_far(drain: Drain) -> str:
    """Return the yield of this call, why the last empty attempt was empty, and what is skipped."""
    parts = [count(sum(attempt.events for attempt in drain.made), "event")]
    reasons = [item.zero_yield_reason for item in drain.made if item.zero_yield_reason]
    if reasons:
        parts.append(f"last empty: {reasons[-1]}")
    _, skipped = drain.queue()
    if skipped:
        phases = sum(len(item.phases) for item in skipped)
        parts.append(f"skipped {phases} ({skipped[-1].reason})")
    return ", ".join(parts)


def _line(attempt: Attempt, candidate: Candidate) -> str:
    """Return what came of an attempt, in one line."""
    ending = "timeout" if attempt.timed_out else "ok" if attempt.success else "failed"
    came = count(attempt.events, "event")
    if attempt.zero_yield_reason:
        came += f": {attempt.zero_yield_reason}"
    if attempt.failure_pattern:
        came += f" ({attempt.failure_pattern})"
    verdict = f"; run is {attempt.run_verdict}" if attempt.run_verdict != candidate.verdict else ""
    return (
        f"{attempt.run_id} {attempt.phase_id} attempt {attempt.attempt}:"
        f" {ending}, {came}, {attempt.duration_seconds:.1f} s{verdict}"
    )


def _show_queue(
    drain: Drain, only: Candidate | None, form: Format, output_file: Path | None
) -> None:
    candidates, skipped = ([only], []) if only else drain.queue()
    rows: list[dict[str, Any]] = []
    for candidate in candidates:
        estimated, budget = drain.suggested_tokens(candidate)
        rows.append(
            candidate.phase.as_dict()
            | {
                "verdict": candidate.verdict,
                "attempt": len(candidate.attempts) + 1,
                "estimated_tokens": estimated,
                "max_tokens": budget,
            }
        )
    output.write(output.render(rows, form, columns=QUEUE_COLUMNS), output_file)
    _show_skipped(skipped)


def _show_summary(
    drain: Drain,
    board: Board,
    form: Format,
    output_file: Path | None,
) -> None:
    from tokenest_py.pipeline.collection.summary import summary_rows

    rows = summary_rows(board.runs(), drain.made)
    total = rows[-1]
    _, skipped = drain.queue()
    if form in {Format.JSON, Format.NDJSON}:
        reasons = [asdict(item) for item in skipped]
        total |= {"session_id": drain.session_id, "stopped": drain.stopped, "skipped": reasons}
        text = output.render(rows, form, columns=list(total))
    else:
        one_run_is_all = len(rows) == 2
        shown = [
            row | {"zero_yield": _counts(row["zero_yield"])}
            for row in (rows[:1] if one_run_is_all else rows)
        ]
        text = output.render(shown, form, columns=SUMMARY_COLUMNS)
    output.write(text, output_file)
    if total["failure_patterns"]:
        say(f"blockers: {_counts(total['failure_patterns'])}")
    _show_skipped(skipped)
    if drain.stopped:
        say(f"stopped: {drain.stopped}")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _show_skipped(skipped: Sequence[Skipped]) -> None:
    for item in skipped:
        names = ", ".join(item.phases[:5]) + (", ..." if len(item.phases) > 5 else "")
        say(f"skipped {len(item.phases)} of {item.run_id} ({names}): {item.reason}")
