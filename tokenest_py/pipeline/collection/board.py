"""Where a drain takes its phases from and leaves its attempts: the runs' folders, or a service."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from tokenest_py.pipeline.collection.triage import queue, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokenest_py.pipeline.collection.journal import Attempt, Journal
    from tokenest_py.pipeline.collection.phases import Phase
    from tokenest_py.pipeline.collection.runs import Run
    from tokenest_py.pipeline.collection.triage import Candidate, Limits

__all__ = ["Board", "LocalBoard", "judged"]


class Board(Protocol):
    """What a drain needs of the runs that it works on.

    Attributes:
        lost: Set once the phase that was taken may be another drain's: its worker has to end.
    """

    lost: threading.Event

    def runs(self) -> list[tuple[Sequence[Phase], Sequence[Attempt]]]:
        """Return of each run its phases and all attempts at it, in order."""

    def run(self, run_id: str) -> Run:
        """Return the run whose folder takes the logs."""

    def take(
        self, session_id: str, limits: Limits, only: Candidate | None = None
    ) -> Candidate | None:
        """Return the phase to attempt next, or `only`; nobody else gets it until it is finished."""

    def finish(self, attempt: Attempt) -> Attempt:
        """Write the attempt to the journal; return it with the verdict on its run."""


class LocalBoard:
    """Runs that this process holds, each with its journal."""

    def __init__(self, runs: Sequence[tuple[Run, Journal]]) -> None:
        """Take the runs, which the caller holds, or only looks at."""
        self.lost = threading.Event()  # never: the run's lock is ours
        self._runs = {run.run_id: (run, journal) for run, journal in runs}

    def runs(self) -> list[tuple[Sequence[Phase], Sequence[Attempt]]]:
        """Return of each run its phases and all attempts at it, in order."""
        return [(run.phases, journal.attempts) for run, journal in self._runs.values()]

    def run(self, run_id: str) -> Run:
        """Return the run of this name."""
        return self._runs[run_id][0]

    def take(
        self, session_id: str, limits: Limits, only: Candidate | None = None
    ) -> Candidate | None:
        """Return the best phase, or `only`."""
        if only is not None:
            return only
        candidates, _ = queue(self.runs(), session_id, limits)
        return candidates[0] if candidates else None

    def finish(self, attempt: Attempt) -> Attempt:
        """Write the attempt to the run's journal.

        Raises:
            CollectionError: It cannot be written.
        """
        return judged(self._runs[attempt.run_id][1], attempt)


def judged(journal: Journal, attempt: Attempt) -> Attempt:
    """Write an attempt with what all attempts at its run say then, and return it.

    Raises:
        CollectionError: It cannot be written.
    """
    attempt = replace(attempt, run_verdict=verdict([*journal.attempts, attempt]))
    journal.append(attempt)
    return attempt
