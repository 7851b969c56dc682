"""Which phase is worth the next attempt: one of each run first, then where something comes.

Everything is judged anew from the attempts before each choice, so that new evidence counts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tokenest_py.pipeline.collection.journal import Attempt
    from tokenest_py.pipeline.collection.phases import Phase

__all__ = [
    "VERDICTS",
    "Candidate",
    "Limits",
    "Skipped",
    "may_escalate",
    "named",
    "queue",
    "verdict",
]

# In the order in which runs are served.
VERDICTS = ("unsampled", "promising", "undecided", "deprioritised")
REPEATS = 2  # a fingerprint seen so often in a run repeats


@dataclass(frozen=True, slots=True)
class Limits:
    """When a phase or a run has had enough attempts in this session."""

    attempts_per_phase: int = 2
    timeouts_per_run: int = 2
    fingerprint_repeats: int = REPEATS  # a deprioritised run is left alone
    skip_run_prefixes: tuple[str, ...] = ()
    retry_failed: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A phase that may be attempted, and what speaks for it."""

    phase: Phase
    verdict: str
    attempts: tuple[Attempt, ...]  # of this phase, all sessions


@dataclass(frozen=True, slots=True)
class Skipped:
    """Phases of a run that are not attempted, and why."""

    run_id: str
    reason: str
    phases: tuple[str, ...] = field(default_factory=tuple)


def verdict(attempts: Sequence[Attempt]) -> str:
    """Return what all attempts at a run so far, in their order, say about it: one of VERDICTS.

    promising: the last attempt succeeded or gave events, or none has failed twice in the same way
    since one did, or there were only timeouts. deprioritised: since then a failure without events
    has repeated. undecided: failures without events, each of another kind.
    """
    if not attempts:
        return "unsampled"
    failures = _failures(attempts)
    if any(count >= REPEATS for count in failures.values()):
        return "deprioritised"
    is_good = any(map(_is_good, attempts))
    return "promising" if is_good or not failures else "undecided"


def queue(
    runs: Iterable[tuple[Sequence[Phase], Sequence[Attempt]]], session_id: str, limits: Limits
) -> tuple[list[Candidate], list[Skipped]]:
    """Return the phases to attempt, the best first, and those that are not, with the reason.

    Args:
        runs: Of each run its phases and all attempts at it, in order.
        session_id: The session whose attempts count towards the limits.
        limits: When a phase or a run has had enough.
    """
    candidates: list[Candidate] = []
    skipped: list[Skipped] = []
    for phases, attempts in runs:
        in_session = [attempt for attempt in attempts if attempt.session_id == session_id]
        stopped = _stopped(phases[0].run_id, attempts, in_session, limits)
        run_verdict = verdict(attempts)
        by_phase: dict[str, list[Attempt]] = {}
        for attempt in attempts:
            by_phase.setdefault(attempt.phase_id, []).append(attempt)
        reasons: dict[str, list[str]] = {}
        for phase in phases:
            of_phase = tuple(by_phase.get(phase.phase_id, ()))
            if of_phase and of_phase[-1].success:
                continue
            reason = stopped or _exhausted(of_phase, session_id, limits)
            if reason is None:
                candidates.append(Candidate(phase, run_verdict, of_phase))
            else:
                reasons.setdefault(reason, []).append(phase.phase_id)
        skipped += [
            Skipped(phases[0].run_id, reason, tuple(names)) for reason, names in reasons.items()
        ]
    return sorted(candidates, key=_rank), skipped


def named(phase_id: str, phases: Sequence[Phase], attempts: Sequence[Attempt]) -> Candidate | None:
    """Return the phase of this name of a run, whatever the limits say; None where it has none."""
    of_phase = tuple(one for one in attempts if one.phase_id == phase_id)
    for phase in phases:
        if phase.phase_id == phase_id:
            return Candidate(phase, verdict(attempts), of_phase)
    return None


def may_escalate(of_phase: Sequence[Attempt]) -> bool:
    """Return whether the last attempt was cut off at a budget that was never raised before."""
    last = of_phase[-1]
    budgets = {attempt.selected_budget for attempt in of_phase}
    return last.truncated and not last.success and len(budgets) == 1


def _is_good(attempt: Attempt) -> bool:
    return attempt.success or attempt.events > 0


def _failures(attempts: Sequence[Attempt]) -> Counter[str | None]:
    """Fingerprints, counted since the last event or success; timeouts do not count."""
    good = [number for number, attempt in enumerate(attempts) if _is_good(attempt)]
    since = attempts[good[-1] + 1 :] if good else attempts
    return Counter(attempt.fingerprint for attempt in since if not attempt.timed_out)


def _stopped(
    run_id: str, attempts: Sequence[Attempt], in_session: Sequence[Attempt], limits: Limits
) -> str | None:
    """Return why no phase of the run is attempted any more; None when some may be."""
    if any(run_id.startswith(prefix) for prefix in limits.skip_run_prefixes):
        return "the run's prefix is skipped"
    timeouts = sum(attempt.timed_out for attempt in in_session)
    if timeouts >= limits.timeouts_per_run:
        return f"{timeouts} timeouts in the run"
    in_this = _failures(in_session)
    for fingerprint, count in _failures(attempts).items():
        if in_this[fingerprint] >= limits.fingerprint_repeats:
            return f"{in_this[fingerprint]} failures with fingerprint {fingerprint}"
        if count >= limits.fingerprint_repeats and not limits.retry_failed:
            # deprioritised by an earlier session: to start again is no new evidence
            reason = f"{count} failures with fingerprint {fingerprint}"
            return f"{reason}; --retry-failed takes the run up again"
    return None


def _exhausted(of_phase: Sequence[Attempt], session_id: str, limits: Limits) -> str | None:
    """Return why the phase is not attempted again; None when it may be."""
    if not of_phase:
        return None
    in_session = sum(attempt.session_id == session_id for attempt in of_phase)
    if in_session >= limits.attempts_per_phase:
        return f"{in_session} attempts at the phase"
    if limits.retry_failed or may_escalate(of_phase):
        return None
    return "it failed; --retry-failed tries it again"


def _rank(candidate: Candidate) -> tuple[int, int, bool, int]:
    timed_out = bool(candidate.attempts) and candidate.attempts[-1].timed_out
    return (
        VERDICTS.index(candidate.verdict),
        len(candidate.attempts),
        timed_out,
        candidate.phase.phase_index,
    )
