"""The controller: chooses a phase, runs the worker on it, and writes down what came of it."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tokenest_py.errors import CollectionError, ExclusiveDrainError
from tokenest_py.pipeline.collection import worker
from tokenest_py.pipeline.collection.events import count_events, file_sizes, is_writable
from tokenest_py.pipeline.collection.fingerprint import fingerprint
from tokenest_py.pipeline.collection.journal import Attempt
from tokenest_py.pipeline.collection.reasons import find_failure, read_tail, zero_yield_reason
from tokenest_py.pipeline.collection.triage import Limits, may_escalate, named, queue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tokenest_py.pipeline.collection.board import Board
    from tokenest_py.pipeline.collection.events import Yield
    from tokenest_py.pipeline.collection.phases import Phase
    from tokenest_py.pipeline.collection.reasons import FailurePattern
    from tokenest_py.pipeline.collection.triage import Candidate, Skipped
    from tokenest_py.runtime.estimator import Estimator

__all__ = ["Drain", "Stops", "new_session", "newest_session"]


@dataclass(frozen=True, slots=True)
class Stops:
    """When this call of the controller has done enough. None: no such limit."""

    batch_size: int | None = 10
    total_minutes: float | None = None
    zero_yields_in_a_row: int | None = None


class Drain:
    """Works through the phases of a board, one attempt at a time.

    Attributes:
        made: The attempts of this call, in order.
        session_id: The session that the attempts belong to.
        stopped: Why `next_candidate()` returned None; empty until then.
    """

    def __init__(
        self,
        board: Board,
        *,
        command: Sequence[str],
        telemetry_folder: Path,
        patterns: Sequence[FailurePattern],
        estimator: Estimator,
        session_id: str,
        phase_timeout: float = 900.0,
        limits: Limits | None = None,
        stops: Stops | None = None,
        umask: int = -1,
    ) -> None:
        """Take the phases from the board; `command` is what `worker.parse_command` returned.

        `phase_timeout` is in seconds, for one attempt. `umask` is the worker's; -1 leaves it.
        """
        self.made: list[Attempt] = []
        self.stopped = ""
        self._board = board
        self._command = tuple(command)
        self._folder = telemetry_folder.absolute()
        self._telemetry_patterns = [item for item in patterns if item.reason == "telemetry_off"]
        self._patterns = [item for item in patterns if item.reason != "telemetry_off"]
        self._estimator = estimator
        self.session_id = session_id
        self._umask = umask
        self._phase_timeout = phase_timeout
        self._limits = limits or Limits()
        self._stops = stops or Stops()
        self._started = time.monotonic()

    def queue(self) -> tuple[list[Candidate], list[Skipped]]:
        """Return what would be attempted now, the best first, and what would not, and why."""
        return queue(self._board.runs(), self.session_id, self._limits)

    def next_candidate(self, only: Candidate | None = None) -> Candidate | None:
        """Take the phase to attempt next, or `only`; None when a limit is reached or none is left.

        Raises:
            CollectionError: The board does not answer.
        """
        self.stopped = self._limit_reached()
        candidate = None
        if not self.stopped:
            candidate = self._board.take(self.session_id, self._limits, only)
            self.stopped = "" if candidate else "no phase is left"
        return candidate

    def planned(self) -> int:
        """Return how many attempts this call would make if each phase needs one."""
        candidates, _ = self.queue()
        size = self._stops.batch_size
        return len(candidates) if size is None else min(size, len(candidates))

    def candidate(self, phase_id: str, *, force: bool) -> Candidate:
        """Return the one phase of this name, whatever the limits say.

        Raises:
            ExclusiveDrainError: No run has it; or without `force`: it has succeeded already, or
                other phases are queued.
        """
        for phases, attempts in self._board.runs():
            found = named(phase_id, phases, attempts)
            if found is not None:
                attempted = {attempt.phase_id for attempt in attempts}
                others = sum(p.phase_id not in {*attempted, phase_id} for p in phases)
                if not force:
                    _refuse(phase_id, found.attempts, others)
                return found
        raise ExclusiveDrainError(f"phase {phase_id} is in no run given; see its phases.ndjson")

    def suggested_tokens(self, candidate: Candidate) -> tuple[int, int]:
        """Return the estimated output tokens of a phase and the ceiling to send with it.

        After an attempt that was cut off, the ceiling is raised once, as far as the phase allows.
        """
        phase = candidate.phase
        estimate = self._estimator.estimate(
            phase.deliverables, phase.category, phase.complexity, task=phase.goal
        )
        budget = self._estimator.budget(estimate, max_tokens=phase.limits.get("max_tokens"))
        if candidate.attempts:
            last = candidate.attempts[-1]
            budget = budget._replace(max_tokens=last.selected_budget)
            if may_escalate(candidate.attempts):
                budget = self._estimator.after_truncation(budget, "max_tokens").budget or budget
        return estimate.estimated_tokens, budget.max_tokens

    def attempt(self, candidate: Candidate) -> Attempt:
        """Run the worker on the phase, write the attempt to the journal, and return it.

        Raises:
            LeaseLostError: The phase may be another drain's by now; its worker has ended.
            CollectionError: A file of the run or its journal cannot be written.
        """
        phase = candidate.phase
        run = self._board.run(phase.run_id)
        number = len(candidate.attempts) + 1
        estimated, budget = self.suggested_tokens(candidate)
        file = run.phase_path(phase.phase_id, number)
        given = phase.as_dict() | {
            "attempt": number,
            "estimated_tokens": estimated,
            "max_tokens": budget,
        }
        try:
            file.write_text(json.dumps(given, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise CollectionError(file, f"cannot be written: {error.strerror}") from error
        log = run.log_path(phase.phase_id, number)
        before = file_sizes(self._folder)
        ending = worker.run(
            _filled(self._command, phase, file, budget),
            environment=self._environment(phase, file, number, estimated, budget),
            log=log,
            umask=self._umask,
            time_limit=_time_limit(phase, self._phase_timeout),
            lost=self._board.lost,
        )
        found = count_events(self._folder, before, phase.run_id, phase.phase_id)
        attempt = self._board.finish(self._outcome(phase, number, budget, ending, found, log))
        self.made.append(attempt)
        return attempt

    def _outcome(
        self,
        phase: Phase,
        number: int,
        budget: int,
        ending: worker.Ending,
        found: Yield,
        log: Path,
    ) -> Attempt:
        """Return the record of an attempt: what happened, and why nothing came."""
        success = ending.exit_code == 0
        tail = read_tail(log)
        failure, error = (None, "") if success else find_failure(tail, self._patterns)
        if not found.events:
            failure = find_failure(tail, self._telemetry_patterns)[0] or failure
        timed_out = ending.exit_code is None
        cut_off = not success and failure is not None and failure.name == "output_truncated"
        return Attempt(
            event_id=secrets.token_hex(16),
            occurred_at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            run_id=phase.run_id,
            phase_id=phase.phase_id,
            attempt=number,
            session_id=self.session_id,
            category=phase.category,
            complexity=phase.complexity,
            deliverable_count=len(phase.deliverables),
            selected_budget=budget,
            success=success,
            truncated=found.truncated or cut_off,
            duration_seconds=round(ending.seconds, 3),
            exit_code=ending.exit_code,
            events=found.events,
            zero_yield_reason=zero_yield_reason(
                events=found.events,
                exit_code=ending.exit_code,
                timed_out=timed_out,
                folder_is_writable=found.events > 0 or is_writable(self._folder),
                failure=failure,
            ),
            failure_pattern=failure.name if failure else None,
            fingerprint=None
            if success
            else fingerprint(
                "" if timed_out else error,
                ending.exit_code,
                timed_out=timed_out,
                names=(phase.run_id, phase.phase_id),
            ),
        )

    def _environment(
        self, phase: Phase, file: Path, number: int, estimated: int, budget: int
    ) -> Mapping[str, str]:
        return {
            "PYTHONUTF8": "1",
            "TELEMETRY_DB_ENABLED": "1",
            "TOKENEST_TELEMETRY_DIR": str(self._folder),
            "TOKENEST_RUN_ID": phase.run_id,
            "TOKENEST_PHASE_ID": phase.phase_id,
            "TOKENEST_PHASE_FILE": str(file.absolute()),
            "TOKENEST_ATTEMPT": str(number),
            "TOKENEST_ESTIMATED_TOKENS": str(estimated),
            "TOKENEST_MAX_TOKENS": str(budget),
        }

    def _limit_reached(self) -> str:
        """Return which limit of this call is reached; empty when none is."""
        stops, made = self._stops, self.made
        if stops.batch_size is not None and len(made) >= stops.batch_size:
            return f"the batch of {stops.batch_size} is done"
        minutes = (time.monotonic() - self._started) / 60
        if stops.total_minutes is not None and minutes >= stops.total_minutes:
            return f"{stops.total_minutes:g} minutes are over"
        streak = stops.zero_yields_in_a_row
        if streak and len(made) >= streak and not any(item.events for item in made[-streak:]):
            return f"{streak} attempts in a row gave no events"
        return ""


def new_session() -> str:
    """Return an id for a session that begins now."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def newest_session(runs: Iterable[Sequence[Attempt]]) -> str | None:
    """Return the session of the newest attempt of all runs; None when there is none."""
    last = [attempts[-1] for attempts in runs if attempts]
    return max(last, key=lambda item: item.occurred_at).session_id if last else None


def _refuse(phase_id: str, of_phase: Sequence[Attempt], others: int) -> None:
    if of_phase and of_phase[-1].success:
        raise ExclusiveDrainError(f"phase {phase_id} has succeeded; --force drains it again")
    if others:
        reason = f"{others} other phases of the run are queued"
        raise ExclusiveDrainError(f"{reason}; --force drains {phase_id} alone all the same")


def _filled(command: Sequence[str], phase: Phase, file: Path, budget: int) -> list[str]:
    """Return the command with its placeholders replaced."""
    values = {
        "{phase_file}": str(file.absolute()),
        "{run_id}": phase.run_id,
        "{phase_id}": phase.phase_id,
        "{max_tokens}": str(budget),
    }
    filled = []
    for word in command:
        for placeholder, value in values.items():
            word = word.replace(placeholder, value)
        filled.append(word)
    return filled


def _time_limit(phase: Phase, phase_timeout: float) -> float:
    """Return the seconds for one attempt: the drain's, or the phase's own where that is less."""
    minutes = phase.limits.get("max_minutes")
    return phase_timeout if minutes is None else min(phase_timeout, minutes * 60.0)
