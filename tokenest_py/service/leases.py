"""Which phases are out, and whose they are: the service's side of a drain.

The service holds a run, as a drain on the spot would, for as long as a phase of it is out. What is
out stands in the run's folder: it is still out when the service has been killed and is back.
"""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tokenest_py.errors import CollectionError, LeaseLostError, RunBusyError
from tokenest_py.pipeline.collection.board import judged
from tokenest_py.pipeline.collection.leases import Lease, read_leases, write_leases
from tokenest_py.pipeline.collection.runs import PHASES, Run, find_run
from tokenest_py.pipeline.collection.triage import named, queue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tokenest_py.pipeline.collection.journal import Attempt, Journal
    from tokenest_py.pipeline.collection.triage import Candidate, Limits

__all__ = ["Leases"]


@dataclass(slots=True)
class Held:
    """A run of which phases are out."""

    run: Run
    journal: Journal
    hold: ExitStack
    leases: dict[str, Lease] = field(default_factory=dict)


class Leases:
    """The phases of the runs in a folder, each out to one drain at most; safe for many threads."""

    def __init__(self, folder: Path, telemetry_folder: Path, seconds: float) -> None:
        """Serve the runs in a folder; a lease lasts so many seconds, unless it is renewed."""
        self.seconds = seconds
        self._folder = folder
        self._telemetry_folder = telemetry_folder
        self._held: dict[str, Held] = {}
        self._lock = threading.RLock()

    def resume(self) -> None:
        """Hold again what was out when the service ended, for a whole time: none could renew it."""
        with self._lock:
            for name in self.names():
                if read_leases(self._folder / name):
                    held = self._hold(name)
                    again = time.time() + self.seconds
                    for lease in held.leases.values():
                        held.leases[lease.lease_id] = replace(lease, expires_at=again)
                    self._keep(held)

    def names(self) -> list[str]:
        """Return the names of the runs."""
        return sorted(path.parent.name for path in self._folder.glob(f"*/{PHASES}"))

    def is_known(self, name: str) -> bool:
        """Return whether there is a run of this name."""
        return name in self.names()

    def look(self, name: str) -> tuple[Run, Sequence[Attempt], list[Lease]]:
        """Return a run, all attempts at it, and what is out of it.

        Raises:
            CollectionError: There is no such run, or it is damaged.
        """
        with self._lock:
            self._sweep()
            held = self._held.get(name)
            if held is not None:
                return held.run, list(held.journal.attempts), list(held.leases.values())
        run = self._find(name)
        return run, run.journal(self._telemetry_folder).attempts, []

    def lease(
        self,
        names: Sequence[str],
        session_id: str,
        limits: Limits,
        holder: str,
        phase_id: str | None,
    ) -> tuple[Lease, Candidate] | None:
        """Give out the phase to attempt next, or the one that is named; None when none is left.

        Raises:
            RunBusyError: A run is being drained on the spot, or the phase that is named is out.
            CollectionError: A run is unknown or damaged.
        """
        with self._lock:
            self._sweep()
            try:
                runs = [self._hold(name) for name in names]
                candidate = (
                    self._best(runs, session_id, limits)
                    if phase_id is None
                    else _named(runs[0], phase_id)
                )
                if candidate is None:
                    return None
                lease = Lease(
                    lease_id=secrets.token_hex(8),
                    phase_id=candidate.phase.phase_id,
                    attempt=len(candidate.attempts) + 1,
                    session_id=session_id,
                    holder=holder,
                    expires_at=time.time() + self.seconds,
                )
                held = self._held[candidate.phase.run_id]
                held.leases[lease.lease_id] = lease
                self._keep(held)
                return lease, candidate
            finally:
                self._let_go()

    def renew(self, name: str, lease_id: str) -> None:
        """Give a lease a whole time again.

        Raises:
            LeaseLostError: It is none, or its time is over.
        """
        with self._lock:
            held, lease = self._lease(name, lease_id)
            held.leases[lease_id] = replace(lease, expires_at=time.time() + self.seconds)
            self._keep(held)

    def give_back(self, name: str, lease_id: str) -> None:
        """Take a phase back without any attempt.

        Raises:
            LeaseLostError: It is none, or its time is over.
        """
        with self._lock:
            held, _ = self._lease(name, lease_id)
            self._end(held, lease_id)

    def finish(self, name: str, lease_id: str, attempt: Attempt) -> Attempt:
        """Write what came of a phase to the journal; once this returns it survives a kill.

        The same attempt again is answered as the first time. One whose time was over is taken, if
        nobody else has the phase.

        Raises:
            LeaseLostError: The phase is somebody else's, or has had this attempt.
            CollectionError: The journal cannot be written.
        """
        with self._lock:
            self._sweep()
            try:
                held = self._hold(name)
                for known in held.journal.attempts:
                    if known.event_id == attempt.event_id:
                        held.leases.pop(lease_id, None)
                        self._keep(held)
                        return known
                self._check(held, lease_id, attempt)
                written = judged(held.journal, attempt)
                held.leases.pop(lease_id, None)
                self._keep(held)
                return written
            finally:
                self._let_go()

    def sweep(self) -> None:
        """Take back every phase whose time is over."""
        with self._lock:
            self._sweep()

    def close(self) -> None:
        """Let go of all runs; what is out stays out, by its file."""
        with self._lock:
            for held in self._held.values():
                held.hold.close()
            self._held.clear()

    def _best(self, runs: Sequence[Held], session_id: str, limits: Limits) -> Candidate | None:
        """Return the best phase that is not out.

        A run of which the first sample is being taken waits for it: the others come first.
        """
        known = []
        sampling = set()
        for held in runs:
            taken = {lease.phase_id for lease in held.leases.values()}
            phases = [phase for phase in held.run.phases if phase.phase_id not in taken]
            if phases:
                known.append((phases, held.journal.attempts))
            if taken and not held.journal.attempts:
                sampling.add(held.run.run_id)
        candidates, _ = queue(known, session_id, limits)
        return min(candidates, key=lambda one: one.phase.run_id in sampling, default=None)

    def _check(self, held: Held, lease_id: str, attempt: Attempt) -> None:
        lease = held.leases.get(lease_id)
        done = sum(one.phase_id == attempt.phase_id for one in held.journal.attempts)
        others = {one.phase_id for one in held.leases.values() if one.lease_id != lease_id}
        is_of_lease = lease is None or lease.phase_id == attempt.phase_id
        is_phase = any(phase.phase_id == attempt.phase_id for phase in held.run.phases)
        if not is_of_lease or not is_phase or attempt.attempt != done + 1:
            reason = f"attempt {attempt.attempt} at {attempt.phase_id} is not the one that is due"
            raise LeaseLostError(held.run.folder, reason)
        if attempt.phase_id in others:
            reason = f"phase {attempt.phase_id} went to another drain when its time was over"
            raise LeaseLostError(held.run.folder, reason)

    def _lease(self, name: str, lease_id: str) -> tuple[Held, Lease]:
        self._sweep()
        held = self._held.get(name)
        lease = held.leases.get(lease_id) if held else None
        if held is None or lease is None:
            raise LeaseLostError(name, f"has no lease {lease_id}; its time is over")
        return held, lease

    def _find(self, name: str) -> Run:
        if not self.is_known(name):
            raise CollectionError(name, f"is no run; there are {', '.join(self.names()[:10])}")
        return find_run(str(self._folder / name))

    def _hold(self, name: str) -> Held:
        """Return the run with its lock; the leases of its file are still out."""
        held = self._held.get(name)
        if held is None:
            run = self._find(name)
            with ExitStack() as hold:
                journal = hold.enter_context(
                    run.drained_into(self._telemetry_folder, with_leases=True)
                )
                held = Held(run, journal, hold.pop_all())
            held.leases = {lease.lease_id: lease for lease in read_leases(run.folder)}
            self._held[name] = held
        return held

    def _sweep(self) -> None:
        now = time.time()
        for held in list(self._held.values()):
            for lease in list(held.leases.values()):
                if lease.expires_at <= now:
                    del held.leases[lease.lease_id]
                    self._keep(held)
        self._let_go()

    def _end(self, held: Held, lease_id: str) -> None:
        held.leases.pop(lease_id, None)
        self._keep(held)
        self._let_go()

    def _keep(self, held: Held) -> None:
        write_leases(held.run.folder, held.leases.values())

    def _let_go(self) -> None:
        """Give up the locks of runs of which nothing is out: a drain on the spot may have them."""
        for name in [name for name, held in self._held.items() if not held.leases]:
            self._held.pop(name).hold.close()


def _named(held: Held, phase_id: str) -> Candidate:
    """Return the phase of this name, whatever the limits say.

    Raises:
        RunBusyError: It is out.
        CollectionError: There is none.
    """
    if any(lease.phase_id == phase_id for lease in held.leases.values()):
        raise RunBusyError(held.run.folder, f"phase {phase_id} is out to another drain")
    found = named(phase_id, held.run.phases, held.journal.attempts)
    if found is None:
        raise CollectionError(held.run.folder, f"has no phase {phase_id}")
    return found
